//! Folders of a web server: they are read, and lead nowhere else.

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, Response, StatusCode, header},
};
use std::sync::{Arc, Mutex};

use super::{Desk, STOCK};

/// What a web server serves under `/data/`, and the paths that it was asked for.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<(String, Vec<String>)>>);

async fn answer(State(site): State<Site>, asked: Request<Body>) -> Response<Body> {
    let mut site = site.0.lock().unwrap();
    let path = asked.uri().path().to_owned();
    site.1.push(format!("{} {path}", asked.method()));
    let answer = Response::builder();
    match path.as_str() {
        "/data/stock.csv" => {
            let tag = format!("\"{}\"", blake3::hash(site.0.as_bytes()).to_hex());
            let answer = answer.header(header::ETAG, tag);
            match asked.method().as_str() {
                "HEAD" => answer.header(header::CONTENT_LENGTH, site.0.len()).body(Body::empty()),
                _ => answer.body(Body::from(site.0.clone())),
            }
        }
        "/data/away.csv" => answer
            .status(StatusCode::FOUND)
            .header(header::LOCATION, "/other/stock.csv")
            .body(Body::empty()),
        _ => answer.status(StatusCode::NOT_FOUND).body(Body::empty()),
    }
    .unwrap()
}

async fn serve() -> (Site, String) {
    let site = Site::default();
    site.0.lock().unwrap().0 = STOCK.to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/data/", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(site.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (site, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_web_server_is_read_and_not_written() {
    let (site, url) = serve().await;
    let connection = format!("kind = \"web\"\nurl = \"{url}\"");
    let desk = Desk::new(&connection, "stock.csv").await;
    let mut ask = desk.arguments();
    ask["direction"] = serde_json::json!("leftToRight");
    desk.house.ok("syncDataset", ask.clone()).await;
    assert_eq!(desk.lines().await.join("\n") + "\n", STOCK);
    site.0.lock().unwrap().0 = STOCK.replace("20", "21");
    desk.house.ok("syncDataset", ask.clone()).await;
    assert_eq!(desk.lines().await[2], "B,Beet,21");
    let error = desk.fails().await;
    assert!(error.contains("may only be read"), "{error}");
    // A redirect is not followed, wherever it leads.
    ask["left"]["file"] = serde_json::json!("away.csv");
    ask["name"] = serde_json::json!("away");
    let error = desk.house.err("syncDataset", ask.clone()).await;
    assert!(error.contains("away.csv"), "{error}");
    let asked = site.0.lock().unwrap().1.join("\n");
    assert!(!asked.contains("/other/"), "{asked}");
    ask["left"]["file"] = serde_json::json!("none.csv");
    ask["name"] = serde_json::json!("none");
    let error = desk.house.err("syncDataset", ask).await;
    assert!(error.contains("no file \"none.csv\""), "{error}");
}
