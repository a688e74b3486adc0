//! Somebody else sorts, inserts, deletes and edits through the same API while tools write.

use std::collections::BTreeSet;

use lockstep::{app::App, config::Config};
use lockstep_workspace::{Edit, Effect, Faults, Options, Rule, Workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{storm::scaled, town::call};

/// A Lockstep over a workspace with faults.
struct Race {
    app: App,
    _data: TempDir,
    folder: TempDir,
    id: String,
}

impl Race {
    async fn new(rules: Vec<Rule>, seed: u64) -> Self {
        let faults = Faults { seed, quota: None, rules };
        let workspace = Workspace::in_memory_with(Options::new().faults(faults)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
        let folder = TempDir::new().unwrap();
        let data = TempDir::new().unwrap();
        let mut config = Config::default();
        config.workspace.url = Some(url);
        config.workspace.data = Some(data.path().to_owned());
        config.files.root = folder.path().to_owned();
        config.files.writable = true;
        let app = App::start(&config).await.unwrap();
        let mut race = Self { app, _data: data, folder, id: String::new() };
        let sheets = json!([{"title": "T"}]);
        let made = race
            .call("createFile", json!({"type": "spreadsheet", "name": "F", "sheets": sheets}))
            .await
            .unwrap();
        race.id = made["id"].as_str().unwrap().to_owned();
        race
    }

    async fn call(&self, name: &str, arguments: Value) -> Result<Value, String> {
        call(&self.app, name, arguments).await.map_err(|error| error.to_string())
    }

    async fn rows(&self) -> Vec<Value> {
        let arguments = json!({"spreadsheetId": self.id, "as": "rows"});
        let page = self.call("readSheet", arguments).await.unwrap();
        let rows = page["rows"].as_array().unwrap();
        rows.iter().map(|row| row["cells"].clone()).collect()
    }
}

fn editor(edit: Edit, probability: f64) -> Rule {
    let mut rule = Rule::new(Effect::Editor { edit }).on(":batchUpdate");
    rule.probability = probability;
    rule
}

/// A sync makes the sheet agree however often others move rows; what rests at the end is checked by the key that every
/// text begins with.
async fn every_value_stays_on_its_row(guard: &str) {
    let rules = vec![
        editor(Edit::Sort, 0.1),
        editor(Edit::InsertRow, 0.1),
        editor(Edit::DeleteRow, 0.06),
        editor(Edit::EditCell, 0.1),
    ];
    let race = Race::new(rules, 5).await;
    let (mut applied, mut refused) = (0, 0);
    let (syncs, mut repaired) = (scaled(1_000), 0);
    let mut misplaced: BTreeSet<String> = BTreeSet::new();
    for sync in 0..syncs {
        let mut csv = String::from("id,name,note\n");
        for row in 0..12 {
            csv.push_str(&format!(
                "k{row},k{row}.name{},k{row}.note{}\n",
                sync % (row + 2),
                sync / 3
            ));
        }
        std::fs::write(race.folder.path().join("t.csv"), csv).unwrap();
        let arguments = json!({
            "left": {"file": "t.csv"}, "right": {"spreadsheetId": race.id, "sheet": "T"},
            "key": ["id"], "deletes": "delete", "mode": "apply", "maxDeletePercent": 100,
            "override": ["duplicateKeys"], "guard": guard,
        });
        match race.call("syncDataset", arguments).await {
            Ok(report) => {
                assert!(
                    ["applied", "inStep"].contains(&report["state"].as_str().unwrap()),
                    "{report:#}"
                );
                applied += 1;
                repaired += report["repaired"].as_array().map_or(0, Vec::len);
            }
            // An editor may hit the header, or the same cell; that is said, and the next sync goes on.
            Err(error) => {
                let honest = ["changed", "notFound", "invalidArgument"];
                assert!(honest.iter().any(|kind| error.starts_with(kind)), "{error}");
                refused += 1;
            }
        }
        for row in race.rows().await.iter().skip(1) {
            let cell = |column: usize| row[column].as_str().unwrap_or_default();
            for column in 1..3 {
                let own = cell(column).is_empty()
                    || cell(column).starts_with("edited")
                    || cell(0).starts_with("edited")
                    || cell(column).starts_with(&format!("{}.", cell(0)));
                if !own {
                    misplaced.insert(cell(column).to_owned());
                }
            }
        }
    }
    println!(
        "guard {guard}: {applied} syncs were applied, {refused} refused with a reason, {repaired} cells were hit and \
         repaired at once; {} values on a wrong row {misplaced:?}",
        misplaced.len()
    );
    // Known: with read-back a value can stay on a row that somebody inserted without a key, about once in 400 such
    // syncs; through tags none can.
    let allowed = if guard == "anchor" { 0 } else { 1 + syncs / 200 };
    assert!(misplaced.len() as u64 <= u64::from(allowed), "{misplaced:?}");
    assert!(applied * 10 > syncs * 6, "{applied} applied, {refused} refused");
}

#[tokio::test]
async fn with_read_back_every_value_ends_on_its_row_among_other_editors() {
    every_value_stays_on_its_row("readBack").await;
}

#[tokio::test]
async fn with_anchors_every_value_ends_on_its_row_among_other_editors() {
    every_value_stays_on_its_row("anchor").await;
}

#[tokio::test]
async fn a_guarded_update_says_so_when_rows_moved_under_it() {
    // The third write: the first two fill the sheet and check that an undisturbed write passes.
    let mut rule = editor(Edit::InsertRow, 1.0).times(1);
    rule.skip = 2;
    let race = Race::new(vec![rule], 2).await;
    let update = |range: &str, values: Value, expected: Option<Value>| {
        let mut arguments = json!({"spreadsheetId": race.id, "range": range, "values": values});
        if let Some(expected) = expected {
            arguments["ifUnchanged"] = expected;
        }
        race.call("updateCells", arguments)
    };
    let table =
        json!([["id", "n", "double"], ["a", 1, {"formula": "=B2*2"}], ["b", 2, ""], ["c", 3, ""]]);
    update("A1", table, None).await.unwrap();
    update("B2:B4", json!([[10], [20], [30]]), Some(json!([[1], [2], [3]]))).await.unwrap();
    let error = update("B2:B4", json!([[11], [21], [31]]), Some(json!([[10], [20], [30]])))
        .await
        .unwrap_err();
    assert!(error.starts_with("ambiguous") && error.contains("\"10\""), "{error}");
}
