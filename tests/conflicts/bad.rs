//! Decisions that cannot be: told plainly, and nothing is decided or written by them.

use serde_json::{Value, json};

use super::shop::{GOODS, Shop, edited, without};

#[tokio::test]
async fn bad_decisions_are_refused_whole_and_say_why() {
    let left = format!("{}D,Dill,40,d\n", edited(&[("A", 2, "11"), ("B", 1, "Rübe")]));
    let right = format!("{}D,Dille,40,d\n", edited(&[("A", 2, "12"), ("B", 1, "Rave")]));
    let shop = Shop::disputed("file", &left, &right).await;
    let listed = shop.list(json!({"limit": 9})).await;
    let id = |key: &str| {
        let all = listed["conflicts"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).unwrap()["id"].clone()
    };
    let (qty, name, new) = (id("A"), id("B"), id("D"));
    let with = |more: Value| {
        let mut arguments = json!({"action": "decide", "dataset": "goods"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    for (arguments, why) in [
        (with(json!({"ids": ["nonesuch"], "winner": "left"})), "there is no conflict \"nonesuch\""),
        (
            with(json!({"ids": [name, "nonesuch"], "winner": "left"})),
            "there is no conflict \"nonesuch\"",
        ),
        (with(json!({"ids": [name], "winner": "rigth"})), "Did you mean \"right\""),
        (
            with(json!({"ids": [qty], "value": "many"})),
            "\"many\" is no value of the column \"qty\" (number)",
        ),
        (with(json!({"ids": [name, new], "winner": "base"})), "no base to go back to"),
        (with(json!({"ids": [name], "winner": "left", "value": 1})), "more than one is given"),
        (with(json!({"column": "nme", "winner": "left"})), "no open conflict matches"),
        (with(json!({"kind": "deletedEdit", "winner": "left"})), "`deleteEdit`"),
        (with(json!({"policy": {"strategy": "newest"}})), "`latestWins`"),
        (with(json!({"policy": {"strategy": "latestWins"}})), "it is not known when"),
        (with(json!({"policy": {"strategy": "latestWins", "modifiedAt": "when"}})), "'when'"),
        (with(json!({"cursor": "x", "winner": "left"})), "is not the cursor"),
        (json!({"action": "decide", "winner": "left"}), "argument dataset: it is needed"),
        (
            json!({"action": "decide", "dataset": "gods", "winner": "left"}),
            "no saved dataset \"gods\"",
        ),
        (json!({"dataset": "goods", "winner": "left"}), "go with preview or decide"),
        (json!({"action": "note", "dataset": "goods"}), "neither assignee nor note"),
        (json!({"action": "reopen", "ids": [name]}), "there is no decision to take back"),
        (json!({"limit": 0}), "not between 1 and 100"),
    ] {
        let refused = shop.err("resolveConflicts", arguments.clone()).await;
        assert!(refused.contains(why), "{arguments}: {refused}");
        let groups = shop.list(json!({})).await["groups"].clone();
        assert!(
            groups.as_array().unwrap().iter().all(|group| group["state"] == "open"),
            "{arguments}: {groups:#}"
        );
    }
    shop.resolve("decide", json!({"ids": [name], "winner": "left"})).await;
    let again =
        shop.err("resolveConflicts", with(json!({"ids": [name, qty], "winner": "right"}))).await;
    assert!(
        again.contains("is decided already, by winner left") && again.contains("reopen"),
        "{again}"
    );
    assert_eq!(
        shop.list(json!({"key": "A"})).await["conflicts"][0]["state"],
        "open",
        "all or nothing"
    );
    shop.run().await;
    let late = shop.err("resolveConflicts", with(json!({"ids": [name], "winner": "right"}))).await;
    assert!(late.contains("was applied already") && late.contains("rollbackSync"), "{late}");
    assert_eq!(
        (shop.left()[1].as_str(), shop.left()[2].as_str()),
        ("A,Apple,11,a;b", "B,Rübe,20,b")
    );
}

/// Rules are checked where they are defined, and where they are tried.
#[tokio::test]
async fn bad_rules_are_refused_with_the_place_of_the_error() {
    let shop = Shop::disputed("file", &edited(&[("A", 2, "11")]), &edited(&[("A", 2, "12")])).await;
    for (rule, why) in [
        (
            json!({"type": "value_based", "when": "left.qty > right.qyt", "action": "use_latest"}),
            vec!["rules[0]", "qyt", "1"],
        ),
        (
            json!({"type": "value_based", "when": "left.qty >", "action": "use_latest"}),
            vec!["rules[0]"],
        ),
        (
            json!({"type": "value_based", "when": "while true {}", "action": "use_latest"}),
            vec!["rules[0]"],
        ),
        (
            json!({"type": "field_priority", "fields": ["qyt"], "action": "prefer_source", "prefer": "left"}),
            vec!["rules[0]", "qyt"],
        ),
        (
            json!({"type": "value_based", "when": "left.qty > 1", "action": "calculate"}),
            vec!["rules[0]", "expression"],
        ),
        // Types that do not go together, and results of the wrong type.
        (
            json!({"type": "value_based", "when": "left.qty == \"5\"", "action": "use_latest"}),
            vec!["rules[0].when", "character 10", "a number and a text"],
        ),
        (
            json!({"type": "value_based", "when": "left.qty + 1", "action": "use_latest"}),
            vec!["rules[0].when", "true or false"],
        ),
        (
            json!({"type": "field_priority", "fields": ["qty"], "action": "calculate", "expression": "left.name"}),
            vec!["rules[0].expression", "a number"],
        ),
        // What is too long, or too deep, never runs.
        (
            json!({"type": "value_based", "when": vec!["true"; 2_000].join(" || "), "action": "use_latest"}),
            vec!["rules[0].when"],
        ),
        (
            json!({"type": "value_based", "when": format!("{}true{}", "(".repeat(40), ")".repeat(40)), "action": "use_latest"}),
            vec!["rules[0].when", "character 17", "complexity"],
        ),
    ] {
        let tried = shop
            .err(
                "resolveConflicts",
                json!({"action": "preview", "dataset": "goods", "policy": {"rules": [rule]}}),
            )
            .await;
        let policy = json!({"policy": {"strategy": "rule_based", "rules": [rule]}});
        let defined = shop.err("syncDataset", shop.dataset(policy)).await;
        for why in why {
            let has = |text: &str| text.contains(why);
            assert!(has(&tried), "{rule}: {why}: {tried}");
            assert!(has(&defined), "{rule}: {why}: {defined}");
        }
    }
    // What was refused is not what is saved.
    assert_eq!(shop.run().await["counts"]["conflicts"], 1);
}

#[tokio::test]
async fn a_row_of_a_side_that_is_gone_cannot_win_once_it_is_gone() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let id = shop.list(json!({})).await["conflicts"][0]["id"].clone();
    shop.write_right(&without("A", GOODS)).await;
    shop.resolve("decide", json!({"ids": [id], "winner": "right"})).await;
    // Its value was decided on, but the side has deleted the row since: nothing is written, and it is asked again.
    let report = shop.run().await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(shop.left()[1], "A,Apfel,10,a;b");
    assert_eq!(shop.list(json!({})).await["conflicts"][0]["kind"], "editDelete");
}
