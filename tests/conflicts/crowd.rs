//! Five thousand conflicts: seen in groups, settled in three calls, written in one run.

use std::time::Instant;

use serde_json::json;

use super::shop::Shop;

/// Returns 5,000 rows: in each, one of three cells is changed on both sides.
fn crowd(side: &str) -> String {
    let mut csv = String::from("sku,name,qty,tags\n");
    for row in 0..5_000 {
        let changed = |at: usize, cell: String| match (row % 3 == at, side) {
            (true, "left") => format!("{}1", cell),
            (true, "right") => format!("{}2", cell),
            _ => cell,
        };
        let (name, qty, tags) = (
            changed(0, format!("n{row}")),
            changed(1, row.to_string()),
            changed(2, format!("t{row}")),
        );
        csv.push_str(&format!("k{row:04},{name},{qty},{tags}\n"));
    }
    csv
}

#[tokio::test]
async fn five_thousand_are_listed_in_groups_settled_in_three_calls_and_written_by_one_run() {
    for right in ["file", "sheet", "sqlite"] {
        five_thousand(right).await;
    }
}

async fn five_thousand(right: &str) {
    let shop = Shop::new(right).await;
    shop.write_left(&crowd("base"));
    shop.run().await;
    shop.write_left(&crowd("left"));
    shop.write_right(&crowd("right")).await;
    let started = Instant::now();
    assert_eq!(shop.run().await["counts"]["conflicts"], 5_000);
    let found = started.elapsed();

    let listed = shop.list(json!({})).await;
    let tokens = listed.to_string().len() / 4;
    assert_eq!(listed["total"], 5_000);
    let groups: Vec<_> = listed["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["column"].as_str().unwrap(), group["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(groups, [("name", 1_667), ("qty", 1_667), ("tags", 1_666)]);
    assert!(tokens < 1_000, "{tokens} tokens");

    let started = Instant::now();
    for (column, how) in [
        ("name", json!({"winner": "left"})),
        (
            "qty",
            json!({"policy": {"rules": [{"type": "value_based", "when": "true", "action": "merge_fields", "merge": "max"}]}}),
        ),
        ("tags", json!({"policy": {"strategy": "automaticMerge"}})),
    ] {
        let mut arguments = json!({"column": column});
        arguments.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        let decided = shop.resolve("decide", arguments).await;
        assert!(decided["changed"].as_u64().unwrap() >= 1_666, "{decided:#}");
        assert!(decided.to_string().len() / 4 < 300, "{decided}");
    }
    let settled = started.elapsed();
    let started = Instant::now();
    let report = shop.run().await;
    let applied = started.elapsed();
    assert_eq!((&report["state"], report["counts"].get("conflicts")), (&json!("applied"), None));
    let bare = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.replace('"', "")).collect()
    };
    assert_eq!(bare(shop.left()), bare(shop.right().await));
    assert_eq!(shop.left()[1], "k0000,n01,0,t0");
    assert_eq!(shop.left()[2], "k0001,n1,12,t1");
    assert!(shop.left()[3].starts_with("k0002,n2,2,"));
    assert_eq!(shop.list(json!({})).await["total"], 0);
    println!(
        "5,000 conflicts with a {right}: found in {found:?}, listed in {tokens} tokens, settled in {settled:?}, applied in {applied:?}"
    );
}

/// Forty columns, texts of three hundred characters, two datasets: whatever is asked by default stays short.
#[tokio::test]
async fn a_crowd_of_many_columns_and_long_words_is_short_too() {
    let shop = Shop::new("file").await;
    let wide = |side: &str| {
        let columns: Vec<String> =
            (0..40).map(|at| format!("a long name of column {at}")).collect();
        let mut csv = format!("sku,{}\n", columns.join(","));
        for row in 0..800 {
            let cell = |at: usize| match row % 40 == at {
                true => format!("{side} {}", "word ".repeat(60)),
                false => format!("{row}/{at}"),
            };
            let cells: Vec<String> = (0..40).map(cell).collect();
            csv.push_str(&format!("key number {row},{}\n", cells.join(",")));
        }
        csv
    };
    let house = &shop.house;
    for name in ["one", "two"] {
        let (left, right) = (format!("{name} left.csv"), format!("{name} right.csv"));
        for file in [&left, &right] {
            house.write(file, wide("base"));
        }
        let sync = json!({"name": name, "left": {"file": left}, "right": {"file": right}, "key": ["sku"],
            "direction": "both", "mode": "apply"});
        house.ok("syncDataset", sync.clone()).await;
        house.write(&left, wide("left"));
        house.write(&right, wide("right"));
        let report = house.ok("syncDataset", sync).await;
        assert_eq!(report["counts"]["conflicts"], 800, "{report:#}");
    }
    let policy = json!({"strategy": "leftPriority"});
    for (arguments, total) in [
        (json!({}), 1_600),
        (json!({"dataset": "one"}), 800),
        (json!({"dataset": "two", "column": "a long name of column 7"}), 20),
        (json!({"action": "preview", "dataset": "one", "policy": policy}), 800),
        (json!({"action": "decide", "dataset": "one", "policy": policy}), 800),
        (json!({"action": "decide", "dataset": "two", "winner": "right", "apply": "now"}), 800),
    ] {
        let answer = house.ok("resolveConflicts", arguments.clone()).await;
        assert_eq!(answer["total"], total, "{arguments}: {answer:#}");
        let characters = answer.to_string().len();
        assert!(characters < 4_000, "{arguments}: {characters} characters");
    }
    // Whoever asks for the rows gets them whole, of as few conflicts as need be.
    let rows = house
        .ok("resolveConflicts", json!({"dataset": "one", "row": true, "state": "decided"}))
        .await;
    let shown = rows["conflicts"].as_array().unwrap();
    assert_eq!((shown.len(), &rows["cursor"]), (1, &json!("1")), "{rows:#}");
    assert_eq!(shown[0]["row"]["base"].as_object().unwrap().len(), 41, "{rows:#}");
}
