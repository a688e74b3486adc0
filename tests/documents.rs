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

/// Adds the names of all tests in the sources below a folder.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.extend(tests_of(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Returns the names of the tests of a source: the function after each mark, and the laws of every kind of replica.
fn tests_of(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
        if let Some((name, _)) = name
            && !line.starts_with("//")
        {
            if marked {
                found.insert(name.to_owned());
            }
            marked = false;
        }
    }
    let laws = source.split("suite!(").skip(1).filter_map(|suite| suite.split_once(')'));
    let laws = laws.filter_map(|(suite, _)| suite.split_once(';'));
    found.extend(laws.flat_map(|(_, laws)| laws.split(',').map(|law| law.trim().to_owned())));
    found
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
        tests(&root().join(folder), &mut there);
    }
    let named = named(&document);
    assert!(named.len() >= FEWEST, "docs/security.md names {} tests only", named.len());
    let missing: Vec<&str> = named.into_iter().filter(|name| !there.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/security.md names what is no test: {missing:?}");
}

#[test]
fn what_a_feature_is_needed_for_is_marked_so() {
    let document = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut remote = tests_of(&fs::read_to_string(root().join("tests/remote_files.rs")).unwrap());
    tests(&root().join("tests/remote_files"), &mut remote);
    let mut seen = 0;
    for part in document.split("\n\n") {
        let own: Vec<&str> =
            named(part).into_iter().filter(|name| remote.contains(*name)).collect();
        let words: Vec<&str> = part.split_whitespace().collect();
        let marked = words.join(" ").contains("feature remote-files");
        assert!(own.is_empty() || marked, "{own:?} needs the mark");
        seen += own.len();
    }
    assert!(seen > 0, "the document names tests of that feature");
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

#[test]
fn the_finder_of_tests_takes_marked_functions_alone() {
    let source = "fn helper(x: u8) {}\n#[test]\n#[ignore]\n/// Says fn words( too.\nfn one() {}\nfn other() {}\n\
                  #[tokio::test(flavor = \"multi_thread\")]\nasync fn two() {}\npub fn three() {}\n\
                  suite!(laws of make; four,\n five);\n";
    assert_eq!(tests_of(source).into_iter().collect::<Vec<_>>(), ["five", "four", "one", "two"]);
}
