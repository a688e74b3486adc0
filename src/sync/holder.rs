//! This process, as others see it in a lease: alive as long as it holds the lock on its file.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::error::{Error, Result};

/// A process that may hold leases. The operating system lets go of its lock when it dies, however it dies.
#[derive(Clone, Debug)]
pub struct Holder {
    folder: PathBuf,
    name: Arc<str>,
    _lock: Arc<File>,
}

impl Holder {
    /// Announces this process in a folder that all processes of a store share.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn announce(folder: &Path) -> Result<Self> {
        let id: String = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let path = file(folder, &id);
        let failed = |error: std::io::Error| {
            Error::invalid(format!("{} cannot be written: {error}", path.display()))
                .next("name a folder that can be written with LOCKSTEP_HOME")
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(&path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let name = format!("process {} ({id})", std::process::id());
        sweep(folder);
        Ok(Self { folder: folder.to_owned(), name: name.into(), _lock: Arc::new(lock) })
    }

    /// Returns the name for leases and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the process of this name is proven to be gone.
    ///
    /// A process on another machine has no file here: it counts as alive, and its lease expires by itself.
    #[must_use]
    pub fn is_gone(&self, name: &str) -> bool {
        let id = name.rsplit_once('(').and_then(|(_, id)| id.strip_suffix(')'));
        let plain = |id: &&str| id.len() == 12 && id.chars().all(|c| c.is_ascii_hexdigit());
        let Some(id) = id.filter(plain) else { return false };
        let path = file(&self.folder, id);
        let Ok(other) = OpenOptions::new().write(true).open(&path) else { return false };
        match other.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        }
    }
}

/// How long the file of a dead process stays: any lease of it has run out by then.
const KEEP: Duration = Duration::from_secs(24 * 3_600);

/// Removes the files of processes that died long ago.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified()).map(|at| at.elapsed());
        let old = matches!(age, Ok(Ok(age)) if age > KEEP);
        let dead = || File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if old && entry.path().extension().is_some_and(|end| end == "lock") && dead() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn file(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_is_not_gone_and_a_stranger_counts_as_alive() {
        let folder = tempfile::tempdir().unwrap();
        let (here, other) =
            (Holder::announce(folder.path()).unwrap(), Holder::announce(folder.path()).unwrap());
        assert_ne!(here.name(), other.name());
        assert!(!here.is_gone(other.name()));
        assert!(!here.is_gone("process 7 (0123456789ab)"), "no file: perhaps on another machine");
        assert!(!here.is_gone("somebody"));
        assert!(!here.is_gone("process 7 (../../../e.lo)"));
    }

    #[test]
    fn a_file_that_nobody_locks_belongs_to_a_dead_process() {
        let folder = tempfile::tempdir().unwrap();
        let here = Holder::announce(folder.path()).unwrap();
        std::fs::write(folder.path().join("0123456789ab.lock"), "").unwrap();
        assert!(here.is_gone("process 7 (0123456789ab)"));
    }
}
