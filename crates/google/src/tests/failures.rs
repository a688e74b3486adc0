//! What each failure on the wire becomes, and what is sent again.

use std::time::Duration;

use super::stub::{Answer, Stub};
use crate::{
    CellFields, CellWrite, Config, Error, FileQuery, Google, GridParts, Kind, Marker,
    MetadataQuery, NewSpreadsheet, Render, Request, Retry,
};

const QUOTA: &str = r#"{"error":{"code":429,"message":"Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per user' of service 'sheets.googleapis.com' for consumer 'project_number:1'.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com"}]}}"#;
const INTERNAL: &str =
    r#"{"error":{"code":500,"message":"Internal error encountered.","status":"INTERNAL"}}"#;
const NOT_FOUND: &str =
    r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#;

type Play = fn() -> Answer;

fn json(status: u16, body: &str) -> Answer {
    Answer::Json(status, body.into())
}

fn html(status: u16) -> Answer {
    let body = "<html><head><title>Error  502\n(Server Error)</title></head><b>Sorry</b></html>";
    Answer::Raw(status, "text/html; charset=UTF-8", String::new(), body.into())
}

fn write() -> [Request; 1] {
    [Request::UpdateCells {
        sheet: 0,
        row: 0,
        column: 0,
        rows: vec![vec![CellWrite::text("x")]],
        fields: CellFields::Values,
    }]
}

/// A read through a generated hub, a write past it; how often each was sent.
async fn both(answer: Play) -> ((Error, usize), (Error, usize)) {
    let stub = Stub::start(move |_, _| answer()).await;
    let read = stub.google().spreadsheet("id").await.unwrap_err();
    let reads = stub.asked().len();
    let write = stub.google().batch_update("id", &write(), &[]).await.unwrap_err();
    ((read, reads), (write, stub.asked().len() - reads))
}

/// Reads are repeated (three attempts in tests), a write with an unknown outcome never is.
#[tokio::test]
async fn an_unknown_outcome_is_repeated_for_reads_and_ambiguous_for_writes() {
    let cases: [(&str, Play, Kind); 8] = [
        ("500", || json(500, INTERNAL), Kind::Unavailable),
        ("503 html", || html(503), Kind::Unavailable),
        (
            "502 empty",
            || Answer::Raw(502, "text/html", String::new(), String::new()),
            Kind::Unavailable,
        ),
        (
            "truncated",
            || Answer::Truncated(r#"{"spreadsheetId":"id","replies":[{}]}"#.into()),
            Kind::Garbled,
        ),
        ("empty 200", || json(200, ""), Kind::Garbled),
        ("html 200", || html(200), Kind::Garbled),
        ("reset", || Answer::Reset, Kind::Network),
        ("hang", || Answer::Hang, Kind::Timeout),
    ];
    for (name, answer, kind) in cases {
        // Without a time-out of its own the client would wait forever.
        let outcome = tokio::time::timeout(Duration::from_secs(10), both(answer)).await;
        let ((read, reads), (write, writes)) = outcome.unwrap();
        if matches!(name, "truncated" | "empty 200") {
            assert!(read.to_string().contains("cut off"), "{read}");
            assert!(write.to_string().contains("cut off"), "{write}");
        }
        assert_eq!((read.kind, read.retry, reads), (kind, Retry::Temporary, 3), "{name}: {read}");
        assert_eq!(
            (write.kind, write.retry, writes),
            (kind, Retry::Ambiguous, 1),
            "{name}: {write}"
        );
        assert!(write.to_string().contains("may or may not"), "{write}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_said_in_the_service_s_words() {
    let cases: [(Play, Kind, &str); 5] = [
        (
            || json(404, NOT_FOUND),
            Kind::NotFound,
            "Requested entity was not found (HTTP 404 NOT_FOUND)",
        ),
        (
            || {
                json(
                    400,
                    r#"{"error":{"code":400,"message":"Unable to parse range: NOPE!A5:F15","status":"INVALID_ARGUMENT"}}"#,
                )
            },
            Kind::Invalid,
            "Unable to parse range: NOPE!A5:F15 (HTTP 400 INVALID_ARGUMENT). Correct the request.",
        ),
        (
            || {
                json(
                    403,
                    r#"{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}"#,
                )
            },
            Kind::Forbidden,
            "The caller does not have permission (HTTP 403 PERMISSION_DENIED). Share the file",
        ),
        (
            || {
                json(
                    401,
                    r#"{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}"#,
                )
            },
            Kind::Unauthenticated,
            "Sign in again",
        ),
        (|| html(302), Kind::Setup, "Error 502 (Server Error) (HTTP 302)"),
    ];
    for (answer, kind, text) in cases {
        let ((read, reads), (write, writes)) = both(answer).await;
        for (error, sent) in [(read, reads), (write, writes)] {
            assert_eq!((error.kind, error.retry, sent), (kind, Retry::Permanent, 1), "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

/// Google's 429 says nothing of when: wait for the next window. It had no effect, so that a write
/// may be repeated too.
#[tokio::test]
async fn a_used_up_quota_closes_the_gate_until_the_next_window() {
    for refusal in [
        || json(429, QUOTA),
        // Drive's way, and Google's front end.
        || {
            json(
                403,
                r#"{"error":{"errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded","message":"x"}],"code":403,"message":"User Rate Limit Exceeded"}}"#,
            )
        },
        || html(429),
    ] {
        let stub = Stub::start(move |_, n| if n == 0 { refusal() } else { json(200, "{}") }).await;
        let google = stub.google();
        google.batch_update("id", &write(), &[]).await.unwrap();
        let calls = google.calls();
        assert_eq!((calls.writes, calls.reads, calls.retries), (2, 0, 1));
        assert!(calls.waited > Duration::ZERO);
    }
    let ((read, reads), (write, writes)) = both(|| json(429, QUOTA)).await;
    assert_eq!((read.kind, read.retry, reads), (Kind::Quota, Retry::Temporary, 3));
    assert_eq!((write.kind, write.retry, writes), (Kind::Quota, Retry::Temporary, 3));
    assert!(read.to_string().contains("Next try in 1 s."), "{read}");
}

/// `Retry-After` is visible only to the delegate.
#[tokio::test]
async fn retry_after_is_obeyed_and_a_long_one_is_the_caller_s_decision() {
    let after = |seconds: &'static str| {
        move || {
            let header = format!("retry-after: {seconds}\r\n");
            Answer::Raw(429, "application/json", header, QUOTA.into())
        }
    };
    let (soon, late) = (after("1"), after("3600"));
    let stub = Stub::start(move |_, n| if n == 0 { soon() } else { json(200, "{}") }).await;
    let google = stub.google();
    google.spreadsheet("id").await.unwrap();
    assert!(google.calls().waited >= Duration::from_millis(900));
    let stub = Stub::start(move |_, _| late()).await;
    let error = stub.google().spreadsheet("id").await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn what_never_left_may_be_sent_again() {
    // A port that was open a moment ago and is closed now.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let stub = Stub::always("{}").await;
    let google = Google::new(Config { sheets_url: url, ..stub.config() }).unwrap();
    let error = google.batch_update("id", &write(), &[]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Network, Retry::Temporary));
    assert!(error.to_string().contains("could not connect"), "{error}");
    assert_eq!((google.calls().writes, google.calls().retries), (3, 2));
    let error = google.spreadsheet("id").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Network, Retry::Temporary));
}

/// Well-formed but not the documented shape: a read would get the same again.
#[tokio::test]
async fn an_unexpected_shape_is_not_asked_for_again() {
    let ((read, reads), (write, writes)) = both(|| json(200, r#"{"sheets":7,"replies":7}"#)).await;
    assert_eq!((read.kind, read.retry, reads), (Kind::Garbled, Retry::Permanent, 1));
    assert_eq!((write.kind, write.retry, writes), (Kind::Garbled, Retry::Ambiguous, 1));
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen() {
    let stub = Stub::start(|_, n| match n {
        0 => json(503, INTERNAL),
        1 => Answer::Reset,
        _ => json(200, r#"{"spreadsheetId":"id","properties":{"title":"T"}}"#),
    })
    .await;
    let google = stub.google();
    assert_eq!(google.spreadsheet("id").await.unwrap().title, "T");
    assert_eq!((google.calls().reads, google.calls().retries), (3, 2));
}

/// An answer that ends early is never taken for a whole one, wherever it is cut.
#[tokio::test]
async fn no_part_of_an_answer_is_taken_for_the_whole() {
    const WHOLE: &str = r#"{"replies":[{"addSheet":{"properties":{"sheetId":1,"title":"é"}}}],
        "sheets":[],"valueRanges":[{"range":"A1","values":[[1.5,"x"]]}]}"#;
    let cuts: Vec<usize> = (0..WHOLE.len()).filter(|at| WHOLE.is_char_boundary(*at)).collect();
    let count = cuts.len();
    let stub = Stub::start(move |_, n| json(200, WHOLE.get(..cuts[n / 4]).unwrap())).await;
    let mut config = stub.config();
    config.backoff.attempts = 1;
    let google = Google::new(config).unwrap();
    let range = ["A1".to_owned()];
    for _ in 0..count {
        let write = google.batch_update("id", &write(), &[]).await.unwrap_err();
        assert_eq!((write.kind, write.retry), (Kind::Garbled, Retry::Ambiguous));
        for read in [
            google.spreadsheet("id").await.unwrap_err(),
            google.values("id", &range, Render::Formula).await.unwrap_err(),
            google.grid("id", &range, GridParts::default()).await.unwrap_err(),
        ] {
            assert_eq!((read.kind, read.retry), (Kind::Garbled, Retry::Temporary));
        }
    }
}

/// TLS is set up without a process-wide provider; on a machine without CA certificates that is
/// said, and elsewhere a server that speaks no TLS is a broken connection.
#[tokio::test]
async fn https_works_or_says_why_not() {
    let stub = Stub::always("{}").await;
    let sheets_url = stub.url.replace("http://", "https://");
    let error = match Google::new(Config { sheets_url, ..stub.config() }) {
        Ok(google) => google.spreadsheet("id").await.unwrap_err(),
        Err(error) => {
            assert!(error.to_string().contains("CA certificates"), "{error}");
            return;
        }
    };
    assert_eq!((error.kind, error.retry), (Kind::Network, Retry::Temporary), "{error}");
    assert!(stub.asked().is_empty());
}

/// Futures must be able to move between threads, or no server could use them.
#[tokio::test]
async fn every_call_can_be_spawned() {
    fn spawnable<T>(future: impl Future<Output = T> + Send) {
        drop(future);
    }
    let stub = Stub::always("{}").await;
    let google = stub.google();
    let marker = Marker { metadata_id: 1, key: String::new(), value: String::new() };
    spawnable(google.spreadsheet("id"));
    spawnable(google.values("id", &[], Render::Formula));
    spawnable(google.grid("id", &[], GridParts::default()));
    spawnable(google.batch_update("id", &[], &[]));
    spawnable(google.batch_update_once("id", &[], &marker, &[]));
    spawnable(google.create_spreadsheet(&NewSpreadsheet::default()));
    spawnable(google.search_metadata("id", &MetadataQuery::default()));
    spawnable(google.find_files(&FileQuery::default()));
    spawnable(google.move_to("id", "folder"));
    spawnable(google.delete("id"));
    spawnable(google.create_folder("x", None));
    spawnable(google.create_file("x", "text/csv", vec![], None));
}
