//! A stub of a JSON API on loopback: it keeps items, writes down what it was asked, and fails when it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::{Value, json};

/// What an operator says of the [`plain`] stub; `URL` is its address.
pub(crate) const PLAIN: &str = r#"
kind = "http"
baseUrl = "URL"
writable = true
timeoutSeconds = 1
limits = { attempts = 3 }

[resources.items]
id = "/id"

[resources.items.list]
path = "/items"
items = "/data"
total = "/total"
pagination = { kind = "offset", parameter = "offset" }

[resources.items.get]
path = "/items/{id}"

[resources.items.find]
path = "/items"
query = { sku = "{field.sku}" }
items = "/data"

[resources.items.create]
path = "/items"

[resources.items.update]
path = "/items/{id}"

[resources.items.delete]
path = "/items/{id}"

[resources.items.fields]
sku = "/sku"
name = "/name"
qty = { pointer = "/stock/qty", type = "number" }
"#;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the last part of the path.
    pub(crate) fn last(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string() }
    }

    pub(crate) fn raw(status: u16, kind: &str, body: &str) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.into() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// Another answer; nothing is done.
    Instead(Reply),
    /// The connection breaks; nothing is done.
    Break,
    /// What was asked is done, and the connection breaks.
    BreakAfter,
    /// What was asked is done, and another answer is given.
    InsteadAfter(Reply),
    /// What was asked is done and answered, after a while.
    Slow(Duration),
    /// Somebody else changes an item first: its id and the fields that change.
    Edit(String, Value),
}

/// When something goes wrong: the method, the end of the path, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) times: u32,
    pub(crate) trouble: Trouble,
}

/// How an API answers.
pub(crate) type Shape = fn(&mut World, &Asked) -> Reply;

/// What the stub keeps.
#[derive(Default)]
pub(crate) struct World {
    /// The items by id, in the order of their ids.
    pub(crate) items: BTreeMap<String, Value>,
    /// How often each item was changed.
    pub(crate) versions: BTreeMap<String, u64>,
    pub(crate) made: u64,
    pub(crate) asked: Vec<Asked>,
    pub(crate) rules: VecDeque<Rule>,
    /// A fifth of all requests fails, by this state of a random sequence.
    pub(crate) bad_day: Option<u64>,
    /// How many requests failed on the bad day.
    #[allow(
        dead_code,
        reason = "this file is part of two test binaries, and one of them does without"
    )]
    pub(crate) struck: u64,
    /// Anything a shape wants to know.
    #[allow(
        dead_code,
        reason = "this file is part of two test binaries, and one of them does without"
    )]
    pub(crate) notes: BTreeMap<&'static str, String>,
}

impl World {
    /// Adds an item under the next number as id.
    pub(crate) fn add(&mut self, item: Value) -> String {
        self.made += 1;
        let id = format!("{}", 100 + self.made);
        self.items.insert(id.clone(), item);
        self.versions.insert(id.clone(), 1);
        id
    }

    /// Changes fields of an item; where both are objects, they are merged.
    pub(crate) fn edit(&mut self, id: &str, fields: &Value) -> bool {
        let Some(item) = self.items.get_mut(id) else { return false };
        merge(item, fields);
        *self.versions.entry(id.to_owned()).or_default() += 1;
        true
    }

    #[allow(
        dead_code,
        reason = "this file is part of two test binaries, and one of them does without"
    )]
    pub(crate) fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// A running stub; it stops with the test's runtime.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) url: String,
    shared: Arc<(Mutex<World>, Shape)>,
}

impl Stub {
    pub(crate) async fn start(shape: Shape) -> Self {
        let shared = Arc::new((Mutex::new(World::default()), shape));
        let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.0.lock().unwrap()
    }

    /// Lets something go wrong so many times.
    pub(crate) fn trouble(&self, method: &'static str, path: &str, times: u32, trouble: Trouble) {
        self.world().rules.push_back(Rule { method, path: path.into(), times, trouble });
    }

    /// Returns the requests of a method since the last call, and forgets all.
    pub(crate) fn asked(&self, method: &str) -> Vec<Asked> {
        let all = std::mem::take(&mut self.world().asked);
        all.into_iter().filter(|asked| asked.method == method).collect()
    }
}

async fn serve(
    State(shared): State<Arc<(Mutex<World>, Shape)>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    let asked = Asked {
        method: method.to_string(),
        path: decode(uri.path()),
        query: query.collect(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect(),
        body: serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned())),
    };
    let (reply, broken, wait) = {
        let mut world = shared.0.lock().unwrap();
        world.asked.push(asked.clone());
        let trouble = trouble(&mut world, &asked);
        if let Some(Trouble::Edit(id, fields)) = &trouble {
            world.edit(id, fields);
        }
        match trouble {
            Some(Trouble::Instead(reply)) => (reply, false, None),
            Some(Trouble::Break) => (Reply::json(200, &json!({})), true, None),
            Some(Trouble::BreakAfter) => (shared.1(&mut world, &asked), true, None),
            Some(Trouble::InsteadAfter(reply)) => {
                shared.1(&mut world, &asked);
                (reply, false, None)
            }
            Some(Trouble::Slow(wait)) => (shared.1(&mut world, &asked), false, Some(wait)),
            Some(Trouble::Edit(..)) | None => (shared.1(&mut world, &asked), false, None),
        }
    };
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = if broken { Body::new(Broken) } else { Body::from(reply.body) };
    response.body(body).unwrap()
}

/// A body that breaks off: the connection is closed in the middle of the answer.
struct Broken;

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("broken on purpose"))))
    }
}

/// Returns what goes wrong with a request, by the rules or by the bad day.
fn trouble(world: &mut World, asked: &Asked) -> Option<Trouble> {
    let fits = |rule: &Rule| {
        rule.times > 0
            && (rule.method == "*" || rule.method == asked.method)
            && asked.path.ends_with(&rule.path)
    };
    if let Some(rule) = world.rules.iter_mut().find(|rule| fits(rule)) {
        rule.times -= 1;
        return Some(rule.trouble.clone());
    }
    let state = world.bad_day.as_mut()?;
    // xorshift64 (Marsaglia 2003): the same story at every run.
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    let trouble = match *state % 100 {
        0..5 => Trouble::Break,
        5..10 => Trouble::BreakAfter,
        10..13 => Trouble::Instead(Reply::raw(503, "text/html", "<title>busy</title>")),
        13..16 => Trouble::InsteadAfter(Reply::raw(502, "text/html", "<title>bad</title>")),
        16..18 => Trouble::InsteadAfter(Reply::raw(200, "application/json", "{\"id\": \"10")),
        18..20 => Trouble::Instead(Reply::json(429, &json!({})).with("retry-after", "0.01")),
        _ => return None,
    };
    world.struck += 1;
    Some(trouble)
}

/// A plain API: `/items?offset=&limit=` lists `{data, total}`, `/items/ID` is one item with an `ETag`.
pub(crate) fn plain(world: &mut World, asked: &Asked) -> Reply {
    let show = |id: &str, item: &Value| {
        let mut item = item.clone();
        item["id"] = json!(id);
        item
    };
    let missing = Reply::json(404, &json!({"error": {"message": "no such item"}}));
    let id = asked.last().to_owned();
    match (asked.method.as_str(), asked.path.ends_with("/items")) {
        ("GET", true) => {
            let number = |name: &str| asked.param(name).and_then(|text| text.parse().ok());
            let (from, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(3));
            let key = asked.param("sku");
            let all: Vec<Value> = world
                .items
                .iter()
                .map(|(id, item)| show(id, item))
                .filter(|item| key.is_none_or(|key| item["sku"] == *key))
                .collect();
            let data: Vec<&Value> = all.iter().skip(from).take(limit).collect();
            Reply::json(200, &json!({"data": data, "total": all.len()}))
        }
        ("POST", true) => {
            if asked.body["sku"] == "refused" {
                return Reply::json(422, &json!({"message": "this sku is not allowed"}));
            }
            let id = world.add(asked.body.clone());
            Reply::json(201, &show(&id, &world.items[&id]))
        }
        ("GET", _) => match world.items.get(&id) {
            Some(item) => Reply::json(200, &show(&id, item))
                .with("etag", format!("\"v{}\"", world.versions[&id])),
            None => missing,
        },
        ("PATCH" | "PUT", _) => {
            let version = world.versions.get(&id).copied().unwrap_or_default();
            if asked.header("if-match").is_some_and(|tag| tag != format!("\"v{version}\"")) {
                return Reply::json(412, &json!({"message": "somebody was faster"}));
            }
            if asked.method == "PUT" && world.items.contains_key(&id) {
                world.items.insert(id.clone(), json!({}));
            }
            match world.edit(&id, &asked.body) {
                true => Reply::json(200, &show(&id, &world.items[&id])),
                false => missing,
            }
        }
        ("DELETE", _) => match world.items.remove(&id) {
            Some(_) => Reply { status: 204, ..Reply::default() },
            None => missing,
        },
        _ => Reply::json(405, &json!({"message": "not here"})),
    }
}
