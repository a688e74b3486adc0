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
