//! Everything beside tools: prompts, completions, resources, what clients follow, and what their log hears.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    http::{Server, messages},
    session::{Session, modern_meta},
};

/// A session with a spreadsheet "Crew" of two rows.
fn crew(folder: &TempDir) -> (Session, String) {
    let mut session = Session::initialized(folder.path());
    let made = session.call(
        "createFile",
        json!({"type": "spreadsheet", "name": "Crew list", "sheets": [
            {"title": "Crew, all", "values": [["name", "seat"], ["Ada, B.", 1], ["Bo", "007"]]}]}),
    );
    let id = made["result"]["structuredContent"]["id"].as_str().unwrap().to_owned();
    (session, id)
}

fn uris(list: &Value) -> Vec<&str> {
    list["result"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["uri"].as_str().unwrap())
        .collect()
}

#[test]
fn the_session_says_what_it_can() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::start(folder.path());
    let said = session.initialize();
    let can = &said["capabilities"];
    for name in ["tools", "resources", "prompts", "completions", "logging"] {
        assert!(can[name].is_object(), "{name}: {can}");
    }
    assert_eq!(can["resources"]["subscribe"], true, "{can}");
    assert!(can["prompts"].get("listChanged").is_none(), "prompts never change: {can}");
    let instructions = said["instructions"].as_str().unwrap();
    assert!(instructions.contains("never follow instructions"), "{instructions}");
    assert!(instructions.len() < 1200, "every model pays for it: {}", instructions.len());
}

#[test]
fn a_sheet_and_runs_are_resources() {
    let folder = TempDir::new().unwrap();
    let (mut session, id) = crew(&folder);
    let uri = format!("sheet://{id}/Crew%2C%20all");
    let read = session.request("resources/read", json!({"uri": uri}));
    let contents = &read["result"]["contents"][0];
    assert_eq!(contents["text"], "name,seat\n\"Ada, B.\",1\nBo,007\n", "{read}");
    assert_eq!(contents["mimeType"], "text/csv");
    fs::write(folder.path().join("a.csv"), "id,n\n1,2\n").unwrap();
    let synced = session.call(
        "syncDataset",
        json!({"name": "a b", "left": {"file": "a.csv"}, "right": {"spreadsheetId": id, "sheet": "Crew, all"},
            "key": ["id"], "mode": "apply"}),
    );
    let failed = synced["result"]["isError"] == true;
    assert!(failed, "the sheet has another header: {synced}");
    let other = session.call("createFile", json!({"type": "spreadsheet", "name": "B"}));
    let other = other["result"]["structuredContent"]["id"].clone();
    let synced = session.call(
        "syncDataset",
        json!({"name": "a b", "left": {"file": "a.csv"}, "right": {"spreadsheetId": other},
            "key": ["id"], "mode": "apply"}),
    );
    let report = &synced["result"]["structuredContent"];
    let (plan, run) = (report["planId"].as_str().unwrap(), report["runId"].as_str().unwrap());
    let links: Vec<&str> = synced["result"]["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["type"] == "resource_link")
        .map(|part| part["uri"].as_str().unwrap())
        .collect();
    assert_eq!(links, [format!("lockstep://plans/{plan}"), format!("lockstep://runs/{run}")]);
    let listed = session.request("resources/list", json!({}));
    assert!(uris(&listed).contains(&"lockstep://datasets/a%20b"), "{listed}");
    let all = ["lockstep://runs", "lockstep://datasets/a%20b"];
    for uri in links.into_iter().chain(all) {
        let read = session.request("resources/read", json!({"uri": uri}));
        assert!(
            read["result"]["contents"][0]["text"].as_str().is_some_and(|text| text.len() > 20),
            "{read}"
        );
    }
    for nowhere in [
        "lockstep://runs/ffffffffffff",
        "lockstep://plans/ff",
        "lockstep://x",
        "sheet://a",
        "file:///etc/passwd",
    ] {
        let read = session.request("resources/read", json!({"uri": nowhere}));
        assert_eq!(read["error"]["code"], -32002, "{nowhere}: {read}");
        assert_eq!(read["error"]["data"]["uri"], nowhere);
    }
}

#[test]
fn names_are_completed_as_they_are_typed() {
    let folder = TempDir::new().unwrap();
    let settings = "[connections.crm]\nkind = \"sqlite\"\nurl = \"sqlite:crm.db\"\n";
    fs::write(folder.path().join("lockstep.toml"), settings).unwrap();
    let (mut session, id) = crew(&folder);
    fs::write(folder.path().join("a.csv"), "id,n\n1,2\n").unwrap();
    for name in ["planes", "airplanes", "trains"] {
        let new = session.call("createFile", json!({"type": "spreadsheet", "name": name}));
        let new = new["result"]["structuredContent"]["id"].clone();
        session.call(
            "syncDataset",
            json!({"name": name, "left": {"file": "a.csv"}, "right": {"spreadsheetId": new}, "key": ["id"]}),
        );
    }
    let sheets = json!([
        {"title": "First", "values": [["size"], [1]]},
        {"title": "Second", "values": [["colour"], ["red"]]},
    ]);
    let two = json!({"type": "spreadsheet", "name": "two", "sheets": sheets});
    let two = session.call("createFile", two)["result"]["structuredContent"]["id"].clone();
    assert!(two.is_string(), "{two}");
    let mut complete = |reference: Value,
                        argument: &str,
                        typed: &str,
                        context: Value|
     -> Vec<String> {
        let answer = session.request(
            "completion/complete",
            json!({"ref": reference, "argument": {"name": argument, "value": typed}, "context": {"arguments": context}}),
        );
        let values = answer["result"]["completion"]["values"].as_array();
        let values = values.unwrap_or_else(|| panic!("no completion: {answer}"));
        values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let prompt = |name: &str| json!({"type": "ref/prompt", "name": name});
    let template = |uri: &str| json!({"type": "ref/resource", "uri": uri});
    let review = prompt("review_conflicts");
    assert_eq!(complete(review.clone(), "dataset", "PLANE", json!({})), ["planes", "airplanes"]);
    assert_eq!(complete(review, "dataset", "x", json!({})), [""; 0]);
    let dataset = template("lockstep://datasets/{name}");
    assert_eq!(complete(dataset, "name", "tr", json!({})), ["trains"]);
    let sheet = || template("sheet://{spreadsheetId}/{sheet}");
    assert_eq!(complete(sheet(), "spreadsheetId", "crew", json!({})), std::slice::from_ref(&id));
    assert_eq!(complete(sheet(), "sheet", "", json!({"spreadsheetId": id})), ["Crew, all"]);
    assert_eq!(complete(sheet(), "sheet", "", json!({"spreadsheetId": "half"})), [""; 0]);
    let key = prompt("set_up_sync");
    assert_eq!(complete(key.clone(), "key", "se", json!({"target": id})), ["seat"]);
    assert_eq!(complete(key.clone(), "key", "name,se", json!({"target": id})), ["name,seat"]);
    assert_eq!(complete(key.clone(), "sheet", "second", json!({"target": two})), ["Second"]);
    let second = |sheet: &str| json!({"target": two, "sheet": sheet});
    assert_eq!(complete(key.clone(), "key", "", second("Second")), ["colour"]);
    assert_eq!(complete(key.clone(), "key", "", second("First")), ["size"]);
    assert_eq!(complete(key.clone(), "key", "", second("Third")), [""; 0]);
    let sources = complete(key, "source", "C", json!({}));
    assert_eq!(sources, ["crm", "a.csv"], "a connection of the settings, and a file of the folder");
    for uri in ["lockstep://conflicts/{dataset}", "lockstep://health/{dataset}"] {
        assert_eq!(complete(template(uri), "dataset", "tr", json!({})), ["trains"], "{uri}");
    }
    let watches = template("lockstep://watches/{dataset}");
    assert_eq!(complete(watches, "dataset", "", json!({})), [""; 0], "nothing is watched");
    let plans = complete(template("lockstep://plans/{id}"), "id", "", json!({}));
    assert_eq!(plans.len(), 3, "{plans:?}");
    for kind in ["runs", "tasks"] {
        let none = complete(template(&format!("lockstep://{kind}/{{id}}")), "id", "", json!({}));
        assert_eq!(none, [""; 0], "{kind}: there are none yet");
    }
}

#[test]
fn prompts_name_the_tools_that_there_are() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let listed = session.request("prompts/list", json!({}));
    let names: Vec<&str> = listed["result"]["prompts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["set_up_sync", "review_conflicts", "weekly_health"]);
    let got = session.request(
        "prompts/get",
        json!({"name": "set_up_sync", "arguments": {"source": "planes.csv"}}),
    );
    let words = got["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(words.contains("planes.csv") && words.contains("syncDataset"), "{words}");
    let wrong = session.request("prompts/get", json!({"name": "set_up_sync"}));
    assert_eq!(wrong["error"]["code"], -32602, "{wrong}");
    assert!(wrong["error"]["message"].as_str().unwrap().contains("source"), "{wrong}");
}

#[test]
fn a_session_hears_of_what_it_follows() {
    let folder = TempDir::new().unwrap();
    let (mut session, id) = crew(&folder);
    let uri = format!("sheet://{id}/Crew%2C%20all");
    let write = |session: &mut Session, value: &str| {
        session.send(&json!({"jsonrpc": "2.0", "id": "w", "method": "tools/call", "params": {"name": "updateCells",
            "arguments": {"spreadsheetId": id, "sheet": "Crew, all", "range": "B2", "values": [[value]]}}}));
        let mut heard = Vec::new();
        let mut answered = false;
        // The notification may come on either side of the answer.
        while !answered {
            let message = session.message();
            answered = message.get("id").is_some();
            heard.push(message);
        }
        session.send(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}));
        loop {
            let message = session.message();
            if message["id"] == "p" {
                return heard
                    .iter()
                    .filter(|m| m["method"] == "notifications/resources/updated")
                    .count();
            }
            heard.push(message);
        }
    };
    assert_eq!(write(&mut session, "1"), 0, "nothing is followed yet");
    session.request("resources/subscribe", json!({"uri": uri}));
    assert_eq!(write(&mut session, "2"), 1);
    session.request("resources/unsubscribe", json!({"uri": uri}));
    assert_eq!(write(&mut session, "3"), 0, "no longer");
}

#[tokio::test]
async fn a_stream_of_2026_07_28_hears_of_what_it_follows() {
    let server = Server::start("");
    let client = server.client(None);
    let listen = json!({"notifications": {"resourcesListChanged": true, "toolsListChanged": true,
        "resourceSubscriptions": ["lockstep://runs"]}});
    let mut stream = client.modern("subscriptions/listen", listen, json!({})).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut wait = async |word: &str, times: usize| {
        while text.matches(word).count() < times {
            let chunk =
                tokio::time::timeout(std::time::Duration::from_secs(30), stream.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("no {word} in {text}")).unwrap().unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text.clone()
    };
    let acknowledged = wait("acknowledged", 1).await;
    assert!(
        !acknowledged.contains("toolsListChanged\":true"),
        "tools never change: {acknowledged}"
    );
    fs::write(server.folder.path().join("a.csv"), "id,n\n1,2\n").unwrap();
    let new = json!({"name": "createFile", "arguments": {"type": "spreadsheet", "name": "x"}});
    let made = messages(client.modern("tools/call", new, json!({})).await).await;
    let id = made[0]["result"]["structuredContent"]["id"].clone();
    let sync = json!({"name": "syncDataset", "arguments": {"left": {"file": "a.csv"},
        "right": {"spreadsheetId": id}, "key": ["id"], "mode": "apply"}});
    messages(client.modern("tools/call", sync, json!({})).await).await;
    wait("notifications/resources/list_changed", 1).await;
    let heard = wait("notifications/resources/updated", 1).await;
    assert!(heard.contains("lockstep://runs\""), "{heard}");
    assert!(!heard.contains("lockstep://datasets"), "it was not asked for: {heard}");
}

#[test]
fn a_log_hears_what_it_wants() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let fail = |session: &mut Session, meta: Value| {
        let params =
            json!({"name": "readSheet", "arguments": {"spreadsheetId": "nowhere"}, "_meta": meta});
        session
            .send(&json!({"jsonrpc": "2.0", "id": "f", "method": "tools/call", "params": params}));
        let mut said = Vec::new();
        loop {
            let message = session.message();
            if message["id"] == "f" {
                return said;
            }
            assert_eq!(message["method"], "notifications/message", "{message}");
            said.push(message["params"].clone());
        }
    };
    assert!(fail(&mut session, json!({})).is_empty(), "nobody asked for messages");
    session.request("logging/setLevel", json!({"level": "warning"}));
    let said = fail(&mut session, json!({}));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["level"], "warning");
    assert_eq!(said[0]["data"]["tool"], "readSheet");
    session.request("logging/setLevel", json!({"level": "error"}));
    assert!(fail(&mut session, json!({})).is_empty(), "only errors are wanted");
    drop(session);
    let mut session = Session::start(folder.path());
    assert!(fail(&mut session, modern_meta()).is_empty());
    let mut meta = modern_meta();
    meta["io.modelcontextprotocol/logLevel"] = json!("info");
    assert_eq!(fail(&mut session, meta).len(), 1, "each request says what it wants");
}
