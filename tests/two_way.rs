//! Two-way sync through the tool, over what both sides last agreed on.

use serde_json::{Value, json};

use crate::harness::House;

/// A CSV file and a sheet that are kept in step both ways.
pub(crate) struct Pair {
    pub(crate) house: House,
    pub(crate) id: String,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        let house = House::new().await;
        let made = house
            .ok(
                "createFile",
                json!({"type": "spreadsheet", "name": "Shop", "sheets": [{"title": "stock"}]}),
            )
            .await;
        let id = made["id"].as_str().unwrap().to_owned();
        Self { house, id }
    }

    /// Starts with a file and a sheet of the same rows, in step.
    pub(crate) async fn in_step(csv: &str) -> Self {
        let pair = Self::new().await;
        pair.file(csv);
        let report = pair.apply(json!({})).await;
        assert_eq!(report["state"], "applied", "{report:#}");
        pair
    }

    pub(crate) fn dataset(&self, more: Value) -> Value {
        let mut arguments = json!({
            "name": "stock",
            "left": {"file": "stock.csv"},
            "right": {"spreadsheetId": self.id, "sheet": "stock"},
            "key": ["sku"],
            "direction": "both",
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    pub(crate) fn file(&self, csv: &str) {
        self.house.write("stock.csv", csv);
    }

    pub(crate) fn read_file(&self) -> String {
        std::fs::read_to_string(self.house.folder.path().join("stock.csv")).unwrap()
    }

    pub(crate) async fn plan(&self, more: Value) -> Value {
        self.house.ok("syncDataset", self.dataset(more)).await
    }

    pub(crate) async fn apply(&self, more: Value) -> Value {
        let mut arguments = self.dataset(more);
        arguments["mode"] = json!("apply");
        self.house.ok("syncDataset", arguments).await
    }

    pub(crate) async fn sheet(&self) -> Vec<Value> {
        let page = self
            .house
            .ok(
                "readSheet",
                json!({"spreadsheetId": self.id, "sheet": "stock", "as": "rows", "limit": 1000}),
            )
            .await;
        page["rows"].as_array().unwrap().iter().map(|row| row["cells"].clone()).collect()
    }

    pub(crate) async fn set(&self, range: &str, values: Value) {
        self.house
            .ok(
                "updateCells",
                json!({"spreadsheetId": self.id, "sheet": "stock", "range": range, "values": values}),
            )
            .await;
    }
}

pub(crate) const STOCK: &str = "sku,name,qty\nA,Apple,10\nB,Beet,20\nC,Corn,30\n";

#[tokio::test]
async fn edits_of_both_sides_flow_and_a_second_run_writes_nothing() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\nD,Dill,40\n");
    pair.set("B3", json!([["Beetroot"]])).await;
    pair.set("A5", json!([["E", "Egg", 50]])).await;

    let plan = pair.plan(json!({})).await;
    assert_eq!(plan["state"], "planned", "{plan:#}");
    assert_eq!((&plan["counts"]["insert"], &plan["counts"]["update"]), (&json!(1), &json!(1)));
    assert_eq!(plan["counts"]["left"], 2, "{plan:#}");
    let report = pair.apply(json!({"planId": plan["planId"]})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert!(report["runId"].is_string());

    assert_eq!(
        pair.read_file(),
        "sku,name,qty\nA,Apple,11\nB,Beetroot,20\nC,Corn,30\nD,Dill,40\nE,Egg,50\n"
    );
    let mut rows = pair.sheet().await;
    rows.sort_by_key(ToString::to_string);
    assert_eq!(
        rows,
        [
            json!(["A", "Apple", 11]),
            json!(["B", "Beetroot", 20]),
            json!(["C", "Corn", 30]),
            json!(["D", "Dill", 40]),
            json!(["E", "Egg", 50]),
            json!(["sku", "name", "qty"]),
        ]
    );
    let again = pair.apply(json!({})).await;
    assert_eq!((&again["state"], &again["calls"]["writes"]), (&json!("inStep"), &json!(0)));
}

#[tokio::test]
async fn different_edits_of_one_cell_are_a_conflict_and_the_other_cells_flow() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apfel,10\nB,Beet,21\nC,Corn,30\n");
    pair.set("C3", json!([[22]])).await;
    pair.set("C2", json!([[12]])).await;
    let report = pair.apply(json!({"policy": {"granularity": "cell"}})).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(report["conflicts"][0]["key"], "B");
    assert_eq!(report["conflicts"][0]["cells"]["qty"], "base: 20, left: 21, right: 22");
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apfel,12\nB,Beet,21\nC,Corn,30\n");
    let rows = pair.sheet().await;
    assert_eq!((&rows[1], &rows[2]), (&json!(["A", "Apfel", 12]), &json!(["B", "Beet", 22])));

    let decided = pair.apply(json!({"policy": {"strategy": "rightPriority"}})).await;
    assert_eq!(decided["state"], "applied", "{decided:#}");
    assert_eq!(decided["counts"]["losers"], 1);
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apfel,12\nB,Beet,22\nC,Corn,30\n");
}

#[tokio::test]
async fn a_row_that_is_gone_from_one_side_is_marked_or_deleted_on_the_other() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,10\nC,Corn,30\n");
    let marked = pair.apply(json!({"maxDeletePercent": 50})).await;
    assert_eq!(marked["counts"]["mark"], 1, "{marked:#}");
    assert_eq!(pair.sheet().await[2], json!(["B", "Beet", 20, "inactive"]));
    assert_eq!(pair.apply(json!({})).await["state"], "inStep");

    pair.file("sku,name,qty\nA,Apple,10\n");
    let report = pair.apply(json!({"deletes": "delete", "maxDeletePercent": 50})).await;
    assert_eq!(report["counts"]["delete"], 1, "{report:#}");
    let rows = pair.sheet().await;
    assert!(rows.iter().all(|row| row[0] != "C"), "{rows:?} {report:#}");
}

#[tokio::test]
async fn a_column_that_is_gone_halts_instead_of_blanking_the_other_side() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name\nA,Apple\nB,Beet\nC,Corn\n");
    let report = pair.apply(json!({})).await;
    assert_eq!(report["state"], "halted", "{report:#}");
    assert_eq!(report["halted"][0]["name"], "columnMissing");
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 10]));
    let passed = pair.apply(json!({"override": ["columnMissing"]})).await;
    assert_ne!(passed["state"], "halted", "{passed:#}");
    assert_eq!(pair.sheet().await[1], json!(["A", "Apple", 10]), "no opinion is not a blank");
}

#[tokio::test]
async fn a_side_that_became_empty_halts() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\n");
    let report = pair.apply(json!({"deletes": "delete"})).await;
    let names: Vec<&str> =
        report["halted"].as_array().unwrap().iter().map(|h| h["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"emptied"), "{report:#}");
    assert_eq!(pair.sheet().await.len(), 4);
}

#[tokio::test]
async fn a_stray_word_does_not_retype_a_column_and_a_column_of_words_halts() {
    let pair = Pair::in_step(STOCK).await;
    pair.set("C2", json!([["many"]])).await;
    let report = pair.apply(json!({})).await;
    assert_eq!(report["counts"]["left"], 1, "{report:#}");
    assert_eq!(report["counts"]["update"], 0, "{report:#}");
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apple,many\nB,Beet,20\nC,Corn,30\n");
    pair.set("C2:C4", json!([["x"], ["y"], ["z"]])).await;
    assert_eq!(pair.apply(json!({})).await["halted"][0]["name"], "typeChanged");
}

#[tokio::test]
async fn a_saved_dataset_needs_only_its_name_and_keeps_its_sides() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,99\nB,Beet,20\nC,Corn,30\n");
    let report = pair.house.ok("syncDataset", json!({"name": "stock", "mode": "apply"})).await;
    assert_eq!(report["counts"]["update"], 1, "{report:#}");

    let error = pair.house.err("syncDataset", json!({"name": "stok"})).await;
    assert!(error.contains("Did you mean \"stock\"?"), "{error}");
    pair.house.write("other.csv", STOCK);
    let error =
        pair.house.err("syncDataset", pair.dataset(json!({"left": {"file": "other.csv"}}))).await;
    assert!(error.contains("another name"), "{error}");
}

#[tokio::test]
async fn an_unknown_override_is_refused_by_name() {
    let pair = Pair::in_step(STOCK).await;
    let error = pair.house.err("syncDataset", pair.dataset(json!({"override": ["emptyed"]}))).await;
    assert!(error.contains("Did you mean \"emptied\"?"), "{error}");
}

#[tokio::test]
async fn a_stored_plan_reads_as_a_page_and_as_csv() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,99\nB,Beet,20\nC,Corn,30\n");
    let plan = pair.plan(json!({})).await;
    let page = pair
        .house
        .resource(&format!("lockstep://plans/{}", plan["planId"].as_str().unwrap()))
        .await;
    assert!(page[0].contains("| update | A | qty | 10 | 99 |"), "{}", page[0]);
    assert_eq!(page[1], "side,kind,key,column,before,after\nright,update,A,qty,10,99\n");
    let dataset = pair.house.resource("lockstep://datasets/stock").await;
    assert!(dataset[0].contains("\"stock.csv\""), "{}", dataset[0]);
}

/// Forgets a record with the command line, and tells whether a plan is still there.
async fn plan_after_forgetting(pair: &Pair, plan: &Value) -> bool {
    let told = crate::support::lockstep(pair.house.data()).args(["forget", "stock", "A"]).output();
    let told = told.unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let uri = format!("lockstep://plans/{}", plan["planId"].as_str().unwrap());
    let found = lockstep::server::resources::read(&pair.house.app.context(), &uri).await.unwrap();
    found.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_a_record_takes_the_plans_that_show_it() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,10\nB,Beet,21\nC,Corn,30\n");
    let other = pair.plan(json!({})).await;
    assert!(plan_after_forgetting(&pair, &other).await, "it does not name the record");
    // Base has forgotten the record: it is new on both sides, so the next plan names it.
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let naming = pair.plan(json!({"policy": {"strategy": "leftPriority"}})).await;
    assert!(naming["changes"].to_string().contains("11"), "{naming:#}");
    assert!(!plan_after_forgetting(&pair, &naming).await, "its plan still shows the record");
    let run = pair.apply(json!({"policy": {"strategy": "leftPriority"}})).await;
    let back = pair.house.ok("rollbackSync", json!({"runId": run["runId"]})).await;
    assert!(!plan_after_forgetting(&pair, &back).await, "the plan of a rollback does, too");
}
