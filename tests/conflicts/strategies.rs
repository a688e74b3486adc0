//! Every strategy, rule type and action of the seed, through the tool on real replicas: as the dataset's own policy, and
//! as a decision about what a manual one left open.

use serde_json::{Value, json};

use super::shop::{Shop, edited};

/// A cell of A: its number, what left makes of it, what right makes of it, the policy, and what comes of it.
struct Case {
    column: usize,
    left: &'static str,
    right: &'static str,
    policy: Value,
    /// More edits of A: column, left, right.
    beside: Option<(usize, &'static str, &'static str)>,
    wanted: &'static str,
}

fn case(
    column: usize,
    left: &'static str,
    right: &'static str,
    policy: Value,
    wanted: &'static str,
) -> Case {
    Case { column, left, right, policy, beside: None, wanted }
}

fn rules(rule: &Value) -> Value {
    json!({"strategy": "rule_based", "rules": [rule]})
}

fn cases() -> Vec<Case> {
    let when = |case: Case, left, right| Case { beside: Some((2, left, right)), ..case };
    vec![
        case(1, "Apfel", "Pomme", json!({"strategy": "left_priority"}), "Apfel"),
        case(1, "Apfel", "Pomme", json!({"strategy": "right_priority"}), "Pomme"),
        case(1, "Apfel", "Pomme", json!({"strategy": "system_a_priority"}), "Apfel"),
        case(1, "Apfel", "Pomme", json!({"strategy": "system_b_priority"}), "Pomme"),
        case(
            1,
            "Apfel",
            "Pomme",
            json!({"strategy": "priority_based", "priorities": {"left": 1, "right": 5}}),
            "Pomme",
        ),
        when(
            case(
                1,
                "Apfel",
                "Pomme",
                json!({"strategy": "latest_wins", "modifiedAt": "qty"}),
                "Apfel",
            ),
            "30",
            "20",
        ),
        when(
            case(
                1,
                "Apfel",
                "Pomme",
                json!({"strategy": "automatic_merge", "modifiedAt": "qty"}),
                "Pomme",
            ),
            "30",
            "40",
        ),
        case(1, "", "Pomme", json!({"strategy": "automatic_merge"}), "Pomme"),
        case(3, "\"a;b, c\"", "b", json!({"strategy": "automatic_merge"}), "b, c"),
        case(
            1,
            "Apfel",
            "Pomme",
            rules(
                &json!({"type": "field_priority", "fields": ["name"], "action": "prefer_source", "prefer": "right"}),
            ),
            "Pomme",
        ),
        case(
            2,
            "11",
            "15",
            rules(
                &json!({"type": "source_priority", "sources": ["right"], "action": "merge_fields", "merge": "max"}),
            ),
            "15",
        ),
        case(
            2,
            "12",
            "15",
            rules(
                &json!({"type": "value_based", "fields": ["qty"], "when": "left.qty < right.qty", "action": "calculate", "expression": "base.qty + (left.qty - base.qty) + (right.qty - base.qty)"}),
            ),
            "17",
        ),
        case(
            2,
            "12",
            "15",
            rules(
                &json!({"type": "value_based", "when": "right.qty > 12", "action": "prefer_source", "prefer": "left"}),
            ),
            "12",
        ),
        when(
            case(
                1,
                "Apfel",
                "Pomme",
                json!({"strategy": "rule_based", "modifiedAt": "qty", "rules": [{"type": "source_priority", "sources": ["left"], "action": "use_latest"}]}),
                "Pomme",
            ),
            "30",
            "31",
        ),
    ]
}

async fn start(right: &str, case: &Case) -> Shop {
    let shop = Shop::new(right).await;
    let edits = |cell, beside: fn(&(usize, &'static str, &'static str)) -> &'static str| {
        let mut edits = vec![("A", case.column, cell)];
        edits.extend(case.beside.as_ref().map(|one| ("A", one.0, beside(one))));
        edited(&edits)
    };
    let (left, other) = (edits(case.left, |one| one.1), edits(case.right, |one| one.2));
    shop.write_left(&left);
    shop.write_right(&other).await;
    shop
}

async fn cells(shop: &Shop, column: usize) -> [String; 2] {
    let cell = |line: &str| line.splitn(4, ',').nth(column).unwrap().trim_matches('"').to_owned();
    [cell(&shop.left()[1]), cell(&shop.right().await[1])]
}

#[tokio::test]
async fn every_strategy_and_rule_as_the_datasets_own() {
    for right in ["file", "sheet", "sqlite"] {
        for case in cases() {
            let shop = start(right, &case).await;
            let report = shop.apply(json!({"policy": case.policy})).await;
            assert_eq!(
                report["counts"].get("conflicts"),
                None,
                "{right} {}: {report:#}",
                case.policy
            );
            assert_eq!(
                cells(&shop, case.column).await,
                [case.wanted; 2],
                "{right} {}",
                case.policy
            );
            assert_eq!(shop.run().await["state"], "inStep", "{right} {}", case.policy);
        }
    }
}

#[tokio::test]
async fn every_strategy_and_rule_as_a_decision() {
    for right in ["file", "sheet", "sqlite"] {
        for case in cases() {
            let shop = start(right, &case).await;
            shop.run().await;
            let open = shop.list(json!({})).await["total"].as_u64().unwrap();
            assert!(open >= 1, "{right} {}", case.policy);
            let previewed = shop.resolve("preview", json!({"policy": case.policy})).await;
            assert!(
                previewed["next"].as_str().unwrap().contains(&format!("keeps {open} decisions")),
                "{right} {}: {previewed:#}",
                case.policy
            );
            let done = shop.resolve("decide", json!({"policy": case.policy, "apply": "now"})).await;
            assert_eq!(
                (&done["changed"], &done["run"]["state"]),
                (&json!(open), &json!("applied")),
                "{right} {}: {done:#}",
                case.policy
            );
            assert_eq!(
                cells(&shop, case.column).await,
                [case.wanted; 2],
                "{right} {}",
                case.policy
            );
            assert_eq!(shop.list(json!({})).await["total"], 0, "{right} {}", case.policy);
        }
    }
}

/// A column's own merge comes before every strategy, so its cells never wait.
#[tokio::test]
async fn every_merge_of_a_column() {
    for (merge, column, left, right, wanted) in [
        ("sum", 2, "12", "15", "17"),
        ("max", 2, "12", "15", "15"),
        ("min", 2, "12", "15", "12"),
        ("union", 3, "\"a;b, c\"", "b", "a;b, b, c"),
        ("set", 3, "\"a;b, c\"", "b", "b, c"),
        ("concat", 1, "Apfel", "Pomme", "Apfel; Pomme"),
        ("fill", 1, "", "Pomme", "Pomme"),
    ] {
        let shop = start("file", &case(column, left, right, Value::Null, wanted)).await;
        let mut columns = json!([{"name": "sku"}, {"name": "name"}, {"name": "qty", "type": "number"}, {"name": "tags", "type": "list"}]);
        columns[column]["merge"] = json!(merge);
        let report = shop.apply(json!({"columns": columns})).await;
        assert_eq!(report["counts"].get("conflicts"), None, "{merge}: {report:#}");
        assert_eq!(cells(&shop, column).await, [wanted; 2], "{merge}");
    }
}

/// One column by its own strategy, the others by the dataset's.
#[tokio::test]
async fn a_strategy_for_a_column_alone() {
    let shop = Shop::new("file").await;
    shop.write_left(&edited(&[("A", 1, "Apfel"), ("B", 2, "21")]));
    shop.write_right(&edited(&[("A", 1, "Pomme"), ("B", 2, "22")])).await;
    let columns = json!([{"name": "sku"}, {"name": "name", "strategy": "right_priority"}, {"name": "qty", "type": "number"}, {"name": "tags", "type": "list"}]);
    let report = shop.apply(json!({"columns": columns})).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(shop.left()[1], "A,Pomme,10,a;b");
    assert_eq!(shop.list(json!({})).await["conflicts"][0]["column"], "qty");
    // A strategy that is said in a decision is for every column.
    shop.resolve("decide", json!({"policy": {"strategy": "left_priority"}, "apply": "now"})).await;
    assert_eq!(shop.right().await[2], "B,Beet,21,b");
}

/// Every strategy as one column's own, against the dataset's: the column's decides its cells, the dataset's the others.
#[tokio::test]
async fn every_strategy_as_a_columns_own() {
    let rules = json!([{"type": "value_based", "when": "left.qty < right.qty", "action": "prefer_source", "prefer": "right"}]);
    // The strategy, what goes with it in the policy, the name on both sides, and what comes of it; null waits.
    for (strategy, with, left, right, wanted) in [
        ("left_priority", json!({}), "Apfel", "Pomme", Some("Apfel")),
        ("right_priority", json!({}), "Apfel", "Pomme", Some("Pomme")),
        ("system_a_priority", json!({}), "Apfel", "Pomme", Some("Apfel")),
        ("system_b_priority", json!({}), "Apfel", "Pomme", Some("Pomme")),
        (
            "priority_based",
            json!({"priorities": {"left": 1, "right": 5}}),
            "Apfel",
            "Pomme",
            Some("Pomme"),
        ),
        ("latest_wins", json!({"modifiedAt": "qty"}), "Apfel", "Pomme", Some("Pomme")),
        ("automatic_merge", json!({}), "", "Pomme", Some("Pomme")),
        ("rule_based", json!({"rules": rules}), "Apfel", "Pomme", Some("Pomme")),
        ("manual_review", json!({}), "Apfel", "Pomme", None),
    ] {
        let edits = |name, qty, tags| edited(&[("A", 1, name), ("A", 2, qty), ("A", 3, tags)]);
        let shop = Shop::new("file").await;
        shop.write_left(&edits(left, "12", "l"));
        shop.write_right(&edits(right, "15", "r")).await;
        let mut policy = json!({"strategy": "left_priority", "granularity": "cell"});
        policy.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let columns = json!([{"name": "sku"}, {"name": "name", "strategy": strategy}, {"name": "qty", "type": "number"}, {"name": "tags", "type": "list"}]);
        let report = shop.apply(json!({"columns": columns, "policy": policy})).await;
        let waits = u64::from(wanted.is_none());
        assert_eq!(
            report["counts"]["conflicts"].as_u64().unwrap_or(0),
            waits,
            "{strategy}: {report:#}"
        );
        let names = wanted.map_or([left, right], |wanted| [wanted; 2]);
        assert_eq!(cells(&shop, 1).await, names, "{strategy}");
        assert_eq!(
            cells(&shop, 3).await,
            ["l"; 2],
            "{strategy}: the other columns are the dataset's"
        );
    }
    // Each cell by its own time needs times: the right's name is seen an hour after the left's.
    let shop = Shop::disputed(
        "file",
        &edited(&[("A", 1, "Apfel"), ("A", 3, "l")]),
        &edited(&[("A", 1, "Pomme"), ("A", 3, "r")]),
    )
    .await;
    shop.pass(3_600);
    shop.write_right(&edited(&[("A", 1, "Pomme!"), ("A", 3, "r")])).await;
    let columns = json!([{"name": "sku"}, {"name": "name", "strategy": "field_by_field"}, {"name": "qty", "type": "number"}, {"name": "tags", "type": "list"}]);
    let report =
        shop.apply(json!({"columns": columns, "policy": {"strategy": "left_priority"}})).await;
    assert_eq!(report["counts"].get("conflicts"), None, "{report:#}");
    assert_eq!(
        (cells(&shop, 1).await, cells(&shop, 3).await),
        (["Pomme!"; 2].map(String::from), ["l"; 2].map(String::from))
    );
}

#[tokio::test]
async fn a_rule_of_times_decides_by_what_runs_saw() {
    let shop =
        Shop::disputed("sheet", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    shop.pass(3_600);
    shop.write_left(&edited(&[("A", 1, "Apfel!")]));
    shop.run().await;
    let rule = |gap: u32| json!({"policy": {"rules": [{"type": "time_based", "minGapSeconds": gap, "action": "use_latest"}]}});
    let far = shop.resolve("preview", rule(7_200)).await;
    assert!(far["preview"][0]["result"].as_str().unwrap().starts_with("undecided"), "{far:#}");
    let near = shop.resolve("preview", rule(600)).await;
    assert_eq!(near["preview"][0]["examples"], json!(["A: Apfel!"]), "{near:#}");
    let mut arguments = rule(600);
    arguments["apply"] = json!("now");
    shop.resolve("decide", arguments).await;
    assert_eq!(shop.right().await[1], "A,Apfel!,10,a;b");
}

/// Manual review leaves it to a person, and the sync goes on around it.
#[tokio::test]
async fn manual_review_keeps_both_sides() {
    for right in ["file", "sheet", "sqlite"] {
        let shop = Shop::new(right).await;
        shop.write_left(&edited(&[("A", 1, "Apfel"), ("B", 2, "21")]));
        shop.write_right(&edited(&[("A", 1, "Pomme"), ("C", 2, "31")])).await;
        let report = shop.apply(json!({"policy": {"strategy": "manual_review"}})).await;
        assert_eq!(report["counts"]["conflicts"], 1, "{right}: {report:#}");
        let around = ["B,Beet,21,b", "C,Corn,31,c"];
        assert_eq!(shop.left()[1], "A,Apfel,10,a;b", "{right}");
        assert_eq!(shop.right().await[1], "A,Pomme,10,a;b", "{right}");
        assert_eq!(shop.left()[2..], around, "{right}");
        assert_eq!(shop.right().await[2..], around, "{right}");
        assert_eq!(shop.run().await["counts"]["conflicts"], 1, "{right}");
    }
}
