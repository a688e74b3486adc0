//! What an API says no to, at the tool: what concerns one row is told with it, what concerns all ends the run.

use serde_json::{Value, json};

use super::Desk;
use crate::{
    harness::House,
    support::api::{Asked, Reply, Stub, Trouble, World, plain},
};

/// A list that has another page behind each, and answers nothing else.
fn endless(_: &mut World, asked: &Asked) -> Reply {
    let page: u64 = asked.param("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let items: Vec<Value> = (0..100).map(|n| json!({"id": page * 100 + n, "sku": n})).collect();
    Reply::json(200, &json!(items))
}

fn api(stub: &Stub, more: &str) -> String {
    format!(
        "kind = \"http\"\nbaseUrl = \"{}\"\nwritable = true\ntimeoutSeconds = 2\nlimits = {{ attempts = 2 }}\n\
         [resources.items]\nid = \"/id\"\n\
         [resources.items.list]\npath = \"/items\"\n{more}\n\
         [resources.items.get]\npath = \"/items/{{id}}\"\n\
         [resources.items.create]\npath = \"/items\"\n[resources.items.update]\npath = \"/items/{{id}}\"\n\
         [resources.items.delete]\npath = \"/items/{{id}}\"\n\
         [resources.items.fields]\nsku = \"/sku\"\nname = \"/name\"\n",
        stub.url
    )
}

const OFFSET: &str = "items = \"/data\"\ntotal = \"/total\"\npagination = { kind = \"offset\", parameter = \"offset\" }";

struct Place {
    stub: Stub,
    house: House,
}

impl Place {
    async fn new() -> Self {
        let stub = Stub::start(plain).await;
        for sku in ["a", "b", "c"] {
            stub.world().add(json!({"sku": sku, "name": format!("{sku} thing")}));
        }
        let connection = toml::from_str(&api(&stub, OFFSET)).unwrap();
        let house = House::with(|config| {
            config.connections.insert("crm".into(), connection);
        })
        .await;
        let world = Self { stub, house };
        world.file("a thing", "b thing");
        world.house.ok("syncDataset", Self::ask()).await;
        world
    }

    fn file(&self, a: &str, b: &str) {
        self.house.write("rows.csv", format!("sku,name\na,{a}\nb,{b}\nc,c thing\n"));
    }

    fn ask() -> Value {
        json!({
            "name": "crm", "left": {"file": "rows.csv"},
            "right": {"connection": "crm", "resource": "items"},
            "key": ["sku"], "direction": "both", "mode": "apply", "deletes": "delete",
        })
    }

    fn name(&self, sku: &str) -> String {
        let world = self.stub.world();
        let item = world.items.values().find(|item| item["sku"] == sku).unwrap();
        item["name"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_api_refuses_is_told_with_its_words_and_the_rest_is_written() {
    for status in [400, 403, 409, 422] {
        let world = Place::new().await;
        world.file("A thing", "B thing");
        let no = Reply::json(status, &json!({"message": "not like this"}));
        world.stub.trouble("PATCH", "101", 9, Trouble::Instead(no));
        let report = world.house.ok("syncDataset", Place::ask()).await;
        assert_eq!(report["state"], "partial", "{status}: {report:#}");
        let refused = report["refused"].as_array().unwrap();
        assert_eq!(refused.len(), 1, "{status}: {report:#}");
        assert_eq!((&refused[0]["side"], &refused[0]["key"]), (&json!("right"), &json!("a")));
        let said = refused[0]["message"].as_str().unwrap();
        assert!(said.contains(&status.to_string()) && said.contains("not like this"), "{said}");
        assert_eq!((world.name("a").as_str(), world.name("b").as_str()), ("a thing", "B thing"));
        world.stub.world().rules.clear();
        let report = world.house.ok("syncDataset", Place::ask()).await;
        assert_eq!((&report["state"], world.name("a").as_str()), (&json!("applied"), "A thing"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_every_row_ends_the_run_and_says_what_to_do() {
    for (method, status, kind) in [
        ("GET", 401, "unauthenticated"),
        ("GET", 403, "permissionDenied"),
        ("GET", 404, "notFound"),
        ("GET", 409, "changed"),
        ("GET", 422, "invalidArgument"),
        ("PATCH", 401, "unauthenticated"),
    ] {
        let world = Place::new().await;
        world.file("A thing", "b thing");
        let no = Reply::json(status, &json!({"message": "not like this"}));
        world.stub.trouble(method, "", 99, Trouble::Instead(no));
        let error = world.house.err("syncDataset", Place::ask()).await;
        assert!(error.contains("not like this") && error.contains("\nNext: "), "{status}: {error}");
        if status != 409 {
            assert!(error.starts_with(kind), "{method} {status}: {error}");
        }
        assert_eq!(world.name("a"), "a thing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_wants_a_pause_gets_it_and_one_that_wants_an_hour_is_told() {
    let world = Place::new().await;
    world.file("A thing", "b thing");
    let busy = |wait: &str| Reply::json(429, &json!({"message": "slow"})).with("retry-after", wait);
    world.stub.trouble("PATCH", "101", 1, Trouble::Instead(busy("0.05")));
    let report = world.house.ok("syncDataset", Place::ask()).await;
    assert_eq!((&report["state"], world.name("a").as_str()), (&json!("applied"), "A thing"));
    world.file("AA thing", "b thing");
    world.stub.trouble("PATCH", "101", 9, Trouble::Instead(busy("3600")));
    let error = world.house.err("syncDataset", Place::ask()).await;
    assert!(error.starts_with("quotaExhausted") && error.contains("3600 s"), "{error}");
    assert_eq!(world.name("a"), "A thing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_pages_for_ever_is_stopped() {
    let stub = Stub::start(endless).await;
    let paged = "pagination = { kind = \"page\", parameter = \"page\" }\nmaxItems = 1000";
    let connection = toml::from_str(&api(&stub, paged)).unwrap();
    let house = House::with(|config| {
        config.connections.insert("crm".into(), connection);
    })
    .await;
    house.write("rows.csv", "sku,name\na,x\n");
    let error = house.err("syncDataset", Place::ask()).await;
    assert!(error.contains("more than 1000 items") && error.contains("maxItems"), "{error}");
    assert!(stub.asked("GET").len() <= 12, "{}", stub.asked("GET").len());
    assert_eq!(stub.asked("POST").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_item_is_told_and_not_made_anew() {
    let stub = Stub::start(super::generic::under_v1).await;
    for sku in ["a", "b"] {
        stub.world().add(json!({"sku": sku, "name": sku, "stock": {"qty": 1}}));
    }
    let desk = Desk::new("generic", "crm", "items", &stub);
    desk.ok(json!({"key": ["sku"]})).await;
    desk.edit(
        |row| {
            *row.get_mut("qty").unwrap() = "7".into();
            true
        },
        &[],
    );
    let gone = Reply::json(404, &json!({"message": "no such item"}));
    stub.trouble("PATCH", "101", 9, Trouble::Instead(gone));
    let report = desk.ok(json!({"key": ["sku"]})).await;
    assert_eq!(report["state"], "partial", "{report:#}");
    let told = format!("{} {}", report["refused"], report["unconfirmed"]);
    assert!(told.contains("404") && told.contains("no such item"), "{report:#}");
    assert_eq!(stub.world().items.len(), 2);
}
