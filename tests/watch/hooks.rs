//! Calls from outside over real HTTP, and the messages of Drive.

use std::{net::TcpListener, path::Path, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{
    http::{Client, http},
    listening::Listening,
    lockstep,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn start(folder: &Path, port: u16, settings: &str) -> Listening {
    std::fs::write(folder.join("lockstep.toml"), settings).unwrap();
    let mut command = lockstep(folder);
    command
        .args(["--root", ".", "--allow-write", "serve", "--http"])
        .arg(format!("127.0.0.1:{port}"))
        .env("LOCKSTEP_LOG", "info")
        .env("STOCK_SECRET", SECRET);
    Listening::start(command)
}

pub(super) async fn client(listening: &Listening) -> Client {
    let client = Client { http: http(), url: listening.url.clone(), token: None, session: None };
    client.initialized().await
}

async fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let answer = client.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
    let result = &answer["result"];
    assert_ne!(result["isError"], true, "{tool}: {answer:#}");
    result["structuredContent"].clone()
}

fn signature(stamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{stamp}.{body}").as_bytes());
    let digits: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={stamp},v1={digits}")
}

pub(super) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 10 seconds: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_call_syncs_the_keys_that_it_names_and_no_others() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut settings = "[hooks]\nmaxBodyBytes = 2000\n\
        [hooks.datasets.stock]\nsecretEnv = \"STOCK_SECRET\"\nitems = \"/orders\"\nkey = [\"/sku\"]\n\
        [hooks.datasets.told]\nsecretEnv = \"STOCK_SECRET\"\nscheme = \"token\"\n"
        .to_owned();
    // Two databases, because changes of files are told by their folder.
    let databases = ["a", "b"].map(|name| {
        let path = folder.path().join(format!("{name}.db"));
        settings.push_str(&format!(
            "[connections.{name}]\nkind = \"sqlite\"\nurl = \"sqlite:{}\"\nwritable = true\n",
            path.display()
        ));
        let database = rusqlite::Connection::open(path).unwrap();
        let table = "CREATE TABLE stock (sku TEXT PRIMARY KEY, qty INTEGER);
             INSERT INTO stock VALUES ('A', 1), ('B', 2)";
        database.execute_batch(table).unwrap();
        database
    });
    let quantity = |sku: &str| -> i64 {
        databases[1]
            .query_row("SELECT qty FROM stock WHERE sku = ?1", [sku], |row| row.get(0))
            .unwrap()
    };
    let server = start(folder.path(), 0, &settings);
    let client = client(&server).await;
    let dataset = json!({"name": "stock", "left": {"connection": "a", "table": "stock"},
        "right": {"connection": "b", "table": "stock"}, "key": ["sku"], "direction": "both", "mode": "apply"});
    call(&client, "syncDataset", dataset).await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0});
    call(&client, "watchDataset", start).await;
    let status = async || call(&client, "watchDataset", json!({})).await["watches"][0].clone();
    eventually("the first look", async || status().await["lastLook"].is_string()).await;
    let url = format!("{}/hooks/stock", server.url.trim_end_matches("/mcp"));
    let post = async |body: &str, signature: &str| {
        let request = http().post(&url).header("X-Lockstep-Signature", signature);
        request.body(body.to_owned()).send().await.unwrap().status().as_u16()
    };
    let now = jiff::Timestamp::now().as_second();
    let body = r#"{"orders": [{"sku": "B"}]}"#;
    for (body, signature, status) in [
        (body, "", 401),
        (body, "t=1,v1=00", 401),
        (body, &*signature(now - 301, body), 401),
        (body, &*signature(now, "other"), 401),
        ("{}", &*signature(now, "{}"), 422),
        (&*"x".repeat(3_000), &*signature(now, &"x".repeat(3_000)), 413),
    ] {
        assert_eq!(post(body, signature).await, status, "{signature}");
    }
    let other = http().post(url.replace("stock", "other")).send().await.unwrap().status();
    assert_eq!(other.as_u16(), 404);
    for (token, status) in [(SECRET, 202), ("another", 401), ("", 401)] {
        let request = http().post(url.replace("stock", "told")).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{token}");
    }

    databases[0].execute_batch("UPDATE stock SET qty = qty * 10").unwrap();
    assert_eq!(post(body, &signature(now, body)).await, 202);
    assert_eq!(post(body, &signature(now, body)).await, 202, "a repeat is taken before");
    eventually("B arrived", async || quantity("B") == 20).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(quantity("A"), 1, "nobody named it");
    let shown = status().await;
    assert_eq!((&shown["events"], &shown["written"]), (&json!(1), &json!(1)), "{shown:#}");
    call(&client, "watchDataset", json!({"action": "now", "dataset": "stock"})).await;
    eventually("A arrived", async || quantity("A") == 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drive_tells_of_an_edit_and_its_channel_ends_with_the_watch() {
    let folder = tempfile::TempDir::new().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server =
        start(folder.path(), port, &format!("[hooks]\npublicUrl = \"http://127.0.0.1:{port}\"\n"));
    let client = client(&server).await;
    let made = call(
        &client,
        "createFile",
        json!({"type": "spreadsheet", "name": "Shop", "sheets": [{"title": "stock"}]}),
    )
    .await;
    let id = made["id"].as_str().unwrap().to_owned();
    std::fs::write(folder.path().join("a.csv"), "sku,qty\nA,1\nB,2\n").unwrap();
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"},
        "right": {"spreadsheetId": id, "sheet": "stock"}, "key": ["sku"], "direction": "both", "mode": "apply"});
    call(&client, "syncDataset", dataset).await;
    // No poll: only Drive can tell.
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0});
    call(&client, "watchDataset", start).await;
    let status = async || call(&client, "watchDataset", json!({})).await["watches"][0].clone();
    eventually("the channel is open", async || {
        status().await["triggers"].to_string().contains("drive (1 channels)")
    })
    .await;
    let edit = json!({"spreadsheetId": id, "sheet": "stock", "range": "B2", "values": [[77]]});
    call(&client, "updateCells", edit).await;
    eventually("the edit is in the file", async || {
        std::fs::read_to_string(folder.path().join("a.csv")).unwrap().contains("A,77")
    })
    .await;
    // Nobody else's message counts.
    let url = format!("http://127.0.0.1:{port}/hooks/drive");
    for headers in [vec![], vec![("X-Goog-Channel-ID", "x"), ("X-Goog-Channel-Token", "y")]] {
        let request =
            headers.into_iter().fold(http().post(&url), |r, (name, value)| r.header(name, value));
        assert!(request.send().await.unwrap().status().is_client_error());
    }
    let channels = |database: &str| -> i64 {
        if database == "lockstep.db" {
            let found = crate::support::store::column(folder.path(), "SELECT id FROM channels");
            return i64::try_from(found.len()).unwrap();
        }
        let store = rusqlite::Connection::open(folder.path().join(database)).unwrap();
        store.query_row("SELECT COUNT(*) FROM channels", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((channels("lockstep.db"), channels("workspace.db")), (1, 1));
    call(&client, "watchDataset", json!({"action": "stop", "dataset": "stock"})).await;
    eventually("the channel is stopped", async || {
        (channels("lockstep.db"), channels("workspace.db")) == (0, 0)
    })
    .await;
}

#[test]
fn a_client_that_follows_a_watch_hears_of_it() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), "[files]\nwritable = true\n").unwrap();
    std::fs::write(folder.path().join("a.csv"), "sku,qty\nA,1\n").unwrap();
    let mut session = crate::support::session::Session::initialized(folder.path());
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"},
        "key": ["sku"], "direction": "both"});
    session.call("syncDataset", dataset);
    let uri = "lockstep://watches/stock";
    session.request("resources/subscribe", json!({"uri": uri}));
    session
        .call("watchDataset", json!({"action": "start", "dataset": "stock", "pollSeconds": 0.5}));
    let shown = |session: &mut crate::support::session::Session| -> Value {
        let read = session.request("resources/read", json!({"uri": uri}));
        let text = read["result"]["contents"][0]["text"].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&text).unwrap()["watches"][0].clone()
    };
    let arrived = |session: &mut crate::support::session::Session, written: u64| {
        let reached = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            shown(session)["written"] == written
        });
        assert!(reached, "{:#}", shown(session));
    };
    arrived(&mut session, 1);
    // Whatever was told so far comes before this answer.
    session.request("ping", json!({}));
    std::fs::write(folder.path().join("a.csv"), "sku,qty\nA,2\n").unwrap();
    let told = (0..50).any(|_| {
        let message = session.message();
        message["method"] == "notifications/resources/updated" && message["params"]["uri"] == uri
    });
    assert!(told);
    arrived(&mut session, 2);
}
