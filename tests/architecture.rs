//! The layout, enforced: uses go one way, the engine stays pure, no test file is forgotten.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The rooms of src/, from the street to the cellar: a room may use the rooms after it.
const ROOMS: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["server"],
    &["web"],
    &["tools"],
    &["watch"],
    &["alerts"],
    &["health"],
    &["sync"],
    &["replica"],
    &["store"],
    &["consent", "progress"],
    &["principal", "secrets"],
    &["error", "changes", "clock", "halt", "telemetry", "uri"],
    &["redact"],
];

/// `config` is seen by `app` and `cli` alone.
const CONFIG_READERS: &[&str] = &["cli", "app", "config"];

fn level(room: &str) -> Option<usize> {
    ROOMS.iter().position(|level| level.contains(&room))
}

/// Returns the rooms that `crate::room` paths of a source name.
fn used_rooms(source: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = source.get(at + "crate::".len()..).unwrap_or_default();
        let take = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && (c.is_alphabetic() || c == '_') => {
                        rooms.insert(take(group.get(index..).unwrap_or_default()));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            rooms.insert(take(rest));
        }
    }
    rooms
}

#[test]
fn uses_go_one_way() {
    let src = root().join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let first =
            relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs");
        if room == "main" || room == "lib" {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        for used in used_rooms(&source) {
            if used == room || used.is_empty() {
                continue;
            }
            if used == "config" || room == "config" {
                // The settings of a connection are the replica's own types.
                let leaf =
                    used == "replica" || level(&used).is_some_and(|level| level + 3 >= ROOMS.len());
                if !(CONFIG_READERS.contains(&room) && (used == "config" || leaf)) {
                    wrong.push(format!("{} uses {used}", relative.display()));
                }
                continue;
            }
            let (Some(from), Some(to)) = (level(room), level(&used)) else {
                wrong.push(format!(
                    "{}: is {used} or {room} a room? add it to ROOMS",
                    relative.display()
                ));
                continue;
            };
            if to <= from {
                wrong.push(format!("{} uses {used}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "uses against the direction:\n{}", wrong.join("\n"));
}

#[test]
fn the_use_reader_reads_groups_and_paths() {
    let source =
        "use crate::{error::{A, B}, sync::run, tools};\nlet x = crate::clock::Clock::System;";
    let rooms: Vec<String> = used_rooms(source).into_iter().collect();
    assert_eq!(rooms, ["clock", "error", "sync", "tools"]);
}

#[test]
fn only_google_knows_the_google_crates() {
    for file in rust_files(&root().join("src")) {
        let source = fs::read_to_string(&file).unwrap();
        for name in ["google_sheets4", "google_drive3", "yup_oauth2"] {
            assert!(!source.contains(&format!("{name}::")), "{} uses {name}", file.display());
        }
    }
}

#[test]
fn the_engine_is_pure() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "lockstep-engine", "-e", "normal", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    for banned in ["tokio", "sqlx", "rmcp", "hyper", "rusqlite"] {
        let found = tree.lines().any(|line| line.split(' ').next() == Some(banned));
        assert!(!found, "the engine depends on {banned}");
    }
    for file in rust_files(&root().join("crates/engine/src")) {
        let source = fs::read_to_string(&file).unwrap();
        for banned in ["async fn", "SystemTime::now", "Timestamp::now", "Instant::now"] {
            assert!(!source.contains(banned), "{} contains {banned}", file.display());
        }
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let tests = root().join("tests");
    let main = fs::read_to_string(tests.join("main.rs")).unwrap();
    for entry in fs::read_dir(&tests).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_module = path.extension().is_some_and(|e| e == "rs") || path.join("mod.rs").exists();
        if is_module && stem != "main" {
            assert!(main.contains(&format!("mod {stem};")), "tests/main.rs does not name {stem}");
        }
    }
}

#[test]
fn no_file_holds_two_rooms() {
    let mut long = Vec::new();
    for folder in
        ["src", "crates/a1/src", "crates/engine/src", "crates/google/src", "crates/workspace/src"]
    {
        for file in rust_files(&root().join(folder)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > 400 {
                long.push(format!("{} has {lines} lines", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "split:\n{}", long.join("\n"));
}
