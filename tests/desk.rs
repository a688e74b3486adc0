//! A desk with one sheet on it: tools at work there, and other people with Google's own requests.

use std::time::Duration;

use lockstep::app::App;
use lockstep_google::{CellValue, Google, GridParts, Render};
use lockstep_workspace::Faults;
use serde_json::{Value, json};

use crate::{
    support::{bounded::finish, lockstep},
    town::{Town, call},
};

/// Somebody else than the owner of the spreadsheets, who calls tools from a shell.
pub(crate) struct Clerk {
    folder: tempfile::TempDir,
    user: String,
}

impl Clerk {
    pub(crate) fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        let mut command = lockstep(self.folder.path());
        command.args(["call", tool, &arguments.to_string(), "--compact"]);
        command.env("LOCKSTEP_CONFIG", self.folder.path().join("lockstep.toml"));
        command.env("LOCKSTEP_GOOGLE_TOKEN", &self.user);
        let done = finish(command, Duration::from_secs(60));
        match done.status.success() {
            true => Ok(serde_json::from_str(&done.stdout).unwrap()),
            false => Err(done.stderr),
        }
    }
}

/// A sheet in a served workspace, a Lockstep over it, and requests as Google's own clients send them.
pub(crate) struct Desk {
    town: Town,
    app: App,
    pub(crate) id: String,
    sheet: i32,
}

impl Desk {
    pub(crate) async fn new(values: Value) -> Self {
        let town = Town::new(Faults::default()).await;
        let app = town.server().await;
        let (id, sheet) = town.spreadsheet("T").await;
        let desk = Self { town, app, id, sheet };
        desk.put("A1", values).await;
        desk
    }

    /// Returns a Lockstep of another account over the same spreadsheets and files.
    pub(crate) fn as_user(&self, user: &str) -> Clerk {
        let folder = tempfile::tempdir().unwrap();
        let (url, files) = (self.town.calm(), self.town.files());
        let config = format!(
            "backend = \"google\"\n[google]\nsheetsUrl = {url:?}\ndriveUrl = {url:?}\n[files]\nroot = {files:?}\nwritable = true\n"
        );
        std::fs::write(folder.path().join("lockstep.toml"), config).unwrap();
        Clerk { folder, user: user.to_owned() }
    }

    fn people(&self) -> &Google {
        &self.town.people
    }

    /// Sends requests of a batch update as anybody's client does; `0` as the sheet's id is this sheet's.
    pub(crate) async fn send(&self, requests: Value) {
        self.send_as(None, requests).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) async fn send_as(
        &self,
        user: Option<&str>,
        requests: Value,
    ) -> Result<Value, String> {
        let requests = self.on_sheet(&requests);
        let path = format!("v4/spreadsheets/{}:batchUpdate", self.id);
        self.town.post(&path, user, &json!({ "requests": requests })).await
    }

    pub(crate) async fn put(&self, range: &str, values: Value) {
        let arguments =
            json!({"spreadsheetId": self.id, "sheet": "T", "range": range, "values": values});
        call(&self.app, "updateCells", arguments).await.unwrap();
    }

    pub(crate) async fn ok(&self, name: &str, arguments: Value) -> Value {
        match call(&self.app, name, arguments).await {
            Ok(result) => result,
            Err(error) => panic!("{name} failed:\n{error}"),
        }
    }

    pub(crate) async fn err(&self, name: &str, arguments: Value) -> String {
        match call(&self.app, name, arguments).await {
            Ok(result) => panic!("{name} did not fail:\n{result:#}"),
            Err(error) => error.to_string(),
        }
    }

    /// Returns the arguments of a sync from `t.csv` to this sheet.
    pub(crate) fn sync(&self, csv: &str, right: Value, more: Value) -> Value {
        std::fs::write(self.town.files().join("t.csv"), csv).unwrap();
        let mut to = json!({"spreadsheetId": self.id, "sheet": "T"});
        to.as_object_mut().unwrap().extend(right.as_object().unwrap().clone());
        let mut arguments = json!({"left": {"file": "t.csv"}, "right": to, "key": ["id"], "mode": "apply",
            "maxDeletePercent": 100, "override": ["emptied"]});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    pub(crate) async fn apply(&self, csv: &str, right: Value, more: Value) -> Value {
        self.ok("syncDataset", self.sync(csv, right, more)).await
    }

    /// Lets somebody else send requests right before the next write of the server.
    pub(crate) async fn race(&self, requests: Value) {
        let requests = self.on_sheet(&requests);
        let effect = json!({"requests": {"requests": requests}});
        self.town.faults(json!([{"effect": effect, "path": ":batchUpdate", "times": 1}])).await;
    }

    /// Returns requests that were written for sheet 0.
    fn on_sheet(&self, requests: &Value) -> Value {
        let id = format!("\"sheetId\":{}", self.sheet);
        serde_json::from_str(&requests.to_string().replace("\"sheetId\":0", &id)).unwrap()
    }

    /// Returns the place of a file of the server.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.town.files().join(name)
    }

    /// Returns the rows of a range with some fields of their cells, as the service tells them.
    pub(crate) async fn grid(&self, range: &str, fields: &str) -> Value {
        let fields = format!("sheets.data.rowData.values({fields})");
        self.get(&format!("'T'!{range}"), &fields).await["sheets"][0]["data"][0]["rowData"].clone()
    }

    /// Returns what the service tells of the sheet's rows.
    pub(crate) async fn metadata(&self) -> Value {
        self.get("'T'!A1:A9", "sheets.data.rowMetadata").await["sheets"][0]["data"][0]["rowMetadata"].clone()
    }

    async fn get(&self, range: &str, fields: &str) -> Value {
        let filter = json!({"dataFilters": [{"a1Range": range}], "includeGridData": true});
        let path = format!("v4/spreadsheets/{}:getByDataFilter?fields={fields}", self.id);
        self.town.post(&path, None, &filter).await.unwrap()
    }

    /// Returns a range as people see it in formulas' place: formulas as their text.
    pub(crate) async fn seen(&self, range: &str) -> Value {
        let range = format!("'T'!{range}");
        let found = self.people().values(&self.id, &[range], Render::Formula).await.unwrap();
        let cell = |cell: &CellValue| match cell {
            CellValue::Empty => json!(""),
            CellValue::Number(number) if number.fract() == 0.0 => json!(*number as i64),
            CellValue::Number(number) => json!(number),
            CellValue::Bool(value) => json!(value),
            CellValue::Text(text) | CellValue::Error(text) => json!(text),
        };
        found[0].rows.iter().map(|row| row.iter().map(cell).collect::<Value>()).collect()
    }

    /// Returns the number format's pattern of a cell, and its validation's kind.
    pub(crate) async fn look(&self, cell: &str) -> (Option<String>, Option<String>) {
        let parts = GridParts { format: true, validation: true, ..GridParts::default() };
        let blocks = self.people().grid(&self.id, &[format!("'T'!{cell}")], parts).await.unwrap();
        let cell = blocks[0].rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
        let pattern = cell.format.and_then(|format| format.pattern).map(|text| text.to_string());
        (pattern, cell.validation.map(|rule| rule.condition.kind))
    }
}

pub(crate) fn area(rows: (u32, u32), columns: (u32, u32)) -> Value {
    json!({"sheetId": 0, "startRowIndex": rows.0, "endRowIndex": rows.1,
        "startColumnIndex": columns.0, "endColumnIndex": columns.1})
}
