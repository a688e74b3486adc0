//! Real processes for the suite: the built binary, and the programs of other people that drive it.

use std::{path::Path, process::Command};

pub(crate) mod api;
pub(crate) mod bounded;
pub(crate) mod http;
pub(crate) mod kill;
pub(crate) mod listening;
pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod programs;
pub(crate) mod proxy;
pub(crate) mod require;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod store;
pub(crate) mod wire;
pub(crate) mod workspace;

/// The binary under test, as Cargo built it for this run.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_lockstep");

/// Returns a command that runs the binary on `data`, deaf to the caller's own settings.
pub(crate) fn lockstep(data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_remove("LOCKSTEP_CONFIG")
        .env_remove("LOCKSTEP_LOG")
        .env("LOCKSTEP_HOME", data)
        .env("LOCKSTEP_DATA", data)
        .env_remove("LOCKSTEP_STORE_URL")
        .current_dir(data);
    if let Some(url) = store::url(data) {
        command.env("LOCKSTEP_STORE_URL", url);
    }
    command
}

/// Returns the path of a script of `tests/clients`.
pub(crate) fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}
