//! An Airtable table: Web API, as documented.

use serde_json::{Value, json};

use super::Desk;
use crate::support::api::{Asked, Reply, Stub, Trouble, World};

const ROOT: &str = "/v0/appBASE/Contacts";

/// Airtable leaves blank fields out of a record.
fn show(id: &str, fields: &Value) -> Value {
    let filled = |value: &Value| !value.is_null() && *value != "" && *value != json!([]);
    let fields: serde_json::Map<String, Value> = fields
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, value)| filled(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    json!({"id": id, "createdTime": "2024-01-15T10:30:00.000Z", "fields": fields})
}

fn airtable(world: &mut World, asked: &Asked) -> Reply {
    if asked.header("authorization") != Some("Bearer airtable-secret") {
        let error =
            json!({"type": "AUTHENTICATION_REQUIRED", "message": "Authentication required"});
        return Reply::json(401, &json!({"error": error}));
    }
    let missing = Reply::json(404, &json!({"error": "NOT_FOUND"}));
    let Some(rest) = asked.path.strip_prefix(ROOT) else { return missing };
    match (asked.method.as_str(), rest) {
        ("GET", "") => {
            let size: usize = asked.param("pageSize").map_or(100, |text| text.parse().unwrap());
            let after = asked.param("offset").and_then(|text| text.strip_prefix("itr/"));
            let mut ids =
                world.items.keys().filter(|id| after.is_none_or(|after| id.as_str() > after));
            let page: Vec<&String> = ids.by_ref().take(size.min(100)).collect();
            let records: Vec<Value> = page.iter().map(|id| show(id, &world.items[*id])).collect();
            let mut body = json!({"records": records});
            if let (Some(last), Some(_)) = (page.last(), ids.next()) {
                body["offset"] = json!(format!("itr/{last}"));
            }
            Reply::json(200, &body)
        }
        ("POST" | "PATCH", "") => {
            let records = asked.body["records"].as_array().cloned().unwrap_or_default();
            let invalid = |kind: &str, message: &str| {
                Reply::json(422, &json!({"error": {"type": kind, "message": message}}))
            };
            if records.is_empty() || records.len() > 10 {
                return invalid("INVALID_RECORDS", "You may only send 1 to 10 records");
            }
            if records.iter().any(|record| record["fields"]["Seats"].is_string()) {
                return invalid(
                    "INVALID_VALUE_FOR_COLUMN",
                    "Field \"Seats\" cannot accept the provided value",
                );
            }
            if records.iter().any(|record| record["fields"].get("created").is_some()) {
                return invalid("UNKNOWN_FIELD_NAME", "Unknown field name: \"created\"");
            }
            let mut shown = Vec::new();
            for record in &records {
                let id = match (asked.method.as_str(), record["id"].as_str()) {
                    ("POST", _) => world.add(record["fields"].clone()),
                    (_, Some(id)) if world.edit(id, &record["fields"]) => id.to_owned(),
                    _ => return invalid("ROW_DOES_NOT_EXIST", "Record ID does not exist"),
                };
                shown.push(show(&id, &world.items[&id]));
            }
            Reply::json(200, &json!({"records": shown}))
        }
        ("GET", one) => match world.items.get(one.trim_start_matches('/')) {
            Some(fields) => Reply::json(200, &show(one.trim_start_matches('/'), fields)),
            None => missing,
        },
        ("DELETE", one) => match world.items.remove(one.trim_start_matches('/')) {
            Some(_) => Reply::json(200, &json!({"id": one, "deleted": true})),
            None => missing,
        },
        _ => missing,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_a_file_are_kept_in_step() {
    let stub = Stub::start(airtable).await;
    for number in 0..130 {
        stub.world().add(json!({"Email": format!("p{number}@example.com"),
            "Name": format!("P{number}"), "Tags": ["a", "b"]}));
    }
    let desk = Desk::new("airtable", "airtable", "contacts", &stub);
    let key = || json!({"key": ["Email"]});
    let report = desk.ok(key()).await;
    assert_eq!(report["counts"]["left"], 130, "{report:#}");
    assert_eq!(
        desk.rows()[0]["Seats"],
        "",
        "a field that is blank everywhere is a column all the same"
    );

    let news: Vec<[(String, String); 3]> = (0..13)
        .map(|number| {
            let seats = if number == 7 { "many".to_owned() } else { number.to_string() };
            [
                ("Email".into(), format!("n{number}@example.com")),
                ("Name".into(), "New".into()),
                ("Seats".into(), seats),
            ]
        })
        .collect();
    let news: Vec<Vec<(&str, &str)>> = news
        .iter()
        .map(|row| row.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
        .collect();
    let news: Vec<&[(&str, &str)]> = news.iter().map(Vec::as_slice).collect();
    desk.edit(
        |row| {
            match row["Email"].as_str() {
                "p1@example.com" => *row.get_mut("Tags").unwrap() = "x, y".into(),
                "p2@example.com" => *row.get_mut("Name").unwrap() = String::new(),
                "p3@example.com" => return false,
                _ => {}
            }
            true
        },
        &news,
    );
    stub.trouble("POST", "Contacts", 1, Trouble::BreakAfter);
    let report = desk.ok(key()).await;
    let told = report["refused"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{report:#}");
    assert!(
        report["refused"].to_string().contains("cannot accept the provided value"),
        "{report:#}"
    );
    let world = stub.world();
    let find = |email: &str| {
        let found: Vec<&Value> =
            world.items.values().filter(|item| item["Email"] == email).collect();
        assert!(found.len() < 2, "{email} is doubled");
        found.first().map_or(Value::Null, |item| (*item).clone())
    };
    assert_eq!(find("p1@example.com")["Tags"], json!(["x", "y"]));
    assert_eq!(find("p2@example.com")["Name"], Value::Null);
    assert_eq!(find("p3@example.com"), Value::Null);
    assert_eq!(
        (find("n3@example.com")["Seats"].clone(), find("n7@example.com")),
        (json!(3), Value::Null)
    );
    assert_eq!(world.items.len(), 141);
}
