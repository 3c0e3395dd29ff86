//! What can go wrong with the stage.

use std::{io, path::PathBuf};

use crate::error::{Class, Fault};

/// An error of the stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// A url that cannot be used.
    #[error("the stage's url is wrong: {what}")]
    Url {
        /// In which way.
        what: String,
    },
    /// An object that should be there is not.
    #[error("the stage has no object {key}")]
    Missing {
        /// The object's key.
        key: String,
    },
    /// A file or folder of a local stage.
    #[error("cannot {doing} {} in the stage", path.display())]
    File {
        /// An infinitive.
        doing: &'static str,
        /// The object's file, or the folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// S3 refused, or could not be reached.
    #[error("cannot {doing} s3://{bucket}/{key}: {what}")]
    S3 {
        /// An infinitive.
        doing: &'static str,
        /// The bucket.
        bucket: String,
        /// The object's key, or the prefix.
        key: String,
        /// What S3 or the connection says: code and message.
        what: String,
        /// Whether it goes away by itself.
        class: Class,
        /// What to do about it.
        hint: Option<String>,
    },
    /// What lies there is not what was written.
    #[error("the object {key} is not what was written: {what}")]
    Altered {
        /// The object's key.
        key: String,
        /// What differs.
        what: String,
    },
    /// Compression failed.
    #[error("cannot compress or decompress {key}")]
    Codec {
        /// The object's key.
        key: String,
        /// Why.
        source: io::Error,
    },
    /// A manifest that is not the one that the ledger knows.
    #[error("the manifest {key} is not the one that was published: its SHA-256 is not the ledger's")]
    AnotherManifest {
        /// The object's key.
        key: String,
    },
    /// A manifest that this version cannot read.
    #[error("the manifest {key} cannot be read: {what}")]
    Manifest {
        /// The object's key.
        key: String,
        /// Why.
        what: String,
    },
}

impl Fault for StageError {
    fn class(&self) -> Class {
        match self {
            Self::Url { .. } => Class::Usage,
            Self::S3 { class, .. } => *class,
            // A full disk is often freed by what runs beside us, and a retry costs little.
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::Interrupted
                | io::ErrorKind::TimedOut
                | io::ErrorKind::StaleNetworkFileHandle => Class::Passing,
                _ => Class::Lasting,
            },
            // The next attempt writes its own objects.
            Self::Missing { .. } | Self::Altered { .. } | Self::Codec { .. } => Class::Passing,
            Self::Manifest { .. } | Self::AnotherManifest { .. } => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Url { .. } => Some("it is written s3://bucket/prefix or file:./folder".to_owned()),
            Self::S3 { hint, .. } => hint.clone(),
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("the stage's disk is full: free some space there, then run again".to_owned())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(
                    "give the user that runs barncat the right to write in the stage's folder".to_owned(),
                ),
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Some("a file is where the stage's folder should be: mend [stage] url".to_owned())
                }
                _ => None,
            },
            Self::Altered { .. } | Self::AnotherManifest { .. } => {
                Some("something else writes to the stage, or its storage is failing".to_owned())
            }
            Self::Missing { .. } | Self::Codec { .. } | Self::Manifest { .. } => None,
        }
    }
}
