//! Faults that a person corrects: the named call lists the rows, and carries the correction on.

use serde_json::{Value, json};

use super::{deduction, edit, health, house, rows, share};
use crate::harness::House;

/// Calls what a deduction names, with some arguments more.
async fn call(house: &House, deduction: &Value, more: Value) -> Value {
    let mut arguments = deduction["call"]["arguments"].clone();
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.ok(deduction["call"]["tool"].as_str().unwrap(), arguments).await
}

/// Corrects what a list names: the rows of a key in the file of its side.
fn correct(house: &House, one: &Value, change: impl Fn(&str) -> String) {
    let file = if one["side"] == "left" { "a.csv" } else { "b.csv" };
    let key = format!("{},", one["key"].as_str().unwrap());
    edit(house, file, |text| {
        let line = |line: &str| match line.starts_with(&key) {
            true => change(line),
            false => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    });
}

#[tokio::test]
async fn a_cell_is_corrected_where_the_named_call_finds_it_and_carried_on() {
    for (good, bad, column, what) in [
        ("n5@x.de,10", ",10", "mail", "completeness"),
        ("n5@x.de,10", "n5@x.de,ten", "price", "validity"),
    ] {
        let house = house().await;
        edit(&house, "a.csv", |text| text.replace(good, bad));
        house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
        let found = health(&house).await;
        assert!(found["score"].as_f64().unwrap() < 100.0, "{found:#}");
        let deduction = deduction(&found, "quality");
        let why = deduction["why"].as_str().unwrap();
        let place = format!("{what}: {column} of left (1)");
        assert!(why.contains("correct by hand") && why.contains(&place), "{why}");
        let report = call(&house, deduction, json!({})).await;
        let list = report["datasets"][0]["toCorrect"].as_array().unwrap();
        let both = ["left", "right"]
            .map(|side| json!({"key": "5", "side": side, "column": column, "what": what}));
        assert_eq!(list[..], both, "exactly the cells: {report:#}");
        correct(&house, &list[0], |line| line.replace(bad, good) + "\n");
        house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
        assert_eq!(health(&house).await["score"], 100.0, "{bad}");
    }
}

#[tokio::test]
async fn a_row_that_is_there_twice_is_found_by_the_named_call() {
    let house = house().await;
    edit(&house, "b.csv", |text| text.replace("8,n8,n8@x.de,16\n", "8,n8,n8@x.de,16\n8,,,\n"));
    let twice = health(&house).await;
    let deduction = deduction(&twice, "quality");
    assert!(
        deduction["why"].as_str().unwrap().contains("uniqueness: id of right (1)"),
        "{twice:#}"
    );
    let report = call(&house, deduction, json!({})).await;
    let list = report["datasets"][0]["toCorrect"].as_array().unwrap();
    let one = list.iter().find(|one| one["what"] == "uniqueness").unwrap();
    correct(&house, one, |line| match line.contains("n8") {
        true => format!("{line}\n"),
        false => String::new(),
    });
    assert_eq!(health(&house).await["score"], 100.0);
}

#[tokio::test]
async fn a_halt_is_shown_and_passed_by_the_named_call() {
    let house = house().await;
    house.write("a.csv", "id,name,mail,price\n1,n1,n1@x.de,2\n");
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    let halted = health(&house).await;
    assert_eq!(halted["score"], 20.0, "{halted:#}");
    let deduction = deduction(&halted, "halted");
    assert!(deduction["why"].as_str().unwrap().contains("agree to override"), "{deduction}");
    let plan = call(&house, deduction, json!({})).await;
    let halts = plan["halted"].as_array().unwrap();
    let names: Vec<&Value> = halts.iter().map(|halt| &halt["name"]).collect();
    assert!(!names.is_empty(), "{plan:#}");
    let more = json!({"mode": "apply", "override": names});
    assert_eq!(call(&house, deduction, more).await["state"], "applied");
    let passed = health(&house).await;
    // 2 of 3 runs went well, which counts until the window has passed: (2/3)^0.25.
    assert_eq!(passed["score"], 90.4, "{passed:#}");
    let left = passed["deductions"].as_array().unwrap();
    assert!(left.len() == 1 && left[0]["what"] == "success", "{passed:#}");
    assert!(left[0]["why"].as_str().unwrap().contains("window of 24h"), "{passed:#}");
}

#[tokio::test]
async fn conflicts_are_listed_and_settled_by_the_named_call() {
    let house = House::new().await;
    house.write("a.csv", rows());
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "direction": "both", "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    for id in ["n7,", "n9,"] {
        edit(&house, "a.csv", |text| text.replace(id, &format!("left{id}")));
        edit(&house, "b.csv", |text| text.replace(id, &format!("right{id}")));
    }
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    let found = health(&house).await;
    let deduction = deduction(&found, "backlog");
    let list = call(&house, deduction, json!({})).await;
    let open = list["conflicts"].as_array().unwrap();
    assert_eq!(open.len(), 2, "exactly those that wait: {list:#}");
    let ids: Vec<&Value> = open.iter().map(|one| &one["id"]).collect();
    let decide =
        json!({"dataset": "d", "action": "decide", "ids": ids, "winner": "left", "apply": "now"});
    house.ok(deduction["call"]["tool"].as_str().unwrap(), decide).await;
    let found = health(&house).await;
    assert_eq!(
        (share(&found, "backlog"), share(&found, "consistency"), &found["score"]),
        (1.0, 1.0, &json!(100.0)),
        "{found:#}"
    );
}

#[tokio::test]
async fn records_that_came_late_lower_timeliness() {
    let house = House::new().await;
    // One record is three hours old when it comes; the target is two: 1 - 1 h / (2 * 2 h).
    let old = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(3)).unwrap();
    house.write("a.csv", format!("id,name,changed\n1,a,{}\n", old.strftime("%Y-%m-%dT%H:%M:%SZ")));
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "policy": {"modifiedAt": "changed"}, "health": {"within": "2h"}, "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    let found = health(&house).await;
    assert!((share(&found, "timeliness") - 0.75).abs() < 0.05, "{found:#}");
    let lag = found["metrics"]["lagP95Seconds"].as_f64().unwrap();
    assert!((lag / 10_800.0 - 1.0).abs() < 0.1, "{lag}");
    let why = deduction(&found, "timeliness")["why"].as_str().unwrap();
    assert!(why.contains("95 of 100 changes arrived within"), "{why}");
}

#[tokio::test]
async fn expectations_are_judged_in_the_report() {
    let house = House::new().await;
    let row =
        |id: u32, mail: u32, name: &str, day: &str| format!("{id},{name},m{mail}@x.de,{day}\n");
    let file = |bad: bool| {
        let rows = (1..=20).map(|id| match bad {
            true => row(id, id.min(19), if id < 4 { "odd" } else { "n" }, "2020-01-01"),
            false => row(id, id, if id < 3 { "odd" } else { "n" }, "2999-01-01"),
        });
        format!("id,name,mail,day\n{}", rows.collect::<String>())
    };
    house.write("a.csv", file(true));
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "mode": "apply", "expectations": [{"column": "mail", "unique": true}, {"column": "day", "freshness": "2d"},
            {"column": "name", "acceptedValues": ["n"], "mostly": 0.9}]});
    house.ok("syncDataset", arguments).await;
    let found = house.ok("healthReport", json!({"dataset": "d"})).await["datasets"][0].clone();
    let failed: Vec<&str> =
        found["expectations"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(failed.len(), 3, "{found:#}");
    assert!(failed[0].starts_with("left: mail (unique): 2 of 20 values fail"), "{failed:?}");
    assert!(failed[1].starts_with("left: day (freshness): "), "{failed:?}");
    assert!(failed[2].starts_with("left: name (acceptedValues): 3 of 20"), "{failed:?}");

    // What a few rows cannot tell is said so: the newest day may be in another row.
    let few = house.ok("healthReport", json!({"dataset": "d", "sample": 1})).await;
    let untold = few["datasets"][0]["notMeasured"].to_string();
    for one in ["left: mail (unique): a sample", "left: day (freshness): a sample"] {
        assert!(untold.contains(one), "{untold}");
    }

    // Two odd names of twenty are few enough.
    house.write("a.csv", file(false));
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    let found = health(&house).await;
    assert_eq!(found.get("expectations"), None, "{found:#}");
}
