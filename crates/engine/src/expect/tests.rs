use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::*;
use crate::schema::{Column, Schema};
use crate::value::{Row, Value};

fn schema() -> Schema {
    let column = Column::new;
    let columns = vec![
        column("id", ColumnType::Number),
        column("mail", ColumnType::Text),
        column("age", ColumnType::Number),
        column("state", ColumnType::Text),
        column("seen", ColumnType::DateTime),
    ];
    Schema::new(columns, vec![0])
}

/// Rows of the table that most tests look at; the numbers of rows begin at 2, as under a header.
fn rows() -> Vec<(u64, Row)> {
    let texts = [
        ["1", "a@x.de", "31", "open", "2024-03-01T10:00:00Z"],
        ["2", "", "17", "open", "2024-03-02T10:00:00Z"],
        ["3", "a@x.de", "abc", "shut", ""],
        ["4", "b", "120", "Open", "2024-02-01T10:00:00Z"],
        ["5", "c@y.de", "", "", "2024-03-03T08:00:00+02:00"],
    ];
    let schema = schema();
    let row = |texts: [&str; 5]| {
        texts.iter().zip(&schema.columns).map(|(text, column)| column.read(text)).collect()
    };
    (2..).zip(texts.map(row)).collect()
}

fn expectation(json: Json) -> Expectation {
    serde_json::from_value(json).unwrap()
}

fn judge(json: Json) -> Vec<Verdict> {
    let people = Relationship { to: "people".into(), field: "id".into() };
    let known = References::from([(
        (0, people),
        HashSet::from([Value::from(1), Value::from(2), Value::from(3)]),
    )]);
    let now = "2024-03-03T12:00:00Z".parse().unwrap();
    let checks = Checks::new(&[expectation(json)], &schema()).unwrap();
    checks.judge(rows().into_iter(), &known, Some(now))
}

#[test]
fn each_test_counts_what_its_namesake_counts() {
    // expectation, checked, unexpected, rows shown
    let cases: &[(Json, u64, u64, &[u64])] = &[
        (json!({"column": "mail", "notNull": true}), 5, 1, &[3]),
        // All rows of a repeated value are unexpected, as in Great Expectations; nulls are left out, as in dbt.
        (json!({"column": "mail", "unique": true}), 4, 2, &[2, 4]),
        (json!({"column": "age", "ofType": "number"}), 4, 1, &[4]),
        (json!({"column": "age", "min": 18}), 4, 2, &[3, 4]),
        (json!({"column": "age", "min": 17, "max": 120}), 4, 1, &[4]),
        (json!({"column": "age", "max": 119.5}), 4, 2, &[4, 5]),
        (json!({"column": "mail", "matchRegex": "@"}), 4, 1, &[5]),
        (json!({"column": "mail", "matchRegex": "^.@x\\.de$"}), 4, 2, &[5, 6]),
        (json!({"column": "state", "acceptedValues": ["open", "shut"]}), 4, 1, &[5]),
        (json!({"column": "id", "acceptedValues": [1, "2.0", 3, 4, 5]}), 5, 0, &[]),
        (json!({"column": "id", "relationships": {"to": "people", "field": "id"}}), 5, 2, &[5, 6]),
        (json!({"column": "seen", "min": "2024-03-01T00:00:00Z"}), 4, 1, &[5]),
    ];
    for (json, checked, unexpected, shown) in cases {
        let verdict = &judge(json.clone())[0];
        let found: Vec<u64> = verdict.shown.iter().map(|one| one.row).collect();
        assert_eq!((verdict.checked, verdict.unexpected), (*checked, *unexpected), "{json}");
        assert_eq!(found, *shown, "{json}");
        assert_eq!(verdict.held, *unexpected == 0, "{json}");
    }
}

#[test]
fn mostly_is_a_share_of_the_values_tested() {
    for (mostly, held) in [(0.75, true), (0.76, false), (1.0, false)] {
        let json = json!({"column": "mail", "matchRegex": "@", "mostly": mostly});
        assert_eq!(judge(json)[0].held, held, "{mostly}");
    }
}

#[test]
fn freshness_looks_at_the_newest_value() {
    // The newest is 06:00 UTC, six hours before now.
    for (span, held) in [("6h", true), ("359m", false), ("7d", true)] {
        let verdict = &judge(json!({"column": "seen", "freshness": span}))[0];
        assert_eq!(verdict.held, held, "{span}");
        assert!(verdict.to_string().contains("the newest is 2024-03-03T06:00:00"), "{verdict}");
    }
    let none = judge(json!({"column": "mail", "freshness": "6h"}));
    assert!(!none[0].held, "a column without moments is not fresh");
}

#[test]
fn a_dataset_that_could_not_be_read_is_held_against_nobody() {
    let json = json!({"column": "id", "relationships": {"to": "gone", "field": "id"}});
    let verdict = &judge(json)[0];
    assert_eq!((verdict.checked, verdict.held), (0, true));
}

#[test]
fn names_of_other_tools_are_understood() {
    let one = expectation(json!({"column": "a", "required": true, "pattern": "x",
        "accepted_values": [1], "type": "date", "severity": "error"}));
    assert!(one.not_null && one.of_type == Some(ColumnType::Date));
    assert_eq!((one.match_regex.as_deref(), one.severity), (Some("x"), Severity::Block));
    let again: Expectation = serde_json::from_value(serde_json::to_value(&one).unwrap()).unwrap();
    assert_eq!(again, one);
}

#[test]
fn what_is_wrong_is_said_when_it_is_defined() {
    let cases = [
        (json!({"column": "a"}), "tests nothing"),
        (json!({"column": " ", "unique": true}), "name the column"),
        (json!({"column": "a", "min": 5, "max": 4}), "min 5 is above max 4"),
        (json!({"column": "a", "min": "b", "max": "a"}), "is above"),
        (json!({"column": "a", "matchRegex": "(["}), "does not compile: error: unclosed"),
        (json!({"column": "a", "matchRegex": "\\w{1000}{1000}"}), "does not compile"),
        (json!({"column": "a", "acceptedValues": []}), "is empty"),
        (json!({"column": "a", "acceptedValues": [[1]]}), "no value of a cell"),
        (json!({"column": "a", "unique": true, "mostly": 1.5}), "mostly is 1.5"),
        (json!({"column": "a", "relationships": {"to": "", "field": "x"}}), "needs to"),
    ];
    for (json, part) in cases {
        let error = expectation(json.clone()).check().unwrap_err().to_string();
        assert!(error.contains(part), "{json}: {error}");
    }
    for bad in [json!({"column": "a", "freshness": "soon"}), json!({"column": "a", "uniqe": true})]
    {
        assert!(serde_json::from_value::<Expectation>(bad).is_err());
    }
    let unknown = Checks::new(&[expectation(json!({"column": "mial", "unique": true}))], &schema());
    let unknown = unknown.unwrap_err().to_string();
    assert!(
        unknown.contains("no such column; did you mean") && unknown.contains("mail"),
        "{unknown}"
    );
}

#[test]
fn a_cell_is_invalid_once_however_many_tests_it_fails() {
    let all = [
        expectation(json!({"column": "age", "ofType": "number", "max": 100})),
        expectation(json!({"column": "age", "notNull": true, "unique": true})),
    ];
    let checks = Checks::new(&all, &schema()).unwrap();
    let invalid: Vec<_> =
        rows().iter().map(|(_, row)| checks.invalid(row, &References::new()).len()).collect();
    assert_eq!(invalid, [0, 0, 1, 1, 0]);
    assert_eq!(checks.required().into_iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn spans_read_back() {
    for (text, shown) in [("90m", "90m"), ("24h", "1d"), ("36 hours", "36h"), ("7 days", "7d")] {
        assert_eq!(text.parse::<Span>().unwrap().to_string(), shown);
    }
    for bad in ["", "0h", "5", "h", "-1d", "1w", "99999999999d", "1.5h"] {
        assert!(bad.parse::<Span>().is_err(), "{bad}");
    }
}
