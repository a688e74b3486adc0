//! Kills a process with SIGKILL: at a point of its run, or after a while.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Starts a command that is deaf and dumb but for what it says on stderr; it may stop at a point of its run for good.
pub(crate) fn start(mut command: Command, halt: Option<&str>) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    if let Some(point) = halt {
        command.env("LOCKSTEP_HALT_AT", point);
    }
    command.spawn().unwrap()
}

/// Returns whether a process came to its point; one that did not is at its end.
pub(crate) fn halted(child: &mut Child) -> bool {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.lines().map_while(Result::ok).any(|line| line.starts_with("halted at"))
}

/// Runs a command until it halts at the point, and kills it there; false if it never came there.
pub(crate) fn at(command: Command, point: &str) -> bool {
    let mut child = start(command, Some(point));
    let halted = halted(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    halted
}

/// Kills a command after a while, wherever it is.
pub(crate) fn after(command: Command, after: Duration) {
    let mut child = start(command, None);
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}
