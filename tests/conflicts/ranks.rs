//! Field-level times: which change was the later is known from what earlier runs saw, and never guessed.

use serde_json::json;

use super::shop::{Shop, edited};

#[tokio::test]
async fn the_later_cell_wins_by_the_times_that_runs_saw() {
    for (strategy, kind) in ["latestWins", "fieldByField"]
        .into_iter()
        .flat_map(|strategy| ["file", "sheet", "sqlite"].map(|kind| (strategy, kind)))
    {
        let left = edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe")]);
        let shop =
            Shop::disputed(kind, &left, &edited(&[("A", 1, "Pomme"), ("B", 1, "Rave")])).await;
        // Seen by the same run: which was the later is not known, so nobody wins.
        let unknown = shop.resolve("preview", json!({"policy": {"strategy": strategy}})).await;
        assert!(
            unknown["preview"][0]["result"].as_str().unwrap().contains("it is not known when"),
            "{unknown:#}"
        );
        assert_eq!(unknown["preview"][0]["count"], 2);
        let report = shop.apply(json!({"policy": {"strategy": strategy}})).await;
        assert_eq!(report["counts"]["conflicts"], 2, "{report:#}");
        // An hour later the left edits A, and the right edits B.
        shop.pass(3_600);
        shop.write_left(&edited(&[("A", 1, "Apfel!"), ("B", 1, "Rübe")]));
        shop.write_right(&edited(&[("A", 1, "Pomme"), ("B", 1, "Rave!")])).await;
        let report = shop.run().await;
        assert_eq!(
            (&report["state"], report["counts"].get("conflicts")),
            (&json!("applied"), None),
            "{report:#}"
        );
        let wanted = ["sku,name,qty,tags", "A,Apfel!,10,a;b", "B,Rave!,20,b", "C,Corn,30,c"];
        assert_eq!(shop.left(), wanted, "{strategy} {kind}");
        assert_eq!(shop.right().await, wanted, "{strategy} {kind}");
    }
}

#[tokio::test]
async fn each_cell_of_a_row_has_its_own_time() {
    let shop = Shop::disputed(
        "file",
        &edited(&[("A", 1, "Apfel"), ("A", 2, "11")]),
        &edited(&[("A", 1, "Pomme"), ("A", 2, "12")]),
    )
    .await;
    shop.pass(3_600);
    shop.write_left(&edited(&[("A", 1, "Apfel!"), ("A", 2, "11")]));
    shop.write_right(&edited(&[("A", 1, "Pomme"), ("A", 2, "13")])).await;
    shop.run().await;
    let listed = shop.list(json!({})).await;
    let name =
        listed["conflicts"].as_array().unwrap().iter().find(|one| one["column"] == "name").unwrap();
    assert!(name["since"]["left"].as_str() > name["since"]["right"].as_str(), "{name:#}");
    let decided = shop
        .resolve("decide", json!({"policy": {"strategy": "fieldByField"}, "apply": "now"}))
        .await;
    assert_eq!(decided["changed"], 2, "{decided:#}");
    assert_eq!(
        (shop.left()[1].as_str(), shop.right().await[1].as_str()),
        ("A,Apfel!,13,a;b", "A,Apfel!,13,a;b")
    );
}

#[tokio::test]
async fn the_later_of_a_deletion_and_a_change_wins() {
    use super::shop::{GOODS, without};
    let shop = Shop::disputed("file", &edited(&[("A", 2, "11")]), &without("A", GOODS)).await;
    shop.pass(3_600);
    shop.write_left(&edited(&[("A", 2, "12")]));
    let report = shop.apply(json!({"policy": {"clash": "later"}})).await;
    assert_eq!(report["counts"].get("conflicts"), None, "{report:#}");
    assert_eq!(shop.right().await[1], "A,Apple,12,a;b");
}

/// Where the rows say when they were modified, that is what people are shown.
#[tokio::test]
async fn the_list_says_when_by_the_modified_at_column() {
    let shop = Shop::new("file").await;
    shop.apply(json!({"policy": {"modifiedAt": "qty"}})).await;
    shop.write_left(&edited(&[("A", 1, "Apfel"), ("A", 2, "30")]));
    shop.write_right(&edited(&[("A", 1, "Pomme")])).await;
    shop.run().await;
    let listed = shop.list(json!({})).await;
    let one = &listed["conflicts"][0];
    assert_eq!(
        (&one["column"], &one["since"]["left"]),
        (&json!("name"), &json!("30")),
        "{listed:#}"
    );
    assert!(one["since"]["right"].as_str().unwrap().contains('T'), "{listed:#}");
    assert_eq!(listed["sides"], json!({"left": "file left.csv", "right": "file right.csv"}));
}
