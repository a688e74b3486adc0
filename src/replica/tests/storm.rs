//! Hundreds of syncs, each with somebody else at work in the same sheet right before its writes.

use serde_json::{Value as Json, json};

use super::world::World;
use crate::replica::{apply::Guard, marker};

/// How many syncs a sheet sees before a new one is taken.
const SYNCS_A_SHEET: usize = 20;

/// A small generator, so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }
}

/// What the race came to.
#[derive(Debug, Default)]
struct Tally {
    syncs: usize,
    disturbed: usize,
    repairs: usize,
    given_up: usize,
    edits: usize,
    /// Edits of cells that the sync did not touch, which it lost all the same.
    lost_edits: usize,
    /// The same, of rows that were deleted by position and put back as they had been read.
    lost_with_row: usize,
    /// Rows that somebody else deleted and a repair put back.
    back: usize,
}

/// What somebody else does in one go.
#[derive(Default)]
struct Theirs {
    requests: Vec<Json>,
    deleted: Vec<String>,
    /// The row's key, the column and the value of an edit.
    edit: Option<(String, usize, String)>,
}

fn theirs(random: &mut Random, sheet: i32, rows: &[Vec<String>], first: bool, n: usize) -> Theirs {
    let mut theirs = Theirs::default();
    let span = |at: usize| json!({"sheetId": sheet, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1});
    if first && random.below(2) == 0 {
        let at = random.below(rows.len());
        let column = 1 + random.below(2);
        let key = rows[at][0].clone();
        if !key.is_empty() {
            let value = format!("{key}.theirs{n}");
            theirs.requests.push(json!({"updateCells": {
                "start": {"sheetId": sheet, "rowIndex": at + 1, "columnIndex": column},
                "rows": [{"values": [{"userEnteredValue": {"stringValue": value}}]}],
                "fields": "userEnteredValue"}}));
            theirs.edit = Some((key, column, value));
        }
    }
    for _ in 0..=random.below(2) {
        match random.below(4) {
            0 => theirs.requests.push(json!({"sortRange": {
                "range": {"sheetId": sheet, "startRowIndex": 1},
                "sortSpecs": [{"dimensionIndex": random.below(4), "sortOrder": if random.below(2) == 0 { "ASCENDING" } else { "DESCENDING" }}]}})),
            1 => theirs.requests.push(json!({"insertDimension": {"range": span(1 + random.below(rows.len()))}})),
            2 => theirs.requests.push(json!({"moveDimension": {
                "source": span(2 + random.below(rows.len() - 1)), "destinationIndex": 1}})),
            // Only where the row that goes is known: nothing moved it before.
            _ if first && theirs.requests.len() <= usize::from(theirs.edit.is_some()) => {
                let at = random.below(rows.len());
                theirs.deleted.push(rows[at][0].clone());
                theirs.requests.push(json!({"deleteDimension": {"range": span(at + 1)}}));
            }
            _ => {}
        }
    }
    theirs
}

async fn storm(guard: Guard, syncs: usize, seed: u64) -> Tally {
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut world = World::new(24).await;
    for n in 0..syncs {
        if n % SYNCS_A_SHEET == 0 {
            world = World::new(24).await;
        }
        tally.syncs += 1;
        let rows = world.rows().await;
        let keys: Vec<String> =
            rows.iter().map(|row| row[0].clone()).filter(|key| !key.is_empty()).collect();
        let mut draft = world.draft().await;
        let mut wanted: Vec<(String, usize, String)> = Vec::new();
        let mut chosen: Vec<&String> = Vec::new();
        for _ in 0..=random.below(6) {
            let key = &keys[random.below(keys.len())];
            if chosen.contains(&key) {
                continue;
            }
            chosen.push(key);
            if random.below(8) == 0 {
                draft.delete(&world, key);
                wanted.push((key.clone(), 9, String::new()));
            } else {
                let column = 1 + random.below(2);
                let value = format!("{key}.v{n}");
                draft.update(&world, key, &[(column, &value)]);
                wanted.push((key.clone(), column, value));
            }
        }
        if random.below(3) == 0 {
            draft.insert(&format!("k{}", 1_000 + n));
            wanted.push((format!("k{}", 1_000 + n), 1, format!("k{}.name", 1_000 + n)));
        }
        let run = marker::run_id();
        let mut prepared = world.prepare(&draft, &run, guard).await.unwrap();
        // The only write there is to come before, or one of the two of an anchored batch.
        let nth = if guard == Guard::ReadBack { 0 } else { random.below(2) as u64 };
        let early = theirs(&mut random, world.sheet, &rows, nth == 0, n);
        let late = theirs(&mut random, world.sheet, &rows, false, n);
        let mut edits = vec![(nth, Json::from(early.requests.clone()))];
        if random.below(3) == 0 {
            edits.push((nth + 1, Json::from(late.requests)));
        }
        edits.retain(|(_, requests)| requests.as_array().is_some_and(|all| !all.is_empty()));
        world.race(&edits).await;
        let sent = match world.send(&draft, &mut prepared, 0).await {
            Ok(sent) => sent,
            Err(error) => panic!("{guard:?}, seed {seed}, sync {n}: {error}"),
        };
        let came = !early.requests.is_empty() && world.happened().await.first() == Some(&1);
        tally.disturbed += usize::from(world.happened().await.contains(&1));
        world.faults(json!([])).await;
        tally.repairs += sent.repaired.len();
        tally.given_up += sent.unconfirmed.len();
        let place = format!(
            "{guard:?}, seed {seed}, sync {n}: {edits:?} {sent:?} wanted {wanted:?} before {rows:?}"
        );
        let after = world.assert_own(&place).await;
        world.assert_untagged().await;
        let find =
            |key: &str| -> Vec<&Vec<String>> { after.iter().filter(|row| row[0] == key).collect() };
        for (position, (key, column, value)) in wanted.iter().enumerate() {
            if sent.unconfirmed.iter().any(|given_up| given_up.change == position) {
                continue;
            }
            let found = find(key);
            if *column == 9 {
                assert!(found.is_empty(), "{key} was to go: {place}");
            } else if !(found.is_empty() && early.deleted.contains(key)) {
                assert_eq!(found.len(), 1, "{key}: {place}");
                assert_eq!(found[0][*column], *value, "{place}");
            }
        }
        for key in &keys {
            let ours = wanted.iter().any(|(own, column, _)| own == key && *column == 9);
            let found = find(key).len();
            assert!(found <= 1, "{key} is there {found} times: {place}");
            assert!(
                found == 1 || ours || early.deleted.contains(key),
                "{key} is lost: {place} {after:?}"
            );
            tally.back += usize::from(found == 1 && early.deleted.contains(key) && came);
        }
        let Some((key, column, value)) = &early.edit else { continue };
        let touched = wanted.iter().any(|(own, at, _)| own == key && (at == column || *at == 9));
        if touched || early.deleted.contains(key) || !came {
            continue;
        }
        tally.edits += 1;
        let lost = usize::from(find(key).first().is_none_or(|row| row[*column] != *value));
        let back = sent
            .repaired
            .iter()
            .any(|repair| repair.key == *key && repair.what.starts_with("was deleted in place"));
        if back {
            tally.lost_with_row += lost;
        } else {
            if lost > 0 {
                println!("lost: {place} {after:?}");
            }
            tally.lost_edits += lost;
        }
    }
    tally
}

/// How many syncs are run, and from which seed: `LOCKSTEP_STORM=1000,7` asks for others.
fn asked() -> (usize, u64) {
    let given = std::env::var("LOCKSTEP_STORM").unwrap_or_default();
    let mut numbers = given.split(',').map(str::parse::<usize>);
    let mut next = |default| numbers.next().and_then(Result::ok).unwrap_or(default);
    (next(150), next(1) as u64)
}

#[tokio::test]
async fn no_value_rests_on_a_wrong_row_with_read_back() {
    let tally = storm(Guard::ReadBack, asked().0, asked().1).await;
    println!("readBack: {tally:?}");
    assert!(tally.repairs > 0 && tally.edits > 0, "the race never happened: {tally:?}");
}

#[tokio::test]
async fn no_edit_of_an_untouched_cell_is_lost_with_anchors() {
    let tally = storm(Guard::Auto, asked().0, asked().1).await;
    println!("auto: {tally:?}");
    assert!(tally.edits > 0, "the race never happened: {tally:?}");
    assert_eq!((tally.lost_edits, tally.lost_with_row, tally.repairs), (0, 0, 0), "{tally:?}");
}
