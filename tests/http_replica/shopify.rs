//! Shopify inventory levels: REST Admin API 2024-10, as documented.

use serde_json::{Value, json};

use super::Desk;
use crate::support::api::{Asked, Reply, Stub, Trouble, World};

const ROOT: &str = "/admin/api/2024-10";

fn shopify(world: &mut World, asked: &Asked) -> Reply {
    if asked.header("x-shopify-access-token") != Some("shopify-secret") {
        return Reply::json(401, &json!({"errors": "[API] Invalid API key or access token"}));
    }
    let used = |reply: Reply| reply.with("x-shopify-shop-api-call-limit", "3/40");
    let path = asked.path.strip_prefix(ROOT).unwrap_or_default();
    let name = |item: &str, location: &str| format!("{item}-{location}");
    used(match (asked.method.as_str(), path) {
        ("GET", "/inventory_levels.json") => {
            if let (Some(_), true) = (asked.param("page_info"), asked.query.len() > 2) {
                return Reply::json(400, &json!({"errors": "page_info goes with limit alone"}));
            }
            let limit: usize = asked.param("limit").map_or(50, |text| text.parse().unwrap());
            assert!(limit <= 250);
            let after = asked.param("page_info").unwrap_or_default();
            let only = asked.param("inventory_item_ids");
            let mut levels = world.items.iter().filter(|(id, level)| {
                id.as_str() > after
                    && only
                        .is_none_or(|only| level["inventory_item_id"].as_u64() == only.parse().ok())
            });
            // Shopify may cap a page below what was asked for.
            let page: Vec<(&String, &Value)> = levels.by_ref().take(limit.min(100)).collect();
            let values: Vec<&Value> = page.iter().map(|(_, level)| *level).collect();
            let reply = Reply::json(200, &json!({"inventory_levels": values}));
            match (page.last(), levels.next()) {
                (Some((last, _)), Some(_)) => {
                    let host = asked.header("host").unwrap();
                    let next = format!(
                        "<http://{host}{ROOT}/inventory_levels.json?limit={limit}&page_info={last}>; rel=\"next\""
                    );
                    reply.with("link", next)
                }
                _ => reply,
            }
        }
        ("POST", "/inventory_levels/set.json") => {
            let body = &asked.body;
            let numbers = ["inventory_item_id", "location_id", "available"];
            if numbers.iter().any(|name| !body[*name].is_u64()) {
                return used(Reply::json(
                    422,
                    &json!({"errors": {"available": ["is not a number"]}}),
                ));
            }
            if body["inventory_item_id"] == 9 {
                return used(Reply::json(404, &json!({"errors": "Not Found"})));
            }
            let mut level = body.clone();
            level["updated_at"] = json!("2024-10-02T09:00:00-04:00");
            let id = name(&body["inventory_item_id"].to_string(), &body["location_id"].to_string());
            world.items.insert(id, level.clone());
            Reply::json(200, &json!({"inventory_level": level}))
        }
        ("DELETE", "/inventory_levels.json") => {
            let of = |name: &str| asked.param(name).unwrap_or_default();
            match world.items.remove(&name(of("inventory_item_id"), of("location_id"))) {
                Some(_) => Reply { status: 204, ..Reply::default() },
                None => Reply::json(404, &json!({"errors": "Not Found"})),
            }
        }
        _ => Reply::json(404, &json!({"errors": "Not Found"})),
    })
}

fn level(item: u64, available: u64) -> Value {
    json!({"inventory_item_id": item, "location_id": 655441491_u64, "available": available,
        "updated_at": "2024-10-01T09:00:00-04:00",
        "admin_graphql_api_id": format!("gid://shopify/InventoryLevel/655441491?inventory_item_id={item}")})
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_and_a_file_are_kept_in_step() {
    let stub = Stub::start(shopify).await;
    for item in 808_950_810..808_950_930_u64 {
        let level = level(item, item % 50);
        stub.world().items.insert(format!("{item}-655441491"), level);
    }
    let desk = Desk::new("shopify-inventory", "shopify", "inventory", &stub);
    let key = || json!({"key": ["inventoryItemId", "locationId"]});
    let report = desk.ok(key()).await;
    assert_eq!(report["counts"]["left"], 120, "{report:#}");

    desk.edit(
        |row| {
            match row["inventoryItemId"].as_str() {
                "808950811" => *row.get_mut("available").unwrap() = "42".into(),
                "808950812" => return false,
                _ => {}
            }
            true
        },
        &[
            &[("inventoryItemId", "7"), ("locationId", "655441491"), ("available", "3")],
            &[("inventoryItemId", "9"), ("locationId", "655441491"), ("available", "3")],
        ],
    );
    let slow = Reply::json(429, &json!({"errors": "Exceeded 2 calls per second for api client."}));
    stub.trouble("POST", "set.json", 1, Trouble::Instead(slow.with("retry-after", "1.0")));
    let report = desk.ok(key()).await;
    assert_eq!(report["state"], "partial", "{report:#}");
    let told = report["refused"].to_string();
    assert!(told.contains("status 404: Not Found"), "{report:#}");
    let world = stub.world();
    assert_eq!(world.items["808950811-655441491"]["available"], 42);
    assert_eq!(world.items["7-655441491"]["available"], 3);
    assert!(!world.items.contains_key("808950812-655441491"));
    assert_eq!(world.items.len(), 120);
}
