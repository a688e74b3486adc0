//! The server that is measured.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Is the variable that tells a process to be the server of a file.
pub(crate) const FILE: &str = "LOCKSTEP_BENCH_WORKSPACE_FILE";

/// Is the server, a process of its own, so that its memory can be told.
pub(crate) struct Server {
    process: Child,
    file: PathBuf,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(file: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(FILE, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, file: file.to_owned(), url: url.trim().to_owned() }
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        *self = Self::start(&self.file.clone());
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Returns a figure of the process in MB; 0 where there is no /proc.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        memory(self.process.id(), name)
    }
}

/// Returns a figure of a process in MB; 0 where there is no /proc.
fn memory(process: u32, name: &str) -> u64 {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .trim_start_matches(':')
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0)
        / 1024
}
