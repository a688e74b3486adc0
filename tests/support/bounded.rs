//! Runs a child process for a bounded time, and says what it printed when it fails.

use std::{
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a finished child left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Reads a pipe to its end on a thread, so that a full pipe never blocks the child.
pub(crate) fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks ends the text; the exit status tells the rest.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the child's end for at most `limit`; `None` if it still runs.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends `signal` (as `kill` names it) to a process, or to a group if `target` starts with `-`.
#[cfg(unix)]
pub(crate) fn signal(signal: &str, target: &str) {
    let status = Command::new("kill").args(["-s", signal, "--", target]).status().unwrap();
    assert!(status.success(), "kill -s {signal} {target}: {status}");
}

/// Runs `command` to its end; one that takes longer than `limit` is killed with its children, and fails.
pub(crate) fn finish(mut command: Command, limit: Duration) -> Finished {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{command:?}");
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("{what} does not start: {error}"));
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let Some(status) = wait(&mut child, limit) else {
        #[cfg(unix)]
        signal("KILL", &format!("-{}", child.id()));
        #[cfg(not(unix))]
        child.kill().unwrap();
        child.wait().unwrap();
        let (out, err) = (stdout.join().unwrap(), stderr.join().unwrap());
        panic!("{what} did not end within {limit:?}\nstdout:\n{out}\nstderr:\n{err}");
    };
    Finished { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Runs `command` to its end, which must be a success, and returns its stdout.
pub(crate) fn succeed(command: Command, limit: Duration) -> String {
    let what = format!("{command:?}");
    let Finished { status, stdout, stderr } = finish(command, limit);
    assert!(status.success(), "{what}: {status}\nstdout:\n{stdout}\nstderr:\n{stderr}");
    stdout
}
