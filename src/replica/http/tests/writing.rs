//! Writes: guarded, never doubled, refused one by one.

use serde_json::json;

use super::{
    api::{Asked, Reply, Trouble, World, plain},
    stage::{PLAIN, Stage},
};
use crate::{error::Retry, replica::apply::Settled};

fn none() -> Vec<(usize, String)> {
    Vec::new()
}

#[tokio::test]
async fn items_are_created_updated_and_deleted_and_a_resend_carries_the_same_key() {
    let stage = Stage::new(PLAIN).await;
    let scan = stage.scan().await;
    let changes = [
        stage.change(&scan, "a", &[(1, "new name"), (2, "10.5")]),
        stage.change(&scan, "b", &[]),
        stage.insert("e", "e.name", "5"),
    ];
    stage.stub.asked("GET");
    stage.stub.trouble("POST", "/items", 1, Trouble::Break);
    assert_eq!(stage.unconfirmed(&scan, &changes).await, none());
    assert_eq!(
        stage.item("a"),
        json!({"sku": "a", "name": "new name", "stock": {"qty": 10.5, "shelf": "S"}}),
        "what is not described is kept"
    );
    assert_eq!(stage.item("b"), json!(null));
    assert_eq!(stage.item("e"), json!({"sku": "e", "name": "e.name", "stock": {"qty": 5}}));
    let world = stage.stub.world();
    let writes: Vec<_> = world.asked.iter().filter(|asked| asked.method != "GET").collect();
    let keys: Vec<&str> =
        writes.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    let methods: Vec<&str> = writes.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(methods, ["DELETE", "PATCH", "POST", "POST"]);
    assert_eq!(keys[2], keys[3]);
    assert!(keys[0] != keys[1] && keys[1] != keys[2]);
    assert_eq!(writes[1].body, json!({"name": "new name", "stock": {"qty": 10.5}}));
}

#[tokio::test]
async fn what_changed_meanwhile_is_not_overwritten() {
    let stage = Stage::new(PLAIN).await;
    let scan = stage.scan().await;
    {
        let mut world = stage.stub.world();
        world.edit("101", &json!({"name": "theirs"}));
        world.edit("102", &json!({"name": "theirs"}));
        world.edit("103", &json!({"name": "theirs"}));
        world.items.remove("104");
        world.add(json!({"sku": "e", "name": "theirs", "stock": {"qty": 5}}));
        world.add(json!({"sku": "f", "name": "same", "stock": {"qty": 6}}));
    }
    let changes = [
        stage.change(&scan, "a", &[(1, "ours")]),
        // Another field than theirs: both edits live.
        stage.change(&scan, "b", &[(2, "20")]),
        stage.change(&scan, "c", &[]),
        stage.change(&scan, "d", &[(1, "ours")]),
        stage.insert("e", "ours", "5"),
        stage.insert("f", "same", "6"),
    ];
    let not = stage.unconfirmed(&scan, &changes).await;
    let whys: Vec<String> = not.iter().map(|(at, why)| format!("{at} {why}")).collect();
    assert_eq!(whys.len(), 4, "{whys:?}");
    assert!(whys[0].starts_with("0 it changed since it was read: name is \"theirs\""), "{whys:?}");
    assert!(whys[1].starts_with("2 it changed since it was read"), "{whys:?}");
    assert!(whys[2].starts_with("3 it is not there any more"), "{whys:?}");
    assert!(whys[3].starts_with("4 an item with this key is there by now"), "{whys:?}");
    assert_eq!(
        stage.item("b"),
        json!({"sku": "b", "name": "theirs", "stock": {"qty": 20, "shelf": "S"}})
    );
    assert_eq!(stage.item("a")["name"], "theirs");
}

#[tokio::test]
async fn a_tag_closes_the_last_gap() {
    let toml = PLAIN.replace("id = \"/id\"\n", "id = \"/id\"\netag = \"header\"\n");
    let stage = Stage::new(&toml).await;
    let scan = stage.scan().await;
    // Between our look and our write: the look shows the old item, the write meets the new one.
    let theirs = Trouble::Edit("101".into(), json!({"name": "theirs"}));
    stage.stub.trouble("PATCH", "/items/101", 1, theirs);
    let not = stage.unconfirmed(&scan, &[stage.change(&scan, "a", &[(1, "ours")])]).await;
    assert!(
        not[0].1.contains("changed since it was read") && not[0].1.contains("somebody was faster"),
        "{not:?}"
    );
    assert_eq!(stage.item("a")["name"], "theirs");
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_looked_up_and_never_doubled() {
    let bad = Reply::raw(502, "text/html", "<title>Bad gateway</title>");
    let cut = Reply::raw(200, "application/json", "{\"id\":");
    let troubles = [
        Trouble::BreakAfter,
        Trouble::InsteadAfter(bad),
        Trouble::InsteadAfter(cut),
        Trouble::Slow(std::time::Duration::from_millis(1_500)),
    ];
    let unlisted = PLAIN.replace("[resources.items.find]", "[resources.items.delete]");
    let unlisted = unlisted.replace(
        "[resources.items.delete]\npath = \"/items\"\nquery = { sku = \"{field.sku}\" }\nitems = \"/data\"\n",
        "",
    );
    for toml in [PLAIN, unlisted.as_str()] {
        for trouble in troubles.clone() {
            let stage = Stage::new(toml).await;
            let scan = stage.scan().await;
            stage.stub.trouble("POST", "/items", 1, trouble);
            let changes = [stage.insert("e", "e.name", "5")];
            assert_eq!(stage.unconfirmed(&scan, &changes).await, none());
            assert_eq!(stage.item("e")["name"], "e.name");
        }
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_found_out_is_said_to_be_so() {
    let stage = Stage::new(PLAIN).await;
    let scan = stage.scan().await;
    stage.stub.trouble("POST", "/items", 9, Trouble::Break);
    let error = stage.write(&scan, &[stage.insert("e", "x", "5")]).await.remove(0).unwrap_err();
    assert_eq!(error.retry(), Retry::Ambiguous, "{error}");
    stage.stub.world().rules.clear();
    stage.stub.trouble("PATCH", "/items/101", 9, Trouble::BreakAfter);
    stage.stub.trouble("GET", "/items/101", 1, Trouble::Edit("101".into(), json!({})));
    let down = Reply::json(500, &json!({"message": "down"}));
    stage.stub.trouble("GET", "/items/101", 9, Trouble::Instead(down));
    let change = stage.change(&scan, "a", &[(1, "ours")]);
    let error = stage.write(&scan, &[change]).await.remove(0).unwrap_err();
    assert_eq!(error.retry(), Retry::Ambiguous, "{error}");
    assert!(error.to_string().contains("looking failed"), "{error}");
}

#[tokio::test]
async fn single_refusals_leave_the_rest_alone() {
    let stage = Stage::new(PLAIN).await;
    let scan = stage.scan().await;
    for (id, status) in [("101", 400), ("102", 403), ("103", 409)] {
        let reply = Reply::json(status, &json!({"message": format!("no to {id}")}));
        stage.stub.trouble("PATCH", id, 1, Trouble::Instead(reply));
    }
    let changes = [
        stage.change(&scan, "a", &[(1, "x")]),
        stage.change(&scan, "b", &[(1, "x")]),
        stage.change(&scan, "c", &[(1, "x")]),
        stage.change(&scan, "d", &[(1, "x")]),
        stage.insert("refused", "x", "1"),
    ];
    let not = stage.unconfirmed(&scan, &changes).await;
    let whys: Vec<String> = not.iter().map(|(at, why)| format!("{at} {why}")).collect();
    assert_eq!(
        whys,
        [
            "0 status 400: no to 101",
            "1 permissionDenied: status 403: no to 102",
            "2 status 409: no to 103",
            "4 status 422: this sku is not allowed"
        ]
    );
    assert_eq!(stage.item("d")["name"], "x");
}

#[tokio::test]
async fn a_credential_that_is_refused_stops_everything_and_a_quota_is_waited_for() {
    let stage = Stage::new(PLAIN).await;
    let scan = stage.scan().await;
    let busy = Reply::json(429, &json!({})).with("retry-after", "0.05");
    stage.stub.trouble("PATCH", "101", 2, Trouble::Instead(busy));
    let no = Reply::json(401, &json!({"message": "expired"}));
    stage.stub.trouble("PATCH", "102", 1, Trouble::Instead(no.clone()));
    let changes = ["a", "b", "c"].map(|key| stage.change(&scan, key, &[(1, "x")]));
    let not = stage.unconfirmed(&scan, &changes).await;
    assert_eq!(not.len(), 2, "{not:?}");
    assert!(not[0].1.contains("expired") && not[1].1.starts_with("not sent"), "{not:?}");
    assert_eq!(stage.item("a")["name"], "x");
    stage.stub.trouble("PATCH", "102", 1, Trouble::Instead(no));
    let error = stage.write(&scan, &changes[1..]).await.remove(0).unwrap_err().to_string();
    assert!(error.starts_with("unauthenticated"), "{error}");
}

/// A plain API that does not take one of the fields, and says nothing of it.
fn deaf(world: &mut World, asked: &Asked) -> Reply {
    let mut asked = asked.clone();
    if let Some(body) = asked.body.as_object_mut() {
        body.remove("name");
    }
    let silent = asked.method == "PATCH" && world.note("silent").is_some();
    let reply = plain(world, &asked);
    if silent { Reply { status: 204, ..Reply::default() } } else { reply }
}

#[tokio::test]
async fn a_value_that_the_api_accepts_and_does_not_keep_is_not_confirmed() {
    for silent in [false, true] {
        let stage = Stage::with(deaf, PLAIN).await;
        stage.stub.world().add(json!({"sku": "a", "name": "old", "stock": {"qty": 1}}));
        if silent {
            stage.stub.world().notes.insert("silent", String::new());
        }
        let scan = stage.scan().await;
        let changes = [stage.change(&scan, "a", &[(1, "new"), (2, "2")])];
        let not = stage.unconfirmed(&scan, &changes).await;
        assert!(not[0].1.contains("keeps another value: name is \"old\""), "{not:?}");
    }
}

#[tokio::test]
async fn a_put_sends_back_what_is_not_described() {
    let toml =
        PLAIN.replace("[resources.items.update]\n", "[resources.items.update]\nmethod = \"PUT\"\n");
    let stage = Stage::new(&toml).await;
    let scan = stage.scan().await;
    stage.stub.world().edit("101", &json!({"other": 12345678901234567890_u64}));
    assert_eq!(stage.unconfirmed(&scan, &[stage.change(&scan, "a", &[(1, "x")])]).await, none());
    let item = stage.item("a");
    assert_eq!(item["stock"], json!({"qty": 1, "shelf": "S"}), "{item}");
    assert_eq!((&item["other"], &item["name"]), (&json!(12345678901234567890_u64), &json!("x")));
}

#[tokio::test]
async fn what_the_api_cannot_do_is_refused_before_anything_is_written() {
    let toml = PLAIN
        .replace("name = \"/name\"", "name = { pointer = \"/name\", writable = false }")
        .replace("[resources.items.delete]\npath = \"/items/{id}\"\n", "");
    let stage = Stage::new(&toml).await;
    let scan = stage.scan().await;
    assert!(scan.formulas.contains("name"));
    let error = |change| {
        let (stage, scan) = (&stage, &scan);
        async move {
            let writes = stage.prepare_from(scan, &[&change]);
            stage.prepared(scan, &writes).await.unwrap_err().to_string()
        }
    };
    let text = error(stage.change(&scan, "a", &[(1, "x")])).await;
    assert!(text.contains("\"name\" can only be read"), "{text}");
    let text = error(stage.change(&scan, "a", &[])).await;
    assert!(
        text.contains("1 items would have to be deleted") && text.contains("add delete"),
        "{text}"
    );
}

#[tokio::test]
async fn a_batch_of_a_run_that_died_is_settled_by_looking() {
    let stage = Stage::new(PLAIN).await;
    let scan = stage.scan().await;
    let change = stage.change(&scan, "a", &[(1, "x")]);
    let writes = stage.prepare_from(&scan, &[&change]);
    let prepared = stage.prepared(&scan, &writes).await.unwrap();
    let stored = serde_json::to_string(&prepared.place(0)).unwrap();
    assert!(stored.contains("\\\"101\\\"") && stored.contains("idempotency"), "{stored}");
    assert_eq!(stage.settle(&prepared).await, Settled::Changed);
    let many: Vec<_> =
        (0..250).map(|number| stage.insert(&format!("n{number}"), "x", "1")).collect();
    let many: Vec<_> = many.iter().collect();
    let writes = stage.prepare_from(&scan, &many);
    let prepared = stage.prepared(&scan, &writes).await.unwrap();
    assert_eq!((prepared.batches(), prepared.changes(2).len()), (3, 50));
}

/// Takes several items at once, at `/batch`; one bad item fails the whole, or, in a kind mood, is left out.
fn bulk(world: &mut World, asked: &Asked) -> Reply {
    if asked.last() != "batch" {
        return plain(world, asked);
    }
    let list = asked.body["records"].as_array().cloned().unwrap_or_default();
    let bad = |record: &serde_json::Value| record["sku"] == "bad" || record["name"] == "bad";
    let kind = world.note("kind").is_some();
    if list.len() > 3 || (!kind && list.iter().any(bad)) {
        return Reply::json(422, &json!({"message": "a record is bad"}));
    }
    let mut results = Vec::new();
    for record in list.iter().filter(|record| !bad(record)).rev() {
        let id = match (asked.method.as_str(), record["id"].as_str()) {
            ("POST", _) => world.add(record.clone()),
            (_, Some(id)) if world.edit(id, record) => id.to_owned(),
            _ => continue,
        };
        let mut shown = world.items[&id].clone();
        shown["id"] = json!(id);
        results.push(shown);
    }
    Reply::json(200, &json!({"records": results, "errors": [{"message": "left one out"}]}))
}

#[tokio::test]
async fn several_items_go_in_one_request_and_one_bad_item_does_not_hold_up_the_others() {
    let create =
        "path = \"/batch\"\nsize = 3\nbody = { records = \"{items}\" }\nresults = \"/records\"\n";
    let update = format!("{create}element = {{ id = \"{{id}}\", name = \"{{item/name}}\" }}\n");
    let toml = PLAIN
        .replace(
            "[resources.items.create]\npath = \"/items\"\n",
            &format!("[resources.items.create]\n{create}"),
        )
        .replace(
            "[resources.items.update]\npath = \"/items/{id}\"\n",
            &format!("[resources.items.update]\n{update}"),
        );
    for kind in [false, true] {
        let stage = Stage::with(bulk, &toml).await;
        for sku in ["a", "b", "c", "d"] {
            stage.stub.world().add(json!({"sku": sku, "name": sku, "stock": {"qty": 1}}));
        }
        if kind {
            stage.stub.world().notes.insert("kind", String::new());
        }
        let scan = stage.scan().await;
        let mut changes: Vec<_> =
            ["a", "b", "c", "d"].iter().map(|key| stage.change(&scan, key, &[(1, "x")])).collect();
        changes[1] = stage.change(&scan, "b", &[(1, "bad")]);
        changes.extend(["e", "bad", "g", "h", "i"].map(|key| stage.insert(key, "n", "2")));
        stage.stub.trouble("POST", "/batch", 1, Trouble::BreakAfter);
        let not = stage.unconfirmed(&scan, &changes).await;
        let positions: Vec<usize> = not.iter().map(|(at, _)| *at).collect();
        assert_eq!(positions, [1, 5], "{not:?}");
        let words = if kind { "left one out" } else { "a record is bad" };
        assert!(not.iter().all(|(_, why)| why.contains(words)), "{not:?}");
        for key in ["a", "c", "d"] {
            assert_eq!(stage.item(key)["name"], "x");
        }
        for key in ["e", "g", "h", "i"] {
            assert_eq!(stage.item(key)["name"], "n", "{key}");
        }
    }
}

/// A plain API behind client credentials: tokens are `t1`, `t2`, …; only the latest is good.
fn guarded(world: &mut World, asked: &Asked) -> Reply {
    if asked.last() == "token" {
        let good = asked.header("authorization") == Some("Basic aWQ6aHVudGVyMjIyMg==");
        if !good
            || !asked
                .body
                .as_str()
                .is_some_and(|body| body.contains("grant_type=client%5Fcredentials"))
        {
            return Reply::json(
                401,
                &json!({"error": "invalid_client", "error_description": "hunter2222"}),
            );
        }
        let number = world.note("token").map_or(0, |text| text.parse::<u32>().unwrap()) + 1;
        world.notes.insert("token", number.to_string());
        return Reply::json(
            200,
            &json!({"access_token": format!("secret-t{number}"), "expires_in": 3600}),
        );
    }
    let wanted = format!("Bearer secret-t{}", world.note("token").unwrap_or_default());
    match asked.header("authorization") {
        Some(header) if header == wanted && world.note("closed").is_none() => plain(world, asked),
        header => Reply::json(401, &json!({"message": format!("{header:?} is no good")})),
    }
}

#[tokio::test]
async fn tokens_are_fetched_once_and_anew_when_they_are_refused() {
    let auth = "auth = { kind = \"clientCredentials\", tokenUrl = \"URL/token\", clientId = \"id\", clientSecret = \"SECRET\" }\n";
    let toml = PLAIN.replace("timeoutSeconds = 1\n", &format!("timeoutSeconds = 1\n{auth}"));
    let stage = Stage::with(guarded, &toml.replace("SECRET", "hunter2222")).await;
    stage.stub.world().add(json!({"sku": "a", "name": "n", "stock": {"qty": 1}}));
    let scan = stage.scan().await;
    assert_eq!(stage.stub.asked("POST").len(), 1, "one token for all pages");
    stage.stub.world().notes.insert("token", "7".into());
    assert_eq!(stage.unconfirmed(&scan, &[stage.change(&scan, "a", &[(1, "x")])]).await, none());
    assert_eq!((stage.item("a")["name"].as_str(), stage.stub.asked("POST").len()), (Some("x"), 1));
    stage.stub.world().notes.insert("closed", String::new());
    let error = stage.refused().await;
    assert!(error.starts_with("unauthenticated") && !error.contains("secret-t"), "{error}");
    assert!(error.contains("***"), "{error}");
    let stage = Stage::with(guarded, &toml.replace("SECRET", "wrong-one")).await;
    let error = stage.refused().await;
    assert!(
        error.contains("invalid_client")
            && !error.contains("hunter2222")
            && !error.contains("wrong-one"),
        "{error}"
    );
}
