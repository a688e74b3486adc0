//! APIs: a list that did not change is answered with 304, and not sent again.

use lockstep::{config::Config, replica::connections::ConnectionConfig};
use serde_json::json;

use super::{read, unchanged, whole};
use crate::{
    harness::House,
    support::api::{Asked, Reply, Stub, World, plain},
};

const API: &str = r#"
kind = "http"
baseUrl = "URL"
writable = true

[resources.items]
id = "/id"

[resources.items.list]
path = "/items"
items = "/data"
total = "/total"
conditional = true
pagination = { kind = "offset", parameter = "offset" }

[resources.items.get]
path = "/items/{id}"

[resources.items.create]
path = "/items"

[resources.items.update]
path = "/items/{id}"

[resources.items.delete]
path = "/items/{id}"

[resources.items.fields]
sku = "/sku"
name = "/name"
"#;

/// The plain API, with an entity tag on each page.
fn tagged(world: &mut World, asked: &Asked) -> Reply {
    let reply = plain(world, asked);
    if asked.method != "GET" || !asked.path.ends_with("/items") {
        return reply;
    }
    let tag = format!("\"{}\"", blake3::hash(reply.body.as_bytes()).to_hex());
    match asked.header("if-none-match") == Some(tag.as_str()) {
        true => Reply { status: 304, ..Reply::default() }.with("etag", tag),
        false => reply.with("etag", tag),
    }
}

#[tokio::test]
async fn a_list_that_did_not_change_is_not_sent_again() {
    let stub = Stub::start(tagged).await;
    for number in 0..7 {
        let sku = format!("S{number}");
        stub.world().add(json!({"sku": sku, "name": format!("name {number}")}));
    }
    let connection: ConnectionConfig = toml::from_str(&API.replace("URL", &stub.url)).unwrap();
    let house = House::with(|config: &mut Config| {
        config.connections.insert("crm".into(), connection);
    })
    .await;
    let arguments = json!({
        "name": "crm", "left": {"connection": "crm", "resource": "items"},
        "right": {"file": "crm.csv"}, "key": ["sku"], "direction": "both", "mode": "apply",
    });
    let apply = async || house.ok("syncDataset", arguments.clone()).await;
    assert_eq!(read(&apply().await, "left"), whole(7));
    stub.asked("GET");
    let report = apply().await;
    assert_eq!((&report["state"], read(&report, "left")), (&json!("inStep"), unchanged()));
    let asked = stub.asked("GET");
    assert!(asked.iter().all(|one| one.header("if-none-match").is_some()), "{asked:?}");
    // The file changes: the API is written, for which its items are listed.
    let path = house.folder.path().join("crm.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("name 3", "third")).unwrap();
    let report = apply().await;
    assert_eq!((&report["counts"]["left"], read(&report, "left")), (&json!(1), whole(7)));
    assert!(stub.world().items.values().any(|item| item["name"] == "third"));
    // An item changes: its page has another tag, and the list is read.
    assert_eq!(read(&apply().await, "left"), whole(7));
    assert_eq!(read(&apply().await, "left"), unchanged());
    assert!(stub.world().edit("101", &json!({"name": "zeroth"})));
    let report = apply().await;
    assert_eq!((&report["counts"]["update"], read(&report, "left")), (&json!(1), whole(7)));
    assert!(std::fs::read_to_string(&path).unwrap().contains("zeroth"));
}
