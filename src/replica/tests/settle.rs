//! Batches of runs that died: what became of them is settled by proof, never by guessing.

use lockstep_engine::{dataset::SideName, reconcile::Change};
use lockstep_google::{MetadataPlace, Request};
use serde_json::json;

use super::world::{Draft, World};
use crate::replica::{
    Source,
    apply::{Guard, Place, Settled, prepare, send, settle},
    file::FileSource,
    scan::{Role, scan},
};

async fn settled(world: &World, place: &Place) -> Settled {
    settle(&world.reach(), place).await.unwrap()
}

async fn update(world: &World) -> Draft {
    let mut draft = world.draft().await;
    draft.update(world, "k1", &[(1, "k1.second")]);
    draft
}

#[tokio::test]
async fn a_batch_that_was_applied_is_found_and_found_again() {
    let world = World::new(3).await;
    let draft = update(&world).await;
    let mut prepared = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap();
    let place = prepared.place(0);
    assert_eq!((prepared.batches(), prepared.changes(0)), (1, &[0_usize][..]));
    world.send(&draft, &mut prepared, 0).await.unwrap();
    // What is stored in a journal comes back the same.
    let stored: Place = serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap();
    assert_eq!(stored, place);
    for _ in 0..2 {
        assert_eq!(settled(&world, &stored).await, Settled::Applied);
    }
}

#[tokio::test]
async fn a_batch_that_was_never_sent_is_void_and_its_late_twin_fails() {
    let world = World::new(3).await;
    let draft = update(&world).await;
    let mut prepared = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap();
    let place = prepared.place(0);
    for _ in 0..2 {
        assert_eq!(settled(&world, &place).await, Settled::Void);
    }
    let before = world.rows().await;
    let error = world.send(&draft, &mut prepared, 0).await.unwrap_err();
    assert!(error.to_string().contains("marker"), "{error}");
    assert_eq!(world.rows().await, before, "the late twin wrote");
    assert_eq!(settled(&world, &place).await, Settled::Void);
}

#[tokio::test]
async fn a_batch_that_arrives_between_the_look_and_the_claim_was_applied() {
    let world = World::new(3).await;
    let draft = update(&world).await;
    let prepared = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap();
    let place = prepared.place(0);
    let Place::Sheet { marker_id, proof, .. } = &place else { panic!("{place:?}") };
    let late = json!([{"createDeveloperMetadata": {"developerMetadata": {
        "metadataId": marker_id, "metadataKey": "lockstep.marker", "metadataValue": format!("9:{proof}"),
        "visibility": "DOCUMENT", "location": {"spreadsheet": true}}}}]);
    world.race(&[(0, late)]).await;
    assert_eq!(settled(&world, &place).await, Settled::Applied);
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_settled_all_the_same() {
    let world = World::new(3).await;
    let draft = update(&world).await;
    let prepared = world.prepare(&draft, "run", Guard::ReadBack).await.unwrap();
    for when in ["before", "after"] {
        world
            .faults(json!([{"effect": "reset", "when": when, "path": ":batchUpdate", "times": 1}]))
            .await;
        assert_eq!(settled(&world, &prepared.place(0)).await, Settled::Void);
    }
}

#[tokio::test]
async fn an_anchored_batch_that_died_leaves_no_tags_and_its_late_twin_fails() {
    let world = World::new(3).await;
    let draft = update(&world).await;
    let mut prepared = world.prepare(&draft, "run", Guard::Auto).await.unwrap();
    let place = prepared.place(0);
    let Place::Sheet { tags: Some(tags), .. } = &place else { panic!("{place:?}") };
    let tag = Request::CreateMetadata {
        id: Some(77),
        key: "ls".into(),
        value: tags.clone(),
        place: MetadataPlace::Row { sheet: world.sheet, index: 1 },
    };
    world.google.batch_update(&world.id, &[tag], &[]).await.unwrap();
    assert_eq!(settled(&world, &place).await, Settled::Void);
    world.assert_untagged().await;
    let before = world.rows().await;
    assert!(world.send(&draft, &mut prepared, 0).await.is_err());
    assert_eq!(world.rows().await, before);
    world.assert_untagged().await;
}

#[tokio::test]
async fn a_file_is_as_before_as_after_or_someone_elses() {
    let world = World::new(1).await;
    let path = world.folder.path().join("t.csv");
    std::fs::write(&path, "id,name,note,n\nk1,k1.name,,1\n").unwrap();
    let source = Source::File(FileSource { path: "t.csv".into(), ..FileSource::default() });
    let role = Role::Both { side: SideName::Left, typed: true };
    let scanned = scan(&world.reach(), &source, role, None).await.unwrap();
    let mut draft = Draft { scan: scanned, changes: Vec::new() };
    draft.update(&world, "k1", &[(1, "k1.second")]);
    let changes: Vec<&Change> = draft.changes.iter().collect();
    let writes = world.writes(&draft, &changes);
    let reach = world.reach();
    let (side, guard) = (SideName::Left, Guard::ReadBack);
    let target = &draft.scan.target;
    let mut prepared = prepare(&reach, target, &writes, "run", side, guard).await.unwrap();
    let place = prepared.place(0);
    // A writer that died between its two steps left this behind; asleep, it could still rename it.
    let aside = world.folder.path().join(".t.csv.lockstep-dead");
    std::fs::write(&aside, "half").unwrap();
    assert_eq!(settled(&world, &place).await, Settled::Void);
    assert!(!aside.exists());
    let notes = world.notes().await;
    send(&reach, &mut prepared, 0, &writes, &notes).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "id,name,note,n\nk1,k1.second,,1\n");
    assert_eq!(settled(&world, &place).await, Settled::Applied);
    std::fs::write(&path, "id,name,note,n\nk1,k1.theirs,,1\n").unwrap();
    assert_eq!(settled(&world, &place).await, Settled::Changed);
    let again = send(&reach, &mut prepared, 0, &writes, &notes).await;
    assert!(again.unwrap_err().to_string().starts_with("changed"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "id,name,note,n\nk1,k1.theirs,,1\n");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(settled(&world, &place).await, Settled::Changed);
}
