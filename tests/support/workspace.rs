//! `lockstep workspace` as a child process, for clients that speak Google's wire.

use std::path::Path;

use super::{listening::Listening, lockstep};

/// Starts it on a free port over the database of `data`.
pub(crate) fn start(data: &Path) -> Listening {
    let mut command = lockstep(data);
    command.args(["workspace", "--listen", "127.0.0.1:0"]);
    Listening::start(command)
}
