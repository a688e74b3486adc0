//! The client against the embedded workspace, over real HTTP: the wire as both sides see it.

use crate::{
    CellFields, CellValue, CellWrite, Config, Dimension, FileKind, FileQuery, Google, GridParts,
    GridRange, Input, Kind, MAX_BATCH_BYTES, Marker, MetadataPlace, MetadataQuery, NewSheet,
    NewSpreadsheet, NumberFormat, NumberKind, Render, Reply, Request, Retry, SheetChange, SortKey,
    Spreadsheet,
};
use lockstep_workspace::Workspace;

/// A served workspace and a client of it.
pub(super) struct World {
    pub(super) google: Google,
    _workspace: Workspace,
}

impl World {
    pub(super) async fn new() -> Self {
        let workspace = Workspace::in_memory().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = workspace.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        Self { google: Google::new(Config::local(&url)).unwrap(), _workspace: workspace }
    }

    /// A spreadsheet with the sheets `Data` (20 x 5, id 0 or chosen) and `It's #2?` (5 x 3).
    pub(super) async fn spreadsheet(&self) -> Spreadsheet {
        let sheet = |title: &str, rows, columns, frozen_rows| NewSheet {
            title: title.into(),
            rows: Some(rows),
            columns: Some(columns),
            frozen_rows,
            id: None,
        };
        let new = NewSpreadsheet {
            title: "Fleet".into(),
            sheets: vec![sheet("Data", 20, 5, 1), sheet("It's #2?", 5, 3, 0)],
            locale: Some("en_US".into()),
            time_zone: Some("Etc/GMT".into()),
        };
        self.google.create_spreadsheet(&new).await.unwrap()
    }
}

fn cells(sheet: i32, row: u32, rows: Vec<Vec<CellWrite>>) -> Request {
    Request::UpdateCells { sheet, row, column: 0, rows, fields: CellFields::Values }
}

fn ranges(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn text(value: &str) -> CellValue {
    CellValue::Text(value.into())
}

#[tokio::test]
async fn a_spreadsheet_is_created_and_described() {
    let world = World::new().await;
    let created = world.spreadsheet().await;
    let found = world.google.spreadsheet(&created.id).await.unwrap();
    assert_eq!(found, created);
    assert_eq!((found.title.as_str(), found.locale.as_str()), ("Fleet", "en_US"));
    let shapes: Vec<_> = found
        .sheets
        .iter()
        .map(|s| (s.title.as_str(), s.index, s.rows, s.columns, s.frozen_rows, s.has_grid))
        .collect();
    assert_eq!(shapes, [("Data", 0, 20, 5, 1, true), ("It's #2?", 1, 5, 3, 0, true)]);
}

/// What is written typed comes back as it was, empty cells and tricky titles included.
#[tokio::test]
async fn typed_cells_come_back_as_they_were() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[1].id;
    let row = vec![CellWrite::text("=1+1"), CellWrite::empty(), CellWrite::number(0.1 + 0.2)];
    let odd = vec![CellWrite::text("007"), CellWrite::text("'x"), CellWrite::bool(false)];
    let requests = [cells(sheet, 0, vec![row, vec![], odd])];
    let reply = world.google.batch_update(&book.id, &requests, &[]).await.unwrap();
    assert_eq!(reply.replies, [Reply::Done]);
    let wanted = ranges(&["'It''s #2?'", "'It''s #2?'!A1:B2"]);
    let found = world.google.values(&book.id, &wanted, Render::Unformatted).await.unwrap();
    assert_eq!(
        found[0].rows,
        [
            vec![text("=1+1"), CellValue::Empty, CellValue::Number(0.1 + 0.2)],
            vec![],
            vec![text("007"), text("'x"), CellValue::Bool(false)],
        ]
    );
    assert_eq!(found[1].rows, [vec![text("=1+1")]]);
    assert_eq!(found[0].range, "'It''s #2?'!A1:C5");
}

/// An empty write clears; what a row does not name stays.
#[tokio::test]
async fn only_named_cells_are_touched() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[0].id;
    let three = || vec![CellWrite::text("a"), CellWrite::text("b"), CellWrite::text("c")];
    let first = [cells(sheet, 0, vec![three(), three()])];
    world.google.batch_update(&book.id, &first, &[]).await.unwrap();
    let second = [cells(sheet, 0, vec![vec![CellWrite::empty()], vec![]])];
    world.google.batch_update(&book.id, &second, &[]).await.unwrap();
    let found = world.google.values(&book.id, &ranges(&["Data"]), Render::Formatted).await;
    let rows = &found.unwrap()[0].rows;
    assert_eq!(rows[0], [CellValue::Empty, text("b"), text("c")]);
    assert_eq!(rows[1], [text("a"), text("b"), text("c")]);
}

#[tokio::test]
async fn formulas_and_formats_are_read_from_the_grid() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let date = NumberFormat::new(NumberKind::Date, "yyyy-mm-dd");
    let request = Request::UpdateCells {
        sheet: book.sheets[0].id,
        row: 2,
        column: 1,
        rows: vec![vec![
            CellWrite::number(45306.0).with_format(date.clone()),
            CellWrite::formula("=B3+1"),
            CellWrite::text("=B3+1"),
        ]],
        fields: CellFields::ValuesAndFormats,
    };
    world.google.batch_update(&book.id, &[request], &[]).await.unwrap();
    let parts = GridParts { entered: true, value: true, format: true };
    let found = world.google.grid(&book.id, &ranges(&["Data!B3:D3"]), parts).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].sheet, found[0].row, found[0].column), (book.sheets[0].id, 2, 1));
    let row = &found[0].rows[0];
    assert_eq!(row[0].format, Some(date));
    assert_eq!(row[0].value, CellValue::Number(45306.0));
    assert_eq!(row[1].entered, Input::Formula("=B3+1".into()));
    assert_eq!(row[2].entered, Input::Text("=B3+1".into()));
    let shown = world.google.values(&book.id, &ranges(&["Data!B3"]), Render::Formatted).await;
    assert_eq!(shown.unwrap()[0].rows, [[text("2024-01-15")]]);
    let formulas = world.google.values(&book.id, &ranges(&["Data!C3"]), Render::Formula).await;
    assert_eq!(formulas.unwrap()[0].rows, [[text("=B3+1")]]);
}

/// Every kind of request, in one atomic batch, with the state after it read back.
#[tokio::test]
async fn a_batch_changes_the_structure_and_reads_back() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let (data, other) = (book.sheets[0].id, book.sheets[1].id);
    let key = |name: &str| vec![CellWrite::text(name)];
    let rows = Dimension::Rows;
    let all = GridRange { sheet: data, ..GridRange::default() };
    let requests = [
        cells(data, 0, vec![key("c"), key("b"), key("a"), key("gone")]),
        Request::DeleteDimension { sheet: data, dimension: rows, start: 3, end: 4 },
        Request::InsertDimension {
            sheet: data,
            dimension: Dimension::Columns,
            start: 0,
            end: 1,
            inherit_from_before: false,
        },
        Request::AppendDimension { sheet: data, dimension: rows, length: 10 },
        Request::RepeatFormat {
            range: GridRange { start_column: Some(2), end_column: Some(3), ..all },
            format: NumberFormat::new(NumberKind::Text, "@"),
        },
        Request::AddSheet(NewSheet { title: "New".into(), rows: Some(7), ..NewSheet::default() }),
        Request::UpdateSheet {
            sheet: data,
            change: SheetChange {
                title: Some("Renamed".into()),
                frozen_rows: Some(2),
                ..SheetChange::default()
            },
        },
        Request::DeleteSheet { sheet: other },
    ];
    let back = ranges(&["Renamed!B:B"]);
    let reply = world.google.batch_update(&book.id, &requests, &back).await.unwrap();
    assert_eq!(reply.replies.len(), requests.len());
    let Reply::SheetAdded(added) = &reply.replies[5] else {
        panic!("{:?}", reply.replies[5]);
    };
    assert_eq!((added.title.as_str(), added.rows), ("New", 7));
    let block = &reply.read_back[0];
    assert_eq!((block.sheet, block.row, block.column), (data, 0, 1));
    let keys: Vec<_> = block.rows.iter().map(|row| row[0].value.clone()).collect();
    assert_eq!(keys, [text("c"), text("b"), text("a")]);
    let after = world.google.spreadsheet(&book.id).await.unwrap();
    let shapes: Vec<_> =
        after.sheets.iter().map(|s| (s.title.as_str(), s.rows, s.columns, s.frozen_rows)).collect();
    assert_eq!(shapes, [("Renamed", 29, 6, 2), ("New", 7, 26, 0)]);
}

#[tokio::test]
async fn rows_are_sorted() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[0].id;
    let row = |name: &str, number| vec![CellWrite::text(name), CellWrite::number(number)];
    let below_header =
        GridRange { sheet, start_row: Some(1), end_row: Some(4), ..GridRange::default() };
    let sort = Request::SortRange {
        range: below_header,
        keys: vec![SortKey { column: 1, descending: true }],
    };
    let rows = vec![row("h", 0.0), row("b", 2.0), row("c", 3.0), row("a", 1.0)];
    let requests = [cells(sheet, 0, rows), sort];
    let back = ranges(&["Data!A:A"]);
    let reply = world.google.batch_update(&book.id, &requests, &back).await.unwrap();
    let keys: Vec<_> = reply.read_back[0].rows.iter().map(|row| row[0].value.clone()).collect();
    assert_eq!(keys, [text("h"), text("c"), text("b"), text("a")]);
}

/// A batch of the size that callers split at, and a read of all of it.
#[tokio::test]
async fn a_full_batch_goes_through() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[0].id;
    let row = |at: u32| {
        let text = CellWrite::text(format!("record {at}"));
        vec![CellWrite::number(f64::from(at) / 7.0), text, CellWrite::bool(true)]
    };
    let grow = Request::AppendDimension { sheet, dimension: Dimension::Rows, length: 12_000 };
    let requests = [grow, cells(sheet, 0, (0..12_000).map(row).collect())];
    let size: usize = requests.iter().map(Request::wire_size).sum();
    assert!((1_500_000..MAX_BATCH_BYTES).contains(&size), "{size}");
    world.google.batch_update(&book.id, &requests, &[]).await.unwrap();
    let found = world.google.values(&book.id, &ranges(&["Data"]), Render::Unformatted).await;
    let rows = &found.unwrap()[0].rows;
    assert_eq!(rows.len(), 12_000);
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row[0], CellValue::Number(at as f64 / 7.0));
    }
}

#[tokio::test]
async fn a_refused_batch_changes_nothing() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[0].id;
    let requests = [
        cells(sheet, 0, vec![vec![CellWrite::text("x")]]),
        Request::AddSheet(NewSheet { title: "Data".into(), ..NewSheet::default() }),
    ];
    let error = world.google.batch_update(&book.id, &requests, &[]).await.unwrap_err();
    assert_eq!(
        (error.kind, error.retry, error.status),
        (Kind::Invalid, Retry::Permanent, Some(400))
    );
    assert!(error.message.contains("already exists"), "{error}");
    let found = world.google.values(&book.id, &ranges(&["Data"]), Render::Unformatted).await;
    assert!(found.unwrap()[0].rows.is_empty());
}

/// The workspace, like Google, refuses a second batch with the same marker id as a whole.
#[tokio::test]
async fn the_same_batch_twice_is_applied_once() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[0].id;
    let insert = [Request::InsertDimension {
        sheet,
        dimension: Dimension::Rows,
        start: 0,
        end: 3,
        inherit_from_before: false,
    }];
    let marker = Marker { metadata_id: 4711, key: "lockstep".into(), value: "p1/0".into() };
    let back = ranges(&["Data!A1"]);
    let google = &world.google;
    let first = google.batch_update_once(&book.id, &insert, &marker, &back).await.unwrap();
    assert!(!first.found_applied);
    assert_eq!(first.replies, [Reply::Done]);
    let second = google.batch_update_once(&book.id, &insert, &marker, &back).await.unwrap();
    assert!(second.found_applied);
    assert_eq!(google.spreadsheet(&book.id).await.unwrap().sheets[0].rows, 23);
    let foreign = Marker { value: "p2/0".into(), ..marker.clone() };
    let error = google.batch_update_once(&book.id, &insert, &foreign, &[]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Conflict, Retry::Permanent));

    let found = google.metadata(&book.id, 4711).await.unwrap().unwrap();
    assert_eq!((found.key.as_str(), found.place), ("lockstep", MetadataPlace::Spreadsheet));
    assert_eq!(google.metadata(&book.id, 1).await.unwrap(), None);
    let row = Request::CreateMetadata {
        id: None,
        key: "anchor".into(),
        value: "r".into(),
        place: MetadataPlace::Row { sheet, index: 5 },
    };
    let reply = google.batch_update(&book.id, &[row], &[]).await.unwrap();
    assert!(matches!(&reply.replies[0], Reply::MetadataCreated(made) if made.key == "anchor"));
    let query = |key: &str| MetadataQuery { key: Some(key.into()), ..MetadataQuery::default() };
    let anchors = google.search_metadata(&book.id, &query("anchor")).await.unwrap();
    assert_eq!(anchors[0].place, MetadataPlace::Row { sheet, index: 5 });
    for (index, found) in [(5, 1), (4, 0)] {
        let place = Some(MetadataPlace::Row { sheet, index });
        let query = MetadataQuery { place, ..query("anchor") };
        assert_eq!(google.search_metadata(&book.id, &query).await.unwrap().len(), found);
        let gone = google.batch_update(&book.id, &[Request::DeleteMetadata(query)], &[]).await;
        let gone = gone.unwrap().replies;
        assert!(matches!(&gone[0], Reply::MetadataDeleted(gone) if gone.len() == found));
    }
    let clean = [Request::DeleteMetadata(query("lockstep"))];
    let reply = google.batch_update(&book.id, &clean, &[]).await.unwrap();
    assert!(matches!(&reply.replies[0], Reply::MetadataDeleted(gone) if gone.len() == 1));
    assert_eq!(google.metadata(&book.id, 4711).await.unwrap(), None);
}

#[tokio::test]
async fn files_are_found_moved_and_thrown_away() {
    let world = World::new().await;
    let google = &world.google;
    let book = world.spreadsheet().await;
    let folder = google.create_folder("Plans & 'more'", None).await.unwrap();
    assert_eq!(folder.kind, FileKind::Folder);
    let csv = b"a,b\r\n1,2\r\n".to_vec();
    let file = google.create_file("x.csv", "text/csv", csv, Some(&folder.id)).await.unwrap();
    assert_eq!((file.parents.as_slice(), file.size), ([folder.id.clone()].as_slice(), Some(10)));
    let moved = google.move_to(&book.id, &folder.id).await.unwrap();
    assert_eq!(
        (moved.kind, moved.parents.as_slice()),
        (FileKind::Spreadsheet, [folder.id.clone()].as_slice())
    );
    let inside =
        FileQuery { parent: Some(folder.id.clone()), page_size: 1, ..FileQuery::default() };
    let first = google.find_files(&inside).await.unwrap();
    let rest = FileQuery { page_token: first.next.clone(), ..inside.clone() };
    let second = google.find_files(&rest).await.unwrap();
    let mut names: Vec<_> =
        first.files.iter().chain(&second.files).map(|f| f.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((names.as_slice(), second.next), (["Fleet", "x.csv"].as_slice(), None));
    let named = FileQuery {
        name: Some("Plans & 'more'".into()),
        kind: Some(FileKind::Folder),
        ..FileQuery::default()
    };
    assert_eq!(google.find_files(&named).await.unwrap().files[0].id, folder.id);
    assert!(google.trash(&file.id).await.unwrap().trashed);
    let inside = FileQuery { page_size: 0, ..inside };
    assert_eq!(google.find_files(&inside).await.unwrap().files.len(), 1);
    google.delete(&file.id).await.unwrap();
    assert_eq!(google.file(&file.id).await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let world = World::new().await;
    let google = &world.google;
    let book = world.spreadsheet().await;
    let error = google.spreadsheet("1NoSuchFile").await.unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::NotFound, Some(404)));
    let wanted = ranges(&["NOPE!A1"]);
    let error = google.values(&book.id, &wanted, Render::Unformatted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("Unable to parse range: NOPE!A1"), "{error}");
}
