//! A folder that file replicas live in.
//!
//! Every path is opened relative to a directory handle (cap-std), so neither
//! `..` nor a symbolic link leads out of the operator's folder.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use cap_std::{ambient_authority, fs::Dir};
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Error, Kind, Result, did_you_mean};

/// The largest file that is read, in bytes.
pub(super) const MAX_FILE: u64 = 2 * 1024 * 1024 * 1024;

/// What the operator says of a folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder; nothing outside it can be reached.
    pub path: PathBuf,
    /// Whether its files may be written.
    #[serde(default)]
    pub writable: bool,
}

impl FolderConfig {
    /// Takes the leave to write.
    pub(crate) fn only_read(&mut self) {
        self.writable = false;
    }
}

/// A folder whose files may be read, and written where the operator said so.
#[derive(Clone, Debug)]
pub struct Files {
    dir: Arc<Dir>,
    root: PathBuf,
    writable: bool,
    /// The operator's name of it, if it is not the default one.
    connection: Option<Arc<str>>,
}

/// What a file system or a store tells of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// Bytes.
    pub(super) size: u64,
    /// The time of the last change, to the nanosecond where the file system keeps it.
    pub(super) modified: Option<Timestamp>,
    /// What the store calls this content, where it is a store that does.
    pub(super) etag: Option<String>,
}

impl Files {
    /// Opens the folder.
    ///
    /// # Errors
    /// A folder that is not there or cannot be opened.
    pub fn open(root: &Path, writable: bool) -> Result<Self> {
        let canonical = std::fs::canonicalize(root).map_err(|error| refused(root, &error))?;
        let dir = Dir::open_ambient_dir(&canonical, ambient_authority())
            .map_err(|error| refused(root, &error))?;
        Ok(Self { dir: Arc::new(dir), root: canonical, writable, connection: None })
    }

    /// Opens the folder of a connection.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(crate) fn connect(name: &str, config: &FolderConfig) -> Result<Self> {
        let opened = Self::open(&config.path, config.writable)
            .map_err(|error| error.context(format!("connections.{name} of the configuration")))?;
        Ok(Self { connection: Some(name.into()), ..opened })
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// A path outside the folder, a file that is not there (near names are offered) or too large.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let relative = self.relative(path)?;
        let mut file = self.dir.open(relative).map_err(|error| self.explain(path, &error))?;
        let metadata = file.metadata().map_err(|error| self.explain(path, &error))?;
        if metadata.is_dir() {
            return Err(Error::invalid(format!("\"{path}\" is a folder, not a file"))
                .next("name a file in it"));
        }
        if metadata.len() > MAX_FILE {
            return Err(Error::new(
                Kind::TooLarge,
                format!("\"{path}\" has {} bytes; at most {MAX_FILE} are read", metadata.len()),
            )
            .next("split the file"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(|error| self.explain(path, &error))?;
        Ok(bytes)
    }

    /// Returns what is known of a file without reading it.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub(super) fn meta(&self, path: &str) -> Result<Meta> {
        let relative = self.relative(path)?;
        let found = self.dir.metadata(relative).map_err(|error| self.explain(path, &error))?;
        let modified = found.modified().ok();
        let modified = modified.and_then(|time| Timestamp::try_from(time.into_std()).ok());
        Ok(Meta { size: found.len(), modified, etag: None })
    }

    /// Returns whether a file is there.
    ///
    /// # Errors
    /// A path outside the folder.
    pub fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.dir.exists(self.relative(path)?))
    }

    /// Checks that a file may be written, without writing.
    ///
    /// # Errors
    /// A folder that is read-only, or a path outside it.
    pub fn check_writable(&self, path: &str) -> Result<()> {
        if !self.writable {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!("files under {} may be read, not written", self.root.display()),
            )
            .next(match &self.connection {
                Some(name) => format!("the operator can allow it: writable = true under [connections.{name}] in lockstep.toml"),
                None => "the operator can allow it: start with --allow-write, or set writable = true under [files] in lockstep.toml".to_owned(),
            }));
        }
        self.relative(path).map(|_| ())
    }

    /// Replaces a file's content if `still` says so: written aside, flushed to disk, looked at, renamed over.
    ///
    /// A reader sees the old content or the new, never a part of either. `still` is asked right before the rename;
    /// `by` names the writer. Returns whether the file was replaced.
    ///
    /// # Errors
    /// A folder that is read-only, a path outside it, a disk that is full, and whatever `still` fails with.
    pub(crate) fn replace_if(
        &self,
        path: &str,
        content: &[u8],
        by: &str,
        still: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        self.check_writable(path)?;
        let relative = self.relative(path)?;
        let aside = relative.with_file_name(format!("{}{by}", aside_prefix(&relative)));
        let written = (|| {
            let mut file = self.dir.create(&aside)?;
            if let Ok(existing) = self.dir.metadata(&relative) {
                file.set_permissions(existing.permissions())?;
            }
            file.write_all(content)?;
            file.sync_all()
        })();
        let discard = || {
            let _ = self.dir.remove_file(&aside);
        };
        if let Err(error) = written {
            discard();
            return Err(self.explain(path, &error));
        }
        match still() {
            Ok(true) => {}
            other => {
                discard();
                return other;
            }
        }
        if let Err(error) = self.dir.rename(&aside, &self.dir, &relative) {
            discard();
            return Err(self.explain(path, &error));
        }
        // The rename itself must survive a power cut; some file systems cannot flush a folder, and say so.
        if let Ok(folder) = self.folder_of(&relative) {
            let _ = folder.sync_all();
        }
        Ok(true)
    }

    /// Removes what writers of a file that died had put aside for it.
    ///
    /// # Errors
    /// A folder that is read-only, or a path outside it.
    pub(crate) fn remove_asides(&self, path: &str) -> Result<()> {
        self.check_writable(path)?;
        let relative = self.relative(path)?;
        let prefix = aside_prefix(&relative);
        let parent = relative.parent().filter(|parent| !parent.as_os_str().is_empty());
        let listed = match parent {
            Some(parent) => self.dir.read_dir(parent),
            None => self.dir.entries(),
        };
        for entry in listed.into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(&prefix) {
                let _ = self.dir.remove_file(relative.with_file_name(name));
            }
        }
        Ok(())
    }

    fn folder_of(&self, relative: &Path) -> std::io::Result<cap_std::fs::File> {
        match relative.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => self.dir.open(parent),
            None => self.dir.open("."),
        }
    }

    fn relative(&self, path: &str) -> Result<PathBuf> {
        let given = Path::new(path);
        let relative = if given.is_absolute() {
            given.strip_prefix(&self.root).map_err(|_| self.outside(path))?.to_owned()
        } else {
            given.to_owned()
        };
        let mut depth = 0_i32;
        for part in relative.components() {
            match part {
                std::path::Component::ParentDir => depth -= 1,
                std::path::Component::Normal(_) => depth += 1,
                _ => {}
            }
            if depth < 0 {
                return Err(self.outside(path));
            }
        }
        if depth == 0 {
            return Err(Error::invalid(format!("\"{path}\" names no file"))
                .next("give a path such as \"data/planes.csv\""));
        }
        Ok(relative)
    }

    fn outside(&self, path: &str) -> Error {
        Error::new(
            Kind::PermissionDenied,
            format!("\"{path}\" is outside the folder {}", self.root.display()),
        )
        .next("use a path inside it; the operator names another folder with --root or [files] root in lockstep.toml")
    }

    fn explain(&self, path: &str, error: &std::io::Error) -> Error {
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                let names = self.beside(path);
                let near = did_you_mean(path, names.iter().map(String::as_str));
                Error::not_found(format!(
                    "there is no file \"{path}\" in {}.{near}",
                    self.root.display()
                ))
                .next("check the path; it is relative to that folder")
            }
            // cap-std reports an escape through a link as a permission error.
            std::io::ErrorKind::PermissionDenied => Error::new(
                Kind::PermissionDenied,
                format!("\"{path}\" in {} cannot be opened: {error}", self.root.display()),
            )
            .next("check the file's permissions, and that it is no link out of the folder"),
            _ => Error::invalid(format!("\"{path}\": {error}")).next("check the file and the disk"),
        }
    }

    /// Returns the paths of what lies in the same folder as a path, which need not be there; nothing outside the root.
    pub(crate) fn beside(&self, path: &str) -> Vec<String> {
        let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
        let listed = match parent {
            Some(parent) => self.dir.read_dir(parent),
            None => self.dir.entries(),
        };
        listed
            .into_iter()
            .flatten()
            .take(1000)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .map(|name| match parent {
                Some(parent) => format!("{}/{name}", parent.display()),
                None => name,
            })
            .collect()
    }
}

/// Returns the path under which a run puts aside what it writes to a file.
#[cfg(feature = "remote-files")]
pub(super) fn aside_name(path: &str, run: &str) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}.{name}.lockstep-{run}")
}

/// Returns how the names begin of what is put aside for a file.
fn aside_prefix(relative: &Path) -> String {
    let name = relative.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    format!(".{name}.lockstep-")
}

fn refused(root: &Path, error: &std::io::Error) -> Error {
    Error::invalid(format!("the folder {} cannot be opened: {error}", root.display()))
        .next("name an existing folder with --root or [files] root in lockstep.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(writable: bool) -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("inside")).unwrap();
        std::fs::write(dir.path().join("inside/planes.csv"), "a\n1\n").unwrap();
        let files = Files::open(&dir.path().join("inside"), writable).unwrap();
        (dir, files)
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let (dir, files) = folder(true);
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("inside/link"))
            .unwrap();
        for path in ["../secret", "a/../../secret", "/etc/passwd", "link"] {
            let error = files.read(path).unwrap_err();
            assert_eq!(error.kind(), Kind::PermissionDenied, "{path}: {error}");
        }
        assert_eq!(
            files.replace_if("../secret", b"x", "run", || Ok(true)).unwrap_err().kind(),
            Kind::PermissionDenied
        );
        // A link in the folder is replaced by a file, or refused: what it points to stays.
        let _ = files.replace_if("link", b"x", "run", || Ok(true));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("inside/out")).unwrap();
        let through = files.replace_if("out/secret", b"x", "run", || Ok(true)).unwrap_err();
        assert_eq!(through.kind(), Kind::PermissionDenied, "{through}");
        assert_eq!(std::fs::read(dir.path().join("secret")).unwrap(), b"s");
    }

    #[test]
    fn a_missing_file_offers_its_neighbours() {
        let (_dir, files) = folder(false);
        let error = files.read("plane.csv").unwrap_err().to_string();
        assert!(error.contains("Did you mean \"planes.csv\"?"), "{error}");
    }

    #[test]
    fn a_read_only_folder_is_not_written() {
        let (_dir, files) = folder(false);
        let error = files.replace_if("planes.csv", b"x", "run", || Ok(true)).unwrap_err();
        assert!(error.to_string().contains("--allow-write"), "{error}");
        assert_eq!(files.read("planes.csv").unwrap(), b"a\n1\n");
    }

    #[test]
    fn replacing_leaves_no_other_file_behind() {
        let (_dir, files) = folder(true);
        assert!(files.replace_if("planes.csv", b"new", "run", || Ok(true)).unwrap());
        assert_eq!(files.read("planes.csv").unwrap(), b"new");
        assert_eq!(std::fs::read_dir(files.root()).unwrap().count(), 1);
        assert!(files.read(&format!("{}/planes.csv", files.root().display())).is_ok());
    }
}
