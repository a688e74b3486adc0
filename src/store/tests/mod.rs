//! Tests of the store, on files in temporary folders.

mod aims;
mod appends;
mod audit;
mod backup;
mod base;
mod crash;
mod ends;
mod events;
mod fold;
mod forget;
mod history;
mod journal;
mod lease;
mod million;
mod open;
mod plans;
mod quota;
mod seal;
mod seen;
mod server;
mod tasks;

use jiff::{SignedDuration, Timestamp};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{BaseChange, ChangeKind};
use lockstep_engine::value::{Row, Value};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use std::collections::BTreeMap;

use super::audit::LineKind;
use super::*;

const TTL: SignedDuration = SignedDuration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

/// Opens a store of its own: in a file, or in a new database of the PostgreSQL server that `LOCKSTEP_TEST_STORE` names.
async fn fresh() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = open_at(&place(&folder).await).await;
    (folder, store)
}

/// Opens another handle of a store, as another process has one.
async fn again(store: &Store) -> Store {
    open_at(&address(store)).await
}

/// Returns where a store is.
fn address(store: &Store) -> String {
    let shown = store.path().to_str().unwrap();
    match server() {
        Some(server) => on(&server, shown.rsplit('/').next().unwrap()),
        None => shown.to_owned(),
    }
}

/// Returns where a store can be made.
async fn place(folder: &TempDir) -> String {
    match server() {
        Some(server) => database(&server).await,
        None => folder.path().join("lockstep.db").to_str().unwrap().to_owned(),
    }
}

/// Opens the store at a place.
async fn open_at(place: &str) -> Store {
    match place.starts_with("postgres") {
        true => Store::connect_with(place, keys()).await.unwrap(),
        false => Store::open_with(Path::new(place), keys()).await.unwrap(),
    }
}

/// Returns the keys of stores that are encrypted, which all are where `LOCKSTEP_TEST_ENCRYPT` is set.
fn keys() -> Option<Keys> {
    use crate::secrets::{Key, Ring};
    let text = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let ring = || Ring::new(Key::read(text).unwrap(), []);
    std::env::var("LOCKSTEP_TEST_ENCRYPT").ok().map(|_| Keys::new(ring(), None::<fn() -> _>))
}

/// Returns the server that is to have the stores, where one is named.
fn server() -> Option<String> {
    std::env::var("LOCKSTEP_TEST_STORE").ok()
}

/// Returns the address of a database on a server.
fn on(server: &str, database: &str) -> String {
    let mut url = reqwest::Url::parse(server).unwrap();
    url.set_path(database);
    url.into()
}

/// Makes a database on a server that sorts as people do, which the store must not, and returns its address.
async fn database(server: &str) -> String {
    let name = format!("store_{}", uuid::Uuid::new_v4().simple());
    let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(server).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!(
        "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    ));
    sqlx::raw_sql(create).execute(&mut conn).await.unwrap();
    on(server, &name)
}

/// Returns whether the store is a server's; then it says why the rest of the test is not for it.
fn on_server(why: &str) -> bool {
    let skipped = server().is_some();
    if skipped {
        println!("skipped for a store in PostgreSQL: {why}");
    }
    skipped
}

/// Runs statements that the store does not have, as a person with the database's own client would.
async fn by_hand(store: &Store, sql: impl Into<String>) {
    let mut sql: String = sql.into();
    if server().is_some() {
        sql = sql.replace("x'00'", "'\\x00'");
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&store.writes).await.unwrap();
}

/// Runs a future of a property test, which knows no async.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn hold(store: &Store, dataset: &str, holder: &str, now: Timestamp) -> Lease {
    match store.acquire(dataset, holder, now, TTL).await.unwrap() {
        Acquired::Held(lease) => lease,
        busy => panic!("{busy:?}"),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn row(key: &str, n: i64) -> Row {
    [Value::from(key), Value::from(n)].into()
}

fn put(key: &str, before: Option<i64>, after: Option<i64>) -> BaseChange {
    let of = |n: Option<i64>| n.map(|n| row(key, n));
    BaseChange { key: Key::of(key), before: of(before), after: of(after) }
}

fn action(key: &str, before: Option<i64>, after: Option<i64>) -> Action {
    let BaseChange { key, before, after } = put(key, before, after);
    let (kind, cells) = match (&before, &after) {
        (None, _) => (ChangeKind::Insert, vec![0, 1]),
        (_, None) => (ChangeKind::Delete, vec![]),
        _ => (ChangeKind::Update, vec![1]),
    };
    Action { key, kind, before, after, cells: cells.into(), left_out: None }
}

fn batch(seq: u32, actions: Vec<Action>) -> Batch {
    let place = json!({ "marker": seq });
    Batch { seq, side: "right".into(), place, actions, state: BatchState::Intended, note: None }
}

fn run(id: &str, dataset: &str) -> NewRun {
    NewRun {
        id: id.to_owned(),
        dataset: dataset.to_owned(),
        plan_id: "a".repeat(64),
        kind: RunKind::Sync,
        undoes: None,
        caller: "ada: syncDataset".into(),
        started: at(0),
        columns: names(&["id", "n"]),
        sensitive: vec![],
        decisions: BTreeMap::new(),
    }
}

/// The moves of the one base of a pair.
fn own(changes: &[BaseChange]) -> [Moves; 1] {
    [Moves { spoke: String::new(), changes: changes.into() }]
}

fn outcome(state: RunState, base: Vec<BaseChange>) -> Outcome {
    Outcome {
        state,
        bases: own(&base).into(),
        columns: names(&["id", "n"]),
        counts: json!({ "insert": 1 }),
        error: None,
        finished: at(5),
        seen: None,
    }
}

/// Begins a run, applies its one batch and closes it.
async fn complete(store: &Store, lease: &Lease, run: &NewRun, actions: Vec<Action>) -> Option<u64> {
    let moves: Vec<BaseChange> = actions
        .iter()
        .map(|one| BaseChange {
            key: one.key.clone(),
            before: one.before.clone(),
            after: one.after.clone(),
        })
        .collect();
    store.begin(lease, run, &[batch(1, actions)], &own(&moves)).await.unwrap();
    store.mark_batch(lease, &run.id, 1, BatchState::Applied, None, &[]).await.unwrap();
    let outcome = Outcome { columns: run.columns.clone(), ..outcome(RunState::Applied, moves) };
    store.finish(lease, &run.id, &outcome).await.unwrap()
}

/// Any value that a column can hold.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-?[0-9]{1,30}(\\.[0-9]{1,12})?".prop_map(|text| Value::Number(text.parse().unwrap())),
        "[ -~éß東🜁\\n\"']{0,16}".prop_map(Value::text),
        (1i16..=9999, 1i8..=12, 1i8..=28)
            .prop_map(|(y, m, d)| Value::Date(jiff::civil::Date::new(y, m, d).unwrap())),
        (0i8..24, 0i8..60, 0i32..1_000_000_000)
            .prop_map(|(h, m, n)| Value::Time(jiff::civil::Time::new(h, m, 59, n).unwrap())),
        (2000u32..2100, 1u32..13, 1u32..29, -12i32..13).prop_map(|(y, m, d, o)| {
            let sign = if o < 0 { '-' } else { '+' };
            let text = format!("{y}-{m:02}-{d:02}T10:20:30{sign}{:02}:00", o.abs());
            Value::DateTime(text.parse().unwrap())
        }),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::List))
}

/// Never runs: it compiles only while every call can be awaited in a spawned task.
#[expect(dead_code, reason = "its types are the test")]
fn every_call_can_be_spawned(store: &Store, lease: &Lease) {
    fn sent<T: Send>(_: T) {}
    let (now, path) = (Timestamp::UNIX_EPOCH, Path::new(""));
    let key = Key::of("k");
    sent(Store::open(path));
    sent(store.close());
    sent(store.save_dataset("", &json!(1), now));
    sent(store.dataset(""));
    sent(store.datasets(None, 1));
    sent(store.base(""));
    sent(store.base_at("", 1));
    sent(store.put_plan(&plans::plan("", ""), &json!(1), now));
    sent(store.plan("", now));
    sent(store.acquire("", "", now, TTL));
    sent(store.renew(lease, now, TTL));
    sent(store.release(lease));
    sent(store.begin(lease, &run("", ""), &[], &[]));
    sent(store.mark_batch(lease, "", 1, BatchState::Void, None, &[]));
    sent(store.void_intended(lease, "", ""));
    sent(store.open_runs(""));
    sent(store.open_datasets());
    sent(store.batches(""));
    sent(store.intended_base(""));
    sent(store.finish(lease, "", &outcome(RunState::Failed, vec![])));
    sent(store.tombstones(""));
    sent(store.tombstone("", &key));
    sent(store.run(""));
    sent(store.runs(None, None, 1));
    sent(store.changes("", 1, 1));
    sent(store.life("", &key, 1));
    sent(store.verify_audit());
    sent(store.audit(1, 1));
    sent(store.quota_claim("", 1, TTL, now));
    sent(store.quota_close("", now));
    sent(store.backup(path));
    sent(restore(path, path, true));
    sent(store.forget("", &key));
    sent(store.retain(now, TTL));
}
