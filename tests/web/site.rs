//! A server over HTTP with datasets that have a history: runs, conflicts, a dead letter, and text that is hostile.

use std::{
    fs,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{
    http::{Client, Server, answer, messages},
    store,
};

/// What stands in a cell, and would do harm on a page that does not escape it.
pub(super) const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

/// The name of a dataset that needs escaping in text, in attributes and in addresses.
pub(super) const NAME: &str = "a \"b\" <i>/c?d#e";

const GOODS: &str = "sku,name,qty\nA,Apple,10\nB,Beet,20\nC,Corn,30\n";

const SETTINGS: &str = "[files]\nwritable = true\n[connections.shop]\nkind = \"sqlite\"\nurl = \"sqlite:shop.db\"\nwritable = true\n";

/// A running server with its data.
pub(super) struct Site {
    pub(super) server: Server,
    pub(super) client: Client,
    /// The spreadsheet that is the right side of "goods".
    pub(super) sheet: String,
}

impl Site {
    /// Starts it; whoever sets it up shows `token`.
    pub(super) async fn new(settings: &str, token: Option<&str>) -> Self {
        let server = Server::start(&format!("{SETTINGS}{settings}"));
        let client = server.client(token);
        let mut site = Self { server, client, sheet: String::new() };
        let new = json!({"type": "spreadsheet", "name": format!("Goods {EVIL}"), "sheets": [{"title": "goods"}]});
        site.sheet = site.call("createFile", new).await["id"].as_str().unwrap().to_owned();
        site.write("goods.csv", GOODS);
        let goods = json!({
            "name": "goods", "left": {"file": "goods.csv"}, "right": {"spreadsheetId": site.sheet, "sheet": "goods"},
            "key": ["sku"], "direction": "both", "mode": "apply", "deletes": "delete", "maxDeletePercent": 100,
            "columns": [{"name": "sku"}, {"name": "name"}, {"name": "qty", "type": "number"}],
        });
        site.call("syncDataset", goods).await;
        site
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.server.folder.path().join(name), text).unwrap();
    }

    /// Returns the left side's lines.
    pub(super) fn left(&self) -> String {
        fs::read_to_string(self.server.folder.path().join("goods.csv")).unwrap()
    }

    /// Calls a tool that must succeed.
    pub(super) async fn call(&self, name: &str, arguments: Value) -> Value {
        let params = json!({"name": name, "arguments": arguments});
        let response = self.client.modern("tools/call", params, json!({})).await;
        let said = answer(&messages(response).await);
        assert_ne!(said["result"]["isError"], true, "{name}: {said}");
        said["result"]["structuredContent"].clone()
    }

    /// Both sides change the same cells: an amount, and a name that is hostile on the left.
    pub(super) async fn dispute(&self) {
        let evil = EVIL.replace('"', "\"\"");
        self.write("goods.csv", &format!("sku,name,qty\nA,Apple,11\nB,\"{evil}\",20\nC,Corn,30\n"));
        let cells = json!({"spreadsheetId": self.sheet, "sheet": "goods", "range": "B2",
            "values": [["Apple", 12], ["Bete", 20]]});
        self.call("updateCells", cells).await;
        let run = self.run().await;
        assert_eq!(run["counts"]["conflicts"], 2, "{run:#}");
    }

    /// Applies the goods as they are saved.
    pub(super) async fn run(&self) -> Value {
        self.call("syncDataset", json!({"name": "goods", "mode": "apply"})).await
    }

    /// Makes a dataset with a hostile name, and one whose table refuses a row for good.
    pub(super) async fn more(&self) {
        self.write("evil.csv", &format!("id,text\n1,\"{}\"\n", EVIL.replace('"', "\"\"")));
        let evil = json!({"name": NAME, "left": {"file": "evil.csv"}, "right": {"file": "copy.csv"}, "key": ["id"],
            "mode": "apply"});
        self.write("copy.csv", "id,text\n");
        self.call("syncDataset", evil).await;
        let database =
            rusqlite::Connection::open(self.server.folder.path().join("shop.db")).unwrap();
        let table =
            "CREATE TABLE stock (sku TEXT PRIMARY KEY, name TEXT, qty INTEGER CHECK (qty < 1000))";
        database.execute_batch(table).unwrap();
        self.write("stock.csv", GOODS);
        let stock = json!({"name": "stock", "left": {"file": "stock.csv"},
            "right": {"connection": "shop", "table": "stock"}, "key": ["sku"], "mode": "apply"});
        self.call("syncDataset", stock).await;
        let watch =
            json!({"action": "start", "dataset": "stock", "pollSeconds": 1, "retryLimit": 1});
        self.call("watchDataset", watch).await;
        self.write("stock.csv", &GOODS.replace("10", "5000"));
        self.letters(1).await;
    }

    /// Waits until there are as many dead letters.
    pub(super) async fn letters(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let said = self.call("watchDataset", json!({"action": "deadLetters"})).await;
            let found = said["deadLetters"].as_array().map_or(0, Vec::len);
            if found == count {
                return;
            }
            assert!(Instant::now() < deadline, "{found} dead letters: {said:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Gives the goods a past: thirty days of scores, and of runs of which one a day failed.
    pub(super) fn past(&self) {
        let mut all = String::from("BEGIN;\n");
        let mut add = |sql: String| all.push_str(&(sql + ";\n"));
        let hour = 3_600_000_000_i64;
        let now = jiff::Timestamp::now().as_microsecond();
        let now = now - now % hour;
        for back in 1..24 * 30 {
            let at = now - back * hour;
            let dip = f64::from(i32::try_from((back % 240).min(40)).unwrap());
            for (dataset, score) in [("", 58.0 + dip), ("goods", 60.0 + dip)] {
                add(format!(
                    "INSERT INTO health_history (dataset, at, score) VALUES ('{dataset}', {at}, {score:.1})"
                ));
            }
            let found = json!({"shares": {"consistency": 0.9 + dip / 1_000.0, "validity": 1.0}, "other": back % 5,
                "unexplained": i64::from(back % 24 == 7)});
            add(format!(
                "INSERT INTO quality_history (dataset, at, data) VALUES ('goods', {at}, '{found}')"
            ));
            let failed = i64::from(back % 24 == 7);
            let data = json!({"inStep": 50, "applied": 9 + back % 5, "failed": failed, "lags": {"60": 5, "70": 1},
                "conflictsOpened": back % 3, "conflictsClosed": back % 2});
            add(format!(
                "INSERT INTO run_rollups (grain, bucket, dataset, data) VALUES (3600, {at}, 'goods', '{data}')"
            ));
        }
        all.push_str("COMMIT");
        store::run(self.server.folder.path(), &all);
    }

    /// Says of every run that its columns in these places are sensitive.
    pub(super) fn hide(&self, places: &str) {
        let data = self.server.folder.path();
        store::run(data, &format!("UPDATE runs SET sensitive = '{places}'"));
        assert_ne!(store::column(data, "SELECT id FROM runs"), Vec::<String>::new());
    }

    /// Returns a browser that knows nothing yet.
    pub(super) fn visitor(&self) -> Visitor {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Visitor {
            http: http.build().unwrap(),
            url: self.server.listening.url.clone(),
            cookie: None,
        }
    }
}

/// As much of a browser as keeps a cookie and sends forms.
#[derive(Clone)]
pub(super) struct Visitor {
    http: reqwest::Client,
    pub(super) url: String,
    /// `name=value`.
    pub(super) cookie: Option<String>,
}

/// What a page was.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: header::HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the value of the first field of a name.
    pub(super) fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) =
            self.text.split_once(&mark).unwrap_or_else(|| panic!("no {name}:\n{}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Visitor {
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        self.cookie.iter().fold(request, |request, cookie| request.header("cookie", cookie))
    }

    pub(super) async fn send(&mut self, request: RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(set) = headers.get("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
        Page { status, headers, text: response.text().await.unwrap() }
    }

    pub(super) async fn get(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.send(request).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.form(path, fields);
        self.send(request).await
    }

    /// Returns a form, to be sent with more headers.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"))
    }
}
