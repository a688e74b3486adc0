//! A served workspace with one table, and changes to it.

use lockstep_engine::{
    dataset::SideName,
    key::Key,
    reconcile::{Change, ChangeKind},
    schema::{Column, ColumnType, Schema},
    snapshot::Mapping,
    value::{Row, Value},
};
use lockstep_google::{
    CellFields, CellWrite, Config, Google, MetadataQuery, NewSheet, NewSpreadsheet, Request,
};
use lockstep_workspace::Workspace;
use serde_json::{Value as Json, json};

use super::wire;
use crate::{
    clock::Clock,
    error::Result,
    progress::Progress,
    replica::{
        Source,
        apply::{Guard, Notes, Prepared, Sent, Writes, prepare, send},
        connections::Connections,
        file::folder::Files,
        reach::Reach,
        scan::{Role, Scan, scan},
        sheet_picture::Picture,
    },
    store::Store,
};

/// The columns: the key, two texts and a number.
pub(super) const COLUMNS: [&str; 4] = ["id", "name", "note", "n"];

pub(super) struct World {
    pub(super) google: Google,
    pub(super) files: Files,
    pub(super) folder: tempfile::TempDir,
    pub(super) id: String,
    pub(super) sheet: i32,
    address: String,
    pub(super) schema: Schema,
    headers: Vec<Option<String>>,
}

/// A scan and the changes that were made up for it.
pub(super) struct Draft {
    pub(super) scan: Scan,
    pub(super) changes: Vec<Change>,
}

impl World {
    /// Serves a table whose every text begins with the key of its row: `k3.name`, `k3.note`.
    pub(super) async fn new(rows: usize) -> Self {
        let workspace = Workspace::in_memory().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
        let google = Google::new(Config::local(&address)).unwrap();
        let sheets = vec![NewSheet { title: "T".into(), ..NewSheet::default() }];
        let new = NewSpreadsheet { title: "t".into(), sheets, ..NewSpreadsheet::default() };
        let book = google.create_spreadsheet(&new).await.unwrap();
        let sheet = book.sheets[0].id;
        let mut cells = vec![COLUMNS.map(CellWrite::text).to_vec()];
        cells.extend((0..rows).map(|n| {
            let text = |column: &str| CellWrite::text(format!("k{n}{column}"));
            vec![text(""), text(".name"), text(".note"), CellWrite::number(n as f64)]
        }));
        let folder = tempfile::tempdir().unwrap();
        let column = |(index, name): (usize, &str)| {
            Column::new(name, if index == 3 { ColumnType::Number } else { ColumnType::Text })
        };
        let world = Self {
            files: Files::open(folder.path(), true).unwrap(),
            google,
            folder,
            id: book.id,
            sheet,
            address,
            schema: Schema::new(COLUMNS.into_iter().enumerate().map(column).collect(), vec![0]),
            headers: COLUMNS.map(|name| Some(name.to_owned())).to_vec(),
        };
        world.write(0, 0, cells).await;
        world
    }

    pub(super) fn reach(&self) -> Reach {
        Reach {
            google: self.google.clone(),
            files: self.files.clone(),
            connections: Connections::default(),
            clock: Clock::System,
            progress: Progress::silent(),
        }
    }

    /// Returns where it is kept what a batch is aimed at.
    pub(super) async fn notes(&self) -> Notes {
        let store = Store::open(&self.folder.path().join("lockstep.db")).await.unwrap();
        Notes { store, run: "run".into(), seq: 0 }
    }

    pub(super) async fn write(&self, row: u32, column: u32, rows: Vec<Vec<CellWrite>>) {
        let fields = CellFields::Values;
        let request = Request::UpdateCells { sheet: self.sheet, row, column, rows, fields };
        self.google.batch_update(&self.id, &[request], &[]).await.unwrap();
    }

    /// Sets the workspace's faults.
    pub(super) async fn faults(&self, rules: Json) {
        wire::set_faults(&self.address, rules).await;
    }

    /// Returns how often each of the faults in force has happened.
    pub(super) async fn happened(&self) -> Vec<u64> {
        wire::happened(&self.address).await
    }

    /// Lets somebody else send requests right before our `nth` write, from 0.
    pub(super) async fn race(&self, edits: &[(u64, Json)]) {
        let rule = |(nth, requests): &(u64, Json)| json!({"effect": {"requests": {"requests": requests}}, "path": ":batchUpdate", "skip": nth, "times": 1});
        self.faults(edits.iter().map(rule).collect()).await;
    }

    pub(super) async fn draft(&self) -> Draft {
        let source = Source::Sheet {
            spreadsheet: self.id.clone(),
            sheet: Some("T".into()),
            header_row: None,
            range: None,
        };
        let role = Role::Both { side: SideName::Right, typed: true };
        let scan = scan(&self.reach(), &source, role, None).await.unwrap();
        Draft { scan, changes: Vec::new() }
    }

    pub(super) fn writes<'a>(&'a self, draft: &'a Draft, changes: &'a [&'a Change]) -> Writes<'a> {
        Writes {
            schema: &self.schema,
            headers: &self.headers,
            optional: &[],
            snapshot: &draft.scan.snapshot,
            changes,
        }
    }

    pub(super) async fn prepare(&self, draft: &Draft, run: &str, guard: Guard) -> Result<Prepared> {
        let changes: Vec<&Change> = draft.changes.iter().collect();
        let (writes, target) = (self.writes(draft, &changes), &draft.scan.target);
        let side = SideName::Right;
        prepare(&self.reach(), target, &writes, run, side, guard).await
    }

    pub(super) async fn send(
        &self,
        draft: &Draft,
        prepared: &mut Prepared,
        batch: usize,
    ) -> Result<Sent> {
        let changes: Vec<&Change> = draft.changes.iter().collect();
        let writes = self.writes(draft, &changes);
        send(&self.reach(), prepared, batch, &writes, &self.notes().await).await
    }

    /// Prepares, lets the race in, and sends everything.
    pub(super) async fn run(&self, draft: &Draft, guard: Guard, edits: &[(u64, Json)]) -> Sent {
        let run = crate::replica::marker::run_id();
        let mut prepared = self.prepare(draft, &run, guard).await.unwrap();
        self.race(edits).await;
        let mut all = Sent::default();
        for batch in 0..prepared.batches() {
            let sent = self.send(draft, &mut prepared, batch).await.unwrap();
            all.repaired.extend(sent.repaired);
            all.unconfirmed.extend(sent.unconfirmed);
        }
        self.faults(json!([])).await;
        all
    }

    /// Panics if a row still carries a tag.
    pub(super) async fn assert_untagged(&self) {
        let query = MetadataQuery { key: Some("ls".into()), ..MetadataQuery::default() };
        let tags = self.google.search_metadata(&self.id, &query).await.unwrap();
        assert_eq!(tags, []);
    }

    pub(super) async fn picture(&self) -> Picture {
        Picture::read_at_once(&self.google, &self.id, "T").await.unwrap()
    }

    /// Returns the rows under the header, as text, columns by their names.
    pub(super) async fn rows(&self) -> Vec<Vec<String>> {
        let picture = self.picture().await;
        let shown = |row: u32, column: u32| {
            let cell = picture.cell(row, column);
            match cell.formula() {
                Some(formula) => formula.to_owned(),
                None => crate::replica::header::label(cell.value()),
            }
        };
        let header = (0..picture.height())
            .find(|row| (0..picture.width()).any(|column| shown(*row, column) == "id"))
            .unwrap();
        let place =
            |name: &&str| (0..picture.width()).find(|c| shown(header, *c) == *name).unwrap();
        let places: Vec<u32> = COLUMNS.iter().map(place).collect();
        (header + 1..picture.height())
            .map(|row| places.iter().map(|column| shown(row, *column)).collect())
            .collect()
    }

    /// Returns the row with a key; panics if there is not exactly one.
    pub(super) async fn row(&self, key: &str) -> Vec<String> {
        let rows = self.rows().await;
        let found: Vec<&Vec<String>> = rows.iter().filter(|row| row[0] == key).collect();
        assert_eq!(found.len(), 1, "rows with the key {key} in {rows:?}");
        found[0].clone()
    }

    /// Panics if a text stands in another row than its own.
    pub(super) async fn assert_own(&self, place: &str) -> Vec<Vec<String>> {
        let rows = self.rows().await;
        for row in &rows {
            for cell in &row[1..3] {
                let own = cell.is_empty() || cell.split('.').next() == Some(&row[0]);
                assert!(own, "{cell:?} stands in the row {row:?}: {place} {rows:?}");
            }
        }
        rows
    }
}

impl Draft {
    fn row(&self, world: &World, key: &str) -> (usize, Row) {
        let map: Vec<Mapping> = COLUMNS.iter().map(|name| Mapping::new(*name, *name)).collect();
        let view = self.scan.snapshot.view(&world.schema, &map).unwrap();
        let row = (0..view.len()).find(|row| view.key(*row) == Key::of(key)).unwrap();
        (row, (0..COLUMNS.len()).map(|column| view.cell(row, column)).collect())
    }

    pub(super) fn update(&mut self, world: &World, key: &str, cells: &[(usize, &str)]) {
        let (row, before) = self.row(world, key);
        let mut after = before.clone();
        for (column, text) in cells {
            after[*column] = world.schema.columns[*column].read(text);
        }
        self.changes.push(Change {
            key: Key::of(key),
            kind: ChangeKind::Update,
            before: Some(before),
            after: Some(after),
            cells: cells.iter().map(|(column, _)| *column).collect(),
            row: Some(row),
        });
    }

    pub(super) fn delete(&mut self, world: &World, key: &str) {
        let (row, before) = self.row(world, key);
        self.changes.push(Change {
            key: Key::of(key),
            kind: ChangeKind::Delete,
            before: Some(before),
            after: None,
            cells: Vec::new().into(),
            row: Some(row),
        });
    }

    pub(super) fn insert(&mut self, key: &str) {
        let text = |column: &str| Value::text(format!("{key}{column}"));
        let after: Row = [text(""), text(".name"), text(".note"), Value::from(7)].into();
        self.changes.push(Change {
            key: Key::of(key),
            kind: ChangeKind::Insert,
            before: None,
            after: Some(after),
            cells: vec![0, 1, 2, 3].into(),
            row: None,
        });
    }
}
