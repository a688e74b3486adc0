//! Pages for people, and pages of strangers.

use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn pages_show_spreadsheets_and_escape_them() {
    let server = Server::start().await;
    assert!(server.get("/").await.text.contains("There is no spreadsheet yet"));
    let id = server.file(json!({"name": "<script>alert(1)</script>", "mimeType": "application/vnd.google-apps.spreadsheet"})).await;
    let home = server.get("/").await;
    assert_eq!((home.status, home.header("content-type")), (200, "text/html; charset=UTF-8"));
    assert!(
        home.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
            && !home.text.contains("<script>")
    );
    assert!(home.header("content-security-policy").starts_with("default-src 'none'"));
    let values = json!({"values": [["name", "<b>qty"], ["a&b", "$1.50"], ["", "=1+1"]]});
    let path = format!("/v4/spreadsheets/{id}/values/A1?valueInputOption=USER_ENTERED");
    assert_eq!(server.send("PUT", &path, "application/json", values.to_string()).await.status, 200);
    let page = server.get(&format!("/spreadsheets/{id}")).await;
    for part in [
        "&lt;b&gt;qty",
        "a&amp;b",
        "<td class=\"n\">$1.50</td>",
        "<td class=\"n\">2</td>",
        "<th scope=\"row\">3</th>",
        "aria-current=\"page\">Sheet1",
    ] {
        assert!(page.text.contains(part), "{part}");
    }
    assert!(!page.text.contains("<script>"));
    assert_eq!(server.get(&format!("/spreadsheets/{id}?sheet=99")).await.status, 404);
    assert_eq!(server.get("/spreadsheets/none").await.status, 404);
    assert_eq!(server.get(&format!("/spreadsheets/{id}?row=4000000000")).await.status, 200);
}

#[tokio::test]
async fn long_sheets_have_pages() {
    let server = Server::start().await;
    let id = server
        .file(json!({"name": "long", "mimeType": "application/vnd.google-apps.spreadsheet"}))
        .await;
    let rows: Vec<_> = (0..450).map(|row| json!([format!("r{row}.")])).collect();
    let path = format!("/v4/spreadsheets/{id}/values/A1?valueInputOption=RAW");
    server.send("PUT", &path, "application/json", json!({"values": rows}).to_string()).await;
    let first = server.get(&format!("/spreadsheets/{id}")).await.text;
    assert!(
        first.contains("r199.")
            && !first.contains("r200.")
            && first.contains("row=201")
            && !first.contains("Rows before")
    );
    let last = server.get(&format!("/spreadsheets/{id}?row=401")).await.text;
    assert!(
        last.contains("r400.")
            && last.contains("r449.")
            && last.contains("row=201")
            && !last.contains("Rows after")
    );
}

#[tokio::test]
async fn foreign_pages_are_kept_out() {
    let server = Server::start().await;
    let ask = |name: &'static str, value: String| {
        Server::answer(
            server.client.get(format!("{}/drive/v3/files", server.url)).header(name, value),
        )
    };
    assert_eq!(ask("origin", "https://evil.example".to_owned()).await.status, 403);
    assert_eq!(ask("origin", "null".to_owned()).await.status, 403);
    assert_eq!(ask("host", "evil.example:80".to_owned()).await.status, 403);
    assert_eq!(ask("origin", server.url.clone()).await.status, 200);
    assert_eq!(ask("host", "localhost:1".to_owned()).await.status, 200);
}
