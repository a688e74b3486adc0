//! Sensitive columns: their values reach the sides of a dataset, and nothing else that Lockstep says, writes or logs.

use std::{collections::BTreeMap, fs, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    http::{Client, answer, messages},
    listening::Listening,
    lockstep, wire, workspace,
};

/// Begins every value that must not be shown.
pub(crate) const SECRET: &str = "PRIVATE";

/// A server whose dataset "staff" has sensitive columns; everything that it says is kept.
pub(crate) struct Office {
    pub(crate) folder: tempfile::TempDir,
    google: Listening,
    listening: Listening,
    client: Client,
    sheet: String,
    pub(crate) said: BTreeMap<String, String>,
}

impl Office {
    async fn new(key: &str, pay: &str) -> Self {
        Self::with(key, ["sensitive = true", &format!("sensitive = {pay}")], "").await
    }

    /// Makes one whose mail and pay are described by some words, with more settings.
    pub(crate) async fn with(key: &str, [mail, pay]: [&str; 2], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let google = workspace::start(folder.path());
        let new = json!({"properties": {"title": "Staff"}, "sheets": [{"properties": {"title": "staff"}}]});
        let made = wire::send("POST", &google.url, "v4/spreadsheets", None, &new).await.unwrap();
        let sheet = made["spreadsheetId"].as_str().unwrap().to_owned();
        let settings = format!(
            r#"
            [workspace]
            url = "{}"
            [files]
            writable = true
            [connections.hr]
            kind = "sqlite"
            url = "sqlite:hr.db"
            writable = true
            [datasets.staff]
            left = {{ connection = "hr", table = "staff", onError = "skip" }}
            right = {{ spreadsheetId = "{sheet}", sheet = "staff" }}
            key = ["{key}"]
            direction = "both"
            deletes = "delete"
            maxDeletePercent = 100
            maxChangePercent = 100
            reviewSheet = {{ spreadsheetId = "{sheet}", sheet = "review" }}
            columns = [{{ name = "id" }}, {{ name = "mail", {mail} }}, {{ name = "pay", {pay} }}, {{ name = "seat" }}]
            expectations = [{{ column = "pay", matchRegex = "^CODE" }}]
            {more}
            "#,
            google.url
        );
        fs::write(folder.path().join("lockstep.toml"), settings).unwrap();
        let database = folder.path().join("hr.db");
        rusqlite::Connection::open(&database)
            .unwrap()
            .execute_batch(&format!(
                "CREATE TABLE staff (id TEXT, mail TEXT, pay TEXT CHECK (pay <> '{SECRET}-refused'), seat TEXT, PRIMARY KEY ({key}));
                 INSERT INTO staff VALUES ('1', '{SECRET}-ada', '{SECRET}-10', 'a'), ('2', '{SECRET}-bob', '{SECRET}-20', 'b'),
                   ('3', '{SECRET}-eve', '{SECRET}-30', 'c'), ('4', '{SECRET}-kim', '{SECRET}-40', 'd');"
            ))
            .unwrap();
        let listening = serve(folder.path());
        let client =
            Client { http: wire::http(), url: listening.url.clone(), token: None, session: None };
        Self { folder, google, listening, client, sheet, said: BTreeMap::new() }
    }

    /// Calls a tool; whatever it says is kept.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let what = format!("{tool} {arguments}");
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.client.modern("tools/call", params, json!({})).await;
        let said = answer(&messages(response).await);
        self.said.insert(what, said.to_string());
        said["result"]["structuredContent"].clone()
    }

    async fn resource(&mut self, uri: &str) {
        let response = self.client.modern("resources/read", json!({"uri": uri}), json!({})).await;
        let said = answer(&messages(response).await);
        assert!(said["result"]["contents"].is_array(), "{uri}: {said}");
        self.said.insert(uri.to_owned(), said.to_string());
    }

    async fn page(&mut self, path: &str) {
        let request =
            self.client.http.request(Method::GET, format!("{}{path}", self.listening.url));
        let text = request.send().await.unwrap().text().await.unwrap();
        self.said.insert(format!("page {path}"), text);
    }

    /// Somebody edits the sheet.
    pub(crate) async fn edit(&self, range: &str, values: Value) {
        let path =
            format!("v4/spreadsheets/{}/values/staff!{range}?valueInputOption=RAW", self.sheet);
        let body = json!({"values": values});
        wire::send("PUT", &self.google.url, &path, None, &body).await.unwrap();
    }

    pub(crate) async fn values(&self, range: &str) -> Value {
        let path = format!("v4/spreadsheets/{}/values/{range}", self.sheet);
        wire::send("GET", &self.google.url, &path, None, &Value::Null).await.unwrap()["values"]
            .clone()
    }

    pub(crate) fn database(&self, sql: &str) {
        let database = self.folder.path().join("hr.db");
        rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
    }

    pub(crate) fn command(&mut self, arguments: &[&str]) {
        let mut command: Command = lockstep(self.folder.path());
        let done = command.args(arguments).output().unwrap();
        let text =
            [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).join("\n");
        self.said.insert(format!("lockstep {}", arguments.join(" ")), text);
    }

    /// Kills the server, does something, and starts it again.
    pub(crate) fn without_server(&mut self, done: impl FnOnce(&std::path::Path)) {
        let _ = self.listening.child.kill();
        let _ = self.listening.child.wait();
        done(self.folder.path());
        self.listening = serve(self.folder.path());
        self.client.url.clone_from(&self.listening.url);
    }
}

fn serve(folder: &std::path::Path) -> Listening {
    let mut command = lockstep(folder);
    command.args(["serve", "--http", "127.0.0.1:0"]);
    command.env("LOCKSTEP_LOG", "debug,lockstep=trace,lockstep_google=trace,lockstep_engine=trace");
    Listening::start(command)
}

/// Says whether a cell of the column "pay" is shown as it is to be: as a hash, or not at all.
fn masked(pay: &str, cell: &Value) -> bool {
    let text = cell.as_str().unwrap_or_default();
    match pay {
        "true" => text == "(hidden)",
        _ => text
            .split(" → ")
            .all(|part| part == "(blank)" || (part.len() == 11 && part.starts_with('#'))),
    }
}

async fn a_working_day(key: &str, pay: &str) {
    let mut office = Office::new(key, pay).await;
    let plan = office.call("syncDataset", json!({"name": "staff"})).await;
    let id = plan["planId"].as_str().unwrap_or_else(|| panic!("{:#?}", office.said)).to_owned();
    assert!(masked(pay, &plan["changes"][0]["cells"]["pay"]), "{plan:#}");
    assert_eq!(plan["changes"][0]["cells"]["seat"], "a");
    office.resource(&format!("lockstep://plans/{id}")).await;
    let run =
        office.call("syncDataset", json!({"name": "staff", "mode": "apply", "planId": id})).await;
    assert_eq!(run["state"], "applied", "{run:#}");
    let first = run["runId"].as_str().unwrap().to_owned();
    // The sides have everything, whatever is hidden of it.
    let there = office.values("staff!A1:D5").await;
    assert_eq!(
        there[1],
        json!(["1", format!("{SECRET}-ada"), format!("{SECRET}-10"), "a"]),
        "{there:#}"
    );

    // A conflict, a repeated key, a value that the table refuses.
    office.database(&format!("UPDATE staff SET pay = '{SECRET}-11', seat = 'x' WHERE id = '1'"));
    office.edit("C2", json!([[format!("{SECRET}-12")]])).await;
    office.edit("C3", json!([[format!("{SECRET}-refused")]])).await;
    office
        .edit(
            "A6",
            json!([
                ["6", format!("{SECRET}-dup"), format!("{SECRET}-60"), "f"],
                ["6", format!("{SECRET}-dup"), format!("{SECRET}-61"), "f"]
            ]),
        )
        .await;
    office.call("syncDataset", json!({"name": "staff", "mode": "apply"})).await;
    let mut pass = json!({"name": "staff", "mode": "apply", "override": ["duplicateKeys"]});
    office.call("syncDataset", pass.clone()).await;
    let asked = &office.said[&format!("syncDataset {pass}")];
    let code = asked.split("confirm: \\\"").nth(1).and_then(|rest| rest.split('\\').next());
    pass["confirm"] = json!(code.unwrap_or_else(|| panic!("{asked}")));
    let run = office.call("syncDataset", pass).await;
    assert_eq!(run["counts"]["conflicts"], 1, "{run:#}");
    assert_eq!(run["refused"].as_array().map(Vec::len), Some(1), "{run:#}");
    assert_eq!(run["conflicts"][0]["cells"]["pay"], "(hidden)");
    assert!(run["findings"].as_array().is_some_and(|all| all.len() > 1), "{run:#}");
    let second = run["runId"].as_str().unwrap().to_owned();

    let review = office.values("review!A1:Z9").await;
    assert!(review.to_string().contains("(hidden)"), "{review:#}");
    office.said.insert("the review tab".into(), review.to_string());
    let listed = office.call("resolveConflicts", json!({"dataset": "staff"})).await;
    assert_eq!(listed["total"], 1, "{listed:#}");
    let voices = &listed["conflicts"][0]["values"];
    assert!(masked(pay, &voices["left"]) && masked(pay, &voices["right"]), "{listed:#}");
    if pay != "true" {
        assert_ne!(voices["left"], voices["right"], "another value has another hash");
        // What the first run wrote is what base has: the same value looks the same wherever it is shown.
        let first = office.call("syncHistory", json!({"runId": first, "limit": 50})).await;
        let row = first["changes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["cells"]["seat"] == "(blank) → a");
        let written = row.unwrap_or_else(|| panic!("{first:#}"))["cells"]["pay"].as_str().unwrap();
        assert!(
            written.ends_with(listed["conflicts"][0]["base"].as_str().unwrap()),
            "{written}: {listed:#}"
        );
    }
    for action in ["preview", "decide"] {
        office
            .call(
                "resolveConflicts",
                json!({"dataset": "staff", "action": action, "winner": "right"}),
            )
            .await;
    }
    office.resource("lockstep://conflicts").await;
    for run in [&first, &second] {
        office.call("syncHistory", json!({"runId": run, "limit": 50})).await;
        office.call("rollbackSync", json!({"runId": run})).await;
        office.resource(&format!("lockstep://runs/{run}")).await;
    }
    office.call("syncHistory", json!({"dataset": "staff"})).await;
    office.resource("lockstep://datasets/staff").await;
    let found = office.call("verifyDataset", json!({"name": "staff"})).await;
    assert_eq!(found["inStep"], false, "{found:#}");
    office.call("healthReport", json!({"dataset": "staff", "detail": true})).await;

    // The sheet itself is not read past the rules.
    for (tool, arguments) in [
        ("readSheet", json!({"spreadsheetId": office.sheet, "sheet": "staff"})),
        ("readSheet", json!({"spreadsheetId": office.sheet, "sheet": "review", "as": "rows"})),
        (
            "updateCells",
            json!({"spreadsheetId": office.sheet, "sheet": "staff", "range": "D2", "values": [["y"]]}),
        ),
        ("describeSpreadsheet", json!({"spreadsheetId": office.sheet})),
    ] {
        office.call(tool, arguments).await;
    }
    let refused = office.said.iter().find(|(what, _)| what.starts_with("readSheet")).unwrap().1;
    assert!(refused.contains("sensitive columns"), "{refused}");

    office.edit("A6", json!([["", "", "", ""], ["", "", "", ""]])).await;
    // A watch meets the value that is refused until it is a dead letter.
    office
        .call(
            "watchDataset",
            json!({"action": "start", "dataset": "staff", "retryLimit": 1, "pollSeconds": 1}),
        )
        .await;
    let mut dead = 0;
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let status =
            office.call("watchDataset", json!({"action": "status", "dataset": "staff"})).await;
        dead = status["watches"][0]["deadLetters"].as_u64().unwrap_or_default();
        if dead > 0 {
            break;
        }
    }
    assert_eq!(dead, 1, "{:#?}", office.said);
    office.call("watchDataset", json!({"action": "deadLetters"})).await;

    let pages = [
        "/",
        "/datasets/staff",
        "/runs",
        "/conflicts",
        "/conflicts?dataset=staff",
        "/letters",
        "/sheets",
        &format!("/runs/{first}"),
        &format!("/runs/{second}"),
        &format!("/sheets/{}", office.sheet),
    ];
    for page in pages {
        office.page(page).await;
    }
    office.command(&["audit", "print"]);
    office.command(&["audit", "verify"]);
    let log = office.listening.killed();
    assert!(log.len() > 1_000, "{log}");
    office.said.insert("the log".into(), log);
    for (what, said) in &office.said {
        let shown = said.split_once(SECRET).map(|(before, after)| {
            let before: Vec<char> = before.chars().rev().take(200).collect();
            let after = after.chars().take(60);
            before.into_iter().rev().chain(after).collect::<String>()
        });
        assert_eq!(shown, None, "{key}: {what} shows it");
    }
    let hidden = office.said.values().filter(|said| said.contains("(hidden)")).count();
    assert!(hidden > 10, "{hidden} answers say that something is hidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sensitive_is_nowhere_but_on_the_sides() {
    a_working_day("id", "true").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_key_is_nowhere_but_on_the_sides() {
    a_working_day("mail", "true").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_tell_equal_values_apart_from_others_and_nothing_else() {
    a_working_day("id", "\"hashed\"").await;
}
