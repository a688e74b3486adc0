//! One test for each trap of the generated crates (google-wire, section 1).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use google_sheets4::common::GetToken;
use serde_json::json;

use super::stub::{Answer, Stub};
use crate::{
    Auth, CellFields, CellValue, CellWrite, Config, FileQuery, Google, GridParts, Kind,
    MetadataQuery, NewSpreadsheet, NumberFormat, NumberKind, Render, Request, Secret,
};

fn cells(row: Vec<CellWrite>) -> Request {
    Request::UpdateCells {
        sheet: 0,
        row: 4,
        column: 2,
        rows: vec![row],
        fields: CellFields::Values,
    }
}

/// Bug 1: the generated crates delete nulls from arrays, and the cells behind move to the left.
#[tokio::test]
async fn an_empty_cell_keeps_its_place() {
    let stub = Stub::always("{}").await;
    let row =
        vec![CellWrite::text("a"), CellWrite::empty(), CellWrite::text("c"), CellWrite::empty()];
    stub.google().batch_update("id", &[cells(row)], &[]).await.unwrap();
    let asked = stub.asked();
    assert_eq!(
        asked[0].json()["requests"][0]["updateCells"]["rows"],
        json!([{"values": [
            {"userEnteredValue": {"stringValue": "a"}}, {},
            {"userEnteredValue": {"stringValue": "c"}}, {}
        ]}])
    );
}

/// Bug 2: what stands in a path is not encoded. Ranges go into the query, which is.
#[tokio::test]
async fn ranges_arrive_as_they_were_meant() {
    let ranges: Vec<String> = [
        "'C# x'!A1",
        "'50% off?'!A1:B2",
        "'a/b'!A1",
        "'..'!A:C",
        "'x&ranges=y'!A1",
        "'Jon''s + 🌵'!A1",
        "'%23'!A1",
    ]
    .map(String::from)
    .to_vec();
    let stub = Stub::start(|asked, _| {
        let ranges = asked.params("ranges");
        let values: Vec<_> = ranges.iter().map(|range| json!({"range": range})).collect();
        Answer::Json(200, json!({"valueRanges": values}).to_string())
    })
    .await;
    let google = stub.google();
    let found = google.values("id", &ranges, Render::Unformatted).await.unwrap();
    let echoed: Vec<String> = found.into_iter().map(|found| found.range).collect();
    assert_eq!(echoed, ranges);
    google.grid("id", &ranges, GridParts::default()).await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].path(), "/v4/spreadsheets/id/values:batchGet");
    assert_eq!(asked[0].params("valueRenderOption"), ["UNFORMATTED_VALUE"]);
    assert_eq!(asked[0].params("dateTimeRenderOption"), ["SERIAL_NUMBER"]);
    assert_eq!(asked[1].path(), "/v4/spreadsheets/id");
    assert_eq!(asked[1].params("ranges"), ranges);
}

/// Bug 2 again: an id with a slash or dots would address another resource.
#[tokio::test]
async fn an_id_that_is_none_is_refused_before_sending() {
    let stub = Stub::always("{}").await;
    let google = stub.google();
    for id in ["", "..", "a/b", "a?x=1", "a#b", "a%2Fb", "{range}", "x:batchUpdate"] {
        let one = [cells(vec![])];
        let range = ["A1".to_owned()];
        let query = MetadataQuery { id: Some(1), ..MetadataQuery::default() };
        let errors = [
            google.spreadsheet(id).await.unwrap_err(),
            google.values(id, &range, Render::Formula).await.unwrap_err(),
            google.grid(id, &range, GridParts::default()).await.unwrap_err(),
            google.batch_update(id, &one, &[]).await.unwrap_err(),
            google.search_metadata(id, &query).await.unwrap_err(),
            google.file(id).await.unwrap_err(),
            google.trash(id).await.unwrap_err(),
            google.delete(id).await.unwrap_err(),
            google.move_to("ok", id).await.unwrap_err(),
            google.create_folder("x", Some(id)).await.unwrap_err(),
            google.create_file("x", "text/csv", vec![], Some(id)).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind == Kind::Invalid), "{id}");
    }
    assert!(stub.asked().is_empty());
}

/// Bug 3: a field mask cannot be read back by the generated types; ours is a plain string.
#[tokio::test]
async fn field_masks_are_written_out() {
    let stub = Stub::always("{}").await;
    let date =
        CellWrite::number(45306.0).with_format(NumberFormat::new(NumberKind::Date, "yyyy-mm-dd"));
    let request = Request::UpdateCells {
        sheet: 7,
        row: 0,
        column: 0,
        rows: vec![vec![date]],
        fields: CellFields::ValuesAndFormats,
    };
    stub.google().batch_update("id", &[request], &[]).await.unwrap();
    let sent = stub.asked()[0].json();
    assert_eq!(
        sent["requests"][0]["updateCells"],
        json!({
            "start": {"sheetId": 7, "rowIndex": 0, "columnIndex": 0},
            "rows": [{"values": [{
                "userEnteredValue": {"numberValue": 45306.0},
                "userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}
            }]}],
            "fields": "userEnteredValue,userEnteredFormat.numberFormat"
        })
    );
}

/// Bug 6: NaN and infinities become null and are then deleted.
#[tokio::test]
async fn what_is_no_number_is_refused_with_its_place() {
    let stub = Stub::always("{}").await;
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let row = vec![CellWrite::number(1.0), CellWrite::number(value)];
        let error = stub.google().batch_update("id", &[cells(row)], &[]).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains("request 0: cell D5"), "{error}");
    }
    assert!(stub.asked().is_empty());
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Vec<String>>>>);

type Token<'a> = Pin<
    Box<
        dyn Future<Output = Result<Option<String>, Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'a,
    >,
>;

impl GetToken for Recorder {
    fn get_token<'a>(&'a self, scopes: &'a [&str]) -> Token<'a> {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.0.lock().unwrap().push(scopes);
        Box::pin(async { Ok(Some("t".into())) })
    }
}

/// The generated crates ask for full `drive` or `drive.readonly` unless told otherwise.
#[tokio::test]
async fn every_call_asks_for_the_same_two_scopes() {
    let stub = Stub::start(|asked, _| {
        let n = asked.params("ranges").len();
        Answer::Json(200, json!({"valueRanges": vec![json!({}); n]}).to_string())
    })
    .await;
    let recorder = Recorder::default();
    let google = stub.build().with(recorder.clone(), true, None).unwrap();
    let range = ["A1".to_owned()];
    google.spreadsheet("id").await.unwrap();
    google.values("id", &range, Render::Formatted).await.unwrap();
    google.grid("id", &range, GridParts::default()).await.unwrap();
    google.batch_update("id", &[cells(vec![])], &[]).await.unwrap();
    let new = NewSpreadsheet { title: "x".into(), ..NewSpreadsheet::default() };
    google.create_spreadsheet(&new).await.unwrap();
    google.metadata("id", 1).await.unwrap();
    google.find_files(&FileQuery::default()).await.unwrap();
    google.file("id").await.unwrap();
    google.move_to("id", "folder").await.unwrap();
    google.trash("id").await.unwrap();
    google.delete("id").await.unwrap();
    google.create_folder("x", None).await.unwrap();
    google.create_file("x", "text/csv", vec![1], None).await.unwrap();
    let seen = recorder.0.lock().unwrap().clone();
    assert_eq!(seen.len(), stub.asked().len());
    assert_eq!(seen.len(), 14);
    for mut scopes in seen {
        scopes.sort();
        assert_eq!(
            scopes,
            [
                "https://www.googleapis.com/auth/drive.file",
                "https://www.googleapis.com/auth/spreadsheets"
            ]
        );
    }
    for asked in stub.asked() {
        assert_eq!(asked.header("authorization"), Some("Bearer t"), "{}", asked.target);
        // Neither hub can decode a compressed answer.
        assert_eq!(asked.header("accept-encoding"), None);
    }
}

/// Without credentials there is no header at all; a token never shows itself.
#[tokio::test]
async fn tokens_are_sent_and_not_shown() {
    let stub = Stub::always("{}").await;
    stub.google().spreadsheet("id").await.unwrap();
    let config = Config { auth: Auth::Token(Secret::new("s3cret")), ..stub.config() };
    assert!(!format!("{config:?}").contains("s3cret"));
    let google = Google::new(config).unwrap();
    assert!(!format!("{google:?}").contains("s3cret"));
    google.batch_update("id", &[cells(vec![])], &[]).await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(asked[1].header("authorization"), Some("Bearer s3cret"));
    for secret in ["s3cret\r\nX: y", "s3cret\0", ""] {
        // The generated code unwraps the request: this would panic at the first call.
        let auth = Auth::Token(Secret::new(secret));
        let error = Google::new(Config { auth, ..stub.config() }).unwrap_err();
        assert_eq!(error.kind, Kind::Setup);
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

/// Typed values come back typed; empty strings between others are empty cells.
#[tokio::test]
async fn values_are_typed() {
    let stub = Stub::always(
        r##"{"valueRanges":[{"range":"S!A1:E3","majorDimension":"ROWS",
            "values":[["a",1.777004063577491e-186,true,"","#DIV/0!"],[],[45306]]},{"range":"S!Z1"}]}"##,
    )
    .await;
    let ranges = ["S!A1:E3".to_owned(), "S!Z1".to_owned()];
    let found = stub.google().values("id", &ranges, Render::Unformatted).await.unwrap();
    assert_eq!(
        found[0].rows,
        [
            vec![
                CellValue::Text("a".into()),
                // To the last bit: serde_json's usual reading of floats is one off here.
                CellValue::Number(1.777004063577491e-186),
                CellValue::Bool(true),
                CellValue::Empty,
                CellValue::Text("#DIV/0!".into()),
            ],
            vec![],
            vec![CellValue::Number(45306.0)],
        ]
    );
    assert!(found[1].rows.is_empty());
}
