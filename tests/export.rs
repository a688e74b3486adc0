//! `lockstep export`: all that is held on one record, and nothing of it after `forget`.

use std::{os::unix::fs::PermissionsExt, process::Command};

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
    serde_json::from_str::<Value>(&run(house, &["export", "stock", key])).unwrap()["held"].take()
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

    let found = held(&house, "zebra-1");
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

    run(&house, &["forget", "stock", "zebra-1"]);
    run(&house, &["forget", "stock", "gone"]);
    assert_eq!(held(&house, "zebra-1"), json!({}));
    assert_eq!(held(&house, "gone"), json!({}));
    assert!(held(&house, "other").to_string().contains("secret-2"));
}
