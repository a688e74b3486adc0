//! A decision that nobody made yet is asked of the person, where the client can show a form.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::session::{Session, modern_meta};

const FORMS: &str = "io.modelcontextprotocol/clientCapabilities";

fn write(folder: &Path, left: &str, right: &str) {
    for (name, cell) in [("left.csv", left), ("right.csv", right)] {
        fs::write(folder.join(name), format!("id,name\nA,{cell}\n")).unwrap();
    }
}

/// Leaves one conflict; returns the call that asks about it.
fn disputed(session: &mut Session, folder: &Path) -> Value {
    let sync = json!({"name": "goods", "left": {"file": "left.csv"}, "right": {"file": "right.csv"}, "key": ["id"],
        "direction": "both", "mode": "apply"});
    write(folder, "Apple", "Apple");
    session.call("syncDataset", sync.clone());
    write(folder, "Apfel", "Pomme");
    let found = session.call("syncDataset", sync);
    assert_eq!(found["result"]["structuredContent"]["counts"]["conflicts"], 1, "{found}");
    json!({"action": "decide", "dataset": "goods", "apply": "now"})
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

#[test]
fn a_client_with_forms_shows_the_choices_while_the_call_waits() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::start(folder.path());
    session.initialize_with(&json!({"elicitation": {}}));
    let arguments = disputed(&mut session, folder.path());
    for (said, wanted) in [
        (json!({"action": "decline"}), Err("the person said no")),
        (json!({"action": "accept", "content": {"choice": "leave"}}), Err("left it open")),
        (json!({"action": "accept", "content": {"choice": "value"}}), Err("wrote none")),
        (json!({"action": "accept", "content": {"choice": "value", "value": "Mela"}}), Ok("Mela")),
    ] {
        session.send(&json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call",
            "params": {"name": "resolveConflicts", "arguments": arguments}}));
        let mut question = session.message();
        while question["method"] != "elicitation/create" {
            question = session.message();
        }
        let message = question["params"]["message"].as_str().unwrap();
        assert!(message.contains("A, name: base: Apple, left: Apfel, right: Pomme"), "{message}");
        let choices = &question["params"]["requestedSchema"]["properties"]["choice"]["enum"];
        assert_eq!(*choices, json!(["left", "right", "base", "value", "leave"]));
        session.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": said}));
        let done = session.answer_to(&json!("c"));
        match wanted {
            Ok(cell) => {
                assert_eq!(
                    done["result"]["structuredContent"]["run"]["state"], "applied",
                    "{done}"
                );
                assert_eq!(
                    fs::read_to_string(folder.path().join("left.csv")).unwrap(),
                    format!("id,name\nA,{cell}\n")
                );
            }
            Err(why) => assert!(text(&done).contains(why), "{why}: {done}"),
        }
    }
}

#[test]
fn a_client_of_the_later_revision_gets_the_form_as_the_answer() {
    let folder = TempDir::new().unwrap();
    let mut first = Session::initialized(folder.path());
    let arguments = disputed(&mut first, folder.path());
    drop(first);
    let mut session = Session::start(folder.path());
    let mut modern = |more: Value| {
        let mut params =
            json!({"name": "resolveConflicts", "arguments": arguments, "_meta": modern_meta()});
        params["_meta"][FORMS] = json!({"elicitation": {"form": {}}});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        session.request("tools/call", params)
    };
    let asked = modern(json!({}));
    let result = &asked["result"];
    assert_eq!(result["resultType"], "input_required", "{asked}");
    let form = &result["inputRequests"]["agree"]["params"];
    assert!(form["message"].as_str().unwrap().contains("left: Apfel"), "{asked}");
    let said = json!({"agree": {"action": "accept", "content": {"choice": "right"}}});
    let done = modern(json!({"requestState": result["requestState"], "inputResponses": said}));
    assert_eq!(done["result"]["structuredContent"]["run"]["state"], "applied", "{done}");
    assert_eq!(fs::read_to_string(folder.path().join("left.csv")).unwrap(), "id,name\nA,Pomme\n");
}

#[test]
fn a_client_without_forms_gets_the_list() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let arguments = disputed(&mut session, folder.path());
    let listed = session.call("resolveConflicts", arguments);
    let answer = &listed["result"]["structuredContent"];
    assert_eq!((&answer["total"], answer.get("changed")), (&json!(1), None), "{listed}");
    assert!(answer["next"].as_str().unwrap().starts_with("Nothing was decided"), "{listed}");
}
