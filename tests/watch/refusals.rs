//! A target that refuses: what waits, what is tried again, and what dies.

use std::collections::BTreeMap;

use lockstep::replica::connections::ConnectionConfig;
use rusqlite::params;
use serde_json::{Value, json};

use super::{
    Shop, Stage,
    outage::{API, text, writes},
    stock,
};
use crate::support::api::{Reply, Stub, Trouble, plain};

type Rows = BTreeMap<String, i64>;

/// A file that flows into an API; both have the rows.
pub(super) async fn shop(api: &Stub, rows: &Rows) -> Stage {
    let connection: ConnectionConfig = toml::from_str(&API.replace("URL", &api.url)).unwrap();
    let mut stage = Stage::new(|config| {
        config.connections.insert("crm".into(), connection);
    })
    .await;
    stage.house.write("a.csv", text(rows));
    let dataset = json!({
        "name": "stock", "left": {"file": "a.csv"}, "right": {"connection": "crm", "resource": "items"},
        "key": ["sku"], "direction": "both", "deletes": "ignore",
        "columns": [{"name": "sku", "type": "text"}, {"name": "qty", "type": "number"}],
    });
    stage.ok("syncDataset", dataset).await;
    stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    stage.seconds(1).await;
    let there = api.world().items.len();
    assert_eq!(there, rows.len(), "{:#}", stage.status().await);
    api.world().asked.clear();
    stage
}

pub(super) fn rows(count: usize, qty: i64) -> Rows {
    (0..count).map(|n| (format!("K{n:02}"), qty)).collect()
}

fn once(rows: &Rows) -> BTreeMap<String, Vec<i64>> {
    rows.iter().map(|(sku, qty)| (sku.clone(), vec![*qty])).collect()
}

#[tokio::test]
async fn a_quota_or_a_lost_credential_burns_no_retries() {
    let quota = Reply::json(429, &json!({})).with("retry-after", "600");
    // The first asks for ten minutes, so that it is met four times in half an hour and no more.
    let denied = |status| (Reply::json(status, &json!({})), 60);
    for (reply, most) in [(quota, 4), denied(401), denied(403)] {
        let (status, api) = (reply.status, Stub::start(plain).await);
        let mut stage = shop(&api, &rows(4, 0)).await;
        api.trouble("PATCH", "", 1_000_000, Trouble::Instead(reply));
        stage.house.write("a.csv", text(&rows(4, 7)));
        stage.seconds(1_800).await;
        let shown = stage.status().await;
        assert_eq!((&shown["depth"], &shown["deadLetters"]), (&json!(4), &json!(0)), "{shown:#}");
        let breaker = &shown["breakers"][0];
        assert_eq!(breaker["member"], "right", "{shown:#}");
        assert!(breaker["why"].as_str().unwrap().contains(&status.to_string()), "{breaker}");
        let tried = api.asked("PATCH").len();
        assert!((1..=most).contains(&tried), "{status}: {tried} times");
        api.world().rules.clear();
        stage.seconds(3_600).await;
        assert_eq!(writes(&api), once(&rows(4, 7)), "{status}");
        let shown = stage.status().await;
        assert_eq!((&shown["depth"], &shown["breakers"]), (&json!(0), &Value::Null), "{shown:#}");
    }
}

#[tokio::test]
async fn a_pair_whose_target_is_down_for_an_hour_catches_up_once() {
    let api = Stub::start(plain).await;
    let mut now = rows(8, 0);
    let mut stage = shop(&api, &now).await;
    api.trouble("*", "", 1_000_000, Trouble::Instead(Reply::json(503, &json!({}))));
    for minute in 1..=60_i64 {
        now.insert(format!("K{:02}", minute % 8), minute);
        stage.house.write("a.csv", text(&now));
        stage.seconds(60).await;
    }
    let shown = stage.status().await;
    assert_eq!(shown["breakers"][0]["state"], "open", "{shown:#}");
    let tries = api.world().asked.len();
    assert!(tries < 120, "{tries} requests to an API that is down");
    api.world().rules.clear();
    api.world().asked.clear();
    stage.seconds(900).await;
    assert_eq!(writes(&api), once(&now), "each row once, with what it is now");
    let shown = stage.status().await;
    assert_eq!((&shown["deadLetters"], &shown["breakers"]), (&json!(0), &Value::Null), "{shown:#}");
}

#[tokio::test]
async fn an_item_that_an_api_refuses_dies_alone_and_lives_when_the_api_is_mended() {
    let api = Stub::start(plain).await;
    let mut stage = shop(&api, &rows(6, 0)).await;
    let poison = {
        let world = api.world();
        let item = world.items.iter().find(|(_, item)| item["sku"] == "K03");
        format!("/items/{}", item.unwrap().0)
    };
    let refusal = Reply::json(422, &json!({"message": "frozen for the audit"}));
    api.trouble("PATCH", &poison, 1_000_000, Trouble::Instead(refusal));
    stage.house.write("a.csv", text(&rows(6, 7)));
    stage.seconds(60).await;
    let others = |qty: i64| {
        let mut others = once(&rows(6, qty));
        others.remove("K03");
        others
    };
    let mut written = writes(&api);
    assert!(written.remove("K03").is_some(), "it was tried");
    assert_eq!(written, others(7), "nobody waits for it");
    stage.seconds(1_800).await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1, "{letters:#?}");
    assert_eq!((&letters[0]["key"], &letters[0]["attempts"]), (&json!("K03"), &json!(3)));
    assert!(letters[0]["story"].to_string().contains("frozen for the audit"), "{letters:#?}");
    let shown = stage.status().await;
    assert_eq!((&shown["depth"], &shown["breakers"]), (&json!(0), &Value::Null), "{shown:#}");

    api.world().rules.clear();
    api.world().asked.clear();
    stage.seconds(600).await;
    assert_eq!(writes(&api), BTreeMap::new(), "nobody asked for it");
    stage.ok("watchDataset", json!({"action": "retry", "dataset": "stock"})).await;
    stage.seconds(60).await;
    assert_eq!(writes(&api), [("K03".to_owned(), vec![7])].into());
    assert_eq!(stage.letters().await, Vec::<Value>::new());
}

#[tokio::test]
async fn poison_that_comes_without_others_dies_too_and_holds_nobody_back() {
    let api = Stub::start(plain).await;
    let mut stage = shop(&api, &rows(8, 0)).await;
    let refusal = Reply::json(422, &json!({"message": "frozen for the audit"}));
    let poison: Vec<String> = {
        let world = api.world();
        let frozen = |item: &Value| item["sku"].as_str().unwrap() < "K04";
        let items = world.items.iter().filter(|(_, item)| frozen(item));
        items.map(|(id, _)| format!("/items/{id}")).collect()
    };
    assert_eq!(poison.len(), 4);
    for path in &poison {
        api.trouble("PATCH", path, 1_000_000, Trouble::Instead(refusal.clone()));
    }
    let mut now = rows(8, 0);
    for key in ["K00", "K01", "K02", "K03"] {
        now.insert(key.to_owned(), 7);
    }
    stage.house.write("a.csv", text(&now));
    stage.seconds(31).await;
    let shown = stage.status().await;
    let tried = (&shown["depth"], &shown["deadLetters"], &shown["breakers"][0]["member"]);
    assert_eq!(tried, (&json!(4), &json!(0), &json!("right")), "it may be the API: {shown:#}");
    // It refuses these again and again; then others come.
    stage.seconds(300).await;
    now.insert("K06".to_owned(), 9);
    stage.house.write("a.csv", text(&now));
    // A poll that found nothing for long comes every five minutes.
    stage.seconds(600).await;
    assert_eq!(writes(&api)["K06"], [9], "{:#}", stage.status().await);
    let mut dead: Vec<Value> = stage.letters().await.iter().map(|one| one["key"].clone()).collect();
    dead.sort_by_key(Value::to_string);
    assert_eq!(dead, ["K00", "K01", "K02", "K03"]);
    let shown = stage.status().await;
    assert_eq!((&shown["depth"], &shown["breakers"]), (&json!(0), &Value::Null), "{shown:#}");
}

#[tokio::test]
async fn a_letter_is_delivered_when_its_target_is_mended_and_somebody_asks() {
    let mut shop = Shop::new("leftToRight").await;
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    shop.stage.seconds(1).await;
    let frozen = "CREATE TRIGGER frozen BEFORE UPDATE ON stock WHEN NEW.sku = 'B'
         BEGIN SELECT RAISE(ABORT, 'the row is frozen'); END";
    shop.database.execute_batch(frozen).unwrap();
    let now = stock(&[("A", "Apple", 11), ("B", "Beet", 21), ("C", "Corn", 31)]);
    shop.file(&now);
    shop.stage.seconds(1_800).await;
    let letters = shop.stage.letters().await;
    assert_eq!((letters.len(), &letters[0]["key"]), (1, &json!("B")), "{letters:#?}");
    assert_eq!((shop.rows()["A"].1, shop.rows()["B"].1, shop.rows()["C"].1), (11, 20, 31));
    shop.database.execute("DROP TRIGGER frozen", params![]).unwrap();
    // A dry run does nothing.
    let retry = |dry: bool| json!({"action": "retry", "dataset": "stock", "letters": [letters[0]["letter"]], "dryRun": dry});
    shop.stage.ok("watchDataset", retry(true)).await;
    shop.stage.seconds(60).await;
    assert_eq!(shop.rows()["B"].1, 20);
    shop.stage.ok("watchDataset", retry(false)).await;
    shop.stage.seconds(60).await;
    assert_eq!(shop.rows(), now);
    assert_eq!(shop.stage.letters().await, Vec::<Value>::new());
}
