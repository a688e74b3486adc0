//! Google's own clients and the popular ones work against `lockstep workspace`, and see what the tools wrote.

use std::{path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use crate::support::{BINARY, bounded, programs, workspace};

/// How long one script may take; the clients bound every single request themselves.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a script against a fresh workspace; it gets the address and what `rest` makes of the data folder.
fn check(client: Option<Command>, rest: impl Fn(&Path) -> Vec<String>) {
    let Some(mut client) = client else { return };
    let data = TempDir::new().unwrap();
    let workspace = workspace::start(data.path());
    client.arg(&workspace.url).args(rest(data.path()));
    print!("{}", bounded::succeed(client, LIMIT));
}

fn nothing(_: &Path) -> Vec<String> {
    Vec::new()
}

#[test]
fn gspread_reads_back_what_the_tools_wrote() {
    check(programs::python("gspread_reads_tools.py"), |data| {
        vec![BINARY.to_owned(), data.display().to_string()]
    });
}

#[test]
fn gspread_reads_the_dashboard_back() {
    check(programs::python("gspread_health.py"), |data| {
        vec![BINARY.to_owned(), data.display().to_string()]
    });
}

#[test]
fn a_person_with_gspread_decides_conflicts_in_the_review_tab() {
    check(programs::python("gspread_review.py"), |data| {
        vec![BINARY.to_owned(), data.display().to_string()]
    });
}

#[test]
fn gspread_works() {
    check(programs::python("workspace_gspread.py"), nothing);
}

#[test]
fn google_api_python_client_works_with_sheets() {
    check(programs::python("workspace_api_client.py"), nothing);
}

#[test]
fn google_api_python_client_works_with_drive() {
    check(programs::python("workspace_drive_client.py"), nothing);
}

#[test]
fn pygsheets_works() {
    check(programs::python("workspace_pygsheets.py"), nothing);
}

#[test]
fn googleapis_for_node_works() {
    let Some(mut discovery) = programs::python("discovery.py") else { return };
    let answers = TempDir::new().unwrap();
    let file = answers.path().join("answers.jsonl");
    let path = file.display().to_string();
    check(programs::node("workspace_googleapis.mjs"), |_| vec![path.clone()]);
    if file.exists() {
        discovery.arg(&file);
        print!("{}", bounded::succeed(discovery, LIMIT));
    }
}
