//! Random texts against the reader of A1 notation: no panic, and what it reads prints as a text that reads the same.
//!
//! It runs for a second; `LOCKSTEP_FUZZ_SECONDS=600 cargo test -p lockstep-a1 --release --test fuzz` runs it for ten
//! minutes. The seed is printed and can be given back in `LOCKSTEP_FUZZ_SEED`.

// Clippy applies its rules for tests where it sees this.
#![cfg(test)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lockstep_a1::{
    Area, Cells, Rect, Reference, column_index, column_letters, parse, parse_cells, quote_always,
    quote_if_needed,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const PIECES: [&str; 34] = [
    "A",
    "a",
    "Z",
    "ZZZ",
    "AAAA",
    "R",
    "C",
    "R1C1",
    "rc",
    "1",
    "0",
    "9",
    "007",
    "1000000",
    "2147483647",
    "2147483648",
    "4294967295",
    "99999999999",
    ":",
    ":",
    "!",
    "!",
    "'",
    "'",
    "''",
    "'!",
    "$",
    "Sheet1",
    " ",
    "é",
    "\u{1f600}",
    "-",
    "[1]",
    "\0",
];

const VALID: [&str; 14] = [
    "A1",
    "$A$1:B2",
    "A:C",
    "1:2",
    "A2:C",
    "A2:2",
    "Sheet1!B2:D",
    "'Jon''s Data'!B2:D",
    "'Q1'",
    "R1C1:R2C2",
    "ZZZ2147483647",
    "named_range",
    "'it's'!A1",
    "'a'!'b'!C3",
];

/// Pieces put together, anything at all, or a reference in which a few characters were changed.
fn text() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..3u8, select(PIECES.to_vec()));
    prop_oneof![
        4 => prop::collection::vec(select(PIECES.to_vec()), 0..10).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..24).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
        4 => (select(VALID.to_vec()), prop::collection::vec(change, 1..4)).prop_map(|(valid, changes)| {
            let mut text: Vec<String> = valid.chars().map(String::from).collect();
            for (at, how, piece) in changes {
                let at = at.index(text.len() + 1);
                match how {
                    0 => text.insert(at, piece.to_owned()),
                    1 if at < text.len() => text[at] = piece.to_owned(),
                    _ if at < text.len() => drop(text.remove(at)),
                    _ => {}
                }
            }
            text.concat()
        }),
    ]
}

fn edge() -> impl Strategy<Value = u32> {
    prop_oneof![0..30u32, Just(18_277), Just(18_278), Just(u32::MAX), any::<u32>()]
}

fn runner() -> TestRunner {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("LOCKSTEP_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(clock);
    println!("seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
fn references() {
    let seconds = std::env::var("LOCKSTEP_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let mut runner = runner();
    let inputs = (text(), text(), [edge(), edge(), edge(), edge()], [edge(), edge()]);
    let (start, mut rounds) = (Instant::now(), 0u64);
    while start.elapsed() < Duration::from_secs(seconds.unwrap_or(1)) {
        let (text, title, edges, size) = inputs.new_tree(&mut runner).unwrap().current();
        once(&text, &title, edges, size);
        rounds += 1;
    }
    println!("{rounds} rounds");
}

fn once(text: &str, title: &str, edges: [u32; 4], [rows, columns]: [u32; 2]) {
    match parse(text) {
        Ok(reference) => {
            let printed = reference.to_string();
            assert_eq!(parse(&printed).as_ref(), Ok(&reference), "{text:?} prints as {printed:?}");
            if let Area::Cells(cells) = reference.area {
                within(cells, rows, columns);
            }
        }
        Err(error) => assert_eq!(error.to_string(), format!("Unable to parse range: {text}")),
    }
    if let Some(cells) = parse_cells(text) {
        assert_eq!(parse_cells(&cells.to_string()), Some(cells), "{text:?}");
    }
    if let Some(column) = column_index(text) {
        assert_eq!(column_letters(column), text.to_uppercase());
    }
    // A title reads back from either form of quoting, and marks the part before the cells and nothing else.
    if !title.is_empty() {
        for quoted in [quote_always(title), quote_if_needed(title)] {
            let read = parse(&format!("{quoted}!B2"));
            assert_eq!(read, Ok(Reference::cells(title, Cells::cell(1, 1))), "{title:?}");
        }
        let whole = Reference { sheet: Some(title.to_owned()), area: Area::Whole };
        assert_eq!(parse(&quote_always(title)), Ok(whole), "{title:?}");
    }
    let [start_row, end_row, start_column, end_column] = edges;
    let rect = Rect { start_row, end_row, start_column, end_column };
    rect.to_string();
    within(Cells { end_row: None, ..Cells::from(rect) }, rows, columns);
    within(Cells { end_column: None, ..Cells::from(rect) }, rows, columns);
    if let Some(clipped) = rect.clip(rows, columns) {
        assert!(clipped.area() > 0 && clipped.end_row <= rows && clipped.end_column <= columns);
        assert!(rect.contains(clipped.start_row, clipped.start_column));
        assert_eq!(clipped.intersect(&rect), Some(clipped));
    }
}

fn within(cells: Cells, rows: u32, columns: u32) {
    let closed = cells.close(rows, columns);
    assert!(closed.end_row >= closed.start_row && closed.end_column >= closed.start_column);
    assert_eq!(closed.is_empty(), closed.area() == 0);
    cells.to_string();
}
