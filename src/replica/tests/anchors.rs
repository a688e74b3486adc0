//! Batches behind anchors: made as a whole where rows were seen, or not at all.

use lockstep_google::CellWrite;
use serde_json::json;

use super::{
    race::{delete_row, insert_row, on, put, sort},
    world::World,
};
use crate::replica::apply::{Guard, Sent};

#[tokio::test]
async fn anchored_values_never_touch_another_row_nor_lose_an_edit() {
    for (name, edits) in [
        ("sorted", vec![sort(0, true), put(1, 2, "k9.theirs")]),
        ("a row inserted", vec![insert_row(1), put(2, 2, "k0.theirs")]),
        ("a row deleted", vec![delete_row(1), put(9, 2, "k9.theirs")]),
        ("a row that changes, deleted", vec![delete_row(3), put(9, 2, "k9.theirs")]),
        ("edited where we write", vec![put(3, 1, "k2.theirs"), put(10, 2, "k9.theirs")]),
    ] {
        for nth in 0..2 {
            let world = World::new(10).await;
            let mut draft = world.draft().await;
            draft.update(&world, "k2", &[(1, "k2.second")]);
            draft.update(&world, "k5", &[(1, ""), (3, "55")]);
            let sent = world.run(&draft, Guard::Auto, &[(nth, on(&world, &edits))]).await;
            assert_eq!(sent.repaired, [], "{name}, before write {nth}");
            let rows = world.assert_own("").await;
            let theirs = rows.iter().filter(|row| row[2].ends_with(".theirs")).count();
            assert_eq!(theirs, 1, "{name}, before write {nth}: {rows:?}");
            assert_eq!(world.row("k5").await[1..], ["", "k5.note", "55"], "{name}, {nth}");
            world.assert_untagged().await;
            let given_up = sent.unconfirmed.iter().any(|given_up| given_up.change == 0);
            match (name, nth) {
                // Tags cannot tell an edit that comes between the last look and the write.
                ("edited where we write", 0) => {
                    assert!(given_up, "{sent:?}");
                    assert_eq!(world.row("k2").await[1], "k2.theirs");
                }
                ("edited where we write", _) => assert_eq!(world.row("k2").await[1], "k2.second"),
                ("a row that changes, deleted", _) => assert!(given_up, "{sent:?}"),
                _ => assert_eq!(world.row("k2").await[1], "k2.second"),
            }
        }
    }
}

#[tokio::test]
async fn any_number_of_rows_is_anchored_batch_by_batch_and_of_many_a_sample() {
    const ROWS: usize = 950;
    for (guard, batches) in [(Guard::Anchor, 2), (Guard::Auto, 1)] {
        let world = World::new(ROWS).await;
        let mut draft = world.draft().await;
        for n in 0..ROWS {
            draft.update(&world, &format!("k{n}"), &[(3, "-1")]);
        }
        let mut prepared = world.prepare(&draft, "run", guard).await.unwrap();
        assert_eq!(prepared.batches(), batches);
        let before = world.google.calls();
        world.race(&[(1, on(&world, &[sort(0, true), insert_row(700)]))]).await;
        for batch in 0..batches {
            assert_eq!(world.send(&draft, &mut prepared, batch).await.unwrap(), Sent::default());
        }
        let calls = world.google.calls().writes - before.writes;
        // Two calls a batch, and two more for the one that was refused.
        assert_eq!(calls, 2 * batches as u64 + 2);
        let rows = world.assert_own("").await;
        assert!(rows.iter().all(|row| row[0].is_empty() || row[3] == "-1"));
        world.assert_untagged().await;
    }
}

/// Requests of somebody else that leave every tag in its place but one, which is gone with its row.
#[tokio::test]
async fn a_row_that_another_one_replaced_gets_nothing_for_good() {
    for (row, changed) in [(3, 0), (8, 1)] {
        let world = World::new(10).await;
        let mut draft = world.draft().await;
        draft.update(&world, "k2", &[(1, "k2.second"), (3, "22")]);
        draft.delete(&world, "k7");
        draft.insert("new");
        let edits = [delete_row(row), insert_row(row), put(row, 0, "z"), put(row, 1, "z.name")];
        let sent = world.run(&draft, Guard::Auto, &[(1, on(&world, &edits))]).await;
        let given_up: Vec<usize> = sent.unconfirmed.iter().map(|one| one.change).collect();
        // The row that was to go is gone, by whoever.
        assert_eq!(given_up, if changed == 0 { vec![0] } else { vec![] }, "{sent:?}");
        let rows = world.assert_own("").await;
        assert_eq!(rows.iter().filter(|row| row[0] == "new").count(), 1);
        if changed == 0 {
            assert_eq!(world.row("z").await, ["z", "", "", ""], "{sent:?}");
            assert!(sent.repaired.iter().any(|repair| repair.key == "z"), "{sent:?}");
        }
        world.assert_untagged().await;
    }
}

#[tokio::test]
async fn a_row_that_gets_another_key_in_the_moment_before_the_write_keeps_its_own_values() {
    for key in ["renamed", ""] {
        let world = World::new(10).await;
        let mut draft = world.draft().await;
        draft.update(&world, "k2", &[(1, "k2.second")]);
        let sent = world.run(&draft, Guard::Auto, &[(1, on(&world, &[put(3, 0, key)]))]).await;
        assert_eq!(sent.unconfirmed.len(), 1, "{sent:?}");
        let rows = world.rows().await;
        assert_eq!(rows[2], [key, "k2.name", "k2.note", "2"], "{sent:?}");
    }
}

/// Where the service has no room for tags, the default guard does without, and the strict one says so.
#[tokio::test]
async fn without_room_for_tags_the_default_guard_reads_back() {
    let world = World::new(5).await;
    let full = json!([{"createDeveloperMetadata": {"developerMetadata": {
        "metadataKey": "theirs", "metadataValue": "x".repeat(29_990), "visibility": "DOCUMENT",
        "location": {"sheetId": world.sheet}}}}]);
    let mut draft = world.draft().await;
    draft.update(&world, "k2", &[(1, "k2.second")]);
    world.race(&[(0, full)]).await;
    world.write(20, 5, vec![vec![CellWrite::text("x")]]).await;
    let mut prepared = world.prepare(&draft, "strict", Guard::Anchor).await.unwrap();
    let error = world.send(&draft, &mut prepared, 0).await.unwrap_err().to_string();
    assert!(error.contains("30000 characters"), "{error}");
    let moved = on(&world, &[insert_row(1)]);
    let sent = world.run(&draft, Guard::Auto, &[(2, moved)]).await;
    assert!(!sent.repaired.is_empty(), "{sent:?}");
    assert_eq!(sent.unconfirmed, []);
    world.assert_own("").await;
    assert_eq!(world.row("k2").await[1], "k2.second");
}

/// Tags of a run that died take room until another run needs it.
#[tokio::test]
async fn tags_that_a_dead_run_left_are_removed_when_their_room_is_needed() {
    let world = World::new(5).await;
    let tag = |at: u32| {
        json!({"createDeveloperMetadata": {"developerMetadata": {
        "metadataKey": "ls", "metadataValue": format!("1.{}", "0".repeat(14_980)), "visibility": "DOCUMENT",
        "location": {"dimensionRange": {"sheetId": world.sheet, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1}}}}})
    };
    world.race(&[(0, json!([tag(1), tag(2)]))]).await;
    world.write(20, 5, vec![vec![CellWrite::text("x")]]).await;
    let mut draft = world.draft().await;
    draft.update(&world, "k2", &[(1, "k2.second")]);
    assert_eq!(world.run(&draft, Guard::Anchor, &[]).await, Sent::default());
    assert_eq!(world.row("k2").await[1], "k2.second");
    world.assert_untagged().await;
}
