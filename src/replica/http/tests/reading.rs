//! Lists: read to their end, exactly, or refused.

use std::time::Duration;

use lockstep_engine::{cell::Cell, schema::ColumnType};
use serde_json::json;

use super::{
    api::{Asked, Reply, Trouble, World},
    stage::{PLAIN, Stage},
};
use crate::{error::Kind, replica::scan::Extent};

/// Answers every list with the texts in the notes: `p1`, `p2`, … by the page asked for.
fn pages(world: &mut World, asked: &Asked) -> Reply {
    let page = asked.param("page").unwrap_or("1");
    let body = match page {
        "1" => world.note("p1"),
        "2" => world.note("p2"),
        _ => world.note("p3"),
    };
    let kind = world.note("kind").unwrap_or("application/json");
    let mut reply = Reply::raw(200, kind, body.unwrap_or("[]"));
    if let Some(link) = world.note("link").filter(|_| page == "1") {
        reply = reply.with("link", link);
    }
    match world.note("etag") {
        Some(etag) if asked.header("if-none-match") == Some(etag) => {
            Reply { status: 304, ..Reply::default() }
        }
        Some(etag) => reply.with("etag", etag),
        None => reply,
    }
}

const PAGES: &str = r#"
kind = "http"
baseUrl = "URL"
writable = true
timeoutSeconds = 1
maxBodyBytes = 100000
limits = { attempts = 2 }
[resources.items]
id = "/id"
[resources.items.list]
path = "/items"
pagination = { kind = "page", parameter = "page" }
[resources.items.delete]
path = "/items/{id}"
[resources.items.fields]
sku = "/sku"
name = "/name"
qty = "/stock/qty"
tags = "/tags"
"#;

async fn stage(toml: &str, notes: &[(&'static str, &str)]) -> Stage {
    let stage = Stage::with(pages, toml).await;
    let notes = notes.iter().map(|(name, text)| (*name, (*text).to_owned()));
    stage.stub.world().notes.extend(notes);
    stage
}

#[tokio::test]
async fn pages_are_read_to_the_end_and_values_are_exact() {
    let one = r#"[{"id":1,"sku":"a","stock":{"qty":12345678901234567890.10},"tags":["x","y"]},{"id":2,"sku":"b","name":null,"tags":null}]"#;
    let two = r#"[{"id":"3","sku":"c","name":"C","stock":{}}]"#;
    let stage = stage(PAGES, &[("p1", one), ("p2", two)]).await;
    let scan = stage.scan().await;
    assert_eq!((scan.extent, scan.snapshot.len()), (Extent::Whole, 3));
    assert_eq!(scan.snapshot.headers(), ["sku", "name", "qty", "tags"]);
    let row: Vec<Cell<'_>> = scan.snapshot.row(0).collect();
    let wanted = [
        Cell::Text("a"),
        Cell::Null,
        Cell::Number("12345678901234567890.10"),
        Cell::Text(r#"["x","y"]"#),
    ];
    assert_eq!(row, wanted);
    assert_eq!(scan.types.get("tags"), Some(&ColumnType::List));
    assert_eq!(stage.stub.asked("GET").len(), 3, "the blank third page is the end");
}

#[tokio::test]
async fn a_field_that_no_item_has_is_gone_and_not_blank() {
    let one = r#"[{"id":1,"sku":"a","name":"n","tags":[]}]"#;
    let gone = stage(PAGES, &[("p1", one)]).await;
    assert_eq!(gone.scan().await.snapshot.headers(), ["sku", "name", "tags"]);
    let blank = PAGES.replace("[resources.items]\n", "[resources.items]\nmissing = \"null\"\n");
    let blank = stage(&blank, &[("p1", one)]).await;
    assert_eq!(blank.scan().await.snapshot.headers(), ["sku", "name", "qty", "tags"]);
    let nothing = stage(PAGES, &[]).await;
    assert_eq!(nothing.scan().await.snapshot.headers(), ["sku", "name", "qty", "tags"]);
}

#[tokio::test]
async fn bad_answers_are_told_and_count_as_not_read() {
    for (body, kind, words) in [
        (
            r#"[{"id":1,"sku":{"deep":1}}]"#,
            "application/json",
            "item 1 (id 1): at /sku is an object",
        ),
        (r#"{"error":"none"}"#, "application/json", "is an object, and no list"),
        (r#"[{"id":1,"#, "application/json", "no JSON"),
        ("<html><title>Sign in</title></html>", "text/html", "an HTML page titled \"Sign in\""),
    ] {
        let error = stage(PAGES, &[("p1", body), ("kind", kind)]).await.refused().await;
        assert!(error.contains(words) && error.contains("\"crm\""), "{error}");
    }
    let large = format!("[\"{}\"]", "x".repeat(200_000));
    let error = stage(PAGES, &[("p1", &large)]).await.refused().await;
    assert!(error.starts_with("tooLarge") && error.contains("maxBodyBytes"), "{error}");
}

#[tokio::test]
async fn a_list_that_goes_on_for_ever_is_stopped() {
    let same = r#"[{"id":1,"sku":"a"}]"#;
    let error = stage(PAGES, &[("p1", same), ("p2", same), ("p3", same)]).await.refused().await;
    assert!(
        error.contains("the same page again") && error.contains("nothing was written"),
        "{error}"
    );
    let few = PAGES.replace("path = \"/items\"\n", "path = \"/items\"\nmaxItems = 2\n");
    let three = r#"[{"id":1},{"id":2},{"id":3}]"#;
    let error = stage(&few, &[("p1", three)]).await.refused().await;
    assert!(error.contains("more than 2 items") && error.contains("maxItems"), "{error}");
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_again_and_then_refused() {
    let (one, two) = (r#"[{"id":1,"sku":"a"},{"id":2}]"#, r#"[{"id":2},{"id":3}]"#);
    let torn = stage(PAGES, &[("p1", one), ("p2", two)]).await;
    let error = torn.refused().await;
    assert!(error.starts_with("unavailable") && error.contains("id 2 came twice"), "{error}");
    assert_eq!(torn.stub.asked("GET").len(), 9, "three readings of three pages");
    let counted = Stage::new(PLAIN).await;
    let wrong = Reply::json(200, &json!({"data": [], "total": 4}));
    counted.stub.trouble("GET", "/items", 1, Trouble::Instead(wrong));
    assert_eq!(counted.scan().await.snapshot.len(), 4);
}

#[tokio::test]
async fn items_without_an_id_are_read_and_two_of_one_key_are_left_to_the_engine() {
    let items = r#"[{"sku":"a"},{"id":1,"sku":"b"},{"id":2,"sku":"b"}]"#;
    let scan = stage(PAGES, &[("p1", items)]).await.scan().await;
    assert_eq!(scan.snapshot.len(), 3);
}

#[tokio::test]
async fn no_answer_leads_to_another_origin() {
    let link = PAGES.replace("{ kind = \"page\", parameter = \"page\" }", "{ kind = \"link\" }");
    for to in ["https://evil.example/items?page=2", "//evil.example/x", "http://127.0.0.1:1/x"] {
        let header = format!("<{to}>; rel=\"next\"");
        let notes = [("p1", r#"[{"id":1}]"#), ("link", header.as_str())];
        let error = stage(&link, &notes).await.refused().await;
        assert!(error.starts_with("permissionDenied") && error.contains("not followed"), "{error}");
        let redirect = Reply { status: 302, ..Reply::default() }.with("location", to);
        let redirected = stage(PAGES, &[]).await;
        redirected.stub.trouble("GET", "/items", 1, Trouble::Instead(redirect));
        let error = redirected.refused().await;
        assert!(error.starts_with("permissionDenied") && error.contains("not followed"), "{error}");
    }
    let own = stage(PAGES, &[("p1", r#"[{"id":1}]"#)]).await;
    let moved = |to: &str| Reply { status: 301, ..Reply::default() }.with("location", to);
    own.stub.trouble("GET", "/items", 1, Trouble::Instead(moved("/moved?page=1")));
    assert_eq!(own.scan().await.snapshot.len(), 1);
    own.stub.trouble("GET", "/items", 9, Trouble::Instead(moved("/items")));
    assert!(own.refused().await.contains("redirects more than 3 times"));
}

#[tokio::test]
async fn refusals_say_what_to_do_and_troubles_pass() {
    let answers = [
        (401, "unauthenticated", "check the credential"),
        (403, "permissionDenied", "the right to do this"),
        (404, "notFound", "check baseUrl and path"),
        (422, "invalidArgument", "correct what is sent"),
        (503, "unavailable", "may succeed later"),
    ];
    for (status, kind, next) in answers {
        let stage = Stage::new(PLAIN).await;
        let reply = Reply::json(status, &json!({"message": "not like this"}));
        stage.stub.trouble("GET", "/items", 9, Trouble::Instead(reply));
        let error = stage.refused().await;
        assert!(error.starts_with(kind) && error.contains(next), "{error}");
    }
    let stage = Stage::new(PLAIN).await;
    let busy =
        |wait: &str| Reply::json(429, &json!({"message": "slow down"})).with("retry-after", wait);
    stage.stub.trouble("GET", "/items", 1, Trouble::Instead(busy("0.05")));
    stage.stub.trouble("GET", "/items", 1, Trouble::Break);
    assert_eq!(stage.scan().await.snapshot.len(), 4);
    stage.stub.trouble("GET", "/items", 1, Trouble::Instead(busy("3600")));
    let error = stage.refused().await;
    assert!(error.starts_with("quotaExhausted") && error.contains("after 3600 s"), "{error}");
    stage.stub.trouble("GET", "/items", 9, Trouble::Slow(Duration::from_secs(3)));
    let error = stage.refused().await;
    assert!(error.contains("no answer within 1 s"), "{error}");
}

#[tokio::test]
async fn a_list_whose_tags_are_the_same_is_not_read_again() {
    let toml = PAGES.replace("path = \"/items\"\n", "path = \"/items\"\nconditional = true\n");
    let stage = stage(&toml, &[("p1", r#"[{"id":1,"sku":"a"}]"#), ("etag", "\"one\"")]).await;
    let first = stage.scan().await;
    let stamp = first.stamp.clone().unwrap();
    let again = stage.try_scan(Some(&stamp)).await.unwrap();
    assert_eq!((again.extent, again.snapshot.len()), (Extent::Unchanged, 0));
    assert_eq!(again.stamp, Some(stamp.clone()));
    stage.stub.world().notes.insert("etag", "\"two\"".into());
    let changed = stage.try_scan(Some(&stamp)).await.unwrap();
    assert_eq!((changed.extent, changed.snapshot.len()), (Extent::Whole, 1));
    assert_ne!(changed.stamp, Some(stamp));
}

#[tokio::test]
async fn only_what_changed_since_is_asked_for() {
    let toml = PAGES
        .replace("id = \"/id\"\n", "id = \"/id\"\nmodifiedAt = \"/at\"\n")
        .replace("path = \"/items\"\n", "path = \"/items\"\nsince = { parameter = \"updated\" }\n");
    let items =
        r#"[{"id":1,"sku":"a","at":"2024-01-15T10:00:00Z"},{"id":2,"at":"2024-01-14T10:00:00Z"}]"#;
    let stage = stage(&toml, &[("p1", items)]).await;
    let stamp = stage.scan().await.stamp.unwrap();
    stage.stub.asked("GET");
    let scan = stage.try_scan(Some(&stamp)).await.unwrap();
    assert_eq!((scan.extent, scan.snapshot.headers().len()), (Extent::Since, 4));
    let asked = stage.stub.asked("GET");
    assert_eq!(asked[0].param("updated"), Some("2024-01-15T09:59:00Z"));
    stage.stub.world().notes.insert("p1", r#"[{"id":1,"sku":"a"}]"#.into());
    assert_eq!(stage.scan().await.stamp, None, "an item that does not say when it changed");
}

#[tokio::test]
async fn a_check_names_what_is_not_as_described() {
    let good = Stage::new(PLAIN).await.check().await;
    assert_eq!((good[0].items, good[0].problems.len()), (3, 0), "{good:?}");
    let bad = PLAIN.replace("\"/name\"", "\"/nmae\"").replace("id = \"/id\"", "id = \"/key\"");
    let problems = Stage::new(&bad).await.check().await.remove(0).problems.join("; ");
    assert!(
        problems.contains("\"name\" at /nmae") && problems.contains("no id at /key"),
        "{problems}"
    );
    let error = Stage::new(&PLAIN.replace("items = \"/data\"", "items = \"/x\"")).await;
    assert!(error.check().await[0].problems[0].contains("no list"));
    assert_eq!(error.try_scan(None).await.unwrap_err().kind(), Kind::Internal);
}
