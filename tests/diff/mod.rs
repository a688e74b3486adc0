//! `lockstep diff` and `lockstep merge` as programs: what they print, and how they end.

mod compare;
mod merge;

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

/// What a run of the command gave.
struct Run {
    code: i32,
    out: String,
    err: String,
}

/// A folder with files to compare.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs the command in the folder; the arguments are given as words.
    fn lockstep(&self, words: &str) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(words.split_whitespace())
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
