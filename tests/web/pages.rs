//! What the pages say, over real HTTP: all of it, escaped, bounded, and nothing that must not be shown.

use reqwest::StatusCode;
use serde_json::json;

use super::site::{EVIL, NAME, Site};

/// The address of the dataset with the hostile name.
const EVIL_PATH: &str = "/datasets/a%20%22b%22%20%3Ci%3E%2Fc%3Fd%23e";

/// What a page shows of a table cell: texts alone.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[tokio::test]
async fn every_page_says_what_there_is_and_no_text_of_a_cell_becomes_markup() {
    let site = Site::new("", None).await;
    site.dispute().await;
    site.more().await;
    site.call("healthReport", json!({"dataset": "goods"})).await;
    let run = site.call("syncHistory", json!({"dataset": NAME})).await;
    let run = run["runs"][0]["runId"].as_str().unwrap().to_owned();
    let mut visitor = site.visitor();
    let sheet = format!("/sheets/{}", site.sheet);
    let evil_run = format!("/runs/{run}");
    for (path, needed) in [
        (
            "/",
            vec![
                "Health score",
                "goods",
                "stock",
                "href=\"/letters?dataset=stock\"",
                "poor below 70",
            ],
        ),
        ("/?window=30d", vec!["30d"]),
        (
            "/datasets/goods",
            vec![
                "Runs by their end",
                "Lag: minutes",
                "Quality, with 95 % intervals",
                "Drift",
                "<desc",
                "goods.csv",
            ],
        ),
        (EVIL_PATH, vec!["href=\"/conflicts?dataset=a%20%22b%22%20%3Ci%3E%2Fc%3Fd%23e\""]),
        ("/runs", vec!["goods", "stock", "applied"]),
        (&evil_run, vec!["insert", "text"]),
        (
            "/conflicts",
            vec!["A · qty", "11", "12", "B · name", "Take left", "Take right", "Go back to it"],
        ),
        ("/conflicts?dataset=goods&column=name", vec!["B · name", "Bete"]),
        ("/letters", vec!["stock", "Try again", "Drop", "CHECK"]),
        ("/sheets", vec!["Goods ", "href=\"/sheets/"]),
        (&sheet, vec!["Corn", "Bete", "scope=\"row\""]),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        for text in needed {
            assert!(page.text.contains(text), "{path} does not say {text:?}:\n{}", page.text);
        }
        for harm in ["<script>", "<img", "<i>", "onerror=alert(2)>\"'"] {
            assert!(!page.text.contains(harm), "{path} has {harm}:\n{}", page.text);
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.header(name), value, "{path}: {name}");
        }
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for inline in ["style=\"", "onclick", "javascript:"] {
            assert!(!page.text.contains(inline), "{path} has {inline}");
        }
        for landmark in ["<main", "<nav", "<h1>", "lang=\"en\"", "Skip to the content"] {
            assert!(page.text.contains(landmark), "{path} has no {landmark}");
        }
    }
    for path in ["/conflicts", &evil_run] {
        let page = visitor.get(path).await;
        assert!(page.text.contains(&escaped(EVIL)), "{path}: {}", page.text);
    }
    for (file, kind) in [
        ("style.css", "text/css; charset=utf-8"),
        ("live.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let found = visitor.get(&format!("/assets/{file}")).await;
        assert_eq!((found.status, found.header("content-type")), (StatusCode::OK, kind));
    }
}

/// The history has the score of the usual window, whoever looks through which.
#[tokio::test]
async fn a_look_through_another_window_does_not_bend_the_history() {
    let site = Site::new("", None).await;
    site.dispute().await;
    let kept = || -> Vec<(String, f64)> {
        let query = "SELECT dataset, score FROM health_history ORDER BY dataset";
        let rows = crate::support::store::rows(site.server.folder.path(), query);
        rows.iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect()
    };
    let mut visitor = site.visitor();
    visitor.get("/").await;
    let usual = kept();
    assert_eq!(usual.len(), 2, "of the dataset, and of all");
    for path in ["/?window=30d", "/datasets/goods?window=7d", "/datasets/goods?window=30d"] {
        let page = visitor.get(path).await;
        assert!(
            !page.text.contains(&format!("score fair\">{}<", usual[1].1)),
            "{path}: the window counts"
        );
        assert_eq!(kept(), usual, "{path}");
    }
}

/// A row that one side deleted and the other changed is decided by a side, and by nothing else.
#[tokio::test]
async fn a_deletion_against_a_change_offers_the_sides_alone() {
    let site = Site::new("", None).await;
    std::fs::write(
        site.server.folder.path().join("goods.csv"),
        "sku,name,qty\nA,Apple,10\nB,Beet,20\n",
    )
    .unwrap();
    let cells =
        json!({"spreadsheetId": site.sheet, "sheet": "goods", "range": "C4", "values": [[31]]});
    site.call("updateCells", cells).await;
    site.run().await;
    let mut visitor = site.visitor();
    assert!(visitor.get("/").await.text.contains("href=\"/conflicts?dataset=goods\">1</a>"));
    let page = visitor.get("/conflicts").await;
    for (text, there) in [
        ("C · (row)", true),
        ("deleted here, changed there", true),
        ("qty: 30 → 31", true),
        ("Take left", true),
        ("Take right", true),
        ("Go back to it", false),
        ("or another value", false),
    ] {
        assert_eq!(page.text.contains(text), there, "{text}: {}", page.text);
    }
    let (csrf, id) = (page.field("csrf"), page.field("id"));
    let fields = [("csrf", csrf.as_str()), ("id", &id), ("winner", "left")];
    let done = visitor.post("/conflicts/decide", &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    site.run().await;
    let sheet = visitor.get(&format!("/sheets/{}", site.sheet)).await;
    assert!(sheet.text.contains("Beet") && !sheet.text.contains("Corn"), "the left's deletion won");
}

#[tokio::test]
async fn a_letter_is_tried_again_by_its_button_and_dies_again() {
    let site = Site::new("", None).await;
    site.more().await;
    let mut visitor = site.visitor();
    let page = visitor.get("/letters").await;
    let (csrf, letter) = (page.field("csrf"), page.field("letter"));
    let fields =
        [("csrf", csrf.as_str()), ("dataset", "stock"), ("letter", &letter), ("filter", "stock")];
    let done = visitor.post("/letters/retry", &fields).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/letters?dataset=stock&done=retry")
    );
    let gone = visitor.post("/letters/retry", &fields).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "that letter is in the queue again");
    site.letters(1).await;
    let page = visitor.get("/letters?dataset=stock&done=retry").await;
    for text in
        ["Put back into the queue.", "somebody asked to try it again", "Try all of stock again"]
    {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
}

#[tokio::test]
async fn an_address_that_leads_nowhere_says_so() {
    let site = Site::new("", None).await;
    let mut visitor = site.visitor();
    for (path, status, why) in [
        ("/datasets/nonesuch", 404, "there is no saved dataset"),
        ("/runs/ffffffffffff", 404, "there is no run"),
        ("/runs?before=x", 404, "there is no run"),
        ("/conflicts?dataset=nonesuch", 404, "there is no saved dataset"),
        ("/conflicts?from=x", 400, "is no number"),
        ("/letters?after=-1", 400, "is no number"),
        ("/sheets/nonesuch", 404, "Check the id"),
        ("/runs/%3Cb%3E", 404, "&lt;b&gt;"),
        ("/datasets/%FF%00", 404, "there is no saved dataset"),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status.as_u16(), status, "{path}: {}", page.text);
        assert!(page.text.contains(why) && !page.text.contains("<b>"), "{path}: {}", page.text);
    }
    assert_eq!(visitor.get("/assets/..%2fstyle.css").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/nonesuch").await.status, StatusCode::NOT_FOUND);
    let long = format!("/?x={}", "a".repeat(9_000));
    assert_eq!(visitor.get(&long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// The plots say in words what they show, and that is what the store has.
#[tokio::test]
async fn the_plots_of_a_dataset_show_its_past() {
    let site = Site::new("", None).await;
    site.past();
    let mut visitor = site.visitor();
    for (window, runs) in [
        // Whole hours of the past day and one run now; 24 hours with one failure.
        ("24h", [23..=25, 1..=1]),
        ("7d", [166..=169, 7..=7]),
        ("30d", [718..=721, 30..=30]),
    ] {
        let page = visitor.get(&format!("/datasets/goods?window={window}")).await;
        let told = |name: &str| -> u64 {
            let rest =
                page.text.split_once(&format!("{name} ")).unwrap_or_else(|| panic!("no {name}")).1;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        let [hours, failed] = runs;
        let in_step = told("In all: in step");
        assert!(in_step % 50 == 0 && hours.contains(&(in_step / 50)), "{window}: {in_step}");
        assert!(
            failed.contains(&told("partial 0, failed")),
            "{window}: {}",
            told("partial 0, failed")
        );
        // The bins of 1.1^60 and 1.1^70 seconds: the 95th of 100 is in the second, 1.1^70.5 s / 60 = 13.805 min.
        assert!(page.text.contains("At most 13.805."), "{window}");
        // An hour ago: 90 % and a tenth.
        assert!(page.text.contains("consistency now 90.1, at least 90"), "{window}");
        assert!(page.text.contains("Drift over time: cells and rows that differ"), "{window}");
        assert!(page.text.contains("Now 1; between 0 and "), "{window}");
        assert!(page.text.matches("<circle").count() <= 83, "bounded");
    }
}

#[tokio::test]
async fn a_server_without_data_says_how_to_begin() {
    let server = crate::support::http::Server::start("");
    let http = crate::support::wire::http();
    for (path, text) in [
        ("/", "No dataset has run yet"),
        ("/conflicts", "Nothing waits"),
        ("/letters", "There are none"),
        ("/runs", "No run has written anything yet"),
        ("/sheets", "There is no spreadsheet yet"),
    ] {
        let page = http.get(format!("{}{path}", server.listening.url)).send().await.unwrap();
        let page = page.text().await.unwrap();
        assert!(page.contains(text), "{path}: {page}");
    }
}

/// The spreadsheets of a Google account are looked at there: the pages show the embedded workspace's alone.
#[tokio::test]
async fn without_an_embedded_workspace_there_are_no_sheets() {
    let folder = tempfile::TempDir::new().unwrap();
    let nobody = "http://127.0.0.1:9/";
    let settings = format!(
        "backend = \"google\"\n[google]\nsheetsUrl = \"{nobody}\"\ndriveUrl = \"{nobody}\"\n"
    );
    std::fs::write(folder.path().join("lockstep.toml"), settings).unwrap();
    let mut command = crate::support::lockstep(folder.path());
    command.args(["serve", "--http", "127.0.0.1:0"]).env("LOCKSTEP_GOOGLE_TOKEN", "x");
    let server = crate::support::listening::Listening::start(command);
    let http = crate::support::wire::http();
    let get = async |path: &str| http.get(format!("{}{path}", server.url)).send().await.unwrap();
    let page = get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.text().await.unwrap().contains("/sheets"));
    for path in ["/sheets", "/sheets/x"] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

/// A long list is shown a page at a time, and the way on leads through all of it.
#[tokio::test]
async fn long_lists_come_in_pages() {
    let site = Site::new("", None).await;
    let rows: String = (0..45).map(|at| format!("{at},{at}\n")).collect();
    let file = |name: &str, text: &str| {
        std::fs::write(site.server.folder.path().join(name), text).unwrap()
    };
    file("l.csv", &format!("id,n\n{rows}"));
    file("r.csv", &format!("id,n\n{rows}"));
    let many = json!({"name": "many", "left": {"file": "l.csv"}, "right": {"file": "r.csv"}, "key": ["id"],
        "direction": "both", "mode": "apply"});
    site.call("syncDataset", many).await;
    file("l.csv", &format!("id,n\n{}", rows.replace(",", ",1")));
    file("r.csv", &format!("id,n\n{}", rows.replace(",", ",2")));
    site.call("syncDataset", json!({"name": "many", "mode": "apply"})).await;
    let mut visitor = site.visitor();
    let (mut path, mut seen, mut pages) = ("/conflicts?dataset=many".to_owned(), 0, 0);
    loop {
        let page = visitor.get(&path).await;
        seen += page.text.matches("<article").count();
        pages += 1;
        let Some((_, rest)) = page.text.split_once("rel=\"next\" href=\"") else { break };
        path = rest.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!((seen, pages), (45, 3));
}

#[tokio::test]
async fn a_sensitive_column_is_shown_by_no_page_and_no_tool() {
    let site = Site::new("", None).await;
    site.dispute().await;
    site.hide("[1, 2]");
    let mut visitor = site.visitor();
    let runs = site.call("syncHistory", json!({"dataset": "goods"})).await;
    let run =
        runs["runs"].as_array().unwrap().last().unwrap()["runId"].as_str().unwrap().to_owned();
    let sheet = format!("/sheets/{}", site.sheet);
    for (path, status) in [
        ("/conflicts", 200),
        (&format!("/runs/{run}"), 200),
        ("/datasets/goods", 200),
        (&sheet, 403),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status.as_u16(), status, "{path}");
        for cell in ["Apple", "Bete", "alert(1)", "Corn", ">11<", ">12<"] {
            assert!(!page.text.contains(cell), "{path} shows {cell}:\n{}", page.text);
        }
    }
    assert!(visitor.get("/conflicts").await.text.contains("(hidden)"));
    for (tool, arguments) in [
        ("resolveConflicts", json!({"dataset": "goods", "row": true})),
        ("syncHistory", json!({"runId": run, "limit": 50})),
    ] {
        let said = site.call(tool, arguments).await.to_string();
        assert!(
            said.contains("(hidden)") && !said.contains("Apple") && !said.contains("Bete"),
            "{said}"
        );
    }
    site.more().await;
    site.hide("[1, 2]");
    let runs = site.call("syncHistory", json!({"dataset": "stock", "limit": 1})).await;
    let run = format!("/runs/{}", runs["runs"][0]["runId"].as_str().unwrap());
    for path in [&run, "/letters"] {
        let page = visitor.get(path).await;
        // The database's refusal quotes its rule, and others quote the row.
        assert!(page.text.contains("(hidden)"), "{path}: {}", page.text);
        for said in ["5000", "CHECK"] {
            assert!(!page.text.contains(said), "{path} says {said}: {}", page.text);
        }
    }
    site.hide("[0]");
    let page = visitor.get("/conflicts").await;
    assert!(page.text.contains("(hidden) · qty"), "a key is hidden too: {}", page.text);
}
