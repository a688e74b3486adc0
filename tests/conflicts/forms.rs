//! A decision that nobody made yet is asked of the person, where the client can show a form.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::session::{Session, modern_meta};

const FORMS: &str = "io.modelcontextprotocol/clientCapabilities";

/// Puts a name on two sheets of a spreadsheet.
fn write(session: &mut Session, id: &Value, names: [&str; 2]) {
    for (sheet, name) in ["L", "R"].into_iter().zip(names) {
        let cells = json!([["id", "name"], ["A", name]]);
        let place = json!({"spreadsheetId": id, "sheet": sheet, "range": "A1", "values": cells});
        let done = session.call("updateCells", place);
        assert!(done["result"]["structuredContent"].is_object(), "{done}");
    }
}

/// Leaves one conflict; returns the spreadsheet, and the call that asks about it.
fn disputed(session: &mut Session) -> (Value, Value) {
    let sheets = json!([{"title": "L"}, {"title": "R"}]);
    let made =
        session.call("createFile", json!({"type": "spreadsheet", "name": "S", "sheets": sheets}));
    let id = made["result"]["structuredContent"]["id"].clone();
    let sync = json!({"name": "goods", "left": {"spreadsheetId": id, "sheet": "L"},
        "right": {"spreadsheetId": id, "sheet": "R"}, "key": ["id"], "direction": "both", "mode": "apply"});
    write(session, &id, ["Apple", "Apple"]);
    session.call("syncDataset", sync.clone());
    write(session, &id, ["Apfel", "Pomme"]);
    let found = session.call("syncDataset", sync);
    assert_eq!(found["result"]["structuredContent"]["counts"]["conflicts"], 1, "{found}");
    (id, json!({"action": "decide", "dataset": "goods", "apply": "now"}))
}

/// Returns the name on a sheet.
fn name(session: &mut Session, id: &Value, sheet: &str) -> Value {
    let page =
        session.call("readSheet", json!({"spreadsheetId": id, "sheet": sheet, "as": "rows"}));
    page["result"]["structuredContent"]["rows"][1]["cells"][1].clone()
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

#[test]
fn a_client_with_forms_shows_the_choices_while_the_call_waits() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::start(folder.path());
    session.initialize_with(&json!({"elicitation": {}}));
    let (id, arguments) = disputed(&mut session);
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
                assert_eq!(name(&mut session, &id, "L"), cell);
            }
            Err(why) => assert!(text(&done).contains(why), "{why}: {done}"),
        }
    }
}

#[test]
fn a_client_of_the_later_revision_gets_the_form_as_the_answer() {
    let folder = TempDir::new().unwrap();
    let mut first = Session::initialized(folder.path());
    let (id, arguments) = disputed(&mut first);
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
    let mut last = Session::initialized(folder.path());
    assert_eq!(name(&mut last, &id, "L"), "Pomme");
}

#[test]
fn a_client_without_forms_gets_the_list() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::initialized(folder.path());
    let (_, arguments) = disputed(&mut session);
    let listed = session.call("resolveConflicts", arguments);
    let answer = &listed["result"]["structuredContent"];
    assert_eq!((&answer["total"], answer.get("changed")), (&json!(1), None), "{listed}");
    assert!(answer["next"].as_str().unwrap().starts_with("Nothing was decided"), "{listed}");
}
