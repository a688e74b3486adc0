use super::*;

async fn written() -> (TempDir, Store) {
    let (folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let first = vec![action("a", None, Some(1)), action("b", None, Some(2))];
    complete(&store, &lease, &run("r1", "d"), first).await;
    let mut second = run("r2", "d");
    second.sensitive = vec![1];
    let actions =
        vec![action("a", Some(1), Some(7)), action("b", Some(2), None), action("ç", None, Some(3))];
    complete(&store, &lease, &second, actions).await;
    (folder, store)
}

async fn verdict(store: &Store) -> AuditVerdict {
    store.verify_audit().await.unwrap()
}

#[tokio::test]
async fn a_line_says_who_did_what_and_hides_what_is_sensitive() {
    let (_folder, store) = written().await;
    let lines = store.audit(0, 99).await.unwrap();
    assert_eq!(lines.len(), 5);
    let line = &lines[0];
    assert_eq!((line.seq, line.at, line.caller.as_str()), (1, at(5), "ada: syncDataset"));
    assert_eq!((line.run.as_str(), line.dataset.as_str()), ("r1", "d"));
    assert_eq!((line.side.as_str(), line.kind), ("right", LineKind::Write(ChangeKind::Insert)));
    assert_eq!(line.columns, names(&["id", "n"]));
    assert_eq!((&line.before_digest, line.after_digest.is_some()), (&None, true));
    let shown = json!({ "key": ["a"], "before": null, "after": { "id": "a", "n": { "n": "1" } } });
    assert_eq!(line.payload, Some(shown));
    let update = lines[2].payload.clone().unwrap();
    assert_eq!(update["key"], json!(["a"]));
    assert_eq!(update["after"].as_object().unwrap().len(), 1, "only what was written");
    assert_eq!(update["after"]["n"]["digest"].as_str().unwrap().len(), 64);
    assert_ne!(update["after"]["n"], update["before"]["n"]);
    assert_eq!(lines[3].payload.as_ref().unwrap()["before"]["id"], json!("b"));
    assert_eq!(store.audit(3, 1).await.unwrap(), lines[3..4]);
    // The same key has another digest in each line: nobody can follow it without the content.
    assert_ne!(lines[0].key_digest, lines[2].key_digest);
    let AuditVerdict::Whole { lines: 5, head, erased: 0 } = verdict(&store).await else { panic!() };
    assert_eq!(head, lines[4].hash);
}

#[tokio::test]
async fn a_sensitive_key_column_is_hidden_in_the_key_too() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "d", "me", at(0)).await;
    let mut new = run("r1", "d");
    new.sensitive = vec![0];
    let mut secret = action("geheim@example.com", None, Some(1));
    secret.after = Some(row("Geheim@Example.com ", 1));
    complete(&store, &lease, &new, vec![secret]).await;
    let line = store.audit(0, 1).await.unwrap().remove(0);
    let text = line.payload.unwrap().to_string().to_lowercase();
    assert!(!text.contains("geheim"), "{text}");
    assert!(text.contains(r#""n":{"n":"1"}"#), "{text}");
}

#[tokio::test]
async fn an_empty_audit_is_whole() {
    let (_folder, store) = fresh().await;
    let AuditVerdict::Whole { lines, erased, .. } = verdict(&store).await else { panic!() };
    assert_eq!((lines, erased), (0, 0));
    assert_eq!(store.audit(0, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_line_taken_out_moved_or_added_is_found() {
    for (sql, broken) in [
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET seq = seq + 1 WHERE seq = 5", 5),
        (
            "UPDATE audit SET seq = -seq WHERE seq IN (2, 3);
             UPDATE audit SET seq = 5 + seq WHERE seq < 0",
            2,
        ),
        (
            "INSERT INTO audit SELECT 6, at, caller, run, dataset, side, kind, columns, key_digest,
                 before_digest, after_digest, payload_digest, hash, key_index, salt, payload
             FROM audit WHERE seq = 5",
            6,
        ),
        ("UPDATE audit SET payload = NULL WHERE seq = 2", 2),
        ("UPDATE audit SET salt = NULL, payload = NULL WHERE seq = 2", 2),
        ("UPDATE audit SET at = 'x' WHERE seq = 4", 4),
        ("UPDATE audit_head SET seq = 4", 6),
        ("UPDATE audit_head SET hash = x'00'", 6),
        ("UPDATE audit_head SET hash = 7", 6),
        ("DELETE FROM audit_head", 6),
    ] {
        let (_folder, store) = written().await;
        // Columns of PostgreSQL take nothing of another type.
        if server().is_some() && sql.contains("= 'x'") || sql.contains("= 7") {
            continue;
        }
        by_hand(&store, sql).await;
        match verdict(&store).await {
            AuditVerdict::Broken { seq, why } => {
                assert_eq!(seq, broken, "{sql}: {why}");
                assert!(!why.is_empty());
            }
            whole => panic!("{sql}: {whole:?}"),
        }
    }
}

const COLUMNS: [&str; 15] = [
    "at",
    "caller",
    "run",
    "dataset",
    "side",
    "kind",
    "columns",
    "key_digest",
    "before_digest",
    "after_digest",
    "payload_digest",
    "hash",
    "key_index",
    "salt",
    "payload",
];

#[test]
fn any_changed_byte_of_any_line_is_found() {
    let (_folder, store, runtime) = {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (folder, store) = runtime.block_on(written());
        (folder, store, runtime)
    };
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let place =
        (1i64..=5, prop::sample::select(COLUMNS.to_vec()), any::<prop::sample::Index>(), 1u8..);
    let found = runner.run(&place, |(seq, column, index, flip)| {
        runtime.block_on(change_and_check(&store, seq, column, index, flip));
        Ok(())
    });
    found.unwrap();
    assert!(matches!(runtime.block_on(verdict(&store)), AuditVerdict::Whole { lines: 5, .. }));
}

/// Flips bits in one byte of a column, verifies, and puts it back.
async fn change_and_check(
    store: &Store,
    seq: i64,
    column: &str,
    index: prop::sample::Index,
    flip: u8,
) {
    let query = |sql: String| sqlx::query(sqlx::AssertSqlSafe(sql));
    let blob = matches!(
        column,
        "key_digest"
            | "before_digest"
            | "after_digest"
            | "payload_digest"
            | "hash"
            | "key_index"
            | "salt"
    );
    let (read, write) = match (server().is_some(), blob, column) {
        (true, true, _) => (column.to_owned(), "$1"),
        (true, _, "at") => {
            ("convert_to(at::text, 'UTF8')".into(), "convert_from($1, 'UTF8')::bigint")
        }
        (true, ..) => (format!("convert_to({column}, 'UTF8')"), "convert_from($1, 'UTF8')"),
        (false, true, _) => (format!("CAST({column} AS BLOB)"), "CAST($1 AS BLOB)"),
        (false, _, "at") => (format!("CAST({column} AS BLOB)"), "CAST($1 AS INTEGER)"),
        (false, ..) => (format!("CAST({column} AS BLOB)"), "CAST($1 AS TEXT)"),
    };
    let select = format!("SELECT {read} FROM audit WHERE seq = {seq}");
    let before: Option<Vec<u8>> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_one(&store.writes).await.unwrap();
    let Some(before) = before else { return };
    let set = format!("UPDATE audit SET {column} = {write} WHERE seq = {seq}");
    let mut changed = before.clone();
    let at = index.index(changed.len());
    if column == "at" {
        // A digit stays a digit, so that the number changes.
        changed[at] = b'0' + (changed[at] - b'0' + 1 + flip % 9) % 10;
    } else {
        changed[at] ^= flip;
    }
    // Of its texts PostgreSQL says itself that they are none any more.
    if server().is_some()
        && !blob
        && std::str::from_utf8(&changed).map_or(true, |text| text.contains('\0'))
    {
        return;
    }
    query(set.clone()).bind(changed).execute(&store.writes).await.unwrap();
    let said = verdict(store).await;
    query(set).bind(before).execute(&store.writes).await.unwrap();
    match said {
        AuditVerdict::Broken { seq: found, .. } => assert_eq!(found, seq as u64, "{column}"),
        whole => panic!("{column} of line {seq}, byte {at}: {whole:?}"),
    }
}
