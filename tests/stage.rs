//! A stage for races: a workspace whose faults are set from outside, a Lockstep over it, and children that can be killed.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Stdio,
};

use lockstep::{app::App, config::Config};
use lockstep_workspace::Workspace;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    support::{lockstep, wire},
    town::{call, folder},
};

/// A Lockstep over a served workspace with one spreadsheet, which has one sheet `T`.
pub(crate) struct Stage {
    pub(crate) app: App,
    /// The spreadsheet's id.
    pub(crate) id: String,
    address: String,
    data: TempDir,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let workspace = Workspace::in_memory().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
        let (folder, data) = (folder(), folder());
        let mut config = Config::default();
        config.workspace.url = Some(address.clone());
        config.workspace.data = Some(data.path().to_owned());
        config.files.root = folder.path().to_owned();
        config.files.writable = true;
        config.store.url = crate::support::store::url(data.path());
        let app = App::start(&config).await.unwrap();
        let mut stage = Self { app, id: String::new(), address, data, folder };
        let sheets = json!([{"title": "T"}]);
        let new = json!({"type": "spreadsheet", "name": "F", "sheets": sheets});
        let made = stage.call("createFile", new).await.unwrap();
        stage.id = made["id"].as_str().unwrap().to_owned();
        stage
    }

    pub(crate) async fn call(&self, name: &str, arguments: Value) -> Result<Value, String> {
        call(&self.app, name, arguments).await.map_err(|error| error.to_string())
    }

    /// Returns the path of a file that a side can name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns all rows of the sheet as text, all as wide as the header, which is the first.
    pub(crate) async fn rows(&self) -> Vec<Vec<String>> {
        let arguments =
            json!({"spreadsheetId": self.id, "sheet": "T", "as": "rows", "limit": 1000});
        let page = self.call("readSheet", arguments).await.unwrap();
        assert_eq!(page["truncated"], false, "{page}");
        let text = |cell: &Value| match cell {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rows = page["rows"].as_array().unwrap();
        let rows =
            rows.iter().map(|row| row["cells"].as_array().unwrap().iter().map(text).collect());
        let mut rows: Vec<Vec<String>> = rows.collect();
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        rows.iter_mut().for_each(|row| row.resize(width, String::new()));
        rows
    }

    /// Lets somebody else send requests right before the `nth` write from now, from 0.
    pub(crate) async fn race(&self, edits: &[(u64, Vec<Value>)]) {
        let rule = |(nth, requests): &(u64, Vec<Value>)| {
            json!({"effect": {"requests": {"requests": requests}}, "path": ":batchUpdate",
                "skip": nth, "times": 1})
        };
        self.faults(edits.iter().map(rule).collect()).await;
    }

    /// Sets the workspace's faults.
    pub(crate) async fn faults(&self, rules: Value) {
        wire::set_faults(&self.address, rules).await;
    }

    /// Returns how often each of the faults in force has happened.
    pub(crate) async fn happened(&self) -> Vec<u64> {
        wire::happened(&self.address).await
    }

    /// Runs a tool in a process of its own, on the same store, until it halts at a point, and kills it there; false if it
    /// never came there.
    pub(crate) async fn kill_at(&self, tool: &str, arguments: &Value, point: &str) -> bool {
        let config = self.data.path().join("child.toml");
        std::fs::write(&config, format!("[workspace]\nurl = \"{}\"\n", self.address)).unwrap();
        let mut command = lockstep(self.data.path());
        command.arg("--config").arg(config).arg("--root").arg(self.folder.path());
        command.args(["--allow-write", "call", tool]).arg(arguments.to_string());
        command.env("LOCKSTEP_HALT_AT", point);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let halted = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.any(|line| line.starts_with("halted at"))
        });
        let halted = halted.await.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        halted
    }
}

/// A request that inserts a blank row.
pub(crate) fn insert_row(at: usize) -> Value {
    json!({"insertDimension": {"range":
        {"sheetId": 0, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1}}})
}

/// A request that deletes a row.
pub(crate) fn delete_row(at: usize) -> Value {
    json!({"deleteDimension": {"range":
        {"sheetId": 0, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1}}})
}

/// A request that moves a row to the top of the table.
pub(crate) fn raise_row(at: usize) -> Value {
    json!({"moveDimension": {"source":
        {"sheetId": 0, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1}, "destinationIndex": 1}})
}

/// A request that sorts the table.
pub(crate) fn sort(column: usize, descending: bool) -> Value {
    let order = if descending { "DESCENDING" } else { "ASCENDING" };
    json!({"sortRange": {"range": {"sheetId": 0, "startRowIndex": 1},
        "sortSpecs": [{"dimensionIndex": column, "sortOrder": order}]}})
}

/// A request that types a text into a cell.
pub(crate) fn put(row: usize, column: usize, text: &str) -> Value {
    json!({"updateCells": {"start": {"sheetId": 0, "rowIndex": row, "columnIndex": column},
        "rows": [{"values": [{"userEnteredValue": {"stringValue": text}}]}], "fields": "userEnteredValue"}})
}
