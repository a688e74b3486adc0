//! What the operator allows: named files, files of named folders, and nothing that writes.

use std::collections::BTreeSet;

use lockstep_workspace::Workspace;

use crate::{
    Access, CellFields, CellWrite, Config, FileQuery, Google, GridParts, Kind, MetadataQuery,
    NewSpreadsheet, Render, Request, Retry,
};

async fn served() -> String {
    let workspace = Workspace::in_memory().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    url
}

fn book(title: &str) -> NewSpreadsheet {
    NewSpreadsheet { title: title.into(), sheets: vec![], locale: None, time_zone: None }
}

fn write() -> [Request; 1] {
    let rows = vec![vec![CellWrite::text("x")]];
    [Request::UpdateCells { sheet: 0, row: 0, column: 0, rows, fields: CellFields::Values }]
}

/// Every call that takes an id, by name; none may reach a file that is not allowed.
async fn refusals(google: &Google, id: &str) -> Vec<(&'static str, Option<Kind>)> {
    let a1 = ["A1".to_owned()];
    let kind = |error: crate::Error| {
        assert_eq!(error.retry, Retry::Permanent, "{error}");
        error.kind
    };
    let query = MetadataQuery { key: Some("k".into()), ..MetadataQuery::default() };
    vec![
        ("spreadsheet", google.spreadsheet(id).await.err().map(kind)),
        ("values", google.values(id, &a1, Render::Formatted).await.err().map(kind)),
        ("grid", google.grid(id, &a1, GridParts::default()).await.err().map(kind)),
        ("metadata", google.search_metadata(id, &query).await.err().map(kind)),
        ("write", google.batch_update(id, &write(), &[]).await.err().map(kind)),
        ("file", google.file(id).await.err().map(kind)),
        ("trash", google.trash(id).await.err().map(kind)),
        ("delete", google.delete(id).await.err().map(kind)),
    ]
}

#[tokio::test]
async fn only_named_files_and_those_of_named_folders_are_reached() {
    let url = served().await;
    let all = Google::new(Config::local(&url)).unwrap();
    let folder = all.create_folder("Shared", None).await.unwrap().id;
    let (named, inside, other) = (
        all.create_spreadsheet(&book("Named")).await.unwrap().id,
        all.create_spreadsheet(&book("Inside")).await.unwrap().id,
        all.create_spreadsheet(&book("Wages")).await.unwrap().id,
    );
    all.move_to(&inside, &folder).await.unwrap();
    let files = Some(BTreeSet::from([named.clone(), folder.clone()]));
    let access = Access { files, read_only: false };
    let google = Google::new(Config { access, ..Config::local(&url) }).unwrap();
    for (call, kind) in refusals(&google, &other).await {
        assert_eq!(kind, Some(Kind::Forbidden), "{call}");
    }
    let missing = google.spreadsheet("abcdefghijklmnopqrstuvwxyz").await.unwrap_err();
    let hidden = google.spreadsheet(&other).await.unwrap_err();
    let same =
        |error: &crate::Error| error.message.split(' ').skip(8).collect::<Vec<_>>().join(" ");
    assert_eq!(same(&missing), same(&hidden), "existence is not told");
    assert_eq!(google.spreadsheet(&named).await.unwrap().title, "Named");
    assert_eq!(google.spreadsheet(&inside).await.unwrap().title, "Inside");
    google.batch_update(&inside, &write(), &[]).await.unwrap();
    let found = google.find_files(&FileQuery::default()).await.unwrap().files;
    let mut names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Inside", "Named", "Shared"]);
    // Nothing is moved or made elsewhere; what the client makes itself it may use.
    assert_eq!(google.move_to(&other, &folder).await.unwrap_err().kind, Kind::Forbidden);
    assert!(google.create_folder("x", Some(&other)).await.is_err());
    let made = google.create_spreadsheet(&book("New")).await.unwrap().id;
    assert_eq!(google.spreadsheet(&made).await.unwrap().title, "New");
    assert_eq!(all.spreadsheet(&other).await.unwrap().title, "Wages", "it is still there");
}

#[tokio::test]
async fn a_client_that_may_only_read_sends_no_write() {
    let url = served().await;
    let all = Google::new(Config::local(&url)).unwrap();
    let id = all.create_spreadsheet(&book("Named")).await.unwrap().id;
    let access = Access { files: None, read_only: true };
    let google = Google::new(Config { access, ..Config::local(&url) }).unwrap();
    let refused: Vec<&str> = refusals(&google, &id)
        .await
        .into_iter()
        .filter(|(_, kind)| *kind == Some(Kind::Forbidden))
        .map(|(call, _)| call)
        .collect();
    assert_eq!(refused, ["write", "trash", "delete"]);
    assert_eq!(google.create_spreadsheet(&book("x")).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(google.create_folder("x", None).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(google.calls().writes, 0);
}
