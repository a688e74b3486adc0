//! A bad day of an API, and runs that are killed at every step: nothing is lost, nothing is doubled.

use std::{collections::BTreeMap, time::Duration};

use lockstep::{config::Config, error::Retry};
use serde_json::{Value, json};

use crate::{
    harness::House,
    storm::scaled,
    support::api::{Asked, PLAIN, Reply, Stub, Trouble, World, plain},
};

/// Lists pages of 50, or the test would mostly turn pages.
fn wide(world: &mut World, asked: &Asked) -> Reply {
    let mut asked = asked.clone();
    asked.query.push(("limit".into(), "50".into()));
    plain(world, &asked)
}

/// Returns what the operator says of the stub.
fn described(stub: &Stub) -> String {
    let (described, _) = PLAIN.split_once("[resources.items.fields]").unwrap();
    let fields = "[resources.items.fields]\nsku = \"/sku\"\nvalue = \"/value\"\n";
    let text = described.replace("timeoutSeconds = 1", "timeoutSeconds = 30");
    text.replace("attempts = 3", "attempts = 6").replace("URL", &stub.url) + fields
}

fn configure(config: &mut Config, stub: &Stub) {
    config.connections.insert("shop".into(), toml::from_str(&described(stub)).unwrap());
}

fn arguments() -> Value {
    json!({
        "name": "storm", "left": {"file": "stock.csv"},
        "right": {"connection": "shop", "resource": "items"}, "key": ["sku"], "mode": "apply",
        "columns": [{"name": "sku", "type": "text"}, {"name": "value", "type": "text"}],
        "direction": "both", "deletes": "delete", "maxDeletePercent": 100, "sample": 0,
    })
}

/// Returns what the API holds; panics on a doubled key.
fn held(stub: &Stub) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for item in stub.world().items.values() {
        let text = |name: &str| item[name].as_str().unwrap().to_owned();
        let twin = found.insert(text("sku"), text("value"));
        assert!(twin.is_none(), "{} is doubled", item["sku"]);
    }
    found
}

fn write(path: &std::path::Path, wanted: &BTreeMap<String, String>) {
    let mut csv = String::from("sku,value\n");
    for (key, value) in wanted {
        csv.push_str(&format!("{key},{value}\n"));
    }
    std::fs::write(path, csv).unwrap();
}

/// Makes the model what it is to be after a round: two added, one changed, at times one removed.
fn next(wanted: &mut BTreeMap<String, String>, round: u32) {
    wanted.insert(format!("k{round}"), format!("v{round}"));
    wanted.insert(format!("m{round}"), format!("w{round}"));
    wanted.insert(format!("k{}", round / 2), format!("changed in {round}"));
    if round % 5 == 3 {
        wanted.remove(&format!("k{}", round - 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_loses_and_doubles_nothing() {
    let stub = Stub::start(wide).await;
    let house = House::with(|config| configure(config, &stub)).await;
    stub.world().bad_day = Some(20_261_123);
    let path = house.folder.path().join("stock.csv");
    let (mut wanted, mut failed, mut false_done) = (BTreeMap::new(), 0, 0);
    let rounds = scaled(400);
    for round in 0..rounds {
        next(&mut wanted, round);
        write(&path, &wanted);
        let report = loop {
            match house.call("syncDataset", arguments()).await {
                Ok(report) => break report,
                Err(error) => {
                    assert_ne!(error.retry(), Retry::Permanent, "{error}");
                    failed += 1;
                }
            }
        };
        let open = u32::from(report["state"] == "partial");
        false_done += u32::from(open == 0 && held(&stub) != wanted);
    }
    stub.world().bad_day = None;
    house.ok("syncDataset", arguments()).await;
    assert_eq!(held(&stub), wanted);
    let asked = stub.world().asked.len();
    let struck = stub.world().struck;
    assert!(struck > 0, "the storm never came");
    println!(
        "{rounds} syncs, {asked} requests, {struck} of them failed, {failed} failures told and tried again: {false_done} falsely done, 0 doubled, 0 lost"
    );
    assert_eq!(false_done, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_finished_by_the_next_one() {
    let stub = Stub::start(wide).await;
    let house = House::with(|config| configure(config, &stub)).await;
    let path = house.folder.path().join("stock.csv");
    let config = house.data().join("child.toml");
    let section = described(&stub).replacen("kind", "[connections.shop]\nkind", 1);
    let section = section.replace("[resources.", "[connections.shop.resources.");
    std::fs::write(&config, section).unwrap();
    let points = ["begun:1", "sending:1", "sent:1", "marked:1", "closing:1", "closed:1"];
    let mut wanted = BTreeMap::new();
    let mut killed = BTreeMap::<&str, u32>::new();
    for round in 0..scaled(180) {
        next(&mut wanted, round);
        write(&path, &wanted);
        let turn = usize::try_from(round).unwrap() % (points.len() + 1);
        let mut command = crate::support::lockstep(house.data());
        command.arg("--config").arg(&config).arg("--root").arg(house.folder.path());
        command.args(["--allow-write", "call", "syncDataset"]).arg(arguments().to_string());
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::piped());
        if let Some(point) = points.get(turn) {
            command.env("LOCKSTEP_HALT_AT", point);
        } else {
            // In the middle of a batch: the second item's request hangs, after its effect.
            stub.trouble("POST", "/items", 1, Trouble::Edit("none".into(), json!({})));
            stub.trouble("POST", "/items", 1, Trouble::Slow(Duration::from_secs(60)));
        }
        let patience = Duration::from_secs(if turn < points.len() { 20 } else { 4 });
        let halted = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let stderr = child.stderr.take().unwrap();
            let (said, hears) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
                let halted = lines.map_while(Result::ok).any(|line| line.starts_with("halted at"));
                let _ = said.send(halted);
            });
            let halted = hears.recv_timeout(patience).unwrap_or(true);
            child.kill().unwrap();
            child.wait().unwrap();
            halted
        });
        if halted.await.unwrap() {
            *killed.entry(points.get(turn).copied().unwrap_or("inside a batch")).or_default() += 1;
        }
        stub.world().rules.clear();
        let report = house.ok("syncDataset", arguments()).await;
        assert_ne!(report["state"], "partial", "{report:#}");
        assert_eq!(held(&stub), wanted, "round {round}");
        let again = house.ok("syncDataset", arguments()).await;
        assert_eq!(again["state"], "inStep", "round {round}: {again:#}");
    }
    println!("killed at {killed:?}: 0 lost, 0 doubled");
    assert!(killed.len() >= 5, "{killed:?}");
}
