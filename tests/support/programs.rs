//! The programs of other people: found where `tests/tools.sh` put them, else skipped or missed.

use super::require::require;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

fn place(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools").join(default),
        PathBuf::from,
    )
}

/// Returns a command for a Python script of `tests/clients`, or `None` to skip.
pub(crate) fn python(script: &str) -> Option<Command> {
    let python = place("LOCKSTEP_PYTHON", "python/bin/python");
    if !require("Python with the clients of tests/clients/requirements.txt", &python) {
        return None;
    }
    let mut command = Command::new(python);
    // No byte code beside the scripts: the source tree stays as it was.
    command.arg("-B").arg(super::script(script)).env("PYTHONUNBUFFERED", "1");
    Some(command)
}

/// Returns a command for a Python script of `tests/clients` that drives Chromium with Playwright, or `None` to skip.
///
/// The script finds the browser in `LOCKSTEP_CHROMIUM`: the system's, not one that Playwright would fetch.
pub(crate) fn browser(script: &str) -> Option<Command> {
    let chromium = env::var_os("LOCKSTEP_CHROMIUM")
        .map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    if !require("Chromium", &chromium) {
        return None;
    }
    let mut command = python(script)?;
    command.env("LOCKSTEP_CHROMIUM", chromium);
    Some(command)
}

/// Returns a command for a Python script of `tests/clients` that needs what `remote.txt` there lists, or `None` to skip.
#[cfg(feature = "remote-files")]
pub(crate) fn remote(script: &str) -> Option<Command> {
    let python = place("LOCKSTEP_REMOTE_PYTHON", "remote/bin/python");
    if !require("Python with tests/clients/remote.txt", &python) {
        return None;
    }
    let mut command = Command::new(python);
    command.arg("-B").arg(super::script(script)).env("PYTHONUNBUFFERED", "1");
    Some(command)
}

/// Returns the path of a file that an installed Python package ships, or `None` to skip.
pub(crate) fn python_data(package: &str, file: &str) -> Option<PathBuf> {
    let python = place("LOCKSTEP_PYTHON", "python/bin/python");
    let libraries = python.parent()?.parent()?.join("lib");
    let path = std::fs::read_dir(&libraries)
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("site-packages").join(package).join(file))
        .find(|path| path.exists())
        .unwrap_or_else(|| libraries.join(package).join(file));
    require(&format!("the data of the Python package {package}"), &path).then_some(path)
}

/// Returns a command for the protocol's conformance suite, or `None` to skip.
pub(crate) fn conformance() -> Option<Command> {
    let node = place("LOCKSTEP_NODE", "node/node_modules/node/bin/node");
    let suite = node_modules().join("@modelcontextprotocol/conformance/dist/index.js");
    let complete = require("Node 22", &node) && require("the conformance suite", &suite);
    complete.then(|| {
        let mut command = Command::new(node);
        command.arg(suite).arg("server");
        command
    })
}

/// Returns the program with the suite's fixtures, or `None` to skip.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let program = Path::new(super::BINARY).parent()?.join("examples/conformance");
    require("`cargo build --example conformance --features conformance`", &program)
        .then_some(program)
}

fn node_modules() -> PathBuf {
    place("LOCKSTEP_NODE_MODULES", "node/node_modules")
}

/// Returns a command for a Node script of `tests/clients`, or `None` to skip.
///
/// The script finds the packages through `LOCKSTEP_NODE_MODULES`.
pub(crate) fn node(script: &str) -> Option<Command> {
    let node = place("LOCKSTEP_NODE", "node/node_modules/node/bin/node");
    let modules = node_modules();
    let complete = require("Node 22", &node)
        && require(
            "the clients of tests/clients/package.json",
            &modules.join("@modelcontextprotocol"),
        );
    complete.then(|| {
        let mut command = Command::new(node);
        command.arg(super::script(script)).env("LOCKSTEP_NODE_MODULES", modules);
        command
    })
}

/// Returns the places of Node and of the MCP Inspector's program, or `None` to skip.
fn inspector() -> Option<(PathBuf, PathBuf)> {
    let node = place("LOCKSTEP_NODE", "node/node_modules/node/bin/node");
    let inspector =
        node_modules().join("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
    (require("Node 22", &node) && require("the MCP Inspector", &inspector))
        .then_some((node, inspector))
}

/// Returns a command for the MCP Inspector's command line, or `None` to skip.
///
/// The Inspector writes a settings folder under HOME, so that is `home`.
pub(crate) fn inspector_cli(home: &Path) -> Option<Command> {
    let (node, inspector) = inspector()?;
    let mut command = Command::new(node);
    command.arg(inspector).arg("--cli").env("HOME", home).current_dir(home);
    Some(command)
}

/// Returns a Python driver of the MCP Inspector's command line, or `None` to skip.
///
/// The driver finds Node in `LOCKSTEP_NODE` and the Inspector in `LOCKSTEP_INSPECTOR`.
pub(crate) fn inspector_driver(script: &str) -> Option<Command> {
    let (node, inspector) = inspector()?;
    let mut command = python(script)?;
    command.env("LOCKSTEP_NODE", node).env("LOCKSTEP_INSPECTOR", inspector);
    Some(command)
}
