//! What was acknowledged is there after `kill -9`, a batch is there whole or not at all, and two
//! processes may use one file.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockstep_workspace::Workspace;
use serde_json::{Value, json};

const FILE: &str = "LOCKSTEP_TEST_WORKSPACE_FILE";

/// Serves a file until it is killed, when the test below starts it so; else does nothing.
#[test]
fn child() {
    let Ok(path) = std::env::var(FILE) else {
        return;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let workspace = Workspace::open(path.as_ref()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("\nserving http://{}", listener.local_addr().unwrap());
        workspace.serve(listener, std::future::pending()).await.unwrap();
    });
}

fn spawn(path: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durable::child", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("serving ").map(str::to_owned))
        .expect("the child serves");
    (child, url)
}

async fn post(client: &reqwest::Client, url: &str, body: Value) -> Option<Value> {
    json_of("POST", client.post(url).json(&body).send().await.ok()?).await
}

/// Returns the JSON of a 200, held to its schema.
async fn json_of(method: &str, response: reqwest::Response) -> Option<Value> {
    (response.status() == 200).then_some(())?;
    let url = response.url().clone();
    let text = response.text().await.ok()?;
    crate::schema::hold(method, &url, 200, "application/json", &text);
    serde_json::from_str(&text).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workspace_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.db");
    let client = crate::server::client().build().unwrap();
    let (mut child, mut url) = spawn(&path);
    let new = post(&client, &format!("{url}/v4/spreadsheets"), json!({})).await.unwrap();
    let id = new["spreadsheetId"].as_str().unwrap().to_owned();
    let mut acknowledged: i64 = 0;
    let mut sent: i64 = 0;
    for round in 0_u64..8 {
        let killer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(60 + round * 37)).await;
            child.kill().unwrap();
            child.wait().unwrap();
        });
        // Each batch writes its number into two far cells of the same sheet: both or none.
        loop {
            sent = sent.max(acknowledged) + 1;
            let cell = |row: u32| {
                json!({"updateCells": {"start": {"rowIndex": row}, "fields": "userEnteredValue",
                    "rows": [{"values": [{"userEnteredValue": {"numberValue": sent}}]}]}})
            };
            let body = json!({"requests": [cell(0), cell(900)]});
            match post(&client, &format!("{url}/v4/spreadsheets/{id}:batchUpdate"), body).await {
                Some(_) => acknowledged = sent,
                None => break,
            }
        }
        killer.await.unwrap();
        (child, url) = spawn(&path);
        let read = format!(
            "{url}/v4/spreadsheets/{id}/values:batchGet?ranges=A1&ranges=A901&valueRenderOption=UNFORMATTED_VALUE"
        );
        let read = json_of("GET", client.get(read).send().await.unwrap()).await.unwrap();
        let value = |index: usize| read["valueRanges"][index]["values"][0][0].as_i64().unwrap_or(0);
        assert_eq!(value(0), value(1), "half a batch");
        assert!(value(0) >= acknowledged, "lost {acknowledged}, found {}", value(0));
        assert!(value(0) <= sent, "found {} but sent only {sent}", value(0));
        acknowledged = value(0);
    }
    assert!(acknowledged > 8, "the child wrote too little to prove anything: {acknowledged}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handles_on_one_file_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.db");
    let mut urls = Vec::new();
    for _ in 0..2 {
        let workspace = Workspace::open(&path).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    }
    let client = crate::server::client().build().unwrap();
    let new = post(&client, &format!("{}/v4/spreadsheets", urls[0]), json!({})).await.unwrap();
    let id = new["spreadsheetId"].as_str().unwrap().to_owned();
    // Both append at the same time; nothing is lost and nothing lands on the other's row.
    let mut tasks = Vec::new();
    for (number, url) in urls.iter().enumerate() {
        let (client, url) = (
            client.clone(),
            format!("{url}/v4/spreadsheets/{id}/values/Sheet1:append?valueInputOption=RAW"),
        );
        tasks.push(tokio::spawn(async move {
            for index in 0..40 {
                post(&client, &url, json!({"values": [[number * 1000 + index]]})).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut expected: Vec<i64> = (0..40).chain(1000..1040).collect();
    for url in &urls {
        let read = format!(
            "{url}/v4/spreadsheets/{id}/values/A:A?valueRenderOption=UNFORMATTED_VALUE&majorDimension=COLUMNS"
        );
        let read = json_of("GET", client.get(read).send().await.unwrap()).await.unwrap();
        let mut found: Vec<i64> = read["values"][0]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| cell.as_i64().unwrap())
            .collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
