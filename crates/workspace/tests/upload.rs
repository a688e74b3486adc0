//! Content of files that comes in chunks.

use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn content_comes_in_chunks() {
    let server = Server::start().await;
    let start = async |method: &str, path: &str| {
        let body = json!({"name": "r.txt"}).to_string();
        let answer = server
            .send(
                method,
                &format!("/upload/drive/v3/{path}?uploadType=resumable&fields=name,size,mimeType"),
                "application/json",
                body,
            )
            .await;
        assert_eq!(answer.status, 200);
        answer.header("location").strip_prefix(&server.url).unwrap().to_owned()
    };
    let put = async |address: &str, range: &str, body: &'static str| {
        let request = server
            .client
            .put(format!("{}{address}", server.url))
            .header("content-range", range)
            .body(body);
        Server::answer(request).await
    };
    let address = start("POST", "files").await;
    assert_eq!(put(&address, "bytes */6", "").await.status, 308);
    let first = put(&address, "bytes 0-3/*", "abcd").await;
    assert_eq!((first.status, first.header("range")), (308, "bytes=0-3"));
    // A lost answer: the same chunk again, and one that leaves a hole.
    assert_eq!(put(&address, "bytes 0-3/*", "abcd").await.header("range"), "bytes=0-3");
    assert_eq!(put(&address, "bytes 8-9/10", "xy").await.header("range"), "bytes=0-3");
    assert_eq!(put(&address, "bytes 0-3/6", "ab").await.status, 400);
    let made = put(&address, "bytes 4-5/6", "ef").await.ok();
    assert_eq!(made, json!({"name": "r.txt", "size": "6", "mimeType": "application/octet-stream"}));
    assert_eq!(put(&address, "bytes 4-5/6", "ef").await.status, 404);
    let list = server.get("/drive/v3/files").await.ok();
    let id = list["files"][0]["id"].as_str().unwrap();
    let address = start("PATCH", &format!("files/{id}")).await;
    server.send("PUT", &address, "", "whole").await.ok();
    assert_eq!(server.get(&format!("/drive/v3/files/{id}?alt=media")).await.text, "whole");
}
