//! The protocol's own conformance suite, for both revisions: with its fixtures everything it requires, without them
//! everything that needs none.

use std::{fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use crate::support::{BINARY, bounded, listening::Listening, programs};

const LIMIT: Duration = Duration::from_secs(240);

/// What a run of the suite said: its exit, and each scenario with whether it passed.
struct Verdict {
    success: bool,
    scenarios: Vec<(String, bool)>,
    text: String,
}

impl Verdict {
    fn passed(&self, scenario: &str) -> bool {
        self.scenarios.iter().any(|(name, passed)| name == scenario && *passed)
    }
}

fn run(mut suite: Command, program: &Path, revision: &str) -> Verdict {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(program);
    command
        .args(["serve", "--http", "127.0.0.1:0"])
        .current_dir(folder.path())
        .env("LOCKSTEP_HOME", folder.path())
        .env("LOCKSTEP_DATA", folder.path())
        .env_remove("LOCKSTEP_CONFIG");
    let server = Listening::start(command);
    let failures = folder.path().join("none.yml");
    fs::write(&failures, "server: []\n").unwrap();
    suite
        .args(["--url", &format!("{}/mcp", server.url), "--requirements", revision])
        .arg("--expected-failures")
        .arg(&failures)
        .arg("-o")
        .arg(folder.path().join("checks"))
        .env("HOME", folder.path());
    let finished = bounded::finish(suite, LIMIT);
    let text = format!("{}{}", finished.stdout, finished.stderr);
    let (_, summary) =
        text.rsplit_once("=== SUMMARY ===").unwrap_or_else(|| panic!("no summary:\n{text}"));
    let scenario = |line: &str| {
        let (mark, rest) = line.split_once(' ')?;
        let (name, _) = rest.split_once(':')?;
        ["✓", "✗"].contains(&mark).then(|| (name.to_owned(), mark == "✓"))
    };
    let scenarios: Vec<_> = summary.lines().filter_map(scenario).collect();
    Verdict { success: finished.status.success(), scenarios, text: summary.to_owned() }
}

/// The scenarios of extensions, which no revision requires.
const EXTENSIONS: &str = "tasks-";

fn everything_required(revision: &str, at_least: usize) {
    let (Some(suite), Some(program)) = (programs::conformance(), programs::fixtures()) else {
        return;
    };
    let verdict = run(suite, &program, revision);
    assert!(verdict.success, "{revision}: {}", verdict.text);
    let required: Vec<_> =
        verdict.scenarios.iter().filter(|(name, _)| !name.starts_with(EXTENSIONS)).collect();
    let failed: Vec<_> = required.iter().filter(|(_, passed)| !passed).collect();
    assert!(failed.is_empty(), "{revision}: {failed:?}\n{}", verdict.text);
    assert!(required.len() >= at_least, "{revision}: only {} scenarios ran", required.len());
    println!("{revision}: {0} of {0} required scenarios passed", required.len());
}

#[test]
fn with_fixtures_all_that_2025_11_25_requires_passes() {
    everything_required("2025-11-25", 33);
}

#[test]
fn with_fixtures_all_that_2026_07_28_requires_passes() {
    everything_required("2026-07-28", 40);
}

fn without_fixtures(revision: &str, scenarios: &[&str]) {
    let Some(suite) = programs::conformance() else { return };
    let verdict = run(suite, Path::new(BINARY), revision);
    let failed: Vec<_> = scenarios.iter().filter(|name| !verdict.passed(name)).collect();
    assert!(failed.is_empty(), "{revision}: {failed:?}\n{}", verdict.text);
    let need: Vec<_> = verdict.scenarios.iter().filter(|one| !one.1).map(|one| &one.0).collect();
    println!(
        "{revision}: without fixtures {} of {} scenarios passed; these need them: {need:?}",
        verdict.scenarios.len() - need.len(),
        verdict.scenarios.len()
    );
}

#[test]
fn without_fixtures_what_2025_11_25_needs_none_for_passes() {
    without_fixtures(
        "2025-11-25",
        &[
            "server-initialize",
            "logging-set-level",
            "ping",
            "completion-complete",
            "tools-list",
            "server-sse-multiple-streams",
            "resources-list",
            "resources-subscribe",
            "resources-unsubscribe",
            "prompts-list",
            "dns-rebinding-protection",
            "server-session-lifecycle",
            "server-sse-polling",
        ],
    );
}

#[test]
fn without_fixtures_what_2026_07_28_needs_none_for_passes() {
    without_fixtures(
        "2026-07-28",
        &[
            "completion-complete",
            "tools-list",
            "server-sse-multiple-streams",
            "resources-list",
            "sep-2164-resource-not-found",
            "prompts-list",
            "dns-rebinding-protection",
            "caching",
            "input-required-result-unsupported-methods",
            "http-header-validation",
        ],
    );
}
