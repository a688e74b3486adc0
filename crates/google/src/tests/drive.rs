//! Drive calls on the wire.

use serde_json::json;

use super::stub::{Answer, Stub};
use crate::{Config, FileKind, FileQuery, Google, Kind, NewSheet, NewSpreadsheet, Retry};

/// A folder has no content: the generated create could only upload some (bug 4).
#[tokio::test]
async fn a_folder_is_created_from_metadata_alone() {
    let stub = Stub::always(
        r#"{"id":"f1","name":"Plans","mimeType":"application/vnd.google-apps.folder"}"#,
    )
    .await;
    let folder = stub.google().create_folder("Plans", Some("p1")).await.unwrap();
    assert_eq!((folder.id.as_str(), folder.kind), ("f1", FileKind::Folder));
    let asked = stub.asked();
    assert_eq!(asked[0].path(), "/drive/v3/files");
    assert_eq!(
        asked[0].json(),
        json!({"name": "Plans", "mimeType": "application/vnd.google-apps.folder", "parents": ["p1"]})
    );
}

/// The upload root is derived from the Drive root; resumable uploads are broken (bug 4).
#[tokio::test]
async fn content_is_uploaded_in_one_multipart_request() {
    let stub = Stub::always(r#"{"id":"c1","name":"a.csv","mimeType":"text/csv"}"#).await;
    for drive_url in [stub.url.clone(), format!("{}/drive/v3", stub.url)] {
        let google = Google::new(Config { drive_url, ..stub.config() }).unwrap();
        let content = b"a,b\n1,2\n".to_vec();
        let file = google.create_file("a.csv", "text/csv", content, Some("p")).await.unwrap();
        assert_eq!((file.id.as_str(), file.kind), ("c1", FileKind::Other));
    }
    for asked in stub.asked() {
        assert_eq!((asked.method.as_str(), asked.path()), ("POST", "/upload/drive/v3/files"));
        assert_eq!(asked.params("uploadType"), ["multipart"]);
        let body = String::from_utf8(asked.body.clone()).unwrap();
        assert!(body.contains(r#""name":"a.csv""#) && body.contains("a,b\n1,2\n"), "{body}");
    }
    // The generated code would panic on the second and third, and send a broken body for the last.
    let boundary = b"x\r\n--MDuXWGyeE33QFXGchb2VFWc4Z7945d--\r\n".to_vec();
    for (mime_type, content) in [
        ("no type", vec![]),
        ("text/plain; a=\"\u{e9}\"", vec![]),
        (&*format!("text/{}", "x".repeat(70_000)), vec![]),
        ("text/plain", boundary),
    ] {
        let error = stub.google().create_file("x", mime_type, content, None).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{error}");
    }
    assert_eq!(stub.asked().len(), 2);
}

/// 64-bit numbers are strings on the wire (bug 5).
#[tokio::test]
async fn a_page_of_files_is_read() {
    let stub = Stub::always(
        r#"{"kind":"drive#fileList","nextPageToken":"n2","files":[
            {"id":"s1","name":"Plan","mimeType":"application/vnd.google-apps.spreadsheet",
             "parents":["r"],"modifiedTime":"2026-11-22T10:00:00.000Z","size":"5000000000"},
            {"id":"x","name":"x","mimeType":"text/csv"}]}"#,
    )
    .await;
    let query = FileQuery {
        name_contains: Some("Pl'an & co".into()),
        kind: Some(FileKind::Spreadsheet),
        page_token: Some("n1".into()),
        page_size: 5_000,
        ..FileQuery::default()
    };
    let page = stub.google().find_files(&query).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("n2"));
    let plan = &page.files[0];
    assert_eq!((plan.kind, plan.size), (FileKind::Spreadsheet, Some(5_000_000_000)));
    assert_eq!(plan.modified.as_deref(), Some("2026-11-22T10:00:00+00:00"));
    assert_eq!(page.files[1].kind, FileKind::Other);
    let asked = &stub.asked()[0];
    assert_eq!(asked.path(), "/drive/v3/files");
    assert_eq!(
        asked.params("q"),
        [
            r"trashed = false and name contains 'Pl\'an & co' and mimeType = 'application/vnd.google-apps.spreadsheet'"
        ]
    );
    assert_eq!(asked.params("pageSize"), ["1000"]);
    assert_eq!(asked.params("pageToken"), ["n1"]);
}

#[tokio::test]
async fn a_file_is_moved_out_of_where_it_was() {
    let stub = Stub::start(|asked, _| {
        let parents = if asked.method == "GET" { json!(["a", "b"]) } else { json!(["c"]) };
        Answer::Json(200, json!({"id": "f", "parents": parents}).to_string())
    })
    .await;
    let google = stub.google();
    assert_eq!(google.move_to("f", "c").await.unwrap().parents, ["c"]);
    let asked = stub.asked();
    assert_eq!(asked[1].method, "PATCH");
    assert_eq!(asked[1].params("addParents"), ["c"]);
    assert_eq!(asked[1].params("removeParents"), ["a,b"]);
    assert_eq!(asked[1].json(), json!({}));
}

/// Moving and trashing twice is the same as once; creating and deleting is not.
#[tokio::test]
async fn only_what_can_be_repeated_is_repeated() {
    let stub = Stub::start(|_, n| match n {
        0 => Answer::Reset,
        1 => Answer::Json(200, r#"{"id":"f","trashed":true}"#.into()),
        _ => Answer::Reset,
    })
    .await;
    let google = stub.google();
    assert!(google.trash("f").await.unwrap().trashed);
    assert_eq!(stub.asked().len(), 2);
    assert_eq!(stub.asked()[0].json(), json!({"trashed": true}));
    let new = NewSpreadsheet { title: "x".into(), ..NewSpreadsheet::default() };
    for error in [
        google.delete("f").await.unwrap_err(),
        google.create_folder("x", None).await.unwrap_err(),
        google.create_file("x", "text/csv", vec![], None).await.unwrap_err(),
        google.create_spreadsheet(&new).await.unwrap_err(),
    ] {
        assert_eq!(error.retry, Retry::Ambiguous, "{error}");
    }
    assert_eq!(stub.asked().len(), 6);
}

#[tokio::test]
async fn a_spreadsheet_is_created_with_its_sheets() {
    let stub = Stub::always(
        r#"{"spreadsheetId":"n","spreadsheetUrl":"u","properties":{"title":"T","locale":"de_DE","timeZone":"Etc/GMT"},
            "sheets":[{"properties":{"sheetId":0,"title":"Data","index":0,"sheetType":"GRID",
              "gridProperties":{"rowCount":10,"columnCount":3,"frozenRowCount":1}}},
             {"properties":{"sheetId":5,"title":"Chart","index":1,"sheetType":"OBJECT"}}],
            "namedRanges":[{"namedRangeId":"q","name":"N","range":{"startRowIndex":1,"endRowIndex":2}}]}"#,
    )
    .await;
    let new = NewSpreadsheet {
        title: "T".into(),
        sheets: vec![NewSheet {
            title: "Data".into(),
            rows: Some(10),
            columns: Some(3),
            frozen_rows: 1,
            ..NewSheet::default()
        }],
        locale: Some("de_DE".into()),
        ..NewSpreadsheet::default()
    };
    let created = stub.google().create_spreadsheet(&new).await.unwrap();
    assert_eq!((created.id.as_str(), created.time_zone.as_str()), ("n", "Etc/GMT"));
    let data = &created.sheets[0];
    assert_eq!((data.rows, data.columns, data.frozen_rows, data.has_grid), (10, 3, 1, true));
    assert!(!created.sheets[1].has_grid);
    let range = created.named_ranges[0].range;
    assert_eq!((range.sheet, range.start_row, range.end_column), (0, Some(1), None));
    assert_eq!(
        stub.asked()[0].json(),
        json!({"properties": {"title": "T", "locale": "de_DE"},
            "sheets": [{"properties": {"title": "Data",
                "gridProperties": {"rowCount": 10, "columnCount": 3, "frozenRowCount": 1}}}]})
    );
    let none = NewSpreadsheet { title: " ".into(), ..new };
    assert_eq!(stub.google().create_spreadsheet(&none).await.unwrap_err().kind, Kind::Invalid);
}
