//! Files that are watched where they lie: a change that has settled makes the dataset look.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::Notify, task::JoinHandle};

use super::pokes::Poke;
use crate::{
    error::{Error, Result},
    replica::{Source, file::shelf::Shelf, reach::Reach},
};

/// How long a file must be left alone before it counts as written.
const SETTLED: Duration = Duration::from_millis(150);

/// After so many extensions a file that never rests is looked at all the same.
const RESTLESS: u32 = 20;

/// A file that is watched, until this is dropped.
pub(super) struct FileWatch {
    _watcher: RecommendedWatcher,
    settling: JoinHandle<()>,
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        self.settling.abort();
    }
}

impl FileWatch {
    /// Watches a replica that is a file; its folder is watched, because files are replaced and not changed.
    ///
    /// # Errors
    /// A folder that cannot be watched, be it that the system's limit is reached: polls find the change, too.
    pub(super) fn start(reach: &Reach, source: &Source, poke: &Poke) -> Result<Option<Self>> {
        let Source::File(file) = source else { return Ok(None) };
        match reach.shelf(file.connection.as_deref())? {
            Shelf::Folder(files) => {
                Self::of(&files.root().join(&file.path), poke.clone()).map(Some)
            }
            // What lies on another machine is polled.
            #[cfg(feature = "remote-files")]
            Shelf::Remote(_) => Ok(None),
        }
    }

    fn of(path: &Path, poke: Poke) -> Result<Self> {
        let unwatched = |error: notify::Error| {
            Error::internal(format!("{} cannot be watched: {error}", path.display()))
                .next("polls find its changes all the same")
                .with_source(error)
        };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::invalid(format!("{} is no file's path", path.display())));
        };
        let (name, touched) = (PathBuf::from(name), Arc::new(Notify::new()));
        let told = Arc::clone(&touched);
        let heard = move |event: notify::Result<Event>| match event {
            Ok(event) if concerns(&event, &name) => told.notify_one(),
            Ok(_) => {}
            // Events were lost: perhaps one of ours.
            Err(_) => told.notify_one(),
        };
        let mut watcher = notify::recommended_watcher(heard).map_err(unwatched)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(unwatched)?;
        let settling = tokio::spawn(async move {
            loop {
                touched.notified().await;
                for _ in 0..RESTLESS {
                    if tokio::time::timeout(SETTLED, touched.notified()).await.is_err() {
                        break;
                    }
                }
                poke.poke();
            }
        });
        Ok(Self { _watcher: watcher, settling })
    }
}

/// Returns whether an event may have changed the file of this name; that somebody read it does not count.
fn concerns(event: &Event, name: &Path) -> bool {
    let read = matches!(event.kind, EventKind::Access(_));
    !read && event.paths.iter().any(|path| path.file_name() == Some(name.as_os_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Pokes;

    async fn poked(poke: &Poke) -> bool {
        for _ in 0..40 {
            if poke.take() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        false
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_pokes_once_it_rests_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stock.csv");
        let poke = Pokes::default().of("stock");
        let _watch = FileWatch::of(&path, poke.clone()).unwrap();
        std::fs::write(folder.path().join("other.csv"), "x").unwrap();
        tokio::time::sleep(SETTLED * 3).await;
        assert!(!poke.take(), "another file");
        std::fs::write(&path, "a").unwrap();
        assert!(poked(&poke).await, "made");
        let aside = folder.path().join("aside");
        std::fs::write(&aside, "b").unwrap();
        std::fs::rename(&aside, &path).unwrap();
        assert!(poked(&poke).await, "replaced");
        std::fs::read(&path).unwrap();
        tokio::time::sleep(SETTLED * 3).await;
        assert!(!poke.take(), "read");
    }
}
