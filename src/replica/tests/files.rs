//! What proves that a file is as it was, without reading it or after.

use std::time::{Duration, SystemTime};

use lockstep_engine::dataset::SideName;
use serde_json::Value;

use super::world::World;
use crate::replica::{
    Source,
    file::FileSource,
    scan::{Extent, Role, Scan, Target, scan},
};

fn source(path: &str) -> FileSource {
    FileSource { path: path.into(), ..FileSource::default() }
}

async fn look(world: &World, source: &FileSource, since: Option<&Value>) -> Scan {
    let role = Role::Both { side: SideName::Left, typed: true };
    scan(&world.reach(), &Source::File(source.clone()), role, since).await.unwrap()
}

/// Sets a file's time of change so many seconds back.
fn age(world: &World, path: &str, seconds: u64) {
    let file = std::fs::File::options().write(true).open(world.folder.path().join(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn a_file_of_the_same_size_and_time_is_not_read_again() {
    let world = World::new(1).await;
    let path = world.folder.path().join("t.csv");
    std::fs::write(&path, "id\n1\n").unwrap();
    age(&world, "t.csv", 60);
    let first = look(&world, &source("t.csv"), None).await;
    assert_eq!((first.extent, first.snapshot.len()), (Extent::Whole, 1));
    let stamp = first.stamp.unwrap();
    // Nobody can read it now, and nobody has to.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "\"\n\"\n\"").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let again = look(&world, &source("t.csv"), Some(&stamp)).await;
    assert_eq!((again.extent, again.snapshot.len()), (Extent::Unchanged, 0));
    assert_eq!(again.stamp.as_ref(), Some(&stamp));
    // What is needed to write to it is there without a read: its hash is the one of the stamp.
    let hash = blake3::hash(b"id\n1\n");
    assert!(matches!(again.target, Target::File(table) if table.hash == Some(hash)));
}

#[tokio::test]
async fn a_file_that_was_just_written_is_read_and_its_hash_decides() {
    let world = World::new(1).await;
    let path = world.folder.path().join("t.csv");
    std::fs::write(&path, "id\n1\n").unwrap();
    let stamp = look(&world, &source("t.csv"), None).await.stamp.unwrap();
    // The same size, perhaps within the same tick of the clock.
    std::fs::write(&path, "id\n2\n").unwrap();
    let changed = look(&world, &source("t.csv"), Some(&stamp)).await;
    assert_eq!((changed.extent, changed.snapshot.len()), (Extent::Whole, 1));
    // Written again with what it held: another time, the same hash.
    std::fs::write(&path, "id\n1\n").unwrap();
    age(&world, "t.csv", 100);
    let same = look(&world, &source("t.csv"), Some(&stamp)).await;
    assert_eq!(same.extent, Extent::Unchanged);
    let settled = same.stamp.unwrap();
    assert_ne!(settled, stamp, "the new time is kept");
    // Another way of reading gives other rows.
    let tabs = FileSource { format: Some("tsv".into()), ..source("t.csv") };
    assert_eq!(look(&world, &tabs, Some(&settled)).await.extent, Extent::Whole);
}

#[tokio::test]
async fn every_format_carries_a_stamp() {
    let world = World::new(1).await;
    for (path, content) in
        [("t.json", "[{\"id\": 1}]"), ("t.jsonl", "{\"id\": 1}\n"), ("t.tsv", "id\n1\n")]
    {
        std::fs::write(world.folder.path().join(path), content).unwrap();
        let stamp = look(&world, &source(path), None).await.stamp.unwrap();
        let again = look(&world, &source(path), Some(&stamp)).await;
        assert_eq!(again.extent, Extent::Unchanged, "{path}");
    }
    let new = look(&world, &source("new.json"), None).await;
    assert_eq!((new.extent, new.stamp), (Extent::Whole, None));
}
