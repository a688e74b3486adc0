//! HubSpot contacts: CRM API v3, as documented.

use serde_json::{Value, json};

use super::Desk;
use crate::support::api::{Asked, Reply, Stub, Trouble, World};

const ROOT: &str = "/crm/v3/objects/contacts";

fn show(id: &str, properties: &Value, wanted: Option<&str>) -> Value {
    let mut shown = json!({"createdate": "2024-01-01T00:00:00.000Z", "hs_object_id": id});
    for name in wanted.unwrap_or("email,firstname,lastname").split(',') {
        // HubSpot answers null for a property that was never set, and has no blank texts.
        let value = properties.get(name).filter(|value| **value != "").cloned();
        shown[name] = value.unwrap_or(Value::Null);
    }
    json!({"id": id, "properties": shown, "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-15T10:30:00.123Z", "archived": false})
}

fn error(status: u16, category: &str, message: &str) -> Reply {
    let body = json!({"status": "error", "message": message, "category": category,
        "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf"});
    Reply::json(status, &body)
}

fn hubspot(world: &mut World, asked: &Asked) -> Reply {
    if asked.header("authorization") != Some("Bearer hubspot-secret") {
        return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found");
    }
    let wanted = asked.param("properties");
    let rest = asked.path.strip_prefix(ROOT).unwrap_or("?");
    match (asked.method.as_str(), rest) {
        ("GET", "") => {
            let limit: usize = asked.param("limit").map_or(10, |text| text.parse().unwrap());
            if limit > 100 {
                return error(400, "VALIDATION_ERROR", "limit is at most 100");
            }
            let after = asked.param("after").unwrap_or_default();
            let mut ids = world.items.keys().filter(|id| id.as_str() > after);
            let page: Vec<&String> = ids.by_ref().take(limit).collect();
            let mut body = json!({"results": page.iter()
                .map(|id| show(id, &world.items[*id], wanted)).collect::<Vec<_>>()});
            if let (Some(last), Some(_)) = (page.last(), ids.next()) {
                let link = format!("https://api.hubapi.com{ROOT}?after={last}");
                body["paging"] = json!({"next": {"after": last, "link": link}});
            }
            Reply::json(200, &body)
        }
        ("GET", one) => {
            let name = one.trim_start_matches('/');
            let found = match asked.param("idProperty") {
                Some(property) => world.items.iter().find(|(_, item)| item[property] == name),
                None => world.items.get_key_value(name),
            };
            match found {
                Some((id, item)) => Reply::json(200, &show(id, item, wanted)),
                None => error(404, "OBJECT_NOT_FOUND", "Object not found"),
            }
        }
        ("POST", "/batch/create" | "/batch/update") => batch(world, asked),
        ("DELETE", one) => match world.items.remove(one.trim_start_matches('/')) {
            Some(_) => Reply { status: 204, ..Reply::default() },
            None => Reply { status: 204, ..Reply::default() },
        },
        _ => error(405, "METHOD_NOT_ALLOWED", "not here"),
    }
}

fn batch(world: &mut World, asked: &Asked) -> Reply {
    let inputs = asked.body["inputs"].as_array().cloned().unwrap_or_default();
    if inputs.is_empty() || inputs.len() > 100 {
        return error(400, "VALIDATION_ERROR", "between 1 and 100 inputs");
    }
    let create = asked.path.ends_with("create");
    for input in &inputs {
        let properties = input["properties"].as_object().unwrap();
        if properties.values().any(|value| !value.is_string()) {
            return error(400, "VALIDATION_ERROR", "Invalid input JSON: properties are strings");
        }
        let email = properties.get("email").and_then(Value::as_str);
        if email.is_some_and(|email| !email.contains('@')) {
            return error(400, "VALIDATION_ERROR", "Property values were not valid: email");
        }
        let there = world.items.iter().find(|(_, item)| email.is_some_and(|e| item["email"] == e));
        if let (true, Some((id, _))) = (create, there) {
            let message = format!("Contact already exists. Existing ID: {id}");
            return error(409, "CONFLICT", &message);
        }
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs.iter().rev() {
        let id = match (create, input["id"].as_str()) {
            (true, _) => world.add(input["properties"].clone()),
            (false, Some(id)) if world.edit(id, &input["properties"]) => id.to_owned(),
            (false, id) => {
                errors.push(json!({"status": "error", "category": "OBJECT_NOT_FOUND",
                    "message": "Could not update object", "context": {"ids": [id]}}));
                continue;
            }
        };
        results.push(show(&id, &world.items[&id], Some("email,firstname,lastname,phone,company")));
    }
    let mut body = json!({"status": "COMPLETE", "results": results,
        "startedAt": "2024-01-15T10:30:00.000Z", "completedAt": "2024-01-15T10:30:00.100Z"});
    if !errors.is_empty() {
        body["numErrors"] = json!(errors.len());
        body["errors"] = json!(errors);
    }
    Reply::json(if errors.is_empty() { if create { 201 } else { 200 } } else { 207 }, &body)
}

fn contact(world: &World, email: &str) -> Value {
    let found: Vec<&Value> = world.items.values().filter(|item| item["email"] == email).collect();
    assert!(found.len() < 2, "{email} is doubled");
    found.first().map_or(Value::Null, |item| (*item).clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_and_a_file_are_kept_in_step() {
    let stub = Stub::start(hubspot).await;
    for number in 0..230 {
        stub.world().add(json!({"email": format!("p{number}@example.com"),
            "firstname": format!("P{number}"), "phone": format!("0{number}")}));
    }
    let desk = Desk::new("hubspot-contacts", "hubspot", "contacts", &stub);
    let key = || json!({"key": ["email"]});
    let limit = json!({"status": "error", "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"});
    stub.trouble("GET", ROOT, 1, Trouble::Instead(Reply::json(429, &limit)));
    let report = desk.ok(key()).await;
    assert_eq!(report["counts"]["left"], 230, "{report:#}");
    let rows = desk.rows();
    assert_eq!((rows.len(), rows[0]["phone"].as_str()), (230, "00"), "{:?}", rows[0]);

    desk.edit(
        |row| {
            match row["email"].as_str() {
                "p1@example.com" => *row.get_mut("firstname").unwrap() = "Anna".into(),
                "p2@example.com" => *row.get_mut("phone").unwrap() = String::new(),
                "p3@example.com" => return false,
                _ => {}
            }
            true
        },
        &[
            &[("email", "new@example.com"), ("firstname", "New")],
            &[("email", "not an address"), ("firstname", "Bad")],
        ],
    );
    stub.world().edit("105", &json!({"company": "Theirs"}));
    stub.asked("*");
    stub.trouble("POST", "batch/create", 1, Trouble::BreakAfter);
    let report = desk.ok(key()).await;
    assert_eq!(report["state"], "partial", "{report:#}");
    let told = report["refused"].to_string();
    assert!(told.contains("not an address") && told.contains("not valid: email"), "{report:#}");
    {
        let world = stub.world();
        assert_eq!(contact(&world, "p1@example.com")["firstname"], "Anna");
        assert_eq!(contact(&world, "p2@example.com")["phone"], "");
        assert_eq!(contact(&world, "p3@example.com"), Value::Null);
        assert_eq!(contact(&world, "new@example.com")["firstname"], "New");
        assert_eq!(world.items.len(), 230);
        let posts = world.asked.iter().filter(|asked| asked.method == "POST");
        assert!(posts.clone().all(|asked| asked.header("idempotency-key").is_some()));
    }
    let theirs = desk.rows();
    let theirs = theirs.iter().find(|row| row["email"] == "p4@example.com").unwrap();
    assert_eq!(theirs["company"], "Theirs");
}
