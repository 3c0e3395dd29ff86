//! A folder as the stage.
//!
//! An object is written to a temporary file beside its place, synced, and renamed: it is whole or
//! absent. Files and folders are readable by their owner only, since rows lie in them.

use std::{
    fs,
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use tokio::task::spawn_blocking;

use super::{Object, Seen, Stage, StageError, Upload, key::owner_of};
use crate::fail_point;

/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// How much of a file is read at once.
const READ_BYTES: usize = 32 * 1024;

/// How often the folders of an object are made when somebody removes them at the same moment.
const CREATE_TRIES: u32 = 10;

/// A folder.
pub(super) struct LocalStage {
    root: PathBuf,
}

impl LocalStage {
    /// A stage in `root`, which is made by the first `put`.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }
}

#[async_trait]
impl Stage for LocalStage {
    fn url(&self) -> String {
        format!("file:{}", self.root.display())
    }

    async fn put(&self, key: &str) -> Result<Box<dyn Upload>, StageError> {
        let path = self.path(key);
        let root = self.root.clone();
        let file = blocking("create", &path, move |path| create(&root, path)).await?;
        Ok(Box::new(LocalUpload { root: self.root.clone(), path, file: Some(file), ended: false }))
    }

    async fn get(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, StageError>>, StageError> {
        let path = self.path(key);
        let file = blocking("read", &path, |path| fs::File::open(path)).await;
        let file = match file {
            Err(StageError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(StageError::Missing { key: key.to_owned() });
            }
            file => file?,
        };
        Ok(Box::pin(stream::try_unfold(file, move |file| {
            let path = path.clone();
            async move { blocking("read", &path, move |_| read_block(file)).await }
        })))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StageError> {
        let files = blocking("list", &self.path(prefix), walk).await?;
        let mut objects: Vec<Object> = files
            .into_iter()
            .filter(|(path, _)| !is_unfinished(path))
            .filter_map(|(path, bytes)| Some(Object { key: key_of(&self.root, &path)?, bytes }))
            .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    async fn look(&self, key: &str) -> Result<Option<Seen>, StageError> {
        match blocking("read", &self.path(key), |path| fs::metadata(path)).await {
            Ok(file) => Ok(Some(Seen { bytes: file.len(), checksum: None })),
            Err(StageError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, keys: &[String]) -> Result<(), StageError> {
        for key in keys {
            let root = self.root.clone();
            fail_point!("stage.delete.before");
            blocking("delete", &self.path(key), move |path| remove(&root, path)).await?;
            fail_point!("stage.delete.after");
        }
        Ok(())
    }

    async fn sweep(
        &self,
        prefix: &str,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<u64, StageError> {
        let files = blocking("list", &self.path(prefix), walk).await?;
        let mut swept = 0;
        for (path, _) in files.into_iter().filter(|(path, _)| is_unfinished(path)) {
            let Some(key) = key_of(&self.root, &path) else { continue };
            if owner_of(&key).is_some_and(|load| is_dead(&load)) {
                let root = self.root.clone();
                blocking("delete", &path, move |path| remove(&root, path)).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// A file under way. Dropped, it is removed, and the folders that are empty without it.
struct LocalUpload {
    root: PathBuf,
    path: PathBuf,
    /// `None` once a write has failed or was cancelled: what it left is of no use.
    file: Option<fs::File>,
    /// Nothing unfinished is left to remove.
    ended: bool,
}

impl LocalUpload {
    fn take_file(&mut self) -> Result<fs::File, StageError> {
        self.file.take().ok_or_else(|| StageError::File {
            doing: "write",
            path: self.path.clone(),
            source: io::Error::other("an earlier write failed"),
        })
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StageError> {
        let mut file = self.take_file()?;
        let file = blocking("write", &self.path, move |_| {
            file.write_all(&bytes)?;
            Ok(file)
        });
        self.file = Some(file.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<String>, StageError> {
        let file = self.take_file()?;
        fail_point!("stage.finish.before");
        blocking("write", &self.path, move |path| {
            file.sync_all()?;
            fs::rename(unfinished(path), path)?;
            sync_folder(path.parent())
        })
        .await?;
        self.ended = true;
        fail_point!("stage.finish.after");
        Ok(None)
    }

    async fn abort(self: Box<Self>) {
        drop(self);
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.ended {
            // A write that was cancelled may still be under way: it ends in a file without a name.
            let _ = remove(&self.root, &unfinished(&self.path));
        }
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

fn is_unfinished(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

/// Makes a file and the folders that it lies in; where that fails none of them is left.
fn create(root: &Path, path: &Path) -> io::Result<fs::File> {
    let mut tries = 1;
    loop {
        match create_once(path) {
            // Whoever deletes a load removes the folders that it leaves empty: ours may be among them, at
            // any moment. One that goes between two looks is both there already and not there.
            Err(error) if is_of_a_folder(&error) && tries < CREATE_TRIES => tries += 1,
            Err(error) => {
                remove_empty(root, path);
                return Err(error);
            }
            created => return created,
        }
    }
}

fn is_of_a_folder(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
}

fn create_once(path: &Path) -> io::Result<fs::File> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // A folder that is new must outlive a power cut as the file in it does.
        for folder in folder.ancestors().take(4) {
            sync_folder(Some(folder)).or_else(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => Ok(()),
                _ => Err(error),
            })?;
        }
    }
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(unfinished(path))
}

fn sync_folder(folder: Option<&Path>) -> io::Result<()> {
    match folder {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn read_block(mut file: fs::File) -> io::Result<Option<(Bytes, fs::File)>> {
    let mut bytes = BytesMut::zeroed(READ_BYTES);
    let read = file.read(&mut bytes)?;
    bytes.truncate(read);
    Ok(if read == 0 { None } else { Some((bytes.freeze(), file)) })
}

/// All files below a folder with their sizes; none where there is no such folder.
fn walk(start: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    let mut folders = vec![start.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let metadata = match entry.metadata() {
                // Renamed or deleted since: other loads are at work beside us.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), metadata.len()));
            }
        }
    }
    Ok(files)
}

fn key_of(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

/// Removes a file and the folders that it leaves empty.
fn remove(root: &Path, path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    remove_empty(root, path);
    Ok(())
}

/// Removes the folders above a file that is not there, as far as they are empty.
fn remove_empty(root: &Path, path: &Path) {
    for folder in path.ancestors().skip(1) {
        if folder == root || fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

/// File work off the threads that serve connections.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StageError> {
    let error = |source| StageError::File { doing, path: path.to_owned(), source };
    let path = path.to_owned();
    match spawn_blocking(move || work(&path)).await {
        Ok(done) => done.map_err(error),
        Err(_) => Err(error(io::Error::other("the task ended by itself"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_that_was_given_up_leaves_no_folder_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = LocalStage::new(folder.path().to_owned());
        let upload = |key: &'static str| stage.put(key);
        let whole = upload("p/production/raw.t/one/part-00000.csv.zst").await.expect("it begins");
        whole.finish().await.expect("it ends");
        let mut given_up = upload("p/production/raw.t/two/part-00000.csv.zst").await.expect("it begins");
        given_up.write(Bytes::from_static(b"rows")).await.expect("it is written");
        drop(given_up);
        let loads: Vec<_> =
            fs::read_dir(folder.path().join("p/production/raw.t")).expect("it is there").flatten().collect();
        assert_eq!(loads.len(), 1, "{loads:?}");
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_begun_leaves_no_folder_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = LocalStage::new(folder.path().to_owned());
        // Longer than a file's name may be, and its folder's not.
        let key = format!("p/production/raw.t/three/{}", "n".repeat(300));
        assert!(stage.put(&key).await.is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }
}
