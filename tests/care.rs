//! Looking after the store: audit, backup and restore, forgetting, and datasets that the operator declares.

use std::{path::Path, process::Output};

use serde_json::{Value, json};

use crate::{
    support::{lockstep, store},
    two_way::{Pair, STOCK},
};

fn run(data: &Path, root: &Path, arguments: &[&str]) -> Output {
    lockstep(data)
        .args(["--root", root.to_str().unwrap(), "--allow-write"])
        .args(arguments)
        .output()
        .unwrap()
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(text: &str) -> u64 {
    text.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_written_row_is_in_the_audit_and_a_changed_line_is_found() {
    let pair = Pair::in_step(STOCK).await;
    let (data, root) = (pair.house.data(), pair.house.folder.path());
    let before = lines(&ok(&run(data, root, &["audit", "verify"])));
    assert_eq!(before, 3, "the first sync wrote three rows");
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    pair.apply(json!({})).await;
    assert_eq!(lines(&ok(&run(data, root, &["audit", "verify"]))), 4);
    let printed = ok(&run(data, root, &["audit", "print", "--after", "3"]));
    let line: Value = serde_json::from_str(printed.trim()).unwrap();
    assert_eq!((&line["caller"], &line["columns"]), (&json!("syncDataset"), &json!(["qty"])));

    store::run(data, "UPDATE audit SET payload = replace(payload, '11', '99') WHERE seq = 4");
    let error = failed(&run(data, root, &["audit", "verify"]));
    assert!(error.contains("broken at line 4"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_goes_on_from_a_restored_backup_as_from_the_store() {
    let pair = Pair::in_step(STOCK).await;
    let (data, root) = (pair.house.data(), pair.house.folder.path());
    if store::on_server("PostgreSQL has its own backups, which are told of instead") {
        let error = failed(&run(data, root, &["backup", "kept.db"]));
        assert!(error.contains("pg_dump"), "{error}");
        let error = failed(&run(data, root, &["restore", "kept.db"]));
        assert!(error.contains("pg_restore") && error.contains("--force"), "{error}");
        let told = ok(&run(data, root, &["restore", "--force"]));
        assert!(told.contains("settled"), "{told}");
        pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
        pair.apply(json!({})).await;
        return;
    }
    let error = failed(&run(data, root, &["restore"]));
    assert!(error.contains("needs the file"), "{error}");
    let kept = root.join("kept.db");
    let backup = kept.to_str().unwrap();
    ok(&run(data, root, &["backup", backup]));
    let error = failed(&run(data, root, &["backup", backup]));
    assert!(error.contains("kept.db"), "{error}");

    // Another machine: the same replicas, and the store from the backup.
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(data.join("workspace.db"), other.path().join("workspace.db")).unwrap();
    for suffix in ["-wal", "-shm"] {
        let name = format!("workspace.db{suffix}");
        let _ = std::fs::copy(data.join(&name), other.path().join(&name));
    }
    ok(&run(other.path(), root, &["restore", backup]));
    let error = failed(&run(other.path(), root, &["restore", backup]));
    assert!(error.contains("--force"), "{error}");
    let error = failed(&run(other.path(), root, &["restore", "stock.csv", "--force"]));
    assert!(error.contains("stock.csv"), "{error}");

    // Without base, B would be new on the left again; with it, it was deleted there.
    pair.file("sku,name,qty\nA,Apple,11\nC,Corn,30\n");
    let arguments =
        pair.dataset(json!({"mode": "apply", "deletes": "delete", "maxDeletePercent": 50}));
    let report = ok(&run(other.path(), root, &["call", "syncDataset", &arguments.to_string()]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["state"], &report["counts"]["delete"], &report["counts"]["update"]),
        (&json!("applied"), &json!(1), &json!(1)),
        "{report:#}"
    );
    assert_eq!(pair.read_file(), "sku,name,qty\nA,Apple,11\nC,Corn,30\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_record_is_nowhere_in_the_store() {
    let secret = "zebra-4711";
    let pair = Pair::in_step(&format!("sku,name,qty\nA,{secret},10\nB,Beet,20\n")).await;
    let (data, root) = (pair.house.data(), pair.house.folder.path());
    pair.file("sku,name,qty\nB,Beet,21\n");
    pair.apply(json!({"deletes": "delete", "maxDeletePercent": 60})).await;
    let told = ok(&run(data, root, &["forget", "stock", "A"]));
    assert!(told.contains("erased the record A of stock"), "{told}");
    let error = failed(&run(data, root, &["forget", "stock", "A", "B"]));
    assert!(error.contains("2 parts are given"), "{error}");
    assert!(lines(&ok(&run(data, root, &["audit", "verify"]))) >= 3, "the chain is unbroken");
    let stored = store::rows(
        data,
        "SELECT payload FROM audit UNION ALL SELECT error FROM runs UNION ALL SELECT definition FROM plans",
    );
    assert!(!format!("{stored:?}").contains(secret), "{stored:?}");
    for name in ["lockstep.db", "lockstep.db-wal"] {
        let bytes = std::fs::read(data.join(name)).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{name} still holds the value");
    }
    let life = pair.house.ok("syncHistory", json!({"dataset": "stock", "key": ["A"]})).await;
    assert_eq!(life.get("changes"), None, "{life:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_of_the_configuration_is_called_by_its_name() {
    let pair = Pair::new().await;
    let (data, root) = (pair.house.data(), pair.house.folder.path());
    pair.file(STOCK);
    let config = root.join("own.toml");
    let text = format!(
        "[datasets.shop]\nleft = {{ file = \"stock.csv\" }}\n\
         right = {{ spreadsheetId = \"{}\", sheet = \"stock\" }}\nkey = [\"sku\"]\n",
        pair.id
    );
    std::fs::write(&config, &text).unwrap();
    let named = ["--config", config.to_str().unwrap(), "call", "syncDataset"];
    let apply = r#"{"name": "shop", "mode": "apply"}"#;
    let report = ok(&run(data, root, &[&named[..], &[apply]].concat()));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["counts"]["insert"], 3, "{report:#}");

    std::fs::write(&config, text.replace("key =", "keys =")).unwrap();
    let error = failed(&run(data, root, &[&named[..], &[apply]].concat()));
    assert!(error.contains("datasets.shop") && error.contains("Did you mean \"key\"?"), "{error}");
}
