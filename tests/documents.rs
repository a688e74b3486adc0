//! What the documents name is there: every test that `docs/security.md` says covers a threat.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The fewest tests that a threat model of this size names.
const FEWEST: usize = 20;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Adds the names of all functions in the sources below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let names = source.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

/// Returns the names in backticks that follow "Covered by" in a paragraph; paths, files and code are none.
fn named(document: &str) -> BTreeSet<&str> {
    let covers = document.split("\n\n").filter_map(|part| part.split_once("Covered by"));
    let quoted = covers.flat_map(|(_, names)| names.split('`').skip(1).step_by(2));
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    quoted.filter(|name| name.contains('_') && name.chars().all(part)).collect()
}

#[test]
fn every_test_that_covers_a_threat_is_there() {
    let document = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut there = BTreeSet::new();
    for folder in ["src", "crates", "tests"] {
        functions(&root().join(folder), &mut there);
    }
    let named = named(&document);
    assert!(named.len() >= FEWEST, "docs/security.md names {} tests only", named.len());
    let missing: Vec<&str> = named.into_iter().filter(|name| !there.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/security.md names what is no test: {missing:?}");
}

#[test]
fn every_threat_says_what_covers_it() {
    let document = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let (_, threats) = document.split_once("\n## Threats\n").unwrap();
    let (threats, _) = threats.split_once("\n## Not covered\n").unwrap();
    let bare: Vec<&str> = threats
        .split("\n### ")
        .skip(1)
        .filter(|threat| named(threat).is_empty())
        .filter_map(|threat| threat.lines().next())
        .collect();
    assert!(bare.is_empty(), "docs/security.md names no test for: {bare:?}");
}

#[test]
fn the_reader_of_names_takes_tests_alone() {
    let document = "`not_one_of_these` here\n\nIt is so. Covered by: `a_test_of_this` (`=1+1`),\n\
                    `tests/web/pages.rs`, `forget`, `maxRows` and `one_more`.\n\n`nor_this_one`\n";
    assert_eq!(named(document).into_iter().collect::<Vec<_>>(), ["a_test_of_this", "one_more"]);
}
