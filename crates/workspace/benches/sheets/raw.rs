//! Reading the SQLite file of a workspace raw.

use std::path::Path;
use std::time::{Duration, Instant};

/// Is a plain program that reads the file of the workspace.
pub(crate) struct Raw(rusqlite::Connection, Duration);

impl Raw {
    pub(crate) fn open(path: &Path) -> Self {
        let start = Instant::now();
        let connection = rusqlite::Connection::open(path).unwrap();
        Self(connection, start.elapsed())
    }

    /// Reads every block and touches every byte; the first time, opening the file counts too.
    pub(crate) fn read(&mut self) -> Duration {
        let start = Instant::now();
        let mut statement = self.0.prepare_cached("SELECT data FROM blocks").unwrap();
        let mut rows = statement.query([]).unwrap();
        let (mut length, mut sum) = (0, 0_u64);
        while let Some(row) = rows.next().unwrap() {
            let blob = row.get_ref(0).unwrap().as_blob().unwrap();
            length += blob.len();
            sum += blob.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        assert!(length > 1_000_000 && sum > 0);
        start.elapsed() + std::mem::take(&mut self.1)
    }

    /// Copies every block and looks at none.
    pub(crate) fn copy(&self) -> Duration {
        let start = Instant::now();
        let mut statement = self.0.prepare_cached("SELECT data FROM blocks").unwrap();
        let blocks = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        let length: usize = blocks.map(|data| data.unwrap().len()).sum();
        assert!(length > 1_000_000);
        start.elapsed()
    }
}
