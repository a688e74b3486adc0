//! The official MCP clients, each a real program, list and call every tool over stdio.

use std::{env, fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use crate::support::{BINARY, bounded, programs, script};

/// How long a whole session may take; the scripts bound every single call themselves.
const LIMIT: Duration = Duration::from_secs(420);

/// Makes a work folder whose settings keep everything inside it, and let tools write files.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let settings = "backend = \"local\"\n[workspace]\ndata = \"data\"\n[files]\nwritable = true\n";
    fs::write(folder.path().join("lockstep.toml"), settings).unwrap();
    folder
}

/// Plays the scenario with `client`, which gets the scenario, the folder, the binary and `rest` as arguments.
fn play(client: Option<Command>, rest: &[&str]) {
    let Some(mut client) = client else { return };
    let folder = folder();
    client.arg(script("session.json")).arg(folder.path()).arg(BINARY).args(rest);
    for name in ["LOCKSTEP_CONFIG", "LOCKSTEP_DATA", "LOCKSTEP_LOG", "LOCKSTEP_HOME"] {
        client.env_remove(name);
    }
    client.env("HOME", folder.path());
    print!("{}", bounded::succeed(client, LIMIT));
    assert!(
        Path::new(&folder.path().join("data")).exists(),
        "the server did not keep its data in the folder"
    );
}

#[test]
fn the_python_sdk_calls_every_tool() {
    play(programs::python("python_sdk.py"), &["legacy"]);
}

#[test]
fn the_python_sdk_calls_every_tool_without_a_handshake() {
    play(programs::python("python_sdk.py"), &["2026-07-28"]);
}

#[test]
fn the_python_sdk_finds_the_revision_by_itself() {
    play(programs::python("python_sdk.py"), &["auto"]);
}

#[test]
fn the_typescript_sdk_calls_every_tool() {
    play(programs::node("typescript_sdk.mjs"), &["sdk", "legacy"]);
}

#[test]
fn the_second_typescript_sdk_calls_every_tool() {
    play(programs::node("typescript_sdk.mjs"), &["client", "legacy"]);
}

#[test]
fn the_second_typescript_sdk_calls_every_tool_without_a_handshake() {
    play(programs::node("typescript_sdk.mjs"), &["client", "2026-07-28"]);
}

#[test]
fn the_second_typescript_sdk_finds_the_revision_by_itself() {
    play(programs::node("typescript_sdk.mjs"), &["client", "auto"]);
}

#[test]
fn the_inspector_calls_every_tool() {
    play(programs::inspector_driver("inspector_cli.py"), &["legacy"]);
}

#[test]
fn the_inspector_calls_every_tool_without_a_handshake() {
    play(programs::inspector_driver("inspector_cli.py"), &["modern"]);
}

#[test]
fn mcp_json_starts_the_server() {
    let folder = folder();
    let Some(mut inspector) = programs::inspector_cli(folder.path()) else { return };
    // The file names the program as an installed one, so the built one is put first on the path.
    let mut path = vec![Path::new(BINARY).parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    inspector
        .env("PATH", env::join_paths(path).unwrap())
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/mcp.json")])
        .args(["--server", "lockstep", "--method", "tools/list", "--format", "json", "-q"]);
    let listed = bounded::succeed(inspector, LIMIT);
    assert!(listed.contains("syncDataset"), "{listed}");
}
