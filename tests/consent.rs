//! What deletes much asks first, whatever the client can do; what it was told holds for that alone, once.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    http::{Server, answer, messages},
    session::{Session, modern_meta},
};

const FORMS: &str = "io.modelcontextprotocol/clientCapabilities";

fn write(folder: &Path, rows: usize) {
    let rows: String = (0..rows).map(|row| format!("k{row},{row}\n")).collect();
    fs::write(folder.join("rows.csv"), format!("id,n\n{rows}")).unwrap();
}

/// Syncs 60 rows to a sheet, then leaves `left` of them in the file; returns the apply that deletes the others.
fn shrunk(session: &mut Session, folder: &Path, left: usize) -> Value {
    let made = session.call("createFile", json!({"type": "spreadsheet", "name": "A"}));
    let sheet = made["result"]["structuredContent"]["id"].clone();
    write(folder, 60);
    let arguments = json!({
        "left": {"file": "rows.csv"}, "right": {"spreadsheetId": sheet}, "key": ["id"],
        "deletes": "delete", "maxDeletePercent": 100, "mode": "apply",
    });
    let first = session.call("syncDataset", arguments.clone());
    assert_eq!(first["result"]["structuredContent"]["counts"]["insert"], 60, "{first}");
    write(folder, left);
    arguments
}

fn report(answer: &Value) -> &Value {
    let report = &answer["result"]["structuredContent"];
    assert!(report.is_object(), "no report: {answer}");
    report
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

/// Returns how many rows the sheet would lose now.
fn deletes_left(session: &mut Session, arguments: &Value) -> Value {
    let mut plan = arguments.clone();
    plan["mode"] = json!("plan");
    report(&session.call("syncDataset", plan))["counts"]["delete"].clone()
}

#[test]
fn few_deletes_ask_nobody() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::start(folder.path());
    session.initialize_with(&json!({"elicitation": {}}));
    let arguments = shrunk(&mut session, folder.path(), 40);
    let done = session.call("syncDataset", arguments);
    assert_eq!(report(&done)["counts"]["delete"], 20, "{done}");
    assert_eq!(report(&done)["state"], "applied");
}

#[test]
fn a_client_with_forms_is_asked_while_the_call_waits() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::start(folder.path());
    session.initialize_with(&json!({"elicitation": {}}));
    let arguments = shrunk(&mut session, folder.path(), 10);
    for (said, applied) in [
        (json!({"action": "decline"}), false),
        (json!({"action": "cancel"}), false),
        (json!({"action": "accept", "content": {"agree": false}}), false),
        (json!({"action": "accept", "content": {"agree": true}}), true),
    ] {
        let call = json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call",
            "params": {"name": "syncDataset", "arguments": arguments}});
        session.send(&call);
        let mut question = session.message();
        while question["method"] == "notifications/resources/list_changed" {
            question = session.message();
        }
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let message = question["params"]["message"].as_str().unwrap();
        assert!(message.contains("50 rows would be deleted"), "{message}");
        session.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": said}));
        let done = session.answer_to(&json!("c"));
        if applied {
            assert_eq!(report(&done)["counts"]["delete"], 50, "{done}");
            assert_eq!(report(&done)["state"], "applied");
        } else {
            assert!(text(&done).starts_with("cancelled: "), "{done}");
            assert_eq!(deletes_left(&mut session, &arguments), 50, "nothing was written");
        }
    }
}

#[test]
fn a_client_without_forms_gets_a_code_that_is_good_once_for_this_call() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let arguments = shrunk(&mut session, folder.path(), 10);
    let asked = session.call("syncDataset", arguments.clone());
    let words = text(&asked).to_owned();
    assert!(words.starts_with("confirmationNeeded: syncDataset: "), "{words}");
    let (_, rest) = words.split_once("confirm: \"").unwrap();
    let (code, _) = rest.split_once('"').unwrap();
    let with = |arguments: &Value, code: &str| {
        let mut arguments = arguments.clone();
        arguments["confirm"] = json!(code);
        arguments
    };
    let mut other = arguments.clone();
    other["deletes"] = json!("mark");
    for (arguments, code) in [(&arguments, "000000000000"), (&other, code)] {
        let refused = session.call("syncDataset", with(arguments, code));
        assert!(text(&refused).contains("no open code of this call"), "{refused}");
    }
    // Someone changes the plan: the code was for the one before.
    write(folder.path(), 5);
    let stale = session.call("syncDataset", with(&arguments, code));
    assert!(text(&stale).contains("55 rows would be deleted"), "{stale}");
    let (_, rest) = text(&stale).split_once("confirm: \"").unwrap();
    let fresh = rest.split_once('"').unwrap().0.to_owned();
    let done = session.call("syncDataset", with(&arguments, &fresh));
    assert_eq!(report(&done)["counts"]["delete"], 55, "{done}");
    let again = session.call("syncDataset", with(&arguments, &fresh));
    assert!(text(&again).contains("no open code of this call"), "{again}");
}

#[test]
fn a_passed_halt_asks_too_and_a_rollback_of_many_inserts() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let mut arguments = shrunk(&mut session, folder.path(), 40);
    arguments["maxDeletePercent"] = json!(10);
    let halted = session.call("syncDataset", arguments.clone());
    assert_eq!(report(&halted)["state"], "halted", "{halted}");
    arguments["override"] = json!([report(&halted)["halted"][0]["name"]]);
    let asked = session.call("syncDataset", arguments);
    assert!(text(&asked).contains("safety halts passed"), "{asked}");
    let runs = session.call("syncHistory", json!({}));
    let run = report(&runs)["runs"][0]["runId"].clone();
    let undo = session.call("rollbackSync", json!({"runId": run, "mode": "apply"}));
    assert!(text(&undo).starts_with("confirmationNeeded: rollbackSync: "), "{undo}");
}

/// Calls under revision 2026-07-28 as a client with forms.
fn modern(session: &mut Session, arguments: &Value, more: &Value) -> Value {
    let mut params = json!({"name": "syncDataset", "arguments": arguments, "_meta": modern_meta()});
    params["_meta"][FORMS] = json!({"elicitation": {"form": {}}});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    session.request("tools/call", params)
}

#[test]
fn a_client_of_2026_07_28_is_asked_by_the_answer() {
    let folder = TempDir::new().unwrap();
    let mut first = Session::initialized(folder.path());
    let arguments = shrunk(&mut first, folder.path(), 10);
    drop(first);
    let mut session = Session::start(folder.path());
    let asked = modern(&mut session, &arguments, &json!({}));
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let question = &asked["result"]["inputRequests"]["agree"];
    assert_eq!(question["method"], "elicitation/create", "{asked}");
    let state = asked["result"]["requestState"].clone();
    let said = |action: &str, state: &Value| json!({"requestState": state, "inputResponses": {"agree": {"action": action, "content": {"agree": true}}}});
    let unanswered = modern(&mut session, &arguments, &json!({"requestState": state}));
    assert_eq!(unanswered["result"]["resultType"], "input_required", "{unanswered}");
    let changed = json!(format!("{}A", state.as_str().unwrap()));
    let refused = modern(&mut session, &arguments, &said("accept", &changed));
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let mut other = arguments.clone();
    other["sample"] = json!(3);
    let refused = modern(&mut session, &other, &said("accept", &state));
    assert_eq!(refused["error"]["code"], -32602, "another call: {refused}");
    let done = modern(&mut session, &arguments, &said("accept", &state));
    assert_eq!(report(&done)["counts"]["delete"], 50, "{done}");
    let twice = modern(&mut session, &arguments, &said("accept", &state));
    assert_eq!(twice["error"]["code"], -32602, "used already: {twice}");
}

#[tokio::test]
async fn over_http_the_question_is_for_the_caller_alone() {
    let token = |name: &str| {
        let hash = blake3::derive_key("lockstep 2026 static bearer token", name.as_bytes());
        let hash = blake3::Hash::from_bytes(hash).to_hex();
        format!(
            "[[auth.tokens]]\nname = \"{name}\"\nhash = \"blake3:{hash}\"\nrole = \"operator\"\n"
        )
    };
    let server = Server::start(&format!("{}{}", token("ada"), token("bo")));
    let (ada, bo) = (server.client(Some("ada")), server.client(Some("bo")));
    let call = async |client: &crate::support::http::Client,
                      name: &str,
                      arguments: &Value,
                      more: &Value| {
        let mut params = json!({"name": name, "arguments": arguments});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        let can = json!({FORMS: {"elicitation": {}}});
        answer(&messages(client.modern("tools/call", params, can).await).await)
    };
    let new = json!({"type": "spreadsheet", "name": "A"});
    let made = call(&ada, "createFile", &new, &json!({})).await;
    write(server.folder.path(), 60);
    let arguments = json!({
        "left": {"file": "rows.csv"}, "right": {"spreadsheetId": report(&made)["id"]}, "key": ["id"],
        "deletes": "delete", "maxDeletePercent": 100, "mode": "apply",
    });
    report(&call(&ada, "syncDataset", &arguments, &json!({})).await);
    write(server.folder.path(), 10);
    let asked = call(&ada, "syncDataset", &arguments, &json!({})).await;
    let yes = json!({"requestState": asked["result"]["requestState"],
        "inputResponses": {"agree": {"action": "accept", "content": {"agree": true}}}});
    let stolen = call(&bo, "syncDataset", &arguments, &yes).await;
    assert_eq!(stolen["error"]["code"], -32602, "{stolen}");
    let done = call(&ada, "syncDataset", &arguments, &yes).await;
    assert_eq!(report(&done)["counts"]["delete"], 50, "{done}");
    let history = call(&bo, "syncHistory", &json!({"limit": 1}), &json!({})).await;
    assert_eq!(report(&history)["runs"][0]["caller"], "syncDataset (token:ada)", "{history}");
}
