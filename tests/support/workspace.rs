//! `lockstep workspace` as a child process, for clients that speak Google's wire.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{bounded, lockstep};

/// A running embedded workspace; it is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Its root, `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) url: String,
    child: Child,
}

impl Workspace {
    /// Starts it on a free port over the database of `data`, and waits until it said where it listens.
    pub(crate) fn start(data: &Path) -> Self {
        let mut child = lockstep(data)
            .args(["workspace", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = bounded::drain(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (said, hears) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = said.send(line);
            // Whatever follows must not fill the pipe.
            let _ = stdout.read_to_end(&mut Vec::new());
        });
        let line = hears.recv_timeout(Duration::from_secs(30)).unwrap_or_default();
        let Some((_, address)) = line.split_once("http://") else {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("`lockstep workspace` said {line:?} and no address\n{}", stderr.join().unwrap());
        };
        let address = address.split_whitespace().next().unwrap_or_default();
        Self { url: format!("http://{}", address.trim_end_matches('/')), child }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
