//! A sync that lasts goes on without its request: durable, its owner's alone, stopped and answered through its name.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    bounded,
    http::{Client, Server, answer, messages},
    lockstep,
    session::{Session, modern_meta},
};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Every sync is a task at once.
const AT_ONCE: &str = "[tasks]\nafterMs = 0\n";

/// How long a task may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn write(folder: &Path, rows: usize, width: usize) {
    let text = "x".repeat(width);
    let rows: String = (0..rows).map(|row| format!("k{row},{row},{text}\n")).collect();
    fs::write(folder.join("rows.csv"), format!("id,n,text\n{rows}")).unwrap();
}

fn knows_tasks() -> Value {
    json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

/// A folder with a file of rows, and a sheet for them.
struct House {
    folder: TempDir,
    arguments: Value,
}

impl House {
    fn new(settings: &str, rows: usize, width: usize) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("lockstep.toml"), settings).unwrap();
        write(folder.path(), rows, width);
        let mut session = Session::initialized(folder.path());
        let made = session.call("createFile", json!({"type": "spreadsheet", "name": "A"}));
        let sheet = made["result"]["structuredContent"]["id"].clone();
        let arguments = json!({
            "left": {"file": "rows.csv"}, "right": {"spreadsheetId": sheet}, "key": ["id"],
            "deletes": "delete", "maxDeletePercent": 100, "mode": "apply",
        });
        Self { folder, arguments }
    }

    fn session(&self) -> Session {
        Session::start(self.folder.path())
    }

    /// Starts the sync, which becomes a task at once; returns its name.
    fn begin(&self, session: &mut Session) -> String {
        let params = json!({"name": "syncDataset", "arguments": self.arguments});
        let begun = ask(session, "tools/call", params);
        let task = &begun["result"];
        assert_eq!(task["resultType"], "task", "{begun}");
        assert_eq!(task["status"], "working", "{begun}");
        assert_eq!(task["ttlMs"], 24 * 3_600_000, "{begun}");
        assert!(task["pollIntervalMs"].is_u64(), "{begun}");
        task["taskId"].as_str().unwrap().to_owned()
    }

    /// Syncs to the end: whatever happened before, every row is there once then.
    fn assert_ends_in_step(&self, rows: u64) {
        let mut session = Session::initialized(self.folder.path());
        for _ in 0..2 {
            let done = session.call("syncDataset", self.arguments.clone());
            assert!(done["result"]["structuredContent"]["state"].is_string(), "{done}");
        }
        let done = session.call("syncDataset", self.arguments.clone());
        assert_eq!(done["result"]["structuredContent"]["state"], "inStep", "{done}");
        assert_eq!(done["result"]["structuredContent"]["counts"]["unchanged"], rows, "{done}");
    }
}

/// Asks as a client of 2026-07-28 that knows tasks.
fn ask(session: &mut Session, method: &str, mut params: Value) -> Value {
    params["_meta"] = modern_meta();
    params["_meta"][CAPABILITIES] = knows_tasks();
    session.request(method, params)
}

fn get(session: &mut Session, id: &str) -> Value {
    let got = ask(session, "tasks/get", json!({"taskId": id}));
    assert_eq!(got["result"]["taskId"], id, "{got}");
    assert_eq!(got["result"]["resultType"], "complete", "{got}");
    got["result"].clone()
}

/// Asks for a task until this is true of it.
fn until(session: &mut Session, id: &str, met: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let task = get(session, id);
        if met(&task) {
            return task;
        }
        assert!(began.elapsed() < PATIENCE, "{task}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn is_over(task: &Value) -> bool {
    !["working", "input_required"].contains(&task["status"].as_str().unwrap())
}

fn message(task: &Value) -> &str {
    task["statusMessage"].as_str().unwrap_or_else(|| panic!("no message: {task}"))
}

#[test]
fn a_sync_that_lasts_is_started_followed_and_fetched() {
    let house = House::new(AT_ONCE, 3_000, 10);
    let mut session = house.session();
    let id = house.begin(&mut session);
    let done = until(&mut session, &id, is_over);
    assert_eq!(done["status"], "completed", "{done}");
    let result = &done["result"];
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(result["structuredContent"]["counts"]["insert"], 3_000, "{result}");
    assert_eq!(result["structuredContent"]["state"], "applied", "{result}");
    assert!(result["content"].to_string().contains("lockstep://runs/"), "{result}");
    // The result is what the call would have answered, also when it is fetched a second time.
    assert_eq!(get(&mut session, &id)["result"], *result);
    let run = result["structuredContent"]["runId"].clone();
    let history = ask(&mut session, "tools/call", json!({"name": "syncHistory", "arguments": {}}));
    let history = history["result"]["structuredContent"]["runs"][0].clone();
    assert_eq!(history["runId"], run, "{history}");
    assert!(
        history.to_string().contains(id.get(..12).unwrap()),
        "the history names the task: {history}"
    );
    for (uri, said) in [
        ("lockstep://tasks".to_owned(), "syncDataset"),
        (format!("lockstep://tasks/{id}"), "insert"),
    ] {
        let read = ask(&mut session, "resources/read", json!({"uri": uri}));
        let text = read["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(text.contains(&id) && text.contains(said) && text.contains("completed"), "{text}");
    }
}

#[test]
fn a_handshake_may_say_that_the_client_knows_tasks() {
    let house = House::new(AT_ONCE, 100, 10);
    let mut session = house.session();
    let can = session.initialize_with(&knows_tasks());
    assert!(
        can["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object(),
        "{can}"
    );
    let begun = session.call("syncDataset", house.arguments.clone());
    let id = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    let began = Instant::now();
    loop {
        let task = session.request("tasks/get", json!({"taskId": id}))["result"].clone();
        if task["status"] == "completed" {
            assert_eq!(task["result"]["structuredContent"]["counts"]["insert"], 100, "{task}");
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{task}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_client_that_knows_no_tasks_and_a_short_call_are_answered_at_once() {
    let house = House::new(AT_ONCE, 100, 10);
    let mut session = Session::initialized(house.folder.path());
    let done = session.call("syncDataset", house.arguments.clone());
    assert_eq!(done["result"]["structuredContent"]["counts"]["insert"], 100, "{done}");
    let refused = session.request("tasks/get", json!({"taskId": "x"}));
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
    // A read is never a task, and a sync that ends within two seconds is answered as without tasks.
    let mut session = house.session();
    let read = ask(&mut session, "tools/call", json!({"name": "findFiles", "arguments": {}}));
    assert!(read["result"]["structuredContent"]["files"].is_array(), "{read}");
    let patient = House::new("[tasks]\nafterMs = 120000\n", 100, 10);
    let params = json!({"name": "syncDataset", "arguments": patient.arguments});
    let done = ask(&mut patient.session(), "tools/call", params);
    assert_eq!(done["result"]["structuredContent"]["counts"]["insert"], 100, "{done}");
}

#[test]
fn a_task_that_is_cancelled_says_what_was_done() {
    // Several batches: each has at most 2 MB.
    let house = House::new(AT_ONCE, 15_000, 1_500);
    let mut session = house.session();
    let id = house.begin(&mut session);
    let some = |task: &Value| {
        let said = message(task);
        let done = said.split_once('(').and_then(|(_, rest)| rest.split_once(" of "));
        is_over(task) || done.is_some_and(|(done, _)| done != "0")
    };
    let seen = until(&mut session, &id, some);
    assert_eq!(seen["status"], "working", "it ended before it was cancelled: {seen}");
    let told = ask(&mut session, "tasks/cancel", json!({"taskId": id}));
    assert_eq!(told["result"]["resultType"], "complete", "{told}");
    let ended = until(&mut session, &id, is_over);
    assert_eq!(ended["status"], "cancelled", "{ended}");
    assert!(message(&ended).contains("of 15000 rows were written and stay written"), "{ended}");
    // To cancel what is over changes nothing.
    ask(&mut session, "tasks/cancel", json!({"taskId": id}));
    assert_eq!(get(&mut session, &id)["status"], "cancelled");
    house.assert_ends_in_step(15_000);
}

#[test]
fn a_task_asks_and_goes_on_when_it_is_answered() {
    let house = House::new(AT_ONCE, 60, 10);
    let mut session = house.session();
    let filled = house.begin(&mut session);
    until(&mut session, &filled, is_over);
    write(house.folder.path(), 10, 10);
    for (said, state) in [
        (json!({"action": "decline"}), "completed"),
        (json!(null), "cancelled"),
        (json!({"action": "accept", "content": {"agree": true}}), "completed"),
    ] {
        let id = house.begin(&mut session);
        let asks = |task: &Value| task["status"] == "input_required";
        let task = until(&mut session, &id, asks);
        let question = &task["inputRequests"]["agree"];
        assert_eq!(question["method"], "elicitation/create", "{task}");
        let words = question["params"]["message"].as_str().unwrap();
        assert!(words.contains("50 rows would be deleted"), "{words}");
        let answers = |responses: Value| json!({"taskId": id, "inputResponses": responses});
        let foreign = answers(json!({"other": {"action": "accept", "content": {"agree": true}}}));
        assert!(ask(&mut session, "tasks/update", foreign)["result"].is_object());
        let broken = ask(&mut session, "tasks/update", answers(json!({"agree": 7})));
        assert_eq!(broken["error"]["code"], -32602, "{broken}");
        assert_eq!(get(&mut session, &id)["status"], "input_required", "nobody answered yet");
        let told = match said.is_null() {
            true => ask(&mut session, "tasks/cancel", json!({"taskId": id})),
            false => ask(&mut session, "tasks/update", answers(json!({"agree": said}))),
        };
        assert!(told["result"].is_object(), "{told}");
        let ended = until(&mut session, &id, is_over);
        assert_eq!(ended["status"], state, "{ended}");
        match said["action"].as_str() {
            Some("accept") => {
                assert_eq!(ended["result"]["structuredContent"]["counts"]["delete"], 50, "{ended}");
            }
            Some(_) => {
                assert_eq!(ended["result"]["isError"], true, "{ended}");
                assert!(message(&ended).contains("nothing was written"), "{ended}");
            }
            None => assert!(message(&ended).contains("nothing was written"), "{ended}"),
        }
    }
}

#[test]
fn a_task_whose_process_died_says_what_was_done_and_others_keep_their_results() {
    for (point, words) in [("begun", "wrote nothing"), ("sent", "was applied in full")] {
        let house = House::new(AT_ONCE, 200, 10);
        let mut session = house.session();
        let ended = house.begin(&mut session);
        let result = until(&mut session, &ended, is_over);
        write(house.folder.path(), 260, 10);
        drop(session);
        // One process stops for good in the middle of its run, and is killed there.
        let mut command = lockstep(house.folder.path());
        command.env("LOCKSTEP_HALT_AT", point);
        let mut session = Session::start_command(command);
        let id = house.begin(&mut session);
        let began = Instant::now();
        while !session.halted() {
            let task = get(&mut session, &id);
            assert!(
                !is_over(&task) && began.elapsed() < PATIENCE,
                "{point} was not passed: {task}"
            );
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(get(&mut session, &id)["status"], "working");
        drop(session);
        let mut session = house.session();
        let task = get(&mut session, &id);
        assert_eq!(task["status"], "failed", "{point}: {task}");
        let said = task["error"]["message"].as_str().unwrap();
        assert!(said.starts_with("interrupted: ") && said.contains(words), "{point}: {said}");
        assert!(said.contains("call syncDataset again"), "{point}: {said}");
        assert_eq!(get(&mut session, &ended), result, "what was over stays as it was");
        drop(session);
        house.assert_ends_in_step(260);
    }
}

#[test]
fn a_server_that_stops_ends_its_tasks_between_two_batches() {
    let house = House::new(AT_ONCE, 15_000, 1_500);
    let mut session = house.session();
    let id = house.begin(&mut session);
    session.terminate();
    let ended = session.ended(Duration::from_secs(60));
    assert!(ended.status.success(), "{}", ended.stderr);
    let mut session = house.session();
    let task = get(&mut session, &id);
    assert_eq!(task["status"], "failed", "{task}");
    let said = task["error"]["message"].as_str().unwrap();
    assert!(said.contains("stopped") || said.starts_with("interrupted: "), "{said}");
    drop(session);
    house.assert_ends_in_step(15_000);
}

/// Adds a token of `name` to settings.
fn token(folder: &Path, name: &str) -> (String, String) {
    let mut command = lockstep(folder);
    command.args(["token", name, "--role", "operator"]);
    let printed = bounded::succeed(command, Duration::from_secs(20));
    let token = printed.split_whitespace().find(|word| word.starts_with("lockstep_")).unwrap();
    let (_, settings) = printed.split_once("For lockstep.toml:").unwrap();
    (token.to_owned(), settings.to_owned())
}

async fn http(client: &Client, method: &str, params: Value) -> Value {
    let response = client.modern(method, params, json!({CAPABILITIES: knows_tasks()})).await;
    answer(&messages(response).await)
}

#[tokio::test]
async fn a_task_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let ((ada, first), (bo, second)) = (token(folder.path(), "ada"), token(folder.path(), "bo"));
    let server = Server::start(&format!("{AT_ONCE}{first}{second}"));
    write(server.folder.path(), 60, 10);
    let (ada, bo) = (server.client(Some(&ada)), server.client(Some(&bo)));
    let made = json!({"name": "createFile", "arguments": {"type": "spreadsheet", "name": "A"}});
    let made = http(&ada, "tools/call", made).await;
    let sheet = &made["result"]["structuredContent"]["id"];
    let sync = json!({"name": "syncDataset", "arguments": {
        "left": {"file": "rows.csv"}, "right": {"spreadsheetId": sheet}, "key": ["id"],
        "deletes": "delete", "maxDeletePercent": 100, "mode": "apply",
    }});
    let mut ids = Vec::new();
    for rows in [60, 10] {
        write(server.folder.path(), rows, 10);
        let begun = http(&ada, "tools/call", sync.clone()).await;
        let id = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
        let began = Instant::now();
        loop {
            let task = http(&ada, "tasks/get", json!({"taskId": id})).await;
            if task["result"]["status"] != "working" {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{task}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ids.push(id);
    }
    // The second waits for ada's word.
    let agree = json!({"agree": {"action": "accept", "content": {"agree": true}}});
    for (method, params) in [
        ("tasks/get", json!({"taskId": ids[0]})),
        ("tasks/get", json!({"taskId": ids[1]})),
        ("tasks/cancel", json!({"taskId": ids[1]})),
        ("tasks/update", json!({"taskId": ids[1], "inputResponses": agree})),
        ("tasks/get", json!({"taskId": "no-such-task"})),
    ] {
        let refused = http(&bo, method, params.clone()).await;
        assert_eq!(refused["error"]["code"], -32602, "{method}: {refused}");
        let said = refused["error"]["message"].as_str().unwrap();
        assert!(said.starts_with("there is no task"), "{method}: {said}");
    }
    let list = http(&bo, "resources/read", json!({"uri": "lockstep://tasks"})).await;
    assert!(!list.to_string().contains(&ids[0]), "{list}");
    let read = json!({"uri": format!("lockstep://tasks/{}", ids[0])});
    assert!(http(&bo, "resources/read", read.clone()).await["error"].is_object());
    assert!(http(&ada, "resources/read", read).await["result"].is_object());
    let waits = http(&ada, "tasks/get", json!({"taskId": ids[1]})).await;
    assert_eq!(waits["result"]["status"], "input_required", "nobody else answered or stopped it");
}
