//! The official MCP clients, each a real program, list and call every tool over stdio.

use std::{env, fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use crate::support::{BINARY, bounded, http, programs, script};

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

/// Uses every feature of a session through `client`; `before` are its arguments between the folder and the transport.
fn use_all(client: Option<Command>, before: &[&str], transport: &str, era: &str) {
    let Some(mut client) = client else { return };
    let folder = folder();
    let server = (transport != "stdio").then(|| {
        let settings = fs::read_to_string(folder.path().join("lockstep.toml")).unwrap();
        http::start_in(folder.path(), &settings)
    });
    let target = match (&server, transport) {
        (None, _) => BINARY.to_owned(),
        (Some(server), "sse") => format!("{}/sse", server.url),
        (Some(server), _) => format!("{}/mcp", server.url),
    };
    client.arg(folder.path()).args(before).args([transport, &target, era]);
    for name in ["LOCKSTEP_CONFIG", "LOCKSTEP_DATA", "LOCKSTEP_LOG", "LOCKSTEP_HOME"] {
        client.env_remove(name);
    }
    client.env("HOME", folder.path());
    print!("{}", bounded::succeed(client, LIMIT));
}

#[test]
fn the_python_sdk_uses_all_over_stdio() {
    use_all(programs::python("python_features.py"), &[], "stdio", "legacy");
}

#[test]
fn the_python_sdk_uses_all_over_stdio_without_a_handshake() {
    use_all(programs::python("python_features.py"), &[], "stdio", "2026-07-28");
}

#[test]
fn the_python_sdk_uses_all_over_http() {
    use_all(programs::python("python_features.py"), &[], "http", "legacy");
}

#[test]
fn the_python_sdk_uses_all_over_http_without_a_session() {
    use_all(programs::python("python_features.py"), &[], "http", "2026-07-28");
}

#[test]
fn the_python_sdk_uses_all_over_the_older_pair() {
    use_all(programs::python("python_features.py"), &[], "sse", "legacy");
}

#[test]
fn the_typescript_sdk_uses_all_over_stdio() {
    use_all(programs::node("typescript_features.mjs"), &["sdk"], "stdio", "legacy");
}

#[test]
fn the_typescript_sdk_uses_all_over_http() {
    use_all(programs::node("typescript_features.mjs"), &["sdk"], "http", "legacy");
}

#[test]
fn the_typescript_sdk_uses_all_over_the_older_pair() {
    use_all(programs::node("typescript_features.mjs"), &["sdk"], "sse", "legacy");
}

#[test]
fn the_second_typescript_sdk_uses_all_over_stdio_without_a_handshake() {
    use_all(programs::node("typescript_features.mjs"), &["client"], "stdio", "2026-07-28");
}

#[test]
fn the_second_typescript_sdk_uses_all_over_http() {
    use_all(programs::node("typescript_features.mjs"), &["client"], "http", "legacy");
}

#[test]
fn the_second_typescript_sdk_uses_all_over_http_without_a_session() {
    use_all(programs::node("typescript_features.mjs"), &["client"], "http", "2026-07-28");
}

/// Runs syncs as tasks through the official client of the extension.
fn use_tasks(transport: &str) {
    let Some(mut client) = programs::node("typescript_tasks.mjs") else { return };
    let folder = folder();
    let settings = fs::read_to_string(folder.path().join("lockstep.toml")).unwrap();
    let settings = format!("{settings}[tasks]\nafterMs = 0\n");
    fs::write(folder.path().join("lockstep.toml"), &settings).unwrap();
    let server = (transport == "http").then(|| http::start_in(folder.path(), &settings));
    let target = match &server {
        None => BINARY.to_owned(),
        Some(server) => format!("{}/mcp", server.url),
    };
    client.arg(folder.path()).args([&target, transport]).env("HOME", folder.path());
    for name in ["LOCKSTEP_CONFIG", "LOCKSTEP_DATA", "LOCKSTEP_LOG", "LOCKSTEP_HOME"] {
        client.env_remove(name);
    }
    print!("{}", bounded::succeed(client, LIMIT));
}

#[test]
fn the_client_of_the_tasks_extension_runs_syncs_over_stdio() {
    use_tasks("stdio");
}

#[test]
fn the_client_of_the_tasks_extension_runs_syncs_over_http() {
    use_tasks("http");
}

#[test]
fn the_inspector_lists_strictly_and_calls_over_http_in_both_eras() {
    let folder = folder();
    let server = http::start_in(folder.path(), "backend = \"local\"\n");
    let url = format!("{}/mcp", server.url);
    for era in ["legacy", "modern"] {
        let run = |more: &[&str]| {
            let mut inspector = programs::inspector_cli(folder.path())?;
            inspector
                .args(["--server-url", &url, "--transport", "http", "--protocol-era", era])
                .args(["--format", "json", "-q"])
                .args(more);
            Some(bounded::succeed(inspector, LIMIT))
        };
        let Some(listed) = run(&["--method", "tools/list", "--strict"]) else { return };
        assert!(listed.contains("syncDataset"), "{era}: {listed}");
        let called =
            run(&["--method", "tools/call", "--tool-name", "findFiles", "--tool-args-json", "{}"]);
        assert!(called.is_some_and(|called| called.contains("files")), "{era}");
        let read = run(&["--method", "resources/read", "--uri", "lockstep://runs"]);
        assert!(read.is_some_and(|read| read.contains("application/json")), "{era}");
        let prompt = ["--method", "prompts/get", "--prompt-name", "weekly_health"];
        assert!(run(&prompt).is_some_and(|got| got.contains("healthReport")), "{era}");
    }
}

/// The Inspector's own checks of the skills extension: the list, the digests of every file, and the folder as it is here.
#[test]
fn the_inspector_verifies_the_skill_in_both_eras_and_over_both_transports() {
    let folder = folder();
    let server = http::start_in(folder.path(), "backend = \"local\"\n");
    let url = format!("{}/mcp", server.url);
    let path = folder.path().display().to_string();
    let over: [&[&str]; 2] =
        [&["--server-url", &url, "--transport", "http"], &[BINARY, "serve", "--cwd", &path]];
    for (target, era) in
        over.iter().flat_map(|target| ["legacy", "modern"].map(|era| (target, era)))
    {
        let run = |more: &[&str]| {
            let mut inspector = programs::inspector_cli(folder.path())?;
            inspector.args(*target).args(["--protocol-era", era, "--format", "json", "-q"]);
            inspector.args(more);
            Some(bounded::succeed(inspector, LIMIT))
        };
        let Some(verified) = run(&["--method", "skills/list", "--verify", "--require-digests"])
        else {
            return;
        };
        assert!(verified.contains("skill://lockstep-sync/SKILL.md"), "{era}: {verified}");
        for name in ["SKILL.md", "repair.md"] {
            let uri = format!("skill://lockstep-sync/{name}");
            let read = run(&["--method", "resources/read", "--uri", &uri]).unwrap();
            let here =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("skills/lockstep-sync").join(name);
            let text = serde_json::to_string(&fs::read_to_string(here).unwrap()).unwrap();
            assert!(read.contains(&text), "{era} {name}: {read}");
        }
    }
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
