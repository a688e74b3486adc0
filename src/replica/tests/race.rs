//! Somebody else moves rows between the check and the write: every value ends on its own row.

use lockstep_google::CellWrite;
use serde_json::{Value as Json, json};

use super::world::World;
use crate::replica::apply::{Guard, Sent};

pub(super) fn span(dimension: &str, start: u32, end: u32) -> Json {
    json!({"sheetId": 0, "dimension": dimension, "startIndex": start, "endIndex": end})
}

pub(super) fn insert_row(at: u32) -> Json {
    json!({"insertDimension": {"range": span("ROWS", at, at + 1)}})
}

pub(super) fn delete_row(at: u32) -> Json {
    json!({"deleteDimension": {"range": span("ROWS", at, at + 1)}})
}

pub(super) fn sort(column: u32, descending: bool) -> Json {
    let order = if descending { "DESCENDING" } else { "ASCENDING" };
    json!({"sortRange": {"range": {"sheetId": 0, "startRowIndex": 1},
        "sortSpecs": [{"dimensionIndex": column, "sortOrder": order}]}})
}

pub(super) fn put(row: u32, column: u32, text: &str) -> Json {
    json!({"updateCells": {"start": {"sheetId": 0, "rowIndex": row, "columnIndex": column},
        "rows": [{"values": [{"userEnteredValue": {"stringValue": text}}]}], "fields": "userEnteredValue"}})
}

/// Sets the sheet's id in requests that were written for sheet 0.
pub(super) fn on(world: &World, requests: &[Json]) -> Json {
    let text = Json::from(requests.to_vec()).to_string();
    serde_json::from_str(&text.replace("\"sheetId\":0", &format!("\"sheetId\":{}", world.sheet)))
        .unwrap()
}

/// Updates k2 and k5, deletes k7 and adds `new`, while `edits` happen right before the `nth` write.
async fn race(world: &World, guard: Guard, nth: u64, edits: &[Json]) -> Sent {
    let mut draft = world.draft().await;
    draft.update(world, "k2", &[(1, "k2.name2"), (3, "222")]);
    draft.update(world, "k5", &[(2, "k5.note2")]);
    draft.delete(world, "k7");
    draft.insert("new");
    world.run(&draft, guard, &[(nth, on(world, edits))]).await
}

/// All rows that should be there, and each with its own values.
async fn assert_done(world: &World, sent: &Sent, gone: &[&str]) {
    assert_eq!(sent.unconfirmed, []);
    let rows = world.assert_own("").await;
    let mut keys: Vec<&str> =
        rows.iter().map(|row| row[0].as_str()).filter(|key| !key.is_empty()).collect();
    keys.sort_unstable();
    let mut expected: Vec<String> = (0..10).filter(|n| *n != 7).map(|n| format!("k{n}")).collect();
    expected.push("new".into());
    expected.retain(|key| !gone.contains(&key.as_str()));
    assert_eq!(keys, expected, "{rows:#?}\n{:#?}", sent.repaired);
    for (key, column, value) in [("k2", 1, "k2.name2"), ("k2", 3, "222"), ("k5", 2, "k5.note2")] {
        if !gone.contains(&key) {
            assert_eq!(world.row(key).await[column], value);
        }
    }
    for row in rows.iter().filter(|row| row[0].starts_with('k') && row[0] != "k2") {
        assert_eq!(format!("k{}", row[3]), row[0], "{row:?}");
    }
    assert_eq!(world.row("new").await, ["new", "new.name", "new.note", "7"]);
}

#[tokio::test]
async fn an_undisturbed_batch_is_one_write_or_two_with_anchors_and_no_repair() {
    for (guard, writes) in [(Guard::ReadBack, 1), (Guard::Auto, 2), (Guard::Anchor, 2)] {
        let world = World::new(10).await;
        let before = world.google.calls();
        let sent = race(&world, guard, 0, &[]).await;
        assert_eq!(sent, Sent::default());
        let calls = world.google.calls();
        assert_eq!(calls.writes - before.writes, writes);
        // The scan, and the look before the first effect: cells, formulas, the spreadsheet, and what formats the rows have.
        assert_eq!(calls.reads - before.reads, 5, "{guard:?}");
        assert_done(&world, &sent, &[]).await;
    }
    // New rows alone need no anchor.
    let world = World::new(10).await;
    let mut draft = world.draft().await;
    draft.insert("new");
    let before = world.google.calls().writes;
    assert_eq!(world.run(&draft, Guard::Auto, &[]).await, Sent::default());
    assert_eq!(world.google.calls().writes - before, 1);
}

#[tokio::test]
async fn rows_that_move_in_any_way_end_with_their_own_values() {
    for (name, edits) in [
        ("sorted", vec![sort(3, true)]),
        ("sorted by another column", vec![sort(1, true), insert_row(3)]),
        ("a row inserted above", vec![insert_row(1)]),
        ("a row inserted between", vec![insert_row(4)]),
        ("a row inserted above the header", vec![insert_row(0)]),
        (
            "a column inserted before",
            vec![json!({"insertDimension": {"range": span("COLUMNS", 0, 1)}})],
        ),
        (
            "a column inserted between",
            vec![json!({"insertDimension": {"range": span("COLUMNS", 2, 3)}})],
        ),
        (
            "a column moved",
            vec![
                json!({"moveDimension": {"source": span("COLUMNS", 0, 1), "destinationIndex": 4}}),
            ],
        ),
        (
            "rows moved",
            vec![json!({"moveDimension": {"source": span("ROWS", 1, 4), "destinationIndex": 9}})],
        ),
        ("a row appended", vec![put(11, 0, "other"), put(11, 1, "other.name")]),
    ] {
        // The two writes of an anchored batch: the tags, and everything.
        for (guard, nth) in [(Guard::ReadBack, 0), (Guard::Auto, 0), (Guard::Auto, 1)] {
            let world = World::new(10).await;
            let sent = race(&world, guard, nth, &edits).await;
            println!("{name}, {guard:?}, before write {nth}: {:#?}", sent.repaired);
            if guard == Guard::Auto {
                assert_eq!(sent, Sent::default(), "{name}, before write {nth}");
            }
            world.assert_own("").await;
            world.assert_untagged().await;
            if name == "a row appended" {
                assert_eq!(world.row("other").await[1], "other.name");
                continue;
            }
            assert_done(&world, &sent, &[]).await;
        }
    }
}

#[tokio::test]
async fn rows_deleted_meanwhile_stay_deleted_and_their_changes_are_not_confirmed() {
    let world = World::new(10).await;
    let mut draft = world.draft().await;
    draft.update(&world, "k2", &[(1, "k2.second")]);
    draft.update(&world, "k5", &[(1, "k5.second")]);
    let sent = world.run(&draft, Guard::ReadBack, &[(0, on(&world, &[delete_row(3)]))]).await;
    let given_up: Vec<usize> = sent.unconfirmed.iter().map(|given_up| given_up.change).collect();
    assert_eq!(given_up, [0], "{sent:#?}");
    let rows = world.assert_own("").await;
    assert!(rows.iter().all(|row| row[0] != "k2"), "{rows:?}");
    assert_eq!(world.row("k5").await[1], "k5.second");
}

#[tokio::test]
async fn of_rows_that_went_together_none_is_lost() {
    let world = World::new(10).await;
    // They delete k2, and our delete of k7 hits k8, which has moved up: nobody can tell which was theirs.
    let sent = race(&world, Guard::ReadBack, 0, &[delete_row(3)]).await;
    assert_done(&world, &sent, &[]).await;
    let unsure = |key: &str| {
        let said = |what: &str| what.contains("somebody else may have deleted it");
        sent.repaired.iter().any(|repair| repair.key == key && said(&repair.what))
    };
    assert!(unsure("k2") && unsure("k8"), "{sent:#?}");
}

#[tokio::test]
async fn a_row_deleted_by_mistake_comes_back_with_its_formula() {
    let world = World::new(10).await;
    world.write(9, 4, vec![vec![CellWrite::formula("=D10*2"), CellWrite::text("k8.mine")]]).await;
    let mut draft = world.draft().await;
    draft.delete(&world, "k7");
    let sent = world.run(&draft, Guard::ReadBack, &[(0, on(&world, &[delete_row(1)]))]).await;
    assert_eq!(sent.unconfirmed, []);
    let picture = world.picture().await;
    let row = (0..picture.height())
        .find(|row| picture.cell(*row, 5).shown() == "\"k8.mine\"")
        .unwrap_or_else(|| panic!("k8 is gone: {picture:?} {sent:?}"));
    assert_eq!(picture.cell(row, 0).shown(), "\"k8\"");
    assert!(picture.cell(row, 4).formula().is_some());
    assert!(sent.repaired.iter().any(|repair| repair.key == "k8"), "{sent:?}");
    assert!(world.rows().await.iter().all(|row| row[0] != "k7"));
}

#[tokio::test]
async fn repairs_that_are_disturbed_are_repaired() {
    let world = World::new(10).await;
    let mut draft = world.draft().await;
    for n in 0..10 {
        draft.update(&world, &format!("k{n}"), &[(1, &format!("k{n}.second"))]);
    }
    let edits: Vec<(u64, Json)> = vec![
        (0, on(&world, &[sort(3, true)])),
        (1, on(&world, &[sort(3, false)])),
        (2, on(&world, &[insert_row(2)])),
        (3, on(&world, &[delete_row(2), sort(3, true)])),
    ];
    let sent = world.run(&draft, Guard::ReadBack, &edits).await;
    assert_eq!(sent.unconfirmed, []);
    for row in world.assert_own("").await.iter().filter(|row| !row[0].is_empty()) {
        assert_eq!(row[1], format!("{}.second", row[0]));
    }
}

#[tokio::test]
async fn rows_that_never_rest_end_in_an_honest_error() {
    let world = World::new(10).await;
    let mut draft = world.draft().await;
    draft.update(&world, "k2", &[(1, "k2.second")]);
    let mut prepared = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap();
    let edits: Vec<(u64, Json)> =
        (0..40).map(|n| (n, on(&world, &[sort(3, n % 2 == 0)]))).collect();
    world.race(&edits).await;
    let error = world.send(&draft, &mut prepared, 0).await.unwrap_err().to_string();
    assert!(error.starts_with("ambiguous") && error.contains("\"k"), "{error}");
}

#[tokio::test]
async fn an_edit_seen_before_the_write_is_not_overwritten() {
    let world = World::new(10).await;
    let mut draft = world.draft().await;
    draft.update(&world, "k2", &[(1, "k2.second")]);
    world.write(3, 1, vec![vec![CellWrite::text("k2.theirs")]]).await;
    let error = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap_err().to_string();
    assert!(
        error.starts_with("changed") && error.contains("B4") && error.contains("k2.theirs"),
        "{error}"
    );
    // Rows that moved, or edits elsewhere, are no reason to compare afresh.
    let mut draft = world.draft().await;
    draft.update(&world, "k3", &[(1, "k3.second")]);
    let order = on(&world, &[sort(3, true), put(1, 2, "k9.theirs")]);
    world.race(&[(0, order)]).await;
    world.write(20, 5, vec![vec![CellWrite::text("x")]]).await;
    assert_eq!(world.run(&draft, Guard::ReadBack, &[]).await, Sent::default());
    assert_eq!(world.row("k3").await[1], "k3.second");
    assert_eq!(world.row("k9").await[2], "k9.theirs");
}

#[tokio::test]
async fn a_row_that_came_twice_is_taken_back() {
    let world = World::new(3).await;
    let mut draft = world.draft().await;
    draft.insert("new");
    let theirs = on(&world, &[put(4, 0, "new"), put(4, 1, "new.theirs")]);
    let sent = world.run(&draft, Guard::ReadBack, &[(0, theirs)]).await;
    assert_eq!(sent.unconfirmed.len(), 1, "{sent:?}");
    assert_eq!(world.row("new").await, ["new", "new.theirs", "", ""]);
}

#[tokio::test]
async fn a_lost_answer_and_moved_rows_together_are_mended_too() {
    let world = World::new(10).await;
    let mut draft = world.draft().await;
    draft.update(&world, "k2", &[(1, "k2.second")]);
    draft.delete(&world, "k7");
    draft.insert("new");
    let mut prepared = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap();
    world
        .faults(json!([
            {"effect": {"requests": {"requests": on(&world, &[sort(3, true)])}}, "path": ":batchUpdate", "times": 1},
            {"effect": "reset", "when": "after", "path": ":batchUpdate", "times": 1},
        ]))
        .await;
    let sent = world.send(&draft, &mut prepared, 0).await.unwrap();
    assert_eq!(sent.unconfirmed, []);
    world.assert_own("").await;
    assert_eq!(world.row("k2").await[1], "k2.second");
    assert_eq!(world.row("k9").await[1], "k9.name");
    let keys: Vec<String> = world.rows().await.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(keys.iter().filter(|key| *key == "new").count(), 1);
    assert!(!keys.contains(&"k7".into()), "{keys:?}");
    assert_eq!(keys.len(), 10, "{keys:?}");
}
