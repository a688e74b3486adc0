//! A store that is encrypted: from its beginning, from now on, with another key, and with none.

use super::forget::is_kept;
use super::*;
use crate::error::Kind;
use crate::secrets::{Key as Sealing, Ring};
use crate::store::conflicts::Filter;
use crate::store::seal::SEALED;

const VALUE: &str = "Zwiebelfisch";

fn ring() -> Ring {
    Ring::new(Sealing::generate().unwrap(), [])
}

fn keyed(ring: &Ring) -> Option<Keys> {
    Some(Keys::new(ring.clone(), None::<fn() -> Result<Ring>>))
}

async fn open_with(place: &str, keys: Option<Keys>) -> Result<Store> {
    match place.starts_with("postgres") {
        true => Store::connect_with(place, keys).await,
        false => Store::open_with(Path::new(place), keys).await,
    }
}

/// Fills tables of each sort with a value and a key.
async fn fill(store: &Store) -> Lease {
    let said = json!({ "rows": [VALUE] });
    store.save_dataset("d", &said, at(0)).await.unwrap();
    let lease = hold(store, "d", "me", at(0)).await;
    complete(store, &lease, &run("r1", "d"), vec![action(VALUE, None, Some(1))]).await;
    complete(store, &lease, &run("r2", "d"), vec![action("gone", None, Some(1))]).await;
    complete(store, &lease, &run("r3", "d"), vec![action("gone", Some(1), None)]).await;
    store.put_plan(&plans::plan("d", VALUE), &said, at(0)).await.unwrap();
    store
        .begin(&lease, &run("r4", "d"), &[batch(1, vec![action(VALUE, Some(1), None)])], &[])
        .await
        .unwrap();
    store.keep_aim("r4", 1, &said).await.unwrap();
    store.remember_append("s", "n", VALUE, at(0)).await.unwrap();
    store.take_call("d", &[vec![VALUE.to_owned()]], None, at(0)).await.unwrap();
    store.start_watch("d", &said, at(0)).await.unwrap();
    store.open_incident("d", "k", VALUE, at(0), &["c"], &said).await.unwrap();
    store.learn("d", |facts| facts.last_error = Some(("k".into(), VALUE.into()))).await.unwrap();
    lease
}

/// Reads back what [`fill`] wrote.
async fn reads(store: &Store) {
    let key = Key::of(VALUE);
    assert_eq!(store.dataset("d").await.unwrap().unwrap().definition["rows"][0], VALUE);
    assert_eq!(store.datasets_with(VALUE).await.unwrap().last().unwrap().name, "d");
    assert_eq!(store.base("d").await.unwrap().unwrap().rows, [row(VALUE, 1)]);
    assert_eq!(store.life("d", &key, 9).await.unwrap().len(), 2);
    assert_eq!(store.tombstones("d").await.unwrap().len(), 1);
    assert!(store.tombstone("d", &Key::of("gone")).await.unwrap().is_some());
    assert!(store.any_tombstone("d", &Key::of("gone")).await.unwrap().is_some());
    assert_eq!(store.audit_of("d", &key).await.unwrap().len(), 1);
    let id = plans::plan("d", VALUE).id().to_owned();
    assert!(matches!(store.plan(&id, at(0)).await.unwrap(), PlanLookup::Found(_)));
    assert_eq!(store.batches("r4").await.unwrap()[0].actions[0].key, key);
    let aim = store.aim("r4", 1).await.unwrap().unwrap();
    assert!(String::from_utf8(aim).unwrap().contains(VALUE));
    assert_eq!(store.appended("s", "n", at(1)).await.unwrap().as_deref(), Some(VALUE));
    assert_eq!(store.calls("d").await.unwrap()[0].keys[0], [VALUE]);
    assert_eq!(store.watch("d").await.unwrap().unwrap().settings["rows"][0], VALUE);
    assert_eq!(store.incidents().await.unwrap()[0].detail, VALUE);
    assert_eq!(store.due_deliveries(at(9), 9).await.unwrap()[0].body["rows"][0], VALUE);
    assert_eq!(store.facts("d").await.unwrap().last_error.unwrap().1, VALUE);
    assert!(matches!(store.verify_audit().await.unwrap(), AuditVerdict::Whole { lines: 3, .. }));
}

/// Returns the sealed columns in which something stands that is not sealed, and is no constant.
async fn unsealed(store: &Store) -> Vec<String> {
    let mut found = vec![];
    for (table, columns, _) in SEALED {
        for column in *columns {
            let sql = match server() {
                Some(_) => format!("SELECT COUNT(*) FROM {table} WHERE {column} IS NOT NULL AND CAST({column} AS TEXT) NOT LIKE 'lks1:%'
                    AND CAST({column} AS TEXT) NOT LIKE '_x4c4b5331%'"),
                None => format!("SELECT COUNT(*) FROM {table} WHERE {column} IS NOT NULL AND HEX({column}) NOT LIKE '6C6B73313A%'
                    AND HEX({column}) NOT LIKE '4C4B5331%'"),
            };
            let but = if *table == "shared" { " AND name <> 'sealing'" } else { "" };
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("{sql}{but}")))
                .fetch_one(&store.reads.pool)
                .await
                .unwrap();
            if count > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_store_that_is_encrypted_later_works_on_and_rekey_seals_what_was_there() {
    let folder = TempDir::new().unwrap();
    let place = place(&folder).await;
    let old = open_with(&place, None).await.unwrap();
    fill(&old).await;
    // The control: what is looked for can be found.
    assert!(is_kept(&folder, &old, VALUE).await);
    let ring = ring();
    let store = open_with(&place, keyed(&ring)).await.unwrap();
    reads(&store).await;
    // A process of before writes nothing more, and is told why.
    let error = old.save_dataset("e", &json!({}), at(0)).await.unwrap_err();
    assert!(error.to_string().contains("encrypt = true"), "{error}");
    old.close().await;
    assert!(store.rekey(&ring).await.unwrap() > 20);
    reads(&store).await;
    assert_eq!(unsealed(&store).await, Vec::<String>::new());
    assert!(!is_kept(&folder, &store, VALUE).await);
    assert_eq!(store.rekey(&ring).await.unwrap(), 0, "all is sealed already");
    store.close().await;
    let error = open_with(&place, None).await.unwrap_err();
    assert!(error.to_string().contains("encrypt = true"), "{error}");
    reads(&open_with(&place, keyed(&ring)).await.unwrap()).await;
}

#[tokio::test]
async fn nothing_of_an_encrypted_store_can_be_read_without_its_key() {
    let folder = TempDir::new().unwrap();
    let place = place(&folder).await;
    let first = ring();
    let store = open_with(&place, keyed(&first)).await.unwrap();
    fill(&store).await;
    reads(&store).await;
    assert!(!is_kept(&folder, &store, VALUE).await);
    assert!(!is_kept(&folder, &store, &verify::hex(&codec::key_digest(&Key::of(VALUE)))).await);
    store.close().await;
    let other = ring();
    let error = open_with(&place, keyed(&other)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    let said = error.to_string();
    assert!(said.contains(&first.name()) && said.contains("previousKeys"), "{said}");
    reads(&open_with(&place, keyed(&first)).await.unwrap()).await;
}

#[tokio::test]
async fn another_key_seals_from_the_moment_of_rekey_for_every_process() {
    let folder = TempDir::new().unwrap();
    let place = place(&folder).await;
    let (old, new) = (Sealing::generate().unwrap(), Sealing::generate().unwrap());
    let (before, after) = (Ring::new(old.clone(), []), Ring::new(new.clone(), [old.clone()]));
    let stuck = open_with(&place, keyed(&before)).await.unwrap();
    fill(&stuck).await;
    // Another server that can read its keys anew, and one that was given both before.
    let again = after.clone();
    let keys = Keys::new(before.clone(), Some(move || Ok(again.clone())));
    let reading = open_with(&place, Some(keys)).await.unwrap();
    let given = open_with(&place, keyed(&after)).await.unwrap();
    given.save_dataset("a", &json!([VALUE]), at(0)).await.unwrap();
    assert_eq!(stuck.dataset("a").await.unwrap().unwrap().definition[0], VALUE);
    assert!(given.rekey(&after).await.unwrap() > 20);
    for store in [&reading, &given] {
        reads(store).await;
        store.save_dataset("b", &json!([VALUE]), at(0)).await.unwrap();
    }
    let error = stuck.save_dataset("y", &json!({}), at(0)).await.unwrap_err();
    assert!(error.to_string().contains(&new.name()), "{error}");
    for store in [stuck, reading, given] {
        store.close().await;
    }
    // The key of before is needed no more.
    let store = open_with(&place, keyed(&Ring::new(new, []))).await.unwrap();
    reads(&store).await;
    assert_eq!(store.conflicts(&Filter::default(), 0, 9).await.unwrap().conflicts, []);
    // An old run is still known, and a record can be forgotten.
    let lease = hold(&store, "d", "you", at(99)).await;
    store.void_intended(&lease, "r4", "never sent").await.unwrap();
    store.finish(&lease, "r4", &outcome(RunState::Failed, vec![])).await.unwrap();
    assert_eq!(store.forget("d", &Key::of(VALUE)).await.unwrap().actions, 2);
    assert!(open_with(&place, keyed(&before)).await.is_err());
}

#[tokio::test]
async fn what_was_changed_or_put_into_another_column_is_refused() {
    for (sql, broken) in [
        (
            "UPDATE datasets SET definition = SUBSTR(definition, 1, 60) || 'AAAA' || SUBSTR(definition, 65)",
            "definition",
        ),
        (
            "UPDATE datasets SET definition = (SELECT error FROM runs WHERE error IS NOT NULL LIMIT 1)",
            "definition",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let place = place(&folder).await;
        let store = open_with(&place, keyed(&ring())).await.unwrap();
        let lease = fill(&store).await;
        let mut failed = outcome(RunState::Failed, vec![]);
        failed.error = Some(VALUE.to_owned());
        store.void_intended(&lease, "r4", VALUE).await.unwrap();
        store.finish(&lease, "r4", &failed).await.unwrap();
        by_hand(&store, sql).await;
        let error = store.dataset("d").await.unwrap_err().to_string();
        assert!(error.contains("cannot be opened") && error.contains(broken), "{error}");
        // Nothing is written in its place either.
        assert!(store.save_dataset("d", &json!(1), at(0)).await.is_err());
        let kept: i64 = sqlx::query_scalar("SELECT version FROM datasets")
            .fetch_one(&store.reads)
            .await
            .unwrap();
        assert_eq!(kept, 1);
    }
}

/// Prints what sealing costs; asserts no time.
///
/// `cargo nextest run -p lockstep --lib --run-ignored only --no-capture what_sealing_costs`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints a figure"]
async fn what_sealing_costs() {
    use std::time::Instant;
    const ROWS: i64 = 20_000;
    let mut times = vec![];
    for sealed in [false, true, false, true] {
        let key = Sealing::generate().unwrap();
        let keys = sealed.then(|| keyed(&Ring::new(key.clone(), []))).flatten();
        let folder = TempDir::new().unwrap();
        let store = open_with(&place(&folder).await, keys).await.unwrap();
        let lease = hold(&store, "d", "me", at(0)).await;
        let actions = (0..ROWS).map(|n| action(&format!("key-{n:06}"), None, Some(n))).collect();
        let since = Instant::now();
        complete(&store, &lease, &run("r1", "d"), actions).await;
        let written = since.elapsed();
        let since = Instant::now();
        assert_eq!(store.base("d").await.unwrap().unwrap().rows.len(), ROWS as usize);
        let loaded = since.elapsed();
        println!("sealed {sealed}: a run of {ROWS} rows {written:.2?}, its base {loaded:.2?}");
        times.push((sealed, written, loaded));
        if sealed {
            let since = Instant::now();
            let done = store.rekey(&Ring::new(Sealing::generate().unwrap(), [key])).await.unwrap();
            println!("rekey of {done} values: {:.2?}", since.elapsed());
        }
    }
    let total = |which: bool| -> f64 {
        times.iter().filter(|one| one.0 == which).map(|one| one.1.as_secs_f64()).sum()
    };
    println!("a run takes {:.2} times as long", total(true) / total(false));
}

/// What stays in the clear: names, ids, words for states and kinds, names and addresses of columns, who did it, salted or
/// keyed digests, and what is about calls and not about rows.
const CLEAR: &str = "
    datasets.name base_heads.dataset base_versions.dataset base_versions.run base_versions.columns base_parts.dataset
    plans.id plans.dataset leases.dataset leases.holder
    runs.id runs.dataset runs.plan runs.kind runs.undoes runs.undone_by runs.state runs.caller runs.columns runs.sensitive
    batches.side batches.state actions.kind actions.cells actions.key_digest intended_base.spoke
    tombstones.dataset tombstones.key_digest tombstones.run tombstones.columns tombstones.revived_by
    audit.caller audit.run audit.dataset audit.side audit.kind audit.columns audit.key_digest audit.before_digest
    audit.after_digest audit.payload_digest audit.hash audit.key_index audit_head.hash
    quota_calls.bucket quota_closed.bucket aims.run appends.spreadsheet appends.name
    tasks.id tasks.subject tasks.tool tasks.state tasks.holder
    conflicts.id conflicts.dataset conflicts.key_digest conflicts.key_text conflicts.column_name conflicts.kind
    conflicts.state conflicts.assignee conflicts.run conflict_rows.dataset conflict_rows.key_digest
    cell_times.dataset cell_times.member cell_times.key_digest cell_times.column_name seen.dataset seen.member
    watches.dataset events.dataset events.member events.key_digest events.kind events.columns
    dead_letters.dataset dead_letters.member dead_letters.key_digest dead_letters.kind dead_letters.columns
    breakers.dataset breakers.member hook_calls.dataset hook_seen.dataset hook_seen.digest
    channels.id channels.dataset channels.spreadsheet channels.resource
    run_rollups.dataset run_rollups.data dataset_health.dataset health_history.dataset
    incidents.dataset incidents.kind deliveries.channel quality_history.dataset shared.name
";

#[tokio::test]
async fn every_column_of_text_or_bytes_is_sealed_or_said_to_stay_in_the_clear() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("lockstep.db")).await.unwrap();
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT t.name, c.name, c.type FROM sqlite_master t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND SUBSTR(t.name, 1, 1) <> '_'
             AND c.type IN ('TEXT', 'BLOB')",
    )
    .fetch_all(&store.reads)
    .await
    .unwrap();
    assert!(columns.len() > 100, "{}", columns.len());
    let clear: Vec<&str> = CLEAR.split_whitespace().collect();
    let mut sealed = 0;
    for (table, column, kind) in &columns {
        let listed =
            SEALED.iter().any(|(of, all, _)| of == table && all.contains(&column.as_str()));
        sealed += usize::from(listed);
        let name = format!("{table}.{column}");
        assert!(listed != clear.contains(&name.as_str()), "decide about {name}");
        if listed {
            assert_eq!(rekey::is_text(table, column), kind == "TEXT", "{name}");
        }
    }
    let all: usize = SEALED.iter().map(|(_, columns, _)| columns.len()).sum();
    assert_eq!(sealed, all, "what is listed is there");
}
