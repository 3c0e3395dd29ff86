//! What only a folder can do wrong.

use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc};

use barncat::{
    error::{Class, Failure},
    stage::{self, SharedStage},
};

use super::place::{get, keys, load_of, noise, put};

fn stage_in(folder: &Path) -> SharedStage {
    stage::local(folder.to_owned())
}

/// The key of a part whose file, while it is unfinished, has no room at all: any user can have that
/// disk, without mounting one.
fn key_on_a_full_disk(folder: &Path) -> String {
    let key = load_of("orders").manifest();
    let file = folder.join(&key);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    symlink("/dev/full", folder.join(format!("{key}.unfinished"))).unwrap();
    key
}

#[tokio::test]
async fn a_full_disk_is_a_passing_error_with_its_file_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage_in(folder.path());
    let key = key_on_a_full_disk(folder.path());
    let failure = Failure::of(&put(&stage, &key, &noise(1 << 20)).await.unwrap_err());
    assert_eq!(failure.class, Class::Passing);
    let file = folder.path().join(&key);
    assert_eq!(
        failure.message,
        format!("cannot write {} in the stage: No space left on device (os error 28)", file.display())
    );
    let hint = "the stage's disk is full: free some space there, then run again";
    assert_eq!(failure.hint.as_deref(), Some(hint));
    // What was written makes room again, and the next try needs no hand.
    assert!(fs::symlink_metadata(file.with_extension("json.unfinished")).is_err());
    put(&stage, &key, b"content").await.expect("there is room again");
    assert_eq!(get(&stage, &key).await.unwrap(), b"content");
}

#[tokio::test]
async fn after_a_failed_write_an_object_never_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage_in(folder.path());
    let key = key_on_a_full_disk(folder.path());
    let mut upload = stage.put(&key).await.unwrap();
    upload.write(noise(1000).into()).await.unwrap_err();
    upload.write(noise(1000).into()).await.unwrap_err();
    upload.finish().await.unwrap_err();
    assert_eq!(keys(&stage, "deliveries/").await, [""; 0]);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_a_lasting_error() {
    // Nobody makes folders there, root neither.
    let stage = stage_in(Path::new("/sys/barncat-stage"));
    let failure = Failure::of(&put(&stage, "a/b", b"").await.expect_err("it may not"));
    assert_eq!(failure.class, Class::Lasting);
    assert!(failure.message.starts_with("cannot create /sys/barncat-stage/a/b in the stage: "), "{failure}");
    let hint = "give the user that runs barncat the right to write in the stage's folder";
    assert_eq!(failure.hint.as_deref(), Some(hint));
}

#[tokio::test]
async fn a_file_in_the_folders_place_is_a_lasting_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for folder in [file.path().to_owned(), file.path().join("below")] {
        let failure = Failure::of(&put(&stage_in(&folder), "b", b"").await.expect_err("it cannot"));
        assert_eq!(failure.class, Class::Lasting);
        let hint = "a file is where the stage's folder should be: mend [stage] url";
        assert_eq!(failure.hint.as_deref(), Some(hint), "{failure}");
    }
}

#[tokio::test]
async fn a_missing_folder_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("not/yet/there");
    let stage = stage_in(&root);
    assert_eq!(keys(&stage, "").await, [""; 0]);
    assert_eq!(stage.sweep("", &|_| true).await.unwrap(), 0);
    put(&stage, "a/b", b"content").await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&root), mode(&root.join("a/b"))), (0o700, 0o600));
    stage.delete(&["a/b".to_owned()]).await.unwrap();
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "an empty folder is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writing_listing_and_deleting_do_not_trip_over_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Arc::new(stage_in(folder.path()));
    let workers = (0..4).map(|worker| {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move {
            // All of them in one folder, which goes whenever it is empty.
            let key = format!("deliveries/production/{worker}");
            for _ in 0..150 {
                put(&stage, &key, b"content").await?;
                stage.list("deliveries/").await?;
                stage.sweep("deliveries/", &|_| true).await?;
                stage.delete(std::slice::from_ref(&key)).await?;
            }
            Ok::<_, stage::StageError>(())
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap().unwrap_or_else(|error| panic!("{}", Failure::of(&error)));
    }
}
