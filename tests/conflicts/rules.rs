//! Every rule type with every action, through the tool on real replicas: as the dataset's policy, and as decisions.

use serde_json::{Value, json};

use super::shop::Shop;

/// Returns a row for each rule: its number is what a side makes of it.
fn rows(qty: u32) -> String {
    let rows = (0..rules().len()).map(|row| format!("K{row:02},n,{qty},t\n"));
    std::iter::once("sku,name,qty,tags\n".to_owned()).chain(rows).collect()
}

/// Returns every type with every action, and what comes of base 10, left 11 and, an hour later, right 15.
fn rules() -> Vec<(Value, u32)> {
    let types = [
        json!({"type": "field_priority"}),
        json!({"type": "source_priority", "sources": ["left"]}),
        json!({"type": "value_based", "when": "left.qty < right.qty"}),
        json!({"type": "time_based", "minGapSeconds": 60}),
    ];
    let actions = [
        (json!({"action": "prefer_source", "prefer": "left"}), 11),
        (json!({"action": "use_latest"}), 15),
        (json!({"action": "merge_fields", "merge": "sum"}), 16),
        (json!({"action": "calculate", "expression": "(left.qty + right.qty) / 2"}), 13),
    ];
    let both = |(one, other): (&Value, &(Value, u32))| {
        let mut rule = json!({"fields": ["qty"]});
        for part in [one, &other.0] {
            rule.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        (rule, other.1)
    };
    types.iter().flat_map(|one| actions.iter().map(move |other| both((one, other)))).collect()
}

#[tokio::test]
async fn every_rule_type_with_every_action() {
    for right in ["file", "sheet", "sqlite"] {
        let shop = Shop::new(right).await;
        shop.write_left(&rows(10));
        shop.write_right(&rows(10)).await;
        shop.run().await;
        shop.write_left(&rows(11));
        shop.write_right(&rows(12)).await;
        shop.run().await;
        shop.pass(3_600);
        shop.write_right(&rows(15)).await;
        shop.run().await;
        assert_eq!(shop.list(json!({})).await["total"], 16, "{right}");

        for (rule, wanted) in rules() {
            let policy = json!({"strategy": "rule_based", "rules": [rule]});
            let plan = shop.dataset(json!({"policy": policy, "sample": 50}));
            let plan = shop.ok("syncDataset", plan).await;
            let changes = plan["changes"].as_array().unwrap();
            let first = changes.iter().filter(|one| one["key"] == "K00");
            let mut told: Vec<&str> =
                first.map(|one| one["cells"]["qty"].as_str().unwrap()).collect();
            told.sort_unstable();
            let mut all = [(11, wanted), (15, wanted)].to_vec();
            all.retain(|(before, after)| before != after);
            let all: Vec<String> =
                all.iter().map(|(before, after)| format!("{before} → {after}")).collect();
            assert_eq!(told, all, "{right} {rule}: {plan:#}");
            assert_eq!(plan["counts"].get("conflicts"), None, "{right} {rule}");
        }

        shop.ok("syncDataset", shop.dataset(json!({}))).await;
        for (at, (rule, _)) in rules().iter().enumerate() {
            let one = json!({"key": format!("K{at:02}"), "policy": {"rules": [rule]}});
            let decided = shop.resolve("decide", one).await;
            assert_eq!(decided["changed"], 1, "{right} {rule}: {decided:#}");
        }
        let report = shop.run().await;
        assert_eq!(
            (&report["state"], report["counts"].get("conflicts")),
            (&json!("applied"), None),
            "{right}: {report:#}"
        );
        let wanted: Vec<String> = rules()
            .iter()
            .enumerate()
            .map(|(at, (_, wanted))| format!("K{at:02},n,{wanted},t"))
            .collect();
        assert_eq!(shop.left()[1..], wanted, "{right}");
        assert_eq!(shop.right().await[1..], wanted, "{right}");
        assert_eq!(shop.list(json!({})).await["total"], 0, "{right}");
    }
}
