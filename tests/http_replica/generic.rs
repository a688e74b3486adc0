//! The generic description, and what single answers do to a run.

use serde_json::{Value, json};

use super::Desk;
use crate::support::api::{Asked, Reply, Stub, Trouble, World, plain};

pub(super) fn under_v1(world: &mut World, asked: &Asked) -> Reply {
    let known = asked.header("authorization") == Some("Bearer generic-secret")
        && asked.header("x-api-version") == Some("2024-10")
        && asked.path.starts_with("/v1/items");
    match known {
        true => plain(world, asked),
        false => Reply::json(401, &json!({"message": "who are you with generic-secret?"})),
    }
}

async fn desk() -> (Stub, Desk) {
    let stub = Stub::start(under_v1).await;
    for (sku, qty) in [("a", 1), ("b", 2), ("c", 3)] {
        stub.world()
            .add(json!({"sku": sku, "name": format!("{sku} thing"), "stock": {"qty": qty}}));
    }
    let desk = Desk::new("generic", "crm", "items", &stub);
    desk.ok(json!({"key": ["sku"]})).await;
    (stub, desk)
}

#[tokio::test(flavor = "multi_thread")]
async fn items_and_a_file_are_kept_in_step() {
    let (stub, desk) = desk().await;
    assert_eq!(std::fs::read_to_string(desk.path()).unwrap().lines().next(), Some("sku,name,qty"));
    desk.edit(
        |row| {
            *row.get_mut("qty").unwrap() = "12.5".into();
            row["sku"] != "c"
        },
        &[&[("sku", "d"), ("name", "new"), ("qty", "4")]],
    );
    stub.world().edit("102", &json!({"name": "theirs"}));
    let report = desk.ok(json!({"key": ["sku"]})).await;
    assert_eq!(
        (&report["state"], &report["unconfirmed"]),
        (&json!("applied"), &Value::Null),
        "{report:#}"
    );
    let world = stub.world();
    let items: Vec<&Value> = world.items.values().collect();
    assert_eq!(
        items,
        [
            &json!({"sku": "a", "name": "a thing", "stock": {"qty": 12.5}}),
            &json!({"sku": "b", "name": "theirs", "stock": {"qty": 12.5}}),
            &json!({"sku": "d", "name": "new", "stock": {"qty": 4}}),
        ]
    );
    let patched = world.asked.iter().filter(|asked| asked.method == "PATCH");
    assert!(patched.clone().all(|asked| asked.header("if-match").is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_cannot_be_read_completely_deletes_nothing() {
    let (stub, desk) = desk().await;
    stub.asked("*");
    let cut = Reply::json(200, &json!({"data": [], "total": 3}));
    stub.trouble("GET", "/items", 99, Trouble::Instead(cut));
    let error = desk.sync(json!({"key": ["sku"]})).await.unwrap_err();
    assert!(error.contains("never whole") && error.contains("says 3 items and gave 0"), "{error}");
    assert_eq!(desk.rows().len(), 3);
    stub.world().rules.clear();
    let no = Reply::json(401, &json!({"message": "the token generic-secret is no good"}));
    stub.trouble("GET", "/items", 1, Trouble::Instead(no));
    let error = desk.sync(json!({"key": ["sku"]})).await.unwrap_err();
    assert!(error.contains("the token *** is no good"), "{error}");
    assert!(stub.asked("POST").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_do_not_fit_an_api_are_refused() {
    let (_stub, desk) = desk().await;
    for (side, words) in [
        (json!({"connection": "crm", "resource": "itmes"}), "Did you mean \"items\"?"),
        (json!({"connection": "cmr", "resource": "items"}), "Did you mean \"crm\"?"),
        (json!({"connection": "crm", "table": "items"}), "an HTTP API"),
        (json!({"connection": "crm", "resource": "items", "table": "x"}), "resource"),
        (json!({"connection": "crm"}), "resource"),
        (
            json!({"connection": "crm", "resource": "items", "onError": "rollback"}),
            "cannot take a batch back",
        ),
    ] {
        // A dataset of its own: a saved one keeps its sides.
        let more = json!({"name": side.to_string(), "key": ["sku"], "right": side});
        let error = desk.sync(more).await.unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
