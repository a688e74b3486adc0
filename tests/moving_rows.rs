//! Somebody else sorts, inserts, deletes, moves and edits rows through the same API, right before the writes of tools.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, delete_row, insert_row, put, raise_row, sort},
    storm::scaled,
};

/// How many keys there are; each sync has most of them.
const KEYS: usize = 14;

/// The columns that are kept in step, the key first; a last one on the sheet belongs to people alone.
const COLUMNS: [&str; 3] = ["id", "name", "note"];

/// What the race came to.
#[derive(Debug, Default)]
struct Tally {
    applied: u32,
    refused: u32,
    disturbed: u32,
    repaired: usize,
    /// Syncs that told that rows could not be confirmed.
    not_made: usize,
    misplaced: usize,
    lost_rows: usize,
    back: usize,
    edits: usize,
    lost_edits: usize,
    lost_with_row: usize,
}

/// What somebody else does in one go.
#[derive(Default)]
struct Theirs {
    requests: Vec<Value>,
    deleted: Vec<String>,
    /// The row's key, the column and the text of an edit.
    edit: Option<(String, usize, String)>,
}

/// Makes edits up for a sheet with these rows; what they hit is known only of those that come first.
fn theirs(random: &mut StdRng, rows: &[Vec<String>], n: u32) -> Theirs {
    let mut theirs = Theirs::default();
    let any = |random: &mut StdRng| random.random_range(1..rows.len());
    if random.random_bool(0.6) {
        let (at, column) = (any(random), random.random_range(1..4));
        let key = rows[at][0].clone();
        if !key.is_empty() {
            let text = format!("{key}.theirs{n}");
            theirs.requests.push(put(at, column, &text));
            theirs.edit = Some((key, column, text));
        }
    }
    if random.random_bool(0.25) {
        let at = any(random);
        theirs.deleted.extend(Some(rows[at][0].clone()).filter(|key| !key.is_empty()));
        theirs.requests.push(delete_row(at));
    }
    for _ in 0..random.random_range(0..3) {
        theirs.requests.push(match random.random_range(0..4) {
            0 => sort(random.random_range(0..4), random.random_bool(0.5)),
            1 => raise_row(random.random_range(2..rows.len() - 1)),
            _ => insert_row(random.random_range(1..rows.len() - 1)),
        });
    }
    theirs
}

/// Returns the rows of the file: most keys, with texts that begin with the key.
fn file(random: &mut StdRng, n: u32) -> BTreeMap<String, [String; 2]> {
    (0..KEYS as u32)
        .filter(|row| *row < 6 || random.random_bool(0.85))
        .map(|row| {
            let key = format!("k{row}");
            let texts = [format!("{key}.name{}", n % (row + 2)), format!("{key}.note{}", n / 3)];
            (key, texts)
        })
        .collect()
}

/// Each sync makes the sheet agree while somebody else is at work in the moment before its writes; what rests then is
/// compared with what should be there.
async fn race(guard: Option<&str>) -> Tally {
    let stage = Stage::new().await;
    let mut random = StdRng::seed_from_u64(20_261_123);
    let mut tally = Tally::default();
    let header = json!([["id", "name", "note", "mine"], ["k0", "k0.name", "k0.note", "k0.mine"]]);
    let table = json!({"spreadsheetId": stage.id, "range": "A1", "values": header});
    stage.call("updateCells", table).await.unwrap();
    for n in 0..scaled(1_000) {
        let wanted = file(&mut random, n);
        let mut csv = String::from("id,name,note\n");
        for (key, [name, note]) in &wanted {
            csv.push_str(&format!("{key},{name},{note}\n"));
        }
        std::fs::write(stage.file("t.csv"), csv).unwrap();
        let mut arguments = json!({
            "left": {"file": "t.csv"}, "right": {"spreadsheetId": stage.id, "sheet": "T"},
            "key": ["id"], "deletes": "delete", "mode": "apply", "maxDeletePercent": 100,
            "columns": COLUMNS.map(|name| json!({"name": name})),
            "override": ["duplicateKeys", "emptied"],
        });
        if let Some(guard) = guard {
            arguments["guard"] = json!(guard);
        }
        let before = stage.rows().await;
        // With anchors a sync has two writes: the tags, and everything.
        let nth = if guard.is_none() { random.random_range(0..2) } else { 0 };
        let first =
            if before.len() > 3 { theirs(&mut random, &before, n) } else { Theirs::default() };
        let mut edits = vec![(nth, first.requests.clone())];
        if before.len() > 3 && random.random_bool(0.2) {
            // The repair, or the next try, is disturbed as well.
            edits.push((nth + 1, vec![insert_row(random.random_range(1..before.len() - 1))]));
        }
        edits.retain(|(_, requests)| !requests.is_empty());
        stage.race(&edits).await;
        let outcome = stage.call("syncDataset", arguments).await;
        let came = !first.requests.is_empty() && stage.happened().await[0] == 1;
        stage.faults(json!([])).await;
        let report = match outcome {
            Ok(report) => report,
            Err(error) => {
                assert!(error.starts_with("changed"), "{error}");
                tally.refused += 1;
                continue;
            }
        };
        let open = report["unconfirmed"].as_array().is_some_and(|rows| !rows.is_empty());
        let states = if open { &["partial"][..] } else { &["applied", "inStep"] };
        assert!(states.contains(&report["state"].as_str().unwrap()), "{report:#}");
        tally.applied += 1;
        tally.disturbed += u32::from(came);
        tally.repaired += report["repaired"].as_array().map_or(0, Vec::len);
        let next = report["next"].as_str().unwrap_or_default();
        tally.not_made += usize::from(next.contains("could not be confirmed"));
        let after = stage.rows().await;
        let story =
            || format!("sync {n}: {edits:?}\nbefore {before:?}\nafter {after:?}\n{report:#}");
        for row in after.iter().skip(1) {
            let own = |cell: &&String| cell.is_empty() || cell.split('.').next() == Some(&row[0]);
            let wrong = row[1..].iter().filter(|cell| !own(cell)).count();
            if wrong > 0 {
                println!("misplaced: {}", story());
            }
            tally.misplaced += wrong;
        }
        let deleted = if came { first.deleted.as_slice() } else { &[] };
        for key in wanted.keys() {
            let times = after.iter().filter(|row| row[0] == *key).count();
            assert!(times < 2, "{key} is there {times} times: {}", story());
            if times == 0 && !deleted.contains(key) {
                println!("lost row {key}: {}", story());
                tally.lost_rows += 1;
            }
        }
        tally.back += deleted.iter().filter(|key| after.iter().any(|row| row[0] == **key)).count();
        let Some((key, column, text)) = first.edit.filter(|_| came) else { continue };
        let row = before.iter().find(|row| row[0] == key).unwrap();
        let untouched =
            wanted.get(&key).is_some_and(|texts| column == 3 || row[column] == texts[column - 1]);
        if !untouched || deleted.contains(&key) {
            continue;
        }
        tally.edits += 1;
        if after.iter().any(|row| row[0] == key && row[column] == text) {
            continue;
        }
        let repaired = report["repaired"].as_array().into_iter().flatten();
        let back = repaired
            .filter(|repair| repair["key"] == key)
            .any(|repair| repair["what"].as_str().unwrap().starts_with("was deleted in place"));
        if back {
            tally.lost_with_row += 1;
        } else {
            println!("lost edit {text}: {}", story());
            tally.lost_edits += 1;
        }
    }
    tally
}

#[tokio::test]
async fn no_value_rests_on_a_wrong_row_and_no_edit_is_lost() {
    let tally = race(None).await;
    println!("the default guard: {tally:?}");
    let lost = (tally.misplaced, tally.lost_rows, tally.lost_edits, tally.lost_with_row);
    assert_eq!(lost, (0, 0, 0, 0), "{tally:?}");
    assert!(tally.edits > 10 && tally.disturbed > tally.applied / 2, "{tally:?}");
    assert!(tally.applied > 9 * tally.refused, "{tally:?}");
}

/// Reading back costs one call less; what it lets happen is counted and said.
#[tokio::test]
async fn with_read_back_no_value_rests_on_a_wrong_row() {
    let tally = race(Some("readBack")).await;
    println!("guard readBack: {tally:?}");
    assert_eq!((tally.misplaced, tally.lost_rows), (0, 0), "{tally:?}");
    assert!(tally.repaired > 0 && tally.edits > 10, "{tally:?}");
}
