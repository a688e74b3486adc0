//! The queue: what runs put there, what people see of it, and how it empties.

use serde_json::{Value, json};

use super::shop::{GOODS, Shop, edited, without};

#[tokio::test]
async fn a_conflict_is_listed_decided_and_written_by_the_next_run() {
    for right in ["file", "sheet", "sqlite"] {
        let shop =
            Shop::disputed(right, &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")]))
                .await;
        let listed = shop.list(json!({})).await;
        assert_eq!(listed["total"], 1, "{right}: {listed:#}");
        let one = &listed["conflicts"][0];
        assert_eq!(
            (&one["key"], &one["column"], &one["kind"]),
            (&json!("A"), &json!("name"), &json!("edit"))
        );
        assert_eq!(one["values"], json!({"left": "Apfel", "right": "Pomme"}), "{right}");
        assert_eq!(one["base"], "Apple");
        assert_eq!(listed["groups"][0]["count"], 1);
        assert!(one["since"]["left"].is_string() && one.get("row").is_none());
        let whole = shop.list(json!({"row": true})).await;
        assert_eq!(whole["conflicts"][0]["row"]["right"]["qty"], "10", "{whole:#}");
        assert_eq!(whole["conflicts"][0]["row"]["base"]["name"], "Apple");

        let id = one["id"].clone();
        let previewed = shop.resolve("preview", json!({"ids": [id], "winner": "right"})).await;
        assert_eq!(previewed["preview"][0]["examples"], json!(["A: Pomme"]), "{previewed:#}");
        assert_eq!(shop.list(json!({})).await["conflicts"][0]["state"], "open");
        let decided = shop
            .resolve("decide", json!({"ids": [id], "winner": "right", "note": "as the shop says"}))
            .await;
        assert_eq!(decided["changed"], 1, "{decided:#}");
        let listed = shop.list(json!({})).await;
        let one = &listed["conflicts"][0];
        assert_eq!(
            (&one["state"], &one["decision"], &one["note"]),
            (&json!("decided"), &json!("right"), &json!("as the shop says"))
        );
        assert_eq!(shop.left()[1], "A,Apfel,10,a;b", "nothing is written before a run");

        let report = shop.run().await;
        assert_eq!(report["state"], "applied", "{report:#}");
        assert_eq!(
            (shop.left()[1].as_str(), shop.right().await[1].as_str()),
            ("A,Pomme,10,a;b", "A,Pomme,10,a;b")
        );
        assert_eq!(shop.list(json!({})).await["total"], 0);
        let done = shop.list(json!({"state": "applied"})).await;
        assert_eq!(
            done["conflicts"][0]["by"].as_str().unwrap().split(" (").next(),
            Some("winner right"),
            "{done:#}"
        );
        assert_eq!(shop.run().await["state"], "inStep");
    }
}

#[tokio::test]
async fn a_value_of_ones_own_and_the_base_can_win_and_now_means_now() {
    let left = edited(&[("A", 2, "11"), ("B", 2, "21")]);
    let right = edited(&[("A", 2, "12"), ("B", 2, "22")]);
    let shop = Shop::disputed("sheet", &left, &right).await;
    shop.resolve("decide", json!({"key": "A", "value": 11.5})).await;
    let done = shop.resolve("decide", json!({"key": "B", "winner": "base", "apply": "now"})).await;
    assert_eq!(done["run"]["state"], "applied", "{done:#}");
    assert_eq!(done["run"]["conflicts"], 0);
    assert!(done["run"]["runId"].is_string());
    let wanted = ["sku,name,qty,tags", "A,Apple,11.5,a;b", "B,Beet,20,b", "C,Corn,30,c"];
    assert_eq!(shop.left(), wanted);
    assert_eq!(shop.right().await, wanted);
}

/// `null` is a blank, and is not the same as no value.
#[tokio::test]
async fn a_blank_can_win() {
    let shop =
        Shop::disputed("sheet", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let done = shop.resolve("decide", json!({"value": null, "apply": "now"})).await;
    assert_eq!((&done["changed"], &done["run"]["state"]), (&json!(1), &json!("applied")));
    assert_eq!(
        (shop.left()[1].as_str(), shop.right().await[1].as_str()),
        ("A,,10,a;b", "A,,10,a;b"),
        "{done:#}"
    );
}

/// A run about some keys puts theirs into the queue, and leaves what waits for others as it is.
#[tokio::test]
async fn a_run_about_some_keys_leaves_the_others() {
    let left = edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe")]);
    let shop = Shop::disputed("file", &left, &edited(&[("A", 1, "Pomme"), ("B", 1, "Rave")])).await;
    shop.resolve("decide", json!({"key": "A", "winner": "left"})).await;
    let before = shop.list(json!({"key": "B"})).await;
    shop.write_left(&edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe"), ("C", 1, "Mais")]));
    shop.write_right(&edited(&[("A", 1, "Pomme"), ("B", 1, "Rave"), ("C", 1, "Blé")])).await;
    let only = json!({"name": "goods", "mode": "apply", "keys": ["C"]});
    let report = shop.ok("syncDataset", only).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(shop.list(json!({"key": "C"})).await["conflicts"][0]["values"]["left"], "Mais");
    assert_eq!(shop.list(json!({"key": "A"})).await["conflicts"][0]["state"], "decided");
    assert_eq!(shop.list(json!({"key": "B"})).await, before);
    // When the others were first seen is still known.
    shop.pass(60);
    shop.write_right(&edited(&[("A", 1, "Pomme"), ("B", 1, "Rave!"), ("C", 1, "Blé")])).await;
    shop.apply(json!({"policy": {"strategy": "latestWins"}})).await;
    assert_eq!(shop.left()[2], "B,Rave!,20,b");
}

#[tokio::test]
async fn a_run_that_applied_a_decision_can_be_taken_back_and_opens_it_again() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let id = shop.list(json!({})).await["conflicts"][0]["id"].clone();
    let done = shop.resolve("decide", json!({"winner": "left", "apply": "now"})).await;
    assert_eq!(shop.right().await[1], "A,Apfel,10,a;b");
    let back =
        shop.ok("rollbackSync", json!({"runId": done["run"]["runId"], "mode": "apply"})).await;
    assert_eq!(back["state"], "applied", "{back:#}");
    assert_eq!(
        (shop.left()[1].as_str(), shop.right().await[1].as_str()),
        ("A,Apfel,10,a;b", "A,Pomme,10,a;b")
    );
    let listed = shop.list(json!({})).await;
    assert_eq!(
        (&listed["conflicts"][0]["id"], &listed["conflicts"][0]["state"]),
        (&id, &json!("open")),
        "{listed:#}"
    );
    assert!(listed["conflicts"][0].get("decision").is_none());
    let again = shop.run().await;
    assert_eq!(again["counts"]["conflicts"], 1, "the decision is not applied again: {again:#}");
    shop.resolve("decide", json!({"ids": [id], "winner": "right", "apply": "now"})).await;
    assert_eq!(shop.left()[1], "A,Pomme,10,a;b");
}

#[tokio::test]
async fn what_the_sides_agree_about_closes_itself_decided_or_not() {
    let left = edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe")]);
    let right = edited(&[("A", 1, "Pomme"), ("B", 1, "Rave")]);
    let shop = Shop::disputed("file", &left, &right).await;
    shop.resolve("decide", json!({"key": "B", "winner": "left"})).await;
    shop.write_right(&left).await;
    let report = shop.run().await;
    assert_eq!(report["counts"].get("conflicts"), None, "{report:#}");
    assert_eq!(shop.list(json!({})).await["total"], 0);
    let closed = shop.list(json!({"state": "closed"})).await;
    assert_eq!(closed["total"], 2, "{closed:#}");
    assert_eq!(closed["conflicts"][0]["by"], "agreement");
    // The same dispute later is open again, not decided by what was decided then.
    shop.write_left(&edited(&[("A", 1, "Apfel"), ("B", 1, "Beete")]));
    shop.write_right(&edited(&[("A", 1, "Apfel"), ("B", 1, "Betterave")])).await;
    assert_eq!(shop.run().await["counts"]["conflicts"], 1);
    assert_eq!(shop.list(json!({})).await["conflicts"][0]["state"], "open");
}

#[tokio::test]
async fn a_decision_on_values_that_changed_is_not_carried_out_and_is_shown_again() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let old = shop.list(json!({})).await["conflicts"][0].clone();
    shop.resolve("note", json!({"ids": [old["id"]], "assignee": "ada", "note": "ask the shop"}))
        .await;
    shop.resolve("decide", json!({"ids": [old["id"]], "winner": "left"})).await;
    shop.write_right(&edited(&[("A", 1, "Mela")])).await;
    let report = shop.run().await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(shop.right().await[1], "A,Mela,10,a;b", "nothing is written over what nobody saw");
    let listed = shop.list(json!({"assignee": "ada"})).await;
    let new =
        listed["conflicts"].as_array().unwrap().iter().find(|one| one["state"] == "open").unwrap();
    assert_ne!(new["id"], old["id"]);
    assert_eq!(
        (&new["values"]["right"], &new["assignee"], &new["note"]),
        (&json!("Mela"), &json!("ada"), &json!("ask the shop"))
    );
    assert!(new["reason"].as_str().unwrap().contains("decide again"), "{new:#}");
    let stale = shop.list(json!({"state": "stale"})).await;
    assert_eq!(stale["conflicts"][0]["id"], old["id"]);
    let refused = shop
        .err("resolveConflicts", json!({"action": "decide", "ids": [old["id"]], "winner": "left"}))
        .await;
    assert!(refused.contains("values that have changed since"), "{refused}");
    shop.resolve("decide", json!({"key": "A", "winner": "left", "apply": "now"})).await;
    assert_eq!(shop.right().await[1], "A,Apfel,10,a;b");
}

#[tokio::test]
async fn a_deletion_against_a_change_is_decided_by_a_side() {
    for (winner, rows) in [("left", 3), ("right", 4)] {
        let shop = Shop::disputed("sheet", &without("A", GOODS), &edited(&[("A", 2, "99")])).await;
        let listed = shop.list(json!({"column": "(row)"})).await;
        let one = &listed["conflicts"][0];
        assert_eq!(one["kind"], "deleteEdit", "{listed:#}");
        assert_eq!(one["values"], json!({"left": "deleted", "right": "qty: 10 → 99"}));
        let refused = shop
            .err("resolveConflicts", json!({"action": "decide", "ids": [one["id"]], "value": "x"}))
            .await;
        assert!(refused.contains("decided by a side"), "{refused}");
        let done = shop
            .resolve("decide", json!({"kind": "deleteEdit", "winner": winner, "apply": "now"}))
            .await;
        assert_eq!(done["run"]["state"], "applied", "{done:#}");
        assert_eq!((shop.left().len(), shop.right().await.len()), (rows, rows), "{winner}");
        assert_eq!(shop.list(json!({})).await["total"], 0);
    }
    let shop = Shop::disputed("file", &edited(&[("A", 2, "99")]), &without("A", GOODS)).await;
    assert_eq!(shop.list(json!({})).await["conflicts"][0]["kind"], "editDelete");
    // By policy too.
    let previewed = shop.resolve("preview", json!({"policy": {"clash": "editWins"}})).await;
    assert_eq!(previewed["preview"][0]["result"], "left", "{previewed:#}");
}

#[tokio::test]
async fn rows_that_vanish_meanwhile_end_their_conflicts() {
    let left = edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe")]);
    let right = edited(&[("A", 1, "Pomme"), ("B", 1, "Rave")]);
    let shop = Shop::disputed("file", &left, &right).await;
    shop.resolve("decide", json!({"winner": "left"})).await;
    // A goes on one side, B on both.
    shop.write_left(&without("B", &without("A", &left)));
    shop.write_right(&without("B", &right)).await;
    let report = shop.run().await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    let listed = shop.list(json!({})).await;
    assert_eq!(
        (&listed["total"], &listed["conflicts"][0]["kind"]),
        (&json!(1), &json!("deleteEdit")),
        "{listed:#}"
    );
    assert_eq!(shop.right().await[1], "A,Pomme,10,a;b");
    let stale = shop.list(json!({"state": "stale"})).await;
    assert_eq!(stale["conflicts"][0]["by"], "a deletion of the row", "{stale:#}");
    let closed = shop.list(json!({"state": "closed"})).await;
    assert_eq!(closed["conflicts"][0]["key"], "B", "{closed:#}");
}

#[tokio::test]
async fn a_changed_policy_decides_what_was_open() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let report = shop.apply(json!({"policy": {"strategy": "rightPriority"}})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(shop.left()[1], "A,Pomme,10,a;b");
    let closed = shop.list(json!({"state": "closed"})).await;
    assert_eq!(closed["conflicts"][0]["by"], "the policy (rightPriority)", "{closed:#}");
}

#[tokio::test]
async fn a_renamed_column_ends_its_conflicts_and_has_its_own() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    shop.resolve("decide", json!({"winner": "left"})).await;
    let renamed = json!({"columns": [{"name": "sku"}, {"name": "title", "left": "name", "right": "name"},
        {"name": "qty", "type": "number"}, {"name": "tags", "type": "list"}]});
    let report = shop.apply(renamed).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(
        (shop.left()[1].as_str(), shop.right().await[1].as_str()),
        ("A,Apfel,10,a;b", "A,Pomme,10,a;b")
    );
    let listed = shop.list(json!({})).await;
    assert_eq!(
        (&listed["total"], &listed["conflicts"][0]["column"]),
        (&json!(1), &json!("title")),
        "{listed:#}"
    );
    let stale = shop.list(json!({"state": "stale"})).await;
    assert!(
        stale["conflicts"][0]["by"].as_str().unwrap().contains("not kept in step"),
        "{stale:#}"
    );
}

#[tokio::test]
async fn a_row_of_several_conflicts_waits_for_all_of_them_and_cells_for_themselves() {
    for (granularity, between) in [("row", ("A,Apple,10,a;b", "Apfel")), ("cell", ("", ""))] {
        let shop = Shop::new("file").await;
        let policy = json!({"policy": {"granularity": granularity}});
        shop.apply(policy).await;
        shop.write_left(&edited(&[("A", 1, "Apfel"), ("A", 2, "11")]));
        shop.write_right(&edited(&[("A", 1, "Pomme"), ("A", 2, "12")])).await;
        shop.run().await;
        assert_eq!(shop.list(json!({})).await["total"], 2);
        shop.resolve("decide", json!({"column": "name", "winner": "left"})).await;
        let half = shop.run().await;
        let waits = between.0.is_empty();
        let wanted = if waits { "A,Apfel,12,a;b" } else { "A,Pomme,12,a;b" };
        assert_eq!(shop.right().await[1], wanted, "{granularity}: {half:#}");
        let listed = shop.list(json!({})).await;
        assert_eq!(listed["total"], if waits { 1 } else { 2 }, "{granularity}: {listed:#}");
        shop.resolve("decide", json!({"column": "qty", "winner": "right"})).await;
        let done = shop.run().await;
        assert_eq!(done["counts"].get("conflicts"), None, "{done:#}");
        assert_eq!(
            (shop.left()[1].as_str(), shop.right().await[1].as_str()),
            ("A,Apfel,12,a;b", "A,Apfel,12,a;b"),
            "{granularity}"
        );
        assert_eq!(shop.list(json!({})).await["total"], 0);
        let applied = shop.list(json!({"state": "applied"})).await;
        assert_eq!(applied["total"], 2, "{applied:#}");
    }
}

#[tokio::test]
async fn new_rows_that_differ_are_conflicts_of_their_own_kind() {
    let shop =
        Shop::disputed("file", &format!("{GOODS}D,Dill,40,d\n"), &format!("{GOODS}D,Dille,40,d\n"))
            .await;
    let listed = shop.list(json!({})).await;
    assert_eq!(listed["conflicts"][0]["kind"], "create", "{listed:#}");
    let refused = shop
        .err(
            "resolveConflicts",
            json!({"action": "decide", "ids": [listed["conflicts"][0]["id"]], "winner": "base"}),
        )
        .await;
    assert!(refused.contains("no base to go back to"), "{refused}");
    shop.resolve("decide", json!({"winner": "left", "apply": "now"})).await;
    assert_eq!(shop.right().await[4], "D,Dill,40,d");
}

#[tokio::test]
async fn the_audit_keeps_every_word_and_forget_erases_it() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    shop.resolve("decide", json!({"winner": "left"})).await;
    shop.resolve("reopen", json!({})).await;
    assert_eq!(shop.list(json!({})).await["conflicts"][0]["state"], "open");
    shop.resolve("decide", json!({"winner": "right"})).await;
    let listed = shop.list(json!({})).await;
    assert_eq!(listed["conflicts"][0]["decision"], "right", "{listed:#}");
    let home = shop.house.data().to_owned();
    let run = |arguments: &[&str]| {
        let mut command = crate::support::lockstep(&home);
        let out = command.args(arguments).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    };
    let audit = run(&["audit", "print"]);
    assert_eq!(audit.matches("\"kind\":\"decide\"").count(), 3, "{audit}");
    assert!(audit.contains("Pomme"), "{audit}");
    let verified = run(&["audit", "verify"]);
    assert!(verified.contains("unbroken"), "{verified}");
    let forgotten = run(&["forget", "goods", "A"]);
    assert!(forgotten.contains("1"), "{forgotten}");
    let audit = run(&["audit", "print"]);
    assert!(!audit.contains("Pomme") && !audit.contains("Apfel"), "{audit}");
}

#[tokio::test]
async fn resources_and_ages_and_cursors() {
    let left = edited(&[("A", 1, "a1"), ("B", 1, "b1"), ("C", 1, "c1")]);
    let right = edited(&[("A", 1, "a2"), ("B", 1, "b2"), ("C", 1, "c2")]);
    let shop = Shop::disputed("file", &left, &right).await;
    let first = shop.list(json!({"limit": 2})).await;
    assert_eq!((first["conflicts"].as_array().unwrap().len(), &first["cursor"]), (2, &json!("2")));
    let rest = shop.list(json!({"limit": 2, "cursor": first["cursor"]})).await;
    assert_eq!((rest["conflicts"].as_array().unwrap().len(), rest.get("cursor")), (1, None));
    assert_eq!(shop.list(json!({"olderThanHours": 1})).await["total"], 0);
    shop.pass(7_200);
    assert_eq!(shop.list(json!({"olderThanHours": 1})).await["total"], 3);
    assert_eq!(shop.list(json!({"column": "qty"})).await["total"], 0);
    assert_eq!(shop.list(json!({"kind": "edit", "key": "B"})).await["total"], 1);
    let all: Value =
        serde_json::from_str(&shop.house.resource("lockstep://conflicts").await[0]).unwrap();
    assert_eq!(all["total"], 3);
    let own: Value =
        serde_json::from_str(&shop.house.resource("lockstep://conflicts/goods").await[0]).unwrap();
    assert_eq!(own["conflicts"].as_array().unwrap().len(), 3, "{own:#}");
}
