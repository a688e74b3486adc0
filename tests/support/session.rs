//! `lockstep serve` as a child process, spoken to in raw lines.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{bounded, lockstep};

/// How long an answer may take on a busy machine before the test calls it missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The keys that every request of revision 2026-07-28 carries.
pub(crate) fn modern_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A session over the pipes of a child process.
#[derive(Debug)]
pub(crate) struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<()>>,
    /// What the server has logged so far.
    logged: Arc<Mutex<String>>,
}

/// What an ended session left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The messages that nobody had read yet.
    pub(crate) rest: Vec<Value>,
    pub(crate) stderr: String,
}

impl Session {
    /// Starts the server over the database of `data`, with `LOCKSTEP_LOG` set to `log`.
    pub(crate) fn start_with_log(data: &Path, log: &str) -> Self {
        let mut command = lockstep(data);
        command.env("LOCKSTEP_LOG", log);
        Self::start_command(command)
    }

    /// Starts the server with a command of its own.
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child = command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let logged = Arc::<Mutex<String>>::default();
        let (log, pipe) = (Arc::clone(&logged), BufReader::new(child.stderr.take().unwrap()));
        let stderr = Some(thread::spawn(move || {
            for line in pipe.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                log.lock().unwrap().push_str(&format!("{line}\n"));
            }
        }));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (line_out, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                if line_out.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr, logged }
    }

    /// Starts the server over the database of `data`.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with_log(data, "info")
    }

    /// Starts the server and shakes hands as a client of revision 2025-11-25.
    pub(crate) fn initialized(data: &Path) -> Self {
        let mut session = Self::start(data);
        session.initialize();
        session
    }

    /// Shakes hands as a client of revision 2025-11-25, and returns the answer's result.
    pub(crate) fn initialize(&mut self) -> Value {
        self.initialize_with(&json!({}))
    }

    /// Shakes hands as a client of revision 2025-11-25 that can do this, and returns the answer's result.
    pub(crate) fn initialize_with(&mut self, capabilities: &Value) -> Value {
        let result = self.request(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "clientInfo": {"name": "raw", "version": "1"},
            }),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        result["result"].clone()
    }

    /// Sends raw bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin
            .write_all(bytes)
            .and_then(|()| stdin.flush())
            .unwrap_or_else(|error| panic!("the server does not read its stdin any more: {error}"));
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.send_bytes(format!("{message}\n").as_bytes());
    }

    /// Sends a request with the id `"q"`, and returns its answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params}));
        self.answer_to(&json!("q"))
    }

    /// Calls a tool under revision 2025-11-25, and returns the answer.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Returns the next answer, which must be to `id`; notifications before it are passed over.
    pub(crate) fn answer_to(&mut self, id: &Value) -> Value {
        loop {
            let message = self.message();
            if message.get("method").is_some() {
                continue;
            }
            assert_eq!(
                message.get("id"),
                Some(id),
                "not the answer that was waited for: {message}"
            );
            return message;
        }
    }

    /// Returns the next answer, whatever it is to; `None` if none comes within seconds.
    pub(crate) fn answer_or_none(&mut self) -> Option<Value> {
        let line = self.lines.recv_timeout(Duration::from_secs(10)).ok()?;
        Some(json_rpc(&line))
    }

    /// Returns the next message, whatever it is.
    pub(crate) fn message(&mut self) -> Value {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => json_rpc(&line),
            Err(RecvTimeoutError::Timeout) => panic!("no answer within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                let status = bounded::wait(&mut self.child, PATIENCE);
                panic!("the server closed its stdout: {status:?}\n{}", self.log())
            }
        }
    }

    /// Returns all that the ended server logged.
    fn log(&mut self) -> String {
        if let Some(reader) = self.stderr.take() {
            reader.join().unwrap();
        }
        self.logged.lock().unwrap().clone()
    }

    /// Waits until the server has stopped at the point that `LOCKSTEP_HALT_AT` names.
    pub(crate) fn halted(&self) {
        let began = Instant::now();
        while !self.logged.lock().unwrap().contains("halted at ") {
            assert!(began.elapsed() < PATIENCE, "it came to no such point");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes the server's stdin.
    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    /// Asks the server to stop, as a service manager does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        bounded::signal("TERM", &self.child.id().to_string());
    }

    /// Waits for the server's end, which must come within `limit` and without another push.
    pub(crate) fn ended(mut self, limit: Duration) -> Ended {
        let status = bounded::wait(&mut self.child, limit)
            .unwrap_or_else(|| panic!("the server still runs after {limit:?}"));
        // The reader ends with the pipe, so this takes every line that was written.
        let rest = self.lines.iter().map(|line| json_rpc(&line)).collect();
        let stderr = self.log();
        Ended { status, rest, stderr }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Parses a line of stdout, which must be one JSON-RPC message and nothing else.
fn json_rpc(line: &str) -> Value {
    let message: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("stdout carries what is no JSON ({error}): {line:?}"));
    assert_eq!(message["jsonrpc"], "2.0", "stdout carries what is no JSON-RPC: {line}");
    // An error answers even what had no readable id.
    let response = message.get("error").is_some()
        ^ (message.get("id").is_some() && message.get("result").is_some());
    assert!(response || message["method"].is_string(), "neither a response nor a request: {line}");
    message
}
