//! One-way sync through the tool: file or records to sheet, sheet to file.

use serde_json::{Value, json};

use crate::harness::House;

struct Fleet {
    house: House,
    id: String,
}

impl Fleet {
    async fn new() -> Self {
        let house = House::new().await;
        let made = house
            .ok(
                "createFile",
                json!({"type": "spreadsheet", "name": "Fleet", "sheets": [{"title": "planes"}]}),
            )
            .await;
        let id = made["id"].as_str().unwrap().to_owned();
        Self { house, id }
    }

    fn dataset(&self, more: Value) -> Value {
        let mut arguments = json!({
            "name": "planes",
            "left": {"file": "planes.csv"},
            "right": {"spreadsheetId": self.id, "sheet": "planes"},
            "key": ["id"],
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    async fn sync(&self, more: Value) -> Value {
        self.house.ok("syncDataset", self.dataset(more)).await
    }

    /// Writes the source and applies it; returns the report.
    async fn put(&self, csv: &str, more: Value) -> Value {
        self.house.write("planes.csv", csv);
        let mut more = more;
        more["mode"] = json!("apply");
        self.sync(more).await
    }

    async fn rows(&self) -> Vec<Value> {
        let page = self
            .house
            .ok(
                "readSheet",
                json!({"spreadsheetId": self.id, "sheet": "planes", "as": "rows", "limit": 1000}),
            )
            .await;
        page["rows"].as_array().unwrap().iter().map(|row| row["cells"].clone()).collect()
    }

    async fn set(&self, range: &str, values: Value) {
        self.house
            .ok("updateCells", json!({"spreadsheetId": self.id, "sheet": "planes", "range": range, "values": values}))
            .await;
    }
}

const CSV: &str = "id,name,seats,price,built,active,code\n\
                   a,Alpha,2,10.50,2024-01-15,true,007\n\
                   b,\"Beta, \"\"two\"\"\",,0.10,2023-12-31,false,0123\n\
                   c,=1+1,12345678901234567890,-3,2020-02-29,true,1e3\n";

#[tokio::test]
async fn the_first_sync_writes_typed_rows_in_order_and_the_second_nothing() {
    let fleet = Fleet::new().await;
    let report = fleet.put(CSV, json!({})).await;
    assert_eq!(
        (&report["state"], &report["counts"]["insert"]),
        (&json!("applied"), &json!(3)),
        "{report:#}"
    );
    assert_eq!(
        fleet.rows().await,
        vec![
            json!(["id", "name", "seats", "price", "built", "active", "code"]),
            json!(["a", "Alpha", 2, 10.5, "2024-01-15", true, "007"]),
            json!(["b", "Beta, \"two\"", null, 0.1, "2023-12-31", false, "0123"]),
            json!(["c", "=1+1", "12345678901234567890", -3, "2020-02-29", true, "1e3"]),
        ]
    );
    let again = fleet.sync(json!({"mode": "apply"})).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
    assert_eq!(again["counts"]["unchanged"], 3);
    assert_eq!(again["calls"], json!({"reads": 1, "writes": 0, "retries": 0, "waitedSeconds": 0}));
}

#[tokio::test]
async fn a_plan_shows_what_an_apply_then_writes_and_costs_two_write_calls() {
    let fleet = Fleet::new().await;
    fleet.put("id,name,seats\na,x,1\nb,y,2\nc,z,3\nd,w,4\ne,v,5\n", json!({})).await;
    fleet.house.write("planes.csv", "id,name,seats\na,x,1\nb,y,20\nc,z,3\ne,v,5\nnew,n,6\n");
    let plan = fleet.sync(json!({})).await;
    assert_eq!(plan["state"], "planned");
    assert_eq!(
        plan["changes"],
        json!([
            {"kind": "update", "key": "b", "row": 3, "cells": {"seats": "2 → 20"}},
            {"kind": "mark", "key": "d", "row": 5, "cells": {"status": "(blank) → inactive"}},
            {"kind": "insert", "key": "new", "cells": {"id": "new", "name": "n", "seats": "6"}},
        ])
    );
    assert_eq!(fleet.rows().await.len(), 6, "a plan writes nothing");
    let applied = fleet.sync(json!({"mode": "apply", "planId": plan["planId"]})).await;
    assert_eq!((&applied["state"], &applied["planId"]), (&json!("applied"), &plan["planId"]));
    assert_eq!((&applied["changes"], &applied["calls"]["writes"]), (&plan["changes"], &json!(2)));
    assert_eq!(
        fleet.rows().await[2..],
        [
            json!(["b", "y", 20]),
            json!(["c", "z", 3]),
            json!(["d", "w", 4, "inactive"]),
            json!(["e", "v", 5]),
            json!(["new", "n", 6]),
        ]
    );
}

#[tokio::test]
async fn a_stale_plan_is_refused_with_the_fresh_one() {
    let fleet = Fleet::new().await;
    fleet.put("id,n\na,1\n", json!({})).await;
    fleet.house.write("planes.csv", "id,n\na,2\n");
    let plan = fleet.sync(json!({})).await;
    fleet.set("B2", json!([[7]])).await;
    let apply = json!({"mode": "apply", "planId": plan["planId"]});
    let error = fleet.house.err("syncDataset", fleet.dataset(apply.clone())).await;
    let fresh = fleet.sync(json!({})).await;
    assert!(
        error.starts_with("stalePlan:") && error.contains(fresh["planId"].as_str().unwrap()),
        "{error}"
    );
    assert_eq!(fleet.rows().await[1], json!(["a", 7]));
    let mut other = apply;
    other["planId"] = fresh["planId"].clone();
    other["deletes"] = json!("delete");
    let error = fleet.house.err("syncDataset", fleet.dataset(other)).await;
    assert!(error.contains("other arguments"), "{error}");
}

#[tokio::test]
async fn rows_that_are_gone_are_marked_and_come_back() {
    let fleet = Fleet::new().await;
    let full = "id,n\na,1\nb,2\nc,3\nd,4\ne,5\n";
    fleet.put(full, json!({})).await;
    let gone = fleet
        .put("id,n\na,1\nb,2\nc,3\nd,4\n", json!({"markColumn": "state", "markValue": "gone"}))
        .await;
    assert_eq!(gone["counts"]["mark"], 1);
    assert_eq!(fleet.rows().await[5], json!(["e", 5, "gone"]));
    let still =
        fleet.sync(json!({"mode": "apply", "markColumn": "state", "markValue": "gone"})).await;
    assert_eq!(still["state"], "inStep", "a marked row is not marked again: {still:#}");
    let back = fleet.put(full, json!({"markColumn": "state", "markValue": "gone"})).await;
    assert_eq!(back["counts"]["reactivate"], 1, "{back:#}");
    assert_eq!(fleet.rows().await[5], json!(["e", 5]));
}

#[tokio::test]
async fn deletes_remove_exactly_the_rows_that_are_gone() {
    let fleet = Fleet::new().await;
    let rows: Vec<String> = (1..=40).map(|n| format!("r{n},{n}")).collect();
    fleet.put(&format!("id,n\n{}\n", rows.join("\n")), json!({})).await;
    let kept: Vec<String> = (1..=40)
        .filter(|n| ![1, 2, 17, 40].contains(n))
        .map(|n| format!("r{n},{}", n * 10))
        .collect();
    let report = fleet
        .put(&format!("id,n\nfirst,0\n{}\n", kept.join("\n")), json!({"deletes": "delete"}))
        .await;
    assert_eq!((&report["counts"]["delete"], &report["counts"]["update"]), (&json!(4), &json!(36)));
    let mut wanted: Vec<Value> = vec![json!(["id", "n"])];
    wanted.extend(
        (1..=40).filter(|n| ![1, 2, 17, 40].contains(n)).map(|n| json!([format!("r{n}"), n * 10])),
    );
    wanted.push(json!(["first", 0]));
    assert_eq!(fleet.rows().await, wanted);
    let ignored = fleet.put("id,n\nfirst,0\n", json!({"deletes": "ignore"})).await;
    assert_eq!(ignored["state"], "inStep");
}

#[tokio::test]
async fn safety_halts_an_apply_until_it_is_overridden_by_name() {
    let fleet = Fleet::new().await;
    fleet.put("id,n\na,1\nb,2\nc,3\nd,4\n", json!({})).await;
    let halted = fleet.put("id,n\na,1\nb,2\n", json!({"deletes": "delete"})).await;
    assert_eq!(
        (&halted["state"], &halted["halted"][0]["name"]),
        (&json!("halted"), &json!("tooManyDeletes"))
    );
    assert_eq!(fleet.rows().await.len(), 5);
    let passed = fleet
        .sync(json!({"mode": "apply", "deletes": "delete", "override": ["tooManyDeletes"]}))
        .await;
    assert_eq!(passed["state"], "applied");
    assert_eq!(fleet.rows().await.len(), 3);
    let emptied = fleet.put("id,n\n", json!({"deletes": "delete", "maxDeletePercent": 100})).await;
    assert_eq!(
        (&emptied["state"], &emptied["halted"][0]["name"]),
        (&json!("halted"), &json!("emptied")),
        "{emptied:#}"
    );
    let changed = fleet.put("id,n\na,9\nb,9\n", json!({"maxChangePercent": 40})).await;
    assert_eq!(changed["halted"][0]["name"], "tooManyChanges");
}

#[tokio::test]
async fn only_mapped_columns_are_written_and_people_may_add_and_move_others() {
    let fleet = Fleet::new().await;
    fleet
        .set("A1", json!([["Note", "Price (EUR)", "Key"], ["mine", 1, "a"], ["other", 2, "b"]]))
        .await;
    let columns = json!([{"name": "id", "right": "Key"}, {"name": "price", "left": "cost", "right": "Price (EUR)", "type": "number"},
        {"name": "size"}]);
    let report = fleet
        .put("id,cost,size,secret\na,1.00,S,x\nb,2.5,,y\nc,3,L,z\n", json!({"columns": columns}))
        .await;
    assert_eq!(
        (&report["counts"]["update"], &report["counts"]["insert"]),
        (&json!(2), &json!(1)),
        "{report:#}"
    );
    assert_eq!(
        fleet.rows().await,
        vec![
            json!(["Note", "Price (EUR)", "Key", "size"]),
            json!(["mine", 1, "a", "S"]),
            json!(["other", 2.5, "b"]),
            json!([null, 3, "c", "L"]),
        ]
    );
}

#[tokio::test]
async fn values_that_are_equal_by_type_are_not_written() {
    let fleet = Fleet::new().await;
    fleet
        .set("A1", json!([["id", "n", "d", "t", "x"], ["a", 10.5, {"date": "2024-01-15"}, true, "NA"], ["b", "7", null, false, ""]]))
        .await;
    let report = fleet
        .put("id,n,d,t,x\na,10.50,2024-01-15,TRUE,\nb,7.0,,false,NA\n", json!({"nulls": ["NA"]}))
        .await;
    assert_eq!(report["state"], "inStep", "{report:#}");
}

#[tokio::test]
async fn formulas_are_never_overwritten() {
    let fleet = Fleet::new().await;
    fleet.set("A1", json!([["id", "n", "double"], ["a", 1, {"formula": "=B2*2"}]])).await;
    fleet.house.write("planes.csv", "id,n,double\na,1,99\n");
    let error = fleet.house.err("syncDataset", fleet.dataset(json!({"mode": "apply"}))).await;
    assert!(
        error.contains("\"double\"") && error.contains("C2") && error.contains("=B2*2"),
        "{error}"
    );
    let columns = json!([{"name": "id"}, {"name": "n"}]);
    let report = fleet.put("id,n,double\na,5,99\n", json!({"columns": columns})).await;
    assert_eq!(report["state"], "applied");
    assert_eq!(fleet.rows().await[1], json!(["a", 5, 10]));
}

#[tokio::test]
async fn records_are_a_source_too() {
    let fleet = Fleet::new().await;
    let left = json!({"records": [{"id": "a", "n": 1.5, "ok": true}, {"id": "b", "text": "=x"}]});
    let report = fleet.sync(json!({"left": left, "mode": "apply"})).await;
    assert_eq!(report["counts"]["insert"], 2);
    assert_eq!(
        fleet.rows().await,
        vec![
            json!(["id", "n", "ok", "text"]),
            json!(["a", 1.5, true]),
            json!(["b", null, null, "=x"])
        ]
    );
}

#[tokio::test]
async fn a_sheet_is_written_to_a_file_and_only_changed_rows_differ() {
    let fleet = Fleet::new().await;
    fleet
        .set("A1", json!([["id", "n", "day"], ["a", 1.5, {"date": "2024-01-15"}], ["b", "007", ""], ["c", "x;\"y", null]]))
        .await;
    let out = |more: Value| {
        let mut arguments = json!({"left": {"spreadsheetId": fleet.id, "sheet": "planes"}, "right": {"file": "out.csv"}, "key": ["id"]});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let report = fleet.house.ok("syncDataset", out(json!({"mode": "apply"}))).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let read = |name: &str| std::fs::read_to_string(fleet.house.folder.path().join(name)).unwrap();
    assert_eq!(read("out.csv"), "id,n,day\na,1.5,2024-01-15\nb,007,\nc,\"x;\"\"y\",\n");

    fleet
        .house
        .write("out.csv", "\u{feff}n;id;mine\r\n1.5;a;keep\r\n8;b;\"keep; too\"\r\n9;z;old\r\n");
    let columns = json!([{"name": "id"}, {"name": "n"}]);
    let report = fleet.house.ok("syncDataset", out(json!({"mode": "apply", "columns": columns, "deletes": "delete", "override": ["tooManyDeletes"]}))).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(
        read("out.csv"),
        "\u{feff}n;id;mine\r\n1.5;a;keep\r\n007;b;\"keep; too\"\r\n\"x;\"\"y\";c;\r\n"
    );
    let again = fleet.house.ok("syncDataset", out(json!({"mode": "apply", "columns": [{"name": "id"}, {"name": "n"}], "deletes": "delete"}))).await;
    assert_eq!(again["state"], "inStep");
}

#[tokio::test]
async fn three_thousand_real_aircraft_go_up_in_one_write_call() {
    let fleet = Fleet::new().await;
    let planes =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/planes.csv")).unwrap();
    let more = json!({"key": ["tailnum"], "nulls": ["NA"]});
    let first = fleet.put(&planes, more.clone()).await;
    assert_eq!(
        (&first["counts"]["insert"], &first["calls"]["writes"]),
        (&json!(3322), &json!(1)),
        "{}",
        first["calls"]
    );
    let again = fleet.put(&planes, more).await;
    assert_eq!((&again["state"], &again["calls"]["reads"]), (&json!("inStep"), &json!(1)));
}
