//! What a dataset's rows are expected to be: checked at each sync, before anything is written.

use serde_json::{Value, json};

use crate::harness::House;

fn dataset(expectations: Value) -> Value {
    json!({"name": "staff", "left": {"file": "staff.csv"}, "right": {"file": "copy.csv"}, "key": ["id"],
        "deletes": "ignore", "expectations": expectations, "mode": "apply"})
}

const STAFF: &str = "id,mail,age,team\n1,ann@x.de,31,red\n2,,17,blue\n3,bob,40,green\n";

fn messages(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().map(|finding| finding["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_failed_expectation_is_reported_and_the_sync_goes_on() {
    let house = House::new().await;
    house.write("staff.csv", STAFF);
    let expected = json!([{"column": "mail", "notNull": true, "matchRegex": "@"}, {"column": "age", "min": 18}]);
    let report = house.ok("syncDataset", dataset(expected)).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(
        messages(&report),
        [
            "column 'mail' (notNull): 1 of 3 values fail: a value must be there (row 3)",
            "column 'mail' (matchRegex): 1 of 2 values fail: a match of @ is expected (row 4 'bob')",
            "column 'age' (between): 1 of 3 values fail: at least 18 is expected (row 3 '17')",
        ]
    );
}

#[tokio::test]
async fn a_blocking_one_halts_until_the_rows_are_corrected_or_it_is_overridden() {
    let house = House::new().await;
    house.write("staff.csv", STAFF);
    let expected = json!([{"column": "age", "min": 18, "severity": "block"}]);
    let halted = house.ok("syncDataset", dataset(expected.clone())).await;
    assert_eq!(
        (&halted["state"], &halted["halted"][0]["name"]),
        (&json!("halted"), &json!("expectation"))
    );
    assert!(!house.folder.path().join("copy.csv").exists(), "nothing is written");

    let mut passed = dataset(expected.clone());
    passed["override"] = json!(["expectation"]);
    assert_eq!(house.ok("syncDataset", passed).await["state"], "applied");

    house.write("staff.csv", STAFF.replace("17", "18"));
    let corrected = house.ok("syncDataset", json!({"name": "staff", "mode": "apply"})).await;
    assert_eq!(
        corrected["state"], "applied",
        "the saved dataset keeps what it expects: {corrected:#}"
    );
    assert_eq!(messages(&corrected), [""; 0]);
}

#[tokio::test]
async fn relationships_look_into_the_other_dataset() {
    let house = House::new().await;
    house.write("staff.csv", STAFF);
    house.write("teams.csv", "team,boss\nred,1\nblue,2\n");
    let expected = json!([{"column": "team", "relationships": {"to": "teams", "field": "team"}}]);
    let unknown = house.err("syncDataset", dataset(expected.clone())).await;
    assert!(
        unknown.contains("no saved dataset \"teams\"") && unknown.contains("plan that dataset"),
        "{unknown}"
    );
    let teams = json!({"name": "teams", "left": {"file": "teams.csv"}, "right": {"file": "t2.csv"}, "key": ["team"]});
    house.ok("syncDataset", teams).await;
    let report = house.ok("syncDataset", dataset(expected)).await;
    let found = messages(&report);
    assert!(
        found[0].contains("1 of 3 values fail: it must be in column team of teams (row 4 'green')"),
        "{found:?}"
    );
    let wrong = json!([{"column": "team", "relationships": {"to": "teams", "field": "tem"}}]);
    let error = house.err("syncDataset", dataset(wrong)).await;
    assert!(
        error.contains("no column \"tem\". Did you mean \"team\"") || error.contains("team"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_expectation_is_said_at_once() {
    let house = House::new().await;
    house.write("staff.csv", STAFF);
    let cases = [
        (json!([{"column": "mial", "unique": true}]), "no such column"),
        (json!([{"column": "mail"}]), "tests nothing"),
        (json!([{"column": "mail", "matchRegex": "("}]), "does not compile"),
        (json!([{"column": "mail", "uniqe": true}]), "uniqe"),
        (json!([{"column": "age", "freshness": "soon"}]), "no length of time"),
    ];
    for (expected, part) in cases {
        let error = house.err("syncDataset", dataset(expected.clone())).await;
        assert!(error.contains(part), "{expected}: {error}");
    }
    let mut health = dataset(json!([]));
    health["health"] = json!({"systemOfRecord": "middle"});
    let error = house.err("syncDataset", health).await;
    assert!(error.contains("the sides are left, right"), "{error}");
}

#[tokio::test]
async fn a_run_can_be_about_some_keys_alone() {
    let house = House::new().await;
    house.write("staff.csv", STAFF);
    let mut some = dataset(json!([]));
    some["keys"] = json!(["2", "9"]);
    let report = house.ok("syncDataset", some).await;
    assert_eq!(report["counts"]["insert"], 1, "{report:#}");
    let copy = std::fs::read_to_string(house.folder.path().join("copy.csv")).unwrap();
    assert_eq!(copy.lines().skip(1).collect::<Vec<_>>().len(), 1, "{copy}");
    let rest = house.ok("syncDataset", json!({"name": "staff", "mode": "apply"})).await;
    assert_eq!(rest["counts"]["insert"], 2, "the saved dataset is about all keys: {rest:#}");
    let mut none = dataset(json!([]));
    none["keys"] = json!([]);
    assert!(house.err("syncDataset", none).await.contains("there are none"));
}
