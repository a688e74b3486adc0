//! Where the files of a connection are: a folder of this machine, or one behind a network.

use std::path::Path;

use super::folder::{Files, Meta};
#[cfg(feature = "remote-files")]
use super::remote::Remote;
use crate::error::Result;

/// A place of files.
#[derive(Clone, Debug)]
pub(crate) enum Shelf {
    /// A folder of this machine.
    Folder(Files),
    /// A folder behind a network.
    #[cfg(feature = "remote-files")]
    Remote(Remote),
}

/// What reading a file gave.
#[derive(Debug)]
pub(super) enum Got {
    /// It is not there.
    Missing,
    /// What is known of it proves that it need not be read.
    Known,
    /// Its content.
    Bytes(Vec<u8>, Meta),
}

impl Shelf {
    /// Returns what tells this place from others.
    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Folder(files) => files.root(),
            #[cfg(feature = "remote-files")]
            Self::Remote(remote) => remote.root(),
        }
    }

    /// Checks that a file may be written, without writing.
    ///
    /// # Errors
    /// A place that is read-only, or a path outside it.
    pub(super) fn check_writable(&self, path: &str) -> Result<()> {
        match self {
            Self::Folder(files) => files.check_writable(path),
            #[cfg(feature = "remote-files")]
            Self::Remote(remote) => remote.check_writable(path),
        }
    }

    /// Reads a file, unless what is known of it suffices; a file that must be there and is not is an error.
    ///
    /// # Errors
    /// A file that cannot be reached, or is too large.
    pub(super) async fn get(
        &self,
        path: &str,
        may_lack: bool,
        suffices: impl Fn(&Meta) -> bool,
    ) -> Result<Got> {
        match self {
            Self::Folder(files) => {
                if may_lack && !files.exists(path)? {
                    return Ok(Got::Missing);
                }
                let meta = files.meta(path)?;
                if suffices(&meta) {
                    return Ok(Got::Known);
                }
                Ok(Got::Bytes(files.read(path)?, meta))
            }
            #[cfg(feature = "remote-files")]
            Self::Remote(remote) => {
                let meta = remote.meta(path).await?;
                if meta.is_some_and(|meta| suffices(&meta)) {
                    return Ok(Got::Known);
                }
                match remote.read(path).await? {
                    Some(seen) => Ok(Got::Bytes(seen.bytes, seen.meta)),
                    None if may_lack => Ok(Got::Missing),
                    None => Err(remote.missing(path)),
                }
            }
        }
    }

    /// Reads a file; `None` if it is not there.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub(super) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self.get(path, true, |_| false).await? {
            Got::Bytes(bytes, _) => Ok(Some(bytes)),
            Got::Missing | Got::Known => Ok(None),
        }
    }

    /// Returns the hash of a file's bytes, or `None` if it is not there.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub(super) async fn hash(&self, path: &str) -> Result<Option<blake3::Hash>> {
        Ok(self.read(path).await?.as_deref().map(blake3::hash))
    }

    /// Replaces a file whole if its content still has this hash; returns whether it had.
    ///
    /// # Errors
    /// A place that is read-only, full or cannot be reached.
    pub(super) async fn replace_if(
        &self,
        path: &str,
        content: &[u8],
        run: &str,
        before: Option<blake3::Hash>,
    ) -> Result<bool> {
        match self {
            Self::Folder(files) => {
                let hash = || -> Result<Option<blake3::Hash>> {
                    match files.exists(path)? {
                        true => Ok(Some(blake3::hash(&files.read(path)?))),
                        false => Ok(None),
                    }
                };
                files.replace_if(path, content, run, || Ok(hash()? == before))
            }
            #[cfg(feature = "remote-files")]
            Self::Remote(remote) => remote.replace_if(path, content, run, before).await,
        }
    }

    /// Removes what writers of a file that died had put aside for it.
    ///
    /// # Errors
    /// A place that is read-only or cannot be reached.
    pub(super) async fn remove_asides(&self, path: &str) -> Result<()> {
        match self {
            Self::Folder(files) => files.remove_asides(path),
            #[cfg(feature = "remote-files")]
            Self::Remote(remote) => remote.remove_asides(path).await,
        }
    }

    /// Returns why a write cannot be guarded against somebody else's at the same moment, if so.
    pub(crate) fn unguarded(&self) -> Option<String> {
        match self {
            Self::Folder(_) => None,
            #[cfg(feature = "remote-files")]
            Self::Remote(remote) => remote.unguarded(),
        }
    }
}
