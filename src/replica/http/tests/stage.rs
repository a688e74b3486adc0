//! A stub, the description of it, and changes to its items.

use lockstep_engine::{
    dataset::SideName,
    key::Key,
    reconcile::{Change, ChangeKind},
    schema::{Column, ColumnType, Schema},
    snapshot::Mapping,
    value::Row,
};
use lockstep_google::{Config, Google};
use serde_json::{Value as Json, json};

pub(super) use super::api::PLAIN;
use super::api::{Shape, Stub, plain};
use crate::{
    clock::Clock,
    error::Result,
    progress::Progress,
    replica::{
        Source,
        apply::{Guard, Notes, Prepared, Sent, Writes, prepare, send},
        connections::{ConnectionConfig, Connections},
        file::folder::Files,
        reach::Reach,
        scan::{Role, Scan, scan},
    },
    store::Store,
};

pub(super) struct Stage {
    pub(super) stub: Stub,
    reach: Reach,
    schema: Schema,
    headers: Vec<Option<String>>,
    folder: tempfile::TempDir,
}

/// Returns the connections of one description.
pub(super) fn connections(toml: &str) -> Result<Connections> {
    let config: ConnectionConfig =
        toml::from_str(toml).map_err(|error| crate::error::Error::invalid(error.to_string()))?;
    Connections::new(&[("crm".to_owned(), config)].into())
}

impl Stage {
    /// Serves four items under a description, `URL` being filled in.
    pub(super) async fn new(toml: &str) -> Self {
        let stage = Self::with(plain, toml).await;
        for (sku, qty) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            let item = json!({"sku": sku, "name": format!("{sku}.name"), "stock": {"qty": qty, "shelf": "S"}});
            stage.stub.world().add(item);
        }
        stage
    }

    pub(super) async fn with(shape: Shape, toml: &str) -> Self {
        let stub = Stub::start(shape).await;
        let folder = tempfile::tempdir().unwrap();
        let column = |name: &str| {
            Column::new(name, if name == "qty" { ColumnType::Number } else { ColumnType::Text })
        };
        let names = ["sku", "name", "qty"];
        let reach = Reach {
            google: Google::new(Config::local("http://127.0.0.1:9")).unwrap(),
            files: Files::open(folder.path(), true).unwrap(),
            connections: connections(&toml.replace("URL", &stub.url)).unwrap(),
            clock: Clock::System,
            progress: Progress::silent(),
        };
        let schema = Schema::new(names.map(column).to_vec(), vec![0]);
        let headers = names.map(|name| Some(name.to_owned())).to_vec();
        Self { stub, reach, schema, headers, folder }
    }

    pub(super) async fn try_scan(&self, since: Option<&Json>) -> Result<Scan> {
        let source = Source::Api { connection: "crm".into(), resource: "items".into() };
        let role = Role::Both { side: SideName::Right, typed: true };
        scan(&self.reach, &source, role, since).await
    }

    pub(super) async fn scan(&self) -> Scan {
        self.try_scan(None).await.unwrap()
    }

    /// Returns why the list cannot be read.
    pub(super) async fn refused(&self) -> String {
        self.try_scan(None).await.unwrap_err().to_string()
    }

    pub(super) async fn check(&self) -> Vec<super::super::Checked> {
        self.reach.connections.check_api("crm", &Progress::silent()).await.unwrap()
    }

    pub(super) fn change(&self, scan: &Scan, key: &str, cells: &[(usize, &str)]) -> Change {
        let map: Vec<Mapping> =
            ["sku", "name", "qty"].iter().map(|name| Mapping::new(*name, *name)).collect();
        let view = scan.snapshot.view(&self.schema, &map).unwrap();
        let row = (0..view.len()).find(|row| view.key(*row) == Key::of(key)).unwrap();
        let before: Row = (0..3).map(|column| view.cell(row, column)).collect();
        let mut after = before.clone();
        for (column, text) in cells {
            after[*column] = self.schema.columns[*column].read(text);
        }
        let delete = cells.is_empty();
        Change {
            key: Key::of(key),
            kind: if delete { ChangeKind::Delete } else { ChangeKind::Update },
            before: Some(before),
            after: (!delete).then_some(after),
            cells: cells.iter().map(|(column, _)| *column).collect(),
            row: Some(row),
        }
    }

    pub(super) fn insert(&self, key: &str, name: &str, qty: &str) -> Change {
        let texts = [key, name, qty];
        let read = |(column, text): (usize, &&str)| self.schema.columns[column].read(text);
        Change {
            key: Key::of(key),
            kind: ChangeKind::Insert,
            before: None,
            after: Some(texts.iter().enumerate().map(read).collect()),
            cells: vec![0, 1, 2].into(),
            row: None,
        }
    }

    pub(super) fn prepare_from(&self, scan: &Scan, changes: &[&Change]) -> Writes<'static> {
        // The writes outlive the call in every test: leaking a few rows keeps the tests readable.
        Writes {
            schema: Box::leak(Box::new(self.schema.clone())),
            headers: Box::leak(self.headers.clone().into_boxed_slice()),
            optional: &[],
            snapshot: Box::leak(Box::new(scan.snapshot.clone())),
            changes: Box::leak(
                changes
                    .iter()
                    .map(|change| &*Box::leak(Box::new((*change).clone())))
                    .collect::<Vec<&'static Change>>()
                    .into_boxed_slice(),
            ),
        }
    }

    pub(super) async fn prepared(&self, scan: &Scan, writes: &Writes<'_>) -> Result<Prepared> {
        let guard = Guard::default();
        prepare(&self.reach, &scan.target, writes, "run-1", SideName::Right, guard).await
    }

    /// Returns where notes of a batch would be kept; an API needs none.
    async fn notes(&self) -> Notes {
        let store = Store::open(&self.folder.path().join("lockstep.db")).await.unwrap();
        Notes { store, run: "run".into(), seq: 0 }
    }

    /// Writes changes against a scan that was made earlier; returns what came of each batch.
    pub(super) async fn write(&self, scan: &Scan, changes: &[Change]) -> Vec<Result<Sent>> {
        let changes: Vec<&Change> = changes.iter().collect();
        let writes = self.prepare_from(scan, &changes);
        let mut prepared = self.prepared(scan, &writes).await.unwrap();
        let mut all = Vec::new();
        for batch in 0..prepared.batches() {
            all.push(send(&self.reach, &mut prepared, batch, &writes, &self.notes().await).await);
        }
        all
    }

    /// Writes one batch that must not fail as a whole; returns why single changes were not made.
    pub(super) async fn unconfirmed(
        &self,
        scan: &Scan,
        changes: &[Change],
    ) -> Vec<(usize, String)> {
        let mut sent = self.write(scan, changes).await;
        assert_eq!(sent.len(), 1);
        let sent = sent.remove(0).unwrap();
        sent.unconfirmed.into_iter().map(|one| (one.change, one.why.why)).collect()
    }

    pub(super) fn item(&self, sku: &str) -> Json {
        let world = self.stub.world();
        let found: Vec<&Json> = world.items.values().filter(|item| item["sku"] == sku).collect();
        assert!(found.len() < 2, "{sku} is doubled: {found:?}");
        found.first().map_or(Json::Null, |item| (*item).clone())
    }

    pub(super) async fn settle(&self, prepared: &Prepared) -> crate::replica::apply::Settled {
        crate::replica::apply::settle(&self.reach, &prepared.place(0)).await.unwrap()
    }
}
