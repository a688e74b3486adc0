//! The two views that MCP hosts show: found through the tools, read as resources, whole in themselves.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    http::{Server, answer, messages},
    programs, script,
};

const VIEWS: [(&str, &str); 2] =
    [("healthReport", "ui://lockstep/health"), ("resolveConflicts", "ui://lockstep/conflicts")];

#[tokio::test]
async fn the_views_are_found_through_the_tools_and_need_nothing_from_elsewhere() {
    let server = Server::start("");
    let client = server.client(None);
    let ask = async |method: &str, params: Value| {
        let response = client.modern(method, params, json!({})).await;
        assert_eq!(response.status(), StatusCode::OK);
        answer(&messages(response).await)["result"].clone()
    };
    let said = ask("server/discover", json!({})).await;
    let can = &said["capabilities"]["extensions"];
    let mime = "text/html;profile=mcp-app";
    assert_eq!(can["io.modelcontextprotocol/ui"]["mimeTypes"], json!([mime]), "{said}");
    assert!(can.as_object().unwrap().len() >= 3, "the other extensions stay: {can}");
    let tools = ask("tools/list", json!({})).await;
    let tools = tools["tools"].as_array().unwrap();
    let listed = ask("resources/list", json!({})).await["resources"].clone();
    for (name, uri) in VIEWS {
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        assert_eq!(tool["_meta"]["ui"]["resourceUri"], uri, "{tool}");
        let resource = listed.as_array().unwrap().iter().find(|one| one["uri"] == uri).unwrap();
        assert_eq!(resource["mimeType"], mime);
        let read = ask("resources/read", json!({"uri": uri})).await["contents"][0].clone();
        assert_eq!((&read["mimeType"], &read["uri"]), (&json!(mime), &json!(uri)));
        assert_eq!(read["_meta"]["ui"], json!({"prefersBorder": true}));
        let html = read["text"].as_str().unwrap();
        assert!(html.starts_with("<!DOCTYPE html>") && html.len() < 24_000, "{}", html.len());
        for outside in
            ["http:", "https:", "src=", "href=", "@import", "url(", "innerHTML", "fetch("]
        {
            assert!(!html.contains(outside), "{uri} has {outside}");
        }
    }
    let others = tools.iter().filter(|tool| tool.get("_meta").is_some()).count();
    assert_eq!(others, VIEWS.len(), "other tools carry nothing");
}

/// A host in Chromium shows both views in a sandbox, passes hostile results on, and carries a decision to the server.
#[tokio::test]
async fn a_host_shows_the_views_and_a_click_in_one_decides() {
    let Some(mut browser) = programs::browser("web_apps.py") else { return };
    let site = super::site::Site::new("", None).await;
    site.dispute().await;
    browser
        .arg(&site.server.listening.url)
        .arg(super::browser::shots())
        .arg(script("mcp_host.html"));
    print!("{}", crate::support::bounded::succeed(browser, super::browser::LIMIT));
    let run = site.run().await;
    assert_eq!(run["counts"]["conflicts"], 1, "{run:#}");
    assert!(site.left().contains("A,Apple,12"), "the right won: {}", site.left());
}

/// The protocol's own inspector sees which tools have a view, and reads it.
#[tokio::test]
async fn the_inspector_finds_both_views() {
    let home = tempfile::TempDir::new().unwrap();
    let Some(mut inspector) = programs::inspector_cli(home.path()) else { return };
    let server = Server::start("");
    let url = format!("{}/mcp", server.listening.url);
    inspector.args(["--server-url", &url, "--transport", "http", "--format", "json", "-q"]);
    inspector.args(["--method", "tools/list", "--app-info"]);
    let said = crate::support::bounded::succeed(inspector, super::browser::LIMIT);
    let found: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let with: Vec<(&str, &str)> = found
        .iter()
        .filter(|one| one["hasApp"] == true)
        .map(|one| (one["toolName"].as_str().unwrap(), one["resourceUri"].as_str().unwrap()))
        .collect();
    assert_eq!(with, VIEWS, "{said}");
    assert!(found.iter().all(
        |one| one["hasApp"] == false || one["resourceMimeType"] == "text/html;profile=mcp-app"
    ));
}
