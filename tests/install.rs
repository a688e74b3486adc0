//! `lockstep install` in a home folder of its own, and the published manifests.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{BINARY, bounded, lockstep};

const LIMIT: Duration = Duration::from_secs(20);

fn install(home: &Path, args: &[&str]) -> Command {
    let mut command = lockstep(home);
    command.arg("install").args(args).env("HOME", home).env_remove("XDG_CONFIG_HOME");
    command
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_client_gets_its_entry_once_and_a_backup() {
    for (client, file, list) in [
        ("claude-desktop", ".config/Claude/claude_desktop_config.json", "mcpServers"),
        ("claude-code", ".mcp.json", "mcpServers"),
        ("cursor", ".cursor/mcp.json", "mcpServers"),
        ("vscode", ".vscode/mcp.json", "servers"),
        ("gemini", ".gemini/settings.json", "mcpServers"),
    ] {
        let home = TempDir::new().unwrap();
        let file = home.path().join(file);
        let shown = bounded::succeed(install(home.path(), &[client, "--dry-run"]), LIMIT);
        assert!(shown.contains("nothing was written") && shown.contains(BINARY), "{shown}");
        assert!(!file.exists(), "a dry run wrote {client}");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{\"kept\": true}").unwrap();
        bounded::succeed(install(home.path(), &[client]), LIMIT);
        let now = json(&file);
        assert_eq!(now["kept"], true, "{client}");
        assert_eq!(now[list]["lockstep"]["command"], BINARY, "{client}");
        let args = now[list]["lockstep"]["args"].as_array().unwrap();
        let root = args.iter().position(|arg| arg == "--root").unwrap();
        assert!(Path::new(args[root + 1].as_str().unwrap()).is_absolute(), "{args:?}");
        let again = bounded::succeed(install(home.path(), &[client]), LIMIT);
        assert!(again.contains("has it already"), "{again}");
        let backups: Vec<String> = fs::read_dir(file.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".backup"))
            .collect();
        let [backup] = backups.as_slice() else { panic!("{client}: {backups:?}") };
        let kept = fs::read_to_string(file.with_file_name(backup)).unwrap();
        assert_eq!(kept, "{\"kept\": true}");
    }
}

#[test]
fn codex_keeps_its_comments_and_what_is_written_starts_the_server() {
    let home = TempDir::new().unwrap();
    let file = home.path().join(".codex/config.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "# mine\nmodel = \"x\"\n").unwrap();
    fs::write(home.path().join("lockstep.toml"), "backend = \"local\"\n").unwrap();
    bounded::succeed(install(home.path(), &["codex"]), LIMIT);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\nmodel = \"x\"\n"), "{text}");
    let table: toml::Table = toml::from_str(&text).unwrap();
    let entry = &table["mcp_servers"]["lockstep"];
    let args: Vec<&str> =
        entry["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    assert!(args.contains(&"--config"), "{args:?}");
    let mut server = Command::new(entry["command"].as_str().unwrap());
    server.args(args).env("LOCKSTEP_HOME", home.path()).current_dir("/");
    let ended = bounded::finish(server, LIMIT);
    assert!(ended.status.success(), "it does not start: {}", ended.stderr);
}

#[test]
fn a_file_that_cannot_be_changed_safely_is_left_alone() {
    let home = TempDir::new().unwrap();
    let file = home.path().join(".vscode/mcp.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "{ // mine\n}").unwrap();
    let ended = bounded::finish(install(home.path(), &["vscode"]), LIMIT);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("by hand") && ended.stderr.contains("serve"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "{ // mine\n}");
}

#[test]
fn the_manifests_are_of_this_version_and_name_every_tool() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = json(&root.join("mcpb/manifest.json"));
    let server = json(&root.join("server.json"));
    for document in [&manifest, &server] {
        assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
        assert!(document["description"].as_str().unwrap().len() <= 100, "the registry's limit");
    }
    let named: Vec<(&str, &str)> = manifest["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| (tool["name"].as_str().unwrap(), tool["description"].as_str().unwrap()))
        .collect();
    let tools = lockstep::tools::all();
    let there: Vec<(&str, &str)> = tools.iter().map(|tool| (tool.name, tool.title)).collect();
    assert_eq!(named, there);
}

#[test]
fn a_bundle_is_packed_with_its_hash() {
    let folder = TempDir::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pack = Command::new("bash");
    pack.arg(root.join("mcpb/pack.sh")).arg(root.join("LICENSE-MIT"));
    pack.args(["https://example.invalid/lockstep.mcpb"]).arg(folder.path());
    bounded::succeed(pack, LIMIT);
    let package = json(&folder.path().join("server.json"))["packages"][0].clone();
    assert_eq!(package["registryType"], "mcpb");
    assert_eq!(package["fileSha256"].as_str().unwrap().len(), 64);
    let bundle = fs::File::open(folder.path().join("lockstep.mcpb")).unwrap();
    let mut zip = zip::ZipArchive::new(bundle).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["manifest.json", "server/lockstep"]);
    let program = zip.by_name("server/lockstep").unwrap();
    assert_eq!(program.unix_mode().map(|mode| mode & 0o777), Some(0o755));
}
