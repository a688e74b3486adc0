//! A child process that serves HTTP and says where.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use super::bounded;

/// A running server; it is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Its root, `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) url: String,
    pub(crate) child: Child,
    stderr: Option<JoinHandle<String>>,
}

impl Listening {
    /// Starts `command`, and waits until its first line of stdout said where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
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
        let address =
            line.split_once("http://").and_then(|(_, rest)| rest.split(['/', ' ', '\n']).next());
        let Some(address) = address else {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} said {line:?} and no address\n{}", stderr.join().unwrap());
        };
        Self { url: format!("http://{address}"), child, stderr: Some(stderr) }
    }

    /// Stops it at once, and returns what it logged.
    pub(crate) fn killed(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr.take().map(|text| text.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
