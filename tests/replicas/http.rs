//! Items of an API as a replica: created several at once, updated and deleted one by one under `If-Match`.

use lockstep::{config::Config, replica::connections::ConnectionConfig};
use lockstep_engine::{
    encode,
    schema::{Column, ColumnType},
};
use serde_json::{Value as Json, json};

use super::kind::{Abilities, Doing, Replica, Table};
use crate::{
    harness::House,
    support::api::{Asked, Reply, Stub, World, plain},
};

pub(super) struct Api(Stub);

const DESCRIBED: &str = r#"
kind = "http"
baseUrl = "URL"
[resources.items]
id = "/id"
etag = "/version"
[resources.items.list]
path = "/items"
items = "/data"
pagination = { kind = "cursor", parameter = "after", next = "/after" }
[resources.items.get]
path = "/items/{id}"
[resources.items.create]
path = "/items/batch"
size = 100
body = { records = "{items}" }
results = "/records"
[resources.items.update]
path = "/items/{id}"
[resources.items.delete]
path = "/items/{id}"
[resources.items.fields]
sku = "/sku"
site = "/site"
name = "/name"
qty = "/qty"
status = "/status"
number = "/number"
flag = "/flag"
day = "/day"
hour = "/hour"
moment = "/moment"
tags = "/tags"
"#;

/// The plain API with a cursor, versions inside the items, and a bulk endpoint.
fn shop(world: &mut World, asked: &Asked) -> Reply {
    let show = |world: &World, id: &str| {
        let mut item = world.items[id].clone();
        (item["id"], item["version"]) = (json!(id), json!(format!("v{}", world.versions[id])));
        item
    };
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/items") => {
            let after = asked.param("after").unwrap_or_default().to_owned();
            let mut ids = world.items.range(after..).map(|(id, _)| id.as_str());
            let data: Vec<Json> = ids.by_ref().take(2_000).map(|id| show(world, id)).collect();
            Reply::json(200, &json!({"data": data, "after": ids.next()}))
        }
        ("POST", "/items/batch") => {
            let records = asked.body["records"].as_array().cloned().unwrap_or_default();
            let made: Vec<String> = records.into_iter().map(|record| world.add(record)).collect();
            let shown: Vec<Json> = made.iter().map(|id| show(world, id)).collect();
            Reply::json(201, &json!({"records": shown}))
        }
        _ => plain(world, asked),
    }
}

fn json(ty: ColumnType, text: Option<&str>) -> Json {
    match text {
        None => Json::Null,
        Some("") => json!(""),
        Some(text) => encode::json::encode(&Column::new("", ty).read(text), &ty),
    }
}

impl Api {
    pub(super) async fn start() -> Self {
        Self(Stub::start(shop).await)
    }

    fn id_of(&self, key: &str) -> String {
        let world = self.0.world();
        world.items.iter().find(|(_, item)| item["sku"] == key).unwrap().0.clone()
    }
}

impl Replica for Api {
    fn abilities(&self) -> Abilities {
        Abilities { catalogue: true, connection: true, ..Abilities::default() }
    }

    fn configure(&self, config: &mut Config, writable: bool) {
        let writable = format!("writable = {writable}\n[resources.items]");
        let text = DESCRIBED.replace("URL", &self.0.url).replace("[resources.items]", &writable);
        let connection: ConnectionConfig = toml::from_str(&text).unwrap();
        config.connections.insert("shop".into(), connection);
    }

    fn fill<'a>(&'a self, _house: &'a House, table: &'a Table) -> Doing<'a, ()> {
        Box::pin(async move {
            let mut world = self.0.world();
            world.items.clear();
            for row in &table.rows {
                let pairs = table.columns.iter().zip(row);
                let pair = |((name, ty), text): (&(&str, ColumnType), &Option<String>)| {
                    ((*name).to_owned(), json(*ty, text.as_deref()))
                };
                world.add(Json::Object(pairs.map(pair).collect()));
            }
        })
    }

    fn side(&self) -> Json {
        json!({"connection": "shop", "resource": "items"})
    }

    fn read<'a>(&'a self, _house: &'a House, like: &'a Table) -> Doing<'a, Table> {
        Box::pin(async move {
            let cell = |value: &Json| match value {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let world = self.0.world();
            let row =
                |item: &Json| like.columns.iter().map(|(name, _)| cell(&item[*name])).collect();
            Table { rows: world.items.values().map(row).collect(), ..like.clone() }
        })
    }

    fn set<'a>(
        &'a self,
        _house: &'a House,
        key: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> Doing<'a, ()> {
        Box::pin(async move {
            let id = self.id_of(key);
            let ty = if column == "qty" { ColumnType::Number } else { ColumnType::Text };
            self.0.world().edit(&id, &json!({column: json(ty, Some(value))}));
        })
    }

    fn remove<'a>(&'a self, _house: &'a House, key: &'a str) -> Doing<'a, ()> {
        Box::pin(async move {
            let id = self.id_of(key);
            self.0.world().items.remove(&id);
        })
    }
}
