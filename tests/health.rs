//! healthReport: injected faults move the right number by the right amount, and the named call brings it back.

use serde_json::{Value, json};

use crate::harness::House;

mod faults;
mod kept;

/// Forty rows of three columns beside the key, synced one way.
async fn house() -> House {
    let house = House::new().await;
    house.write("a.csv", rows());
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "deletes": "delete", "mode": "apply", "expectations": [{"column": "mail", "notNull": true}],
        "columns": [{"name": "id", "type": "text"}, {"name": "name", "type": "text"},
            {"name": "mail", "type": "text"}, {"name": "price", "type": "number"}],
        "health": {"systemOfRecord": "left"}});
    assert_eq!(house.ok("syncDataset", arguments).await["state"], "applied");
    house
}

fn rows() -> String {
    let rows = (1..=40).map(|id| format!("{id},n{id},n{id}@x.de,{}\n", id * 2));
    format!("id,name,mail,price\n{}", rows.collect::<String>())
}

fn edit(house: &House, file: &str, change: impl Fn(&str) -> String) {
    let path = house.folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed);
    std::fs::write(path, changed).unwrap();
}

async fn health(house: &House) -> Value {
    let report = house.ok("healthReport", json!({"dataset": "d", "detail": true})).await;
    report["datasets"][0].clone()
}

fn share(health: &Value, name: &str) -> f64 {
    health["parts"][name].as_f64().unwrap_or_else(|| panic!("{name}: {health:#}"))
}

pub(crate) fn deduction<'a>(health: &'a Value, what: &str) -> &'a Value {
    let all = health["deductions"].as_array().unwrap();
    all.iter().find(|one| one["what"] == what).unwrap_or_else(|| panic!("{what}: {health:#}"))
}

/// Calls what a deduction names, and every repair that a verification names in its turn.
async fn follow(house: &House, deduction: &Value) {
    let call = &deduction["call"];
    let answer = house.ok(call["tool"].as_str().unwrap(), call["arguments"].clone()).await;
    for repair in answer["repair"].as_array().unwrap_or(&Vec::new()) {
        let mut arguments = repair["arguments"].clone();
        arguments["mode"] = json!("apply");
        house.ok(repair["tool"].as_str().unwrap(), arguments).await;
    }
}

#[tokio::test]
async fn a_dataset_in_step_has_all_points() {
    let house = house().await;
    let found = health(&house).await;
    assert_eq!(found["score"], 100.0, "{found:#}");
    assert_eq!(found["deductions"], json!([]));
    for name in [
        "consistency",
        "completeness",
        "validity",
        "uniqueness",
        "accuracy",
        "success",
        "timeliness",
    ] {
        assert_eq!(share(&found, name), 1.0, "{name}");
    }
    let quality = &found["quality"];
    assert_eq!(
        (&quality["sampled"], &quality["of"], &quality["rowsRead"]),
        (&json!(40), &json!(40), &json!(80))
    );
    let whole = house.ok("healthReport", json!({})).await;
    assert_eq!((&whole["score"], &whole["status"]), (&json!(100.0), &json!("good")), "{whole:#}");
    assert!(whole.to_string().len() < 2_500, "small by default: {}", whole.to_string().len());
}

#[tokio::test]
async fn drift_moves_consistency_and_the_named_repair_restores_it() {
    let house = house().await;
    // Two of 120 cells, on the side that nobody may change.
    edit(&house, "b.csv", |text| text.replace("n7,", "x7,").replace(",n9@x.de,18", ",n9@x.de,19"));
    let found = health(&house).await;
    assert!((share(&found, "consistency") - 118.0 / 120.0).abs() < 1e-4, "{found:#}");
    assert!((share(&found, "accuracy") - 118.0 / 120.0).abs() < 1e-4);
    assert_eq!(share(&found, "completeness"), 1.0);
    assert_eq!(found["score"], 50.0, "unexplained drift caps it: {found:#}");
    assert_eq!(deduction(&found, "unexplainedDrift")["call"]["tool"], "verifyDataset");
    let kept = history(&house);
    assert_eq!(kept.len(), 1, "one measurement an hour");
    assert!((kept[0]["shares"]["consistency"].as_f64().unwrap() - 118.0 / 120.0).abs() < 1e-9);
    assert_eq!((&kept[0]["unexplained"], &kept[0]["pending"]), (&json!(2), &json!(0)));
    follow(&house, deduction(&found, "unexplainedDrift")).await;
    assert_eq!(health(&house).await["score"], 100.0);
    assert_eq!((history(&house).len(), &history(&house)[0]["unexplained"]), (1, &json!(0)));
}

/// Returns what is kept of the measurements.
fn history(house: &House) -> Vec<Value> {
    let query = "SELECT data FROM quality_history WHERE dataset = 'd' ORDER BY at";
    let rows = crate::support::store::column(house.data(), query);
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

#[tokio::test]
async fn a_cell_that_was_lost_on_its_way_is_written_again_by_the_named_repair() {
    let house = house().await;
    edit(&house, "b.csv", |text| text.replace("n5@x.de", ""));
    let lost = health(&house).await;
    // One of 80 required cells, one of 120 compared ones.
    assert!((share(&lost, "completeness") - (0.5 * 79.0 / 80.0 + 0.5)).abs() < 1e-4, "{lost:#}");
    assert!((share(&lost, "consistency") - 119.0 / 120.0).abs() < 1e-4);
    follow(&house, deduction(&lost, "unexplainedDrift")).await;
    assert_eq!(health(&house).await["score"], 100.0);
}

#[tokio::test]
async fn what_the_next_run_carries_in_time_is_pending_and_no_drift() {
    let house = house().await;
    edit(&house, "a.csv", |text| text.replace("n7,", "x7,"));
    let found = health(&house).await;
    assert_eq!(
        (share(&found, "consistency"), &found["quality"]["pending"]),
        (1.0, &json!(1)),
        "{found:#}"
    );
    assert_eq!(found["quality"]["drift"], json!({"changedOn left": 1}));
}

#[tokio::test]
async fn nulls_and_wrong_types_and_duplicates_each_move_their_own_number() {
    let house = house().await;
    // Two of 80 required cells are missing: 0.5 * 78/80 + 0.5 * 1.
    for file in ["a.csv", "b.csv"] {
        edit(&house, file, |text| text.replace("n5@x.de", ""));
    }
    let nulls = health(&house).await;
    let expected = 0.5 * 78.0 / 80.0 + 0.5;
    assert!((share(&nulls, "completeness") - expected).abs() < 1e-4, "{nulls:#}");
    assert_eq!((share(&nulls, "validity"), share(&nulls, "uniqueness")), (1.0, 1.0));
    let why = deduction(&nulls, "quality")["why"].as_str().unwrap().to_owned();
    assert!(
        why.contains("completeness: mail of left (1), completeness: mail of right (1)"),
        "{why}"
    );
    for file in ["a.csv", "b.csv"] {
        edit(&house, file, |text| text.replace("5,n5,,10", "5,n5,n5@x.de,10"));
    }
    assert_eq!(health(&house).await["score"], 100.0);

    // One price that is no number, on both sides: 2 of the cells that have a type or an expectation.
    let whole = health(&house).await["quality"]["shares"]["validity"].clone();
    for file in ["a.csv", "b.csv"] {
        edit(&house, file, |text| text.replace("5,n5,n5@x.de,10", "5,n5,n5@x.de,ten"));
    }
    let typed = health(&house).await;
    let found = &typed["quality"]["shares"]["validity"];
    // Mails and prices of 40 rows on two sides.
    assert_eq!((&whole["numerator"], &whole["denominator"]), (&json!(160.0), &json!(160.0)));
    assert_eq!((&found["numerator"], &found["denominator"]), (&json!(158.0), &json!(160.0)));
    assert!((share(&typed, "validity") - 158.0 / 160.0).abs() < 1e-4, "{typed:#}");
    assert_eq!((share(&typed, "completeness"), share(&typed, "uniqueness")), (1.0, 1.0));
    let why = deduction(&typed, "quality")["why"].as_str().unwrap().to_owned();
    assert!(why.contains("validity: price of left (1), validity: price of right (1)"), "{why}");
    for file in ["a.csv", "b.csv"] {
        edit(&house, file, |text| text.replace("5,n5,n5@x.de,ten", "5,n5,n5@x.de,10"));
    }

    // One of 40 rows of one side twice: 2 of 81 rows.
    edit(&house, "b.csv", |text| text.replace("8,n8,", "8,n8,n8@x.de,16\n8,n8,"));
    let twice = health(&house).await;
    assert!((share(&twice, "uniqueness") - 79.0 / 81.0).abs() < 1e-4, "{twice:#}");
    assert_eq!(share(&twice, "completeness"), 1.0);
    // The named call shows people which row it is, a plan where it stands.
    let call = &deduction(&twice, "quality")["call"];
    let list = house.ok(call["tool"].as_str().unwrap(), call["arguments"].clone()).await;
    let twice = json!([{"key": "8", "side": "right", "column": "id", "what": "uniqueness"}]);
    assert_eq!(list["datasets"][0]["toCorrect"], twice, "{list:#}");
    let plan = house.ok("syncDataset", json!({"name": "d"})).await;
    let findings = plan["findings"].to_string();
    assert!(findings.contains("rows 9, 10 all have the key '8'"), "{plan:#}");
    edit(&house, "b.csv", |text| text.replacen("8,n8,n8@x.de,16\n", "", 1));
    assert_eq!(health(&house).await["score"], 100.0);
}

#[tokio::test]
async fn a_dead_side_and_a_halt_cap_the_score_until_they_are_mended() {
    let house = house().await;
    let path = house.folder.path().join("a.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    house.err("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    let dead = health(&house).await;
    // One of two runs failed: 0.5^0.25 of the score, capped at 40.
    assert_eq!((share(&dead, "success"), &dead["score"]), (0.5, &json!(40.0)), "{dead:#}");
    assert_eq!(deduction(&dead, "lastRunFailed")["call"]["arguments"]["mode"], "apply");
    std::fs::write(&path, &text).unwrap();
    follow(&house, deduction(&dead, "lastRunFailed")).await;
    let back = health(&house).await;
    // 2 of 3 runs went well; what failed within the window stays in it: (2/3)^0.25.
    assert_eq!(back["score"], 90.4, "{back:#}");

    std::fs::write(&path, "id,name,mail,price\n1,n1,n1@x.de,2\n").unwrap();
    assert_eq!(
        house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await["state"],
        "halted"
    );
    let halted = house.ok("healthReport", json!({"dataset": "d", "measure": false})).await;
    assert_eq!((&halted["score"], &halted["status"]), (&json!(20.0), &json!("poor")), "{halted:#}");
    assert_eq!(halted["metrics"]["halted"], 1.0);
    assert_eq!(halted["metrics"]["errors.halted"], 1.0);
    std::fs::write(&path, &text).unwrap();
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    assert_eq!(health(&house).await["status"], "fair", "3 of 5 runs went well");
}

#[tokio::test]
async fn conflicts_wait_in_the_backlog() {
    let house = House::new().await;
    house.write("a.csv", rows());
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "direction": "both", "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    edit(&house, "a.csv", |text| text.replace("n7,", "left7,"));
    edit(&house, "b.csv", |text| text.replace("n7,", "right7,"));
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    let found = health(&house).await;
    // One conflict, 40 rows a day: exp(-1/40) = 0.9753.
    assert!((share(&found, "backlog") - 0.9753).abs() < 2e-4, "{found:#}");
    assert_eq!(deduction(&found, "backlog")["call"]["tool"], "resolveConflicts");
    assert_eq!(found["metrics"]["conflictsOpened"], 1.0);
    assert!((share(&found, "consistency") - 119.0 / 120.0).abs() < 1e-4);
    edit(&house, "b.csv", |text| text.replace("right7,", "left7,"));
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    let found = health(&house).await;
    assert_eq!(
        (share(&found, "backlog"), &found["metrics"]["conflictsClosed"]),
        (1.0, &json!(1.0))
    );
}

#[tokio::test]
async fn sampling_says_how_sure_it_is() {
    let house = House::new().await;
    let rows = |wrong: bool| {
        let row = |id: u32| match wrong && id.is_multiple_of(10) {
            true => format!("{id},x\n"),
            false => format!("{id},n{id}\n"),
        };
        format!("id,name\n{}", (1..=2000).map(row).collect::<String>())
    };
    house.write("a.csv", rows(false));
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"], "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    house.write("b.csv", rows(true));
    let report =
        house.ok("healthReport", json!({"dataset": "d", "sample": 300, "detail": true})).await;
    let quality = &report["datasets"][0]["quality"];
    assert_eq!((&quality["sampled"], &quality["of"]), (&json!(300), &json!(2000)));
    let share = &quality["shares"]["consistency"];
    let (low, high) = (share["low"].as_f64().unwrap(), share["high"].as_f64().unwrap());
    assert!(low < 0.9 && 0.9 < high && high - low < 0.08, "{share}");
    assert_eq!(share["denominator"], 300.0);
    assert_eq!(quality["shares"]["accuracy"], Value::Null, "nobody says which side is right");
    let error = house.err("healthReport", json!({"sample": 0})).await;
    assert!(error.contains("between 1 and"), "{error}");
    assert!(house.err("healthReport", json!({"dataset": "x"})).await.contains("no saved dataset"));
}

#[tokio::test]
async fn the_dashboard_is_made_once_and_brought_up_to_date() {
    let house = house().await;
    let first = house.ok("healthReport", json!({"dashboard": true})).await;
    let id = first["dashboard"].as_str().unwrap().to_owned();
    let read = async |sheet: &str| {
        let arguments = json!({"spreadsheetId": id, "sheet": sheet, "limit": 1000});
        house.ok("readSheet", arguments).await["rows"].clone()
    };
    let table = read("Health").await;
    let row = |table: &Value, metric: &str| {
        let found = table.as_array().unwrap().iter().find(|row| row["cells"]["Metric"] == metric);
        found.unwrap_or_else(|| panic!("{metric}: {table:#}")).clone()
    };
    let value = |row: &Value, name: &str| row["cells"][name].clone();
    let score = row(&table, "Health score");
    assert_eq!(
        (value(&score, "Value"), value(&score, "Status")),
        (json!(100), json!("good")),
        "{table:#}"
    );
    assert_eq!(value(&row(&table, "Runs"), "Value"), 1);

    edit(&house, "b.csv", |text| text.replace("n7,", "x7,"));
    house.ok("healthReport", json!({"dataset": "d"})).await;
    let second = house.ok("healthReport", json!({"dashboard": true})).await;
    assert_eq!(second["dashboard"], first["dashboard"], "the same spreadsheet");
    let table = read("Health").await;
    assert_eq!(value(&row(&table, "Health score"), "Value"), 50);
    assert_eq!(value(&row(&table, "Health score"), "Status"), "poor");
    let datasets = read("Datasets").await;
    let only = &datasets.as_array().unwrap()[0];
    assert_eq!((value(only, "Dataset"), value(only, "Score")), (json!("d"), json!(50)));
    assert_eq!(value(only, "First to mend"), "unexplainedDrift");
    let history = read("History").await;
    assert_eq!(value(&history.as_array().unwrap()[0], "Score"), 50, "one score an hour");
}
