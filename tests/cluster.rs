//! Several servers over one store in PostgreSQL: they share the work, take over from those that die, and answer each
//! other's clients.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use lockstep::{app::App, config::Config, progress::Progress};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    harness::tool,
    support::{
        http::{Client, answer, http, messages},
        listening::Listening,
        lockstep, postgres,
    },
};

mod deaths;
mod manifests;
mod shares;

/// Starts a server that watches only.
fn watching(home: &Path, files: &Path, store: &str) -> Child {
    let mut command = server(home, store);
    command.args(["--root", files.to_str().unwrap(), "--allow-write", "serve", "--watch-only"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Returns a command of the binary over a store.
fn server(home: &Path, store: &str) -> Command {
    let mut command = lockstep(home);
    command.env("LOCKSTEP_STORE_URL", store);
    command
}

/// Starts a Lockstep of this process over a store, with a folder of files.
async fn app(home: &Path, files: &Path, store: &str, change: impl FnOnce(&mut Config)) -> App {
    let mut config = Config::default();
    config.workspace.data = Some(home.to_owned());
    config.files.root = files.to_owned();
    config.files.writable = true;
    config.store.url = Some(store.to_owned());
    change(&mut config);
    App::start(&config).await.unwrap()
}

/// Calls a tool that must succeed.
async fn call(app: &App, name: &str, arguments: Value) -> Value {
    let Value::Object(arguments) = arguments else { panic!("no object") };
    let context = app.context().for_call(Progress::silent());
    tool(name).call(&context, arguments).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Two servers of one store, and nothing else in common but the files; every sync is a task at once.
struct Pair {
    store: postgres::Database,
    files: TempDir,
    _homes: [TempDir; 2],
    _servers: [Listening; 2],
    clients: [Client; 2],
}

impl Pair {
    async fn new(tasks: bool) -> Option<Self> {
        let store = postgres::database().await?;
        let (files, homes) =
            (TempDir::new().unwrap(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
        let hash = blake3::derive_key("lockstep 2026 static bearer token", b"ada");
        let hash = blake3::Hash::from_bytes(hash).to_hex();
        let tasks = if tasks { "[tasks]\nafterMs = 0\n" } else { "" };
        let settings = format!(
            "[files]\nroot = \"{}\"\nwritable = true\n{tasks}\
             [[auth.tokens]]\nname = \"ada\"\nhash = \"blake3:{hash}\"\nrole = \"operator\"\n",
            files.path().display()
        );
        let servers = homes.each_ref().map(|home| {
            std::fs::write(home.path().join("lockstep.toml"), &settings).unwrap();
            let mut command = server(home.path(), &store.url);
            command.args(["serve", "--http", "127.0.0.1:0"]);
            Listening::start(command)
        });
        let clients = servers.each_ref().map(|server| Client {
            http: http(),
            url: server.url.clone(),
            token: Some("ada".into()),
            session: None,
        });
        Some(Self { store, files, _homes: homes, _servers: servers, clients })
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).unwrap();
    }

    /// Asks one of the servers as a client of 2026-07-28, which keeps no session.
    async fn ask(&self, at: usize, method: &str, params: Value) -> Value {
        let can = json!({CAPABILITIES: {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}});
        answer(&messages(self.clients[at].modern(method, params, can).await).await)
    }

    async fn tool(&self, at: usize, name: &str, arguments: &Value, more: Value) -> Value {
        let mut params = json!({"name": name, "arguments": arguments});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        self.ask(at, "tools/call", params).await
    }

    async fn ok(&self, at: usize, name: &str, arguments: Value) -> Value {
        let said = self.tool(at, name, &arguments, json!({})).await;
        assert_eq!(said["result"]["isError"], false, "{name}: {said}");
        said["result"]["structuredContent"].clone()
    }
}

fn rows(count: usize, qty: u32) -> String {
    let rows: String = (0..count).map(|n| format!("k{n:03},{qty}\n")).collect();
    format!("id,qty\n{rows}")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_answer_one_client_alternately() {
    let Some(pair) = Pair::new(false).await else { return };
    pair.write("a.csv", &rows(60, 1));
    pair.write("b.csv", "id,qty\n");
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"},
        "key": ["id"], "direction": "both", "deletes": "delete", "maxDeletePercent": 100});
    // A plan of one server is applied by the other, and its history read from the first.
    let plan = pair.ok(0, "syncDataset", dataset).await;
    let apply = json!({"name": "stock", "planId": plan["planId"], "mode": "apply"});
    let done = pair.ok(1, "syncDataset", apply).await;
    assert_eq!(
        (&done["state"], &done["counts"]["insert"]),
        (&json!("applied"), &json!(60)),
        "{done:#}"
    );
    let history = pair.ok(0, "syncHistory", json!({"dataset": "stock"})).await;
    assert_eq!(history["runs"][0]["run"], done["run"], "{history:#}");
    let page = pair.ask(
        0,
        "resources/read",
        json!({"uri": format!("lockstep://plans/{}", plan["planId"].as_str().unwrap())}),
    );
    assert!(page.await["result"]["contents"].is_array());

    // A conflict that one found is decided at the other, and applied by the first.
    pair.write("a.csv", &rows(60, 1).replace("k000,1", "k000,7"));
    pair.write("b.csv", &rows(60, 1).replace("k000,1", "k000,8"));
    let run = json!({"name": "stock", "mode": "apply"});
    assert_eq!(pair.ok(0, "syncDataset", run.clone()).await["counts"]["conflicts"], 1);
    let decide = json!({"action": "decide", "dataset": "stock", "winner": "right"});
    pair.ok(1, "resolveConflicts", decide).await;
    pair.ok(0, "syncDataset", run.clone()).await;
    let text = std::fs::read_to_string(pair.files.path().join("a.csv")).unwrap();
    assert!(text.contains("k000,8"), "{text}");

    // What one server asked, the other hears the answer to: once.
    pair.write("a.csv", &rows(10, 1).replace("k000,1", "k000,8"));
    let asked = pair.tool(0, "syncDataset", &run, json!({})).await;
    let yes = json!({"requestState": asked["result"]["requestState"],
        "inputResponses": {"agree": {"action": "accept", "content": {"agree": true}}}});
    assert!(yes["requestState"].is_string(), "{asked}");
    let done = pair.tool(1, "syncDataset", &run, yes).await;
    assert_eq!(done["result"]["structuredContent"]["counts"]["delete"], 50, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_one_server_is_followed_at_the_other() {
    let Some(pair) = Pair::new(true).await else { return };
    pair.write("a.csv", &rows(500, 1));
    pair.write("b.csv", "id,qty\n");
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"},
        "key": ["id"], "mode": "apply"});
    let begun = pair.tool(0, "syncDataset", &dataset, json!({})).await;
    let id = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    let began = std::time::Instant::now();
    for at in [1, 0].into_iter().cycle() {
        let task = pair.ask(at, "tasks/get", json!({"taskId": id})).await;
        assert_eq!(task["result"]["taskId"], id, "server {at}: {task}");
        if task["result"]["status"] == "completed" && at == 1 {
            assert_eq!(
                task["result"]["result"]["structuredContent"]["counts"]["insert"], 500,
                "{task}"
            );
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{task}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let key = pair.store.texts("SELECT octet_length(value)::text FROM shared").await;
    assert_eq!(key, [[Some("32".to_owned())]], "one key for all servers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_one_server_took_in_wakes_the_one_that_watches() {
    let Some(store) = postgres::database().await else { return };
    let (files, homes) =
        (TempDir::new().unwrap(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
    let taking = app(homes[1].path(), files.path(), &store.url, |_| {}).await;
    // Nothing tells of changes in the table but calls.
    std::fs::write(files.path().join("a.csv"), "id,qty\nA,0\n").unwrap();
    let shop = postgres::database().await.unwrap();
    shop.run("CREATE TABLE t (id text PRIMARY KEY, qty bigint); INSERT INTO t VALUES ('A', 0)")
        .await;
    let connect = |config: &mut Config| {
        let text = format!("kind = \"postgres\"\nurl = \"{}\"\nwritable = true", shop.url);
        config.connections.insert("shop".into(), toml::from_str(&text).unwrap());
    };
    let watching = app(homes[0].path(), files.path(), &store.url, connect).await;
    let dataset = json!({"name": "stock", "left": {"connection": "shop", "table": "t"}, "right": {"file": "a.csv"},
        "key": ["id"], "mode": "apply"});
    call(&watching, "syncDataset", dataset).await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(watching.context().worker().run(stop.clone()));
    // The other server starts the watch, too: rounds of the worker are ten seconds apart.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = std::time::Instant::now();
    call(&taking, "watchDataset", json!({"action": "start", "dataset": "stock", "pollSeconds": 0}))
        .await;
    for qty in 1..=4 {
        shop.run(format!("UPDATE t SET qty = {qty}")).await;
        call(&taking, "watchDataset", json!({"action": "now", "dataset": "stock"})).await;
        let asked = std::time::Instant::now();
        while std::fs::read_to_string(files.path().join("a.csv")).unwrap()
            != format!("id,qty\nA,{qty}\n")
        {
            assert!(asked.elapsed() < Duration::from_secs(9), "it did not wake for {qty}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("call {qty}: delivered after {} ms", asked.elapsed().as_millis());
    }
    // Five rounds are fifty seconds.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    stop.cancel();
    worker.await.unwrap();
}
