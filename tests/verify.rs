//! verifyDataset: injected drift, told apart by cause, mended by the calls that it names.

use serde_json::{Value, json};

use crate::{harness::House, support::postgres};

async fn house(direction: &str, left: &str) -> House {
    let house = House::new().await;
    house.write("a.csv", left);
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "direction": direction, "deletes": "delete", "mode": "apply", "maxDeletePercent": 100});
    assert_eq!(house.ok("syncDataset", arguments).await["state"], "applied");
    house
}

fn edit(house: &House, file: &str, from: &str, to: &str) {
    let path = house.folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

async fn verify(house: &House, more: Value) -> Value {
    let mut arguments = json!({"name": "d"});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.ok("verifyDataset", arguments).await
}

/// Calls every repair that a verification names, until it names none.
async fn mend(house: &House) -> Value {
    for _ in 0..3 {
        let found = verify(house, json!({})).await;
        let Some(calls) = found["repair"].as_array() else { return found };
        for call in calls {
            let mut arguments = call["arguments"].clone();
            arguments["mode"] = json!("apply");
            house.ok(call["tool"].as_str().unwrap(), arguments).await;
        }
    }
    verify(house, json!({})).await
}

const LEFT: &str = "id,name,price\n1,Bolt,10.50\n2,Nut,2\n3,Gear,7\n4,Axle,9\n";

#[tokio::test]
async fn what_is_equal_is_in_step() {
    let house = house("leftToRight", LEFT).await;
    let found = verify(&house, json!({})).await;
    assert_eq!(
        (&found["inStep"], &found["checked"], &found["of"]),
        (&json!(true), &json!(4), &json!(4))
    );
    assert_eq!((&found["byCause"], &found["repair"]), (&json!({}), &Value::Null), "{found:#}");
}

#[tokio::test]
async fn each_cause_is_told_apart_and_its_repair_mends_it() {
    // what is done, then: kind, column, cause
    type Damage = (&'static str, &'static str, &'static str);
    let one_way: &[(Damage, &str, Value, &str)] = &[
        (("a.csv", "Nut", "Nuts"), "cell", json!("name"), "changedOn left"),
        (("b.csv", "Nut", "Nuts"), "cell", json!("name"), "changedOn right"),
        (("b.csv", "Nut", " NUT"), "cell", json!("name"), "typeOrFormat"),
        (("a.csv", "4,Axle,9\n", "4,Axle,9\n5,Cog,3\n"), "missing", Value::Null, "neverSynced"),
        (("a.csv", "4,Axle,9\n", ""), "extra", Value::Null, "changedOn left"),
        (("b.csv", "4,Axle,9\n", ""), "missing", Value::Null, "writeLost"),
        (("b.csv", "4,Axle,9\n", "4,Axle,9\n5,Cog,3\n"), "extra", Value::Null, "changedOn right"),
    ];
    let two_way: &[(Damage, &str, Value, &str)] = &[
        (("a.csv", "Nut", "Nuts"), "cell", json!("name"), "changedOn left"),
        (("b.csv", "Nut", "Nuts"), "cell", json!("name"), "changedOn right"),
        (("b.csv", "4,Axle,9\n", "4,Axle,9\n5,Cog,3\n"), "extra", Value::Null, "neverSynced"),
        (("a.csv", "4,Axle,9\n", ""), "extra", Value::Null, "changedOn left"),
    ];
    for (direction, cases) in [("leftToRight", one_way), ("both", two_way)] {
        for ((file, from, to), kind, column, cause) in cases {
            let house = house(direction, LEFT).await;
            edit(&house, file, from, to);
            let found = verify(&house, json!({})).await;
            let what = format!("{direction} {file} {from:?} {found:#}");
            assert_eq!(found["inStep"], false, "{what}");
            assert_eq!(found["byCause"], json!({*cause: 1}), "{what}");
            assert_eq!(found["byKind"], json!({*kind: 1}), "{what}");
            assert_eq!(found["drift"][0]["column"], *column, "{what}");
            let mended = mend(&house).await;
            assert_eq!(mended["inStep"], true, "{direction} {file} {from:?} {mended:#}");
        }
    }
}

#[tokio::test]
async fn a_lost_write_is_written_again_and_not_taken_for_an_edit() {
    let house = house("both", LEFT).await;
    edit(&house, "a.csv", "Nut", "Nuts");
    house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    // The other side falls back to what it had before the run: a backup that was put back.
    edit(&house, "b.csv", "Nuts", "Nut");
    let found = verify(&house, json!({})).await;
    assert_eq!(found["byCause"], json!({"writeLost": 1}), "{found:#}");
    assert_eq!(found["repair"][0]["arguments"]["rewriteLost"], true, "{found:#}");
    let mended = mend(&house).await;
    assert_eq!(mended["inStep"], true, "{mended:#}");
    for file in ["a.csv", "b.csv"] {
        let text = std::fs::read_to_string(house.folder.path().join(file)).unwrap();
        assert!(text.contains("2,Nuts,2"), "{file}: {text}");
    }
}

#[tokio::test]
async fn what_both_changed_is_both_and_what_the_policy_lets_be_is_no_drift() {
    let house = house("both", LEFT).await;
    edit(&house, "a.csv", "Gear", "Gear A");
    edit(&house, "b.csv", "Gear", "Gear B");
    let found = verify(&house, json!({})).await;
    assert_eq!(found["byCause"], json!({"changedOnBoth": 1}));
    assert_eq!(found["drift"][0]["values"], json!(["Gear A", "Gear B"]));

    let keep = json!({"name": "k", "left": {"file": "a.csv"}, "right": {"file": "c.csv"}, "key": ["id"],
        "deletes": "ignore", "policy": {"drift": "keep"}, "mode": "apply"});
    house.ok("syncDataset", keep).await;
    edit(&house, "c.csv", "Bolt", "Own");
    edit(&house, "c.csv", "4,Axle,9\n", "4,Axle,9\n77,Own,1\n");
    let found = house.ok("verifyDataset", json!({"name": "k"})).await;
    assert_eq!(found["byCause"], json!({"excludedByPolicy": 2}), "{found:#}");
    assert_eq!(found["inStep"], true);
}

#[tokio::test]
async fn a_sample_is_drawn_by_its_seed_from_all_keys() {
    let rows: String = (1..=500).map(|id| format!("{id},n{id}\n")).collect();
    let house = house("leftToRight", &format!("id,name\n{rows}")).await;
    for id in (10..=500).step_by(10) {
        edit(&house, "b.csv", &format!("\n{id},n{id}\n"), &format!("\n{id},x{id}\n"));
    }
    let all = verify(&house, json!({})).await;
    assert_eq!(all["byColumn"], json!({"name": 50}));
    assert_eq!(all["drift"].as_array().unwrap().len(), 5);
    let draw = |seed: u64| verify(&house, json!({"sample": 100, "seed": seed, "limit": 200}));
    let (one, again, other) = (draw(1).await, draw(1).await, draw(2).await);
    assert_eq!((&one["checked"], &one["of"]), (&json!(100), &json!(500)));
    assert_eq!(one["drift"], again["drift"], "the same seed draws the same keys");
    assert_ne!(one["drift"], other["drift"]);
    let found = one["byColumn"]["name"].as_u64().unwrap();
    assert!((2..=20).contains(&found), "10 of 100 are expected: {found}");
    let error = house.err("verifyDataset", json!({"name": "d", "sample": 0})).await;
    assert!(error.contains("between 1 and"), "{error}");
    let error = house.err("verifyDataset", json!({"name": "dd"})).await;
    assert!(error.contains("Did you mean") && error.contains("\"d\""), "{error}");
}

/// Two tables of as many rows in one database, and a configuration that names it.
async fn tables(rows: u32) -> Option<(postgres::Database, House)> {
    let database = postgres::database().await?;
    let make = |name: &str| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, name text, price numeric(12, 2), seen timestamptz); \
             INSERT INTO {name} SELECT i, 'name ' || i, i / 100.0, '2024-01-01Z'::timestamptz + i * interval '1 s' \
             FROM generate_series(1, {rows}) i;"
        )
    };
    database.run(format!("{}{}", make("a"), make("b"))).await;
    let url = database.url.clone();
    let house = House::with(|config| {
        let text =
            format!("[connections.shop]\nkind = \"postgres\"\nurl = \"{url}\"\nwritable = true\n");
        let read: lockstep::config::Config = toml::from_str(&text).unwrap();
        config.connections = read.connections;
    })
    .await;
    let side = |table: &str| json!({"connection": "shop", "table": table});
    let arguments = json!({"name": "d", "left": side("a"), "right": side("b"), "key": ["id"], "deletes": "delete"});
    house.ok("syncDataset", arguments).await;
    Some((database, house))
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_rows_of_large_tables_are_not_read() {
    let Some((database, house)) = tables(60_000).await else { return };
    let found = verify(&house, json!({})).await;
    assert_eq!((&found["inStep"], &found["checked"]), (&json!(true), &json!(60_000)), "{found:#}");
    assert_eq!(found["rowsRead"], json!({"left": 0, "right": 0}));
    assert_eq!(found["segments"], json!([0, 4096]));

    database
        .run(
            "UPDATE b SET name = 'x' WHERE id IN (7, 30000); UPDATE b SET price = price + 0.01 WHERE id = 8; \
             DELETE FROM b WHERE id = 9; INSERT INTO b VALUES (60001, 'own', 1, NULL)",
        )
        .await;
    let found = verify(&house, json!({"limit": 200})).await;
    assert_eq!(found["byKind"], json!({"cell": 3, "extra": 1, "missing": 1}), "{found:#}");
    assert_eq!(found["byColumn"], json!({"name": 2, "price": 1}));
    assert_eq!(found["segments"], json!([5, 4096]));
    let read: u64 =
        ["left", "right"].iter().map(|side| found["rowsRead"][side].as_u64().unwrap()).sum();
    assert!(read < 300, "five segments of 4,096: {read}");
    let mended = mend(&house).await;
    assert_eq!(mended["inStep"], true, "{mended:#}");

    let sample = verify(&house, json!({"sample": 500})).await;
    assert_eq!(
        (&sample["checked"], &sample["rowsRead"]),
        (&json!(500), &json!({"left": 500, "right": 500})),
        "{sample:#}"
    );
    let quality =
        house.ok("healthReport", json!({"dataset": "d", "sample": 400, "detail": true})).await;
    let quality = &quality["datasets"][0]["quality"];
    assert_eq!(
        (&quality["sampled"], &quality["rowsRead"]),
        (&json!(400), &json!(800)),
        "{quality:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_other_types_are_read_and_compared_by_value() {
    let Some((database, house)) = tables(30_000).await else { return };
    database.run("ALTER TABLE b ALTER COLUMN price TYPE double precision").await;
    let found = verify(&house, json!({})).await;
    assert_eq!((&found["inStep"], &found["segments"]), (&json!(true), &Value::Null), "{found:#}");
    assert_eq!(found["rowsRead"], json!({"left": 30_000, "right": 30_000}));
}
