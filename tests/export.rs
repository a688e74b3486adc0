//! `lockstep export`: all that is held on one record, and nothing of it after `forget`.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use lockstep::config::Config;
use serde_json::{Value, json};

use crate::{
    harness::House,
    support::{bounded, lockstep, store},
};

/// Runs a command on the house's store.
fn run(house: &House, arguments: &[&str]) -> String {
    let mut command: Command = lockstep(house.folder.path());
    command.args(["--data", house.data().to_str().unwrap()]);
    if let Some(url) = store::url(house.data()) {
        command.args(["--store-url", &url]);
    }
    command.args(arguments);
    let done = bounded::finish(command, std::time::Duration::from_secs(60));
    assert!(done.status.success(), "{arguments:?}: {}", done.stderr);
    done.stdout
}

fn held(house: &House, key: &str) -> Value {
    let json = run(house, &["export", "--dataset", "stock", "--key", key]);
    assert_eq!(json, run(house, &["export", "stock", key]), "by place it is the same");
    serde_json::from_str::<Value>(&json).unwrap()["held"].take()
}

/// Starts a house whose store is sealed; commands read the same settings.
async fn sealed() -> House {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.keep().join("key");
    std::fs::write(&key, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text =
        format!("[store]\nencrypt = true\n[secrets]\nkey = \"${{file:{}}}\"\n", key.display());
    let settings = Config::parse(&text, "lockstep.toml".as_ref()).unwrap();
    let house = House::with(|config| {
        config.store.encrypt = settings.store.encrypt;
        config.secrets = settings.secrets;
    })
    .await;
    house.write("lockstep.toml", text);
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_held_on_a_record_is_exported_and_forget_takes_it_all() {
    exported(House::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_store_exports_the_same() {
    exported(sealed().await).await;
}

/// What is said of the dataset, to whom: each quotes the record, by its key or by a value, and one quotes another.
fn plant(house: &House) {
    let facts = json!({"lastError": ["invalid", "the row zebra-1 is refused"]});
    let status = json!({"error": "SECRET-1 is no name", "halts": ["zebra-1 would go"]});
    let body = json!({"text": "zebra-1", "blocks": [{"text": {"text": "zebra-1"}}], "lockstep": {"detail": "zebra-1"}});
    for sql in [
        format!("UPDATE dataset_health SET facts = '{facts}' WHERE dataset = 'stock'"),
        "INSERT INTO breakers (dataset, member, failures, since, until, why) VALUES \
         ('stock', 'left', 3, 0, 0, 'zebra-1: refused'), ('stock', 'right', 3, 0, 0, 'secret-2: refused')".into(),
        format!("INSERT INTO watches (dataset, settings, running, changed, status) VALUES ('stock', '{{}}', 0, 0, '{status}')"),
        "INSERT INTO incidents (id, dataset, kind, opened, told, detail) VALUES (77, 'stock', 'halted', 0, 0, 'zebra-1 stops it')".into(),
        format!(
            "INSERT INTO deliveries (id, incident, channel, body, made, attempts, next, error) VALUES \
             (77, 77, 'webhook', '{body}', 0, 1, 0, 'zebra-1: not taken')"
        ),
    ] {
        store::run(house.data(), &sql);
    }
}

/// Returns all that the planted tables say.
fn said(house: &House) -> String {
    let sql = "SELECT facts FROM dataset_health UNION ALL SELECT why FROM breakers UNION ALL SELECT status FROM watches \
               UNION ALL SELECT detail FROM incidents UNION ALL SELECT body FROM deliveries \
               UNION ALL SELECT error FROM deliveries WHERE error IS NOT NULL";
    store::column(house.data(), sql).join("\n")
}

async fn exported(house: House) {
    let sync = |mode: &str| {
        json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["sku"],
            "direction": "both", "mode": mode, "maxChangePercent": 100, "maxDeletePercent": 100, "deletes": "delete",
            "columns": [{"name": "sku"}, {"name": "name", "sensitive": true}, {"name": "qty"}]})
    };
    house
        .write("a.csv", "sku,name,qty\nzebra-1,secret-1,10\nother,secret-2,20\ngone,secret-3,30\n");
    house.write("b.csv", "sku,name,qty\n");
    house.ok("syncDataset", sync("apply")).await;
    house.write("a.csv", "sku,name,qty\nzebra-1,secret-1,11\nother,secret-2,20\n");
    house
        .write("b.csv", "sku,name,qty\nzebra-1,secret-1,12\nother,secret-2,20\ngone,secret-3,30\n");
    house.ok("syncDataset", sync("apply")).await;
    house.ok("syncDataset", sync("plan")).await;

    plant(&house);
    let found = held(&house, "zebra-1");
    let said_of: Vec<&str> = found["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["of"].as_str().unwrap())
        .collect();
    let wanted =
        ["health", "breaker", "watch", "watch", "incident", "alert", "refusal of an alert"];
    assert_eq!(said_of, wanted, "{found:#}");
    let kinds: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    for kind in ["audit", "bases", "changes", "conflicts", "plans", "rowsInConflict", "timesSeen"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let text = found.to_string();
    assert!(text.contains("secret-1"), "the operator exports what is sensitive too: {text}");
    assert!(!text.contains("secret-2") && !text.contains("secret-3"), "nobody else's: {text}");
    let gone = held(&house, "gone");
    assert_eq!(gone["deleted"][0]["row"]["name"], "secret-3", "{gone:#}");
    assert_eq!(gone["changes"].as_array().unwrap().len(), 2, "{gone:#}");

    assert!(said(&house).contains("zebra-1"), "the search finds what is there");
    run(&house, &["forget", "--dataset", "stock", "--key", "zebra-1"]);
    let left = said(&house);
    assert!(!left.contains("zebra-1") && !left.to_lowercase().contains("secret-1"), "{left}");
    assert!(left.contains("secret-2: refused"), "what is another's stays: {left}");
    run(&house, &["forget", "stock", "gone"]);
    assert_eq!(held(&house, "zebra-1"), json!({}));
    assert_eq!(held(&house, "gone"), json!({}));
    assert!(held(&house, "other").to_string().contains("secret-2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_drops_images_that_are_older_than_keep_days() {
    let house = House::new().await;
    let sync = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["sku"],
        "mode": "apply", "maxChangePercent": 100});
    house.write("b.csv", "sku,qty\n");
    for qty in [1, 2] {
        house.write("a.csv", format!("sku,qty\nA,{qty}\n"));
        house.ok("syncDataset", sync.clone()).await;
    }
    // The first run was 40 days ago, the second 20.
    for (run, days) in [(1, 40_i64), (2, 20)] {
        let ago = days * 86_400 * 1_000_000;
        let sql = format!("UPDATE runs SET finished = finished - {ago} WHERE number = {run}");
        store::run(house.data(), &sql);
    }
    let runs = || store::column(house.data(), "SELECT DISTINCT run FROM actions ORDER BY run");
    assert_eq!(runs(), ["1", "2"]);
    house.write("lockstep.toml", "[store]\nkeepDays = 30\n");
    let mut command = lockstep(house.folder.path());
    command.args(["--data", house.data().to_str().unwrap(), "serve", "--watch-only"]);
    if let Some(url) = store::url(house.data()) {
        command.args(["--store-url", &url]);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..200 {
        if runs() == ["2"] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let left = runs();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(left, ["2"]);
}
