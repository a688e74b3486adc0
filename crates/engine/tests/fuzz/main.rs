//! Random inputs against the readers of delimited text, of values and of rules: no panic, and no answer that
//! contradicts itself.
//!
//! Each test runs for a second; `LOCKSTEP_FUZZ_SECONDS=600 cargo test -p lockstep-engine --release --test fuzz` runs
//! each of them for ten minutes. The seed is printed and can be given back in `LOCKSTEP_FUZZ_SEED`.

// Clippy applies its rules for tests where it sees this.
#![cfg(test)]

mod random;
mod rules;

use lockstep_engine::canonical;
use lockstep_engine::cell::Cell;
use lockstep_engine::csv::{CsvOptions, decode};
use lockstep_engine::diff::{DiffOptions, diff};
use lockstep_engine::encode;
use lockstep_engine::infer::infer;
use lockstep_engine::join::join;
use lockstep_engine::schema::{Column, ColumnType};
use lockstep_engine::snapshot::{self, Snapshot};

use crate::random::{Random, run};

const TYPES: [ColumnType; 7] = [
    ColumnType::Text,
    ColumnType::Number,
    ColumnType::Bool,
    ColumnType::Date,
    ColumnType::Time,
    ColumnType::DateTime,
    ColumnType::List,
];

const PIECES: [&[u8]; 30] = [
    b"a",
    b"id",
    b",",
    b",",
    b";",
    b"\t",
    b"|",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"\"",
    b"\"",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xc3\xa9",
    b"\xc3",
    b"\xff",
    b"\0",
    b"1",
    b"2.50",
    b"007",
    b"2024-01-15",
    b"e\xcc\x81",
    b" ",
    b"TRUE",
    b"-",
    b"\xed\xa0\x80",
];

fn text(random: &mut Random) -> Vec<u8> {
    let mut bytes: Vec<u8> = if random.below(3) > 0 { b"id,a\n".to_vec() } else { Vec::new() };
    for _ in 0..random.below(40) {
        if random.below(20) == 0 {
            bytes.push(random.next() as u8);
        } else {
            bytes.extend_from_slice(random.pick(&PIECES));
        }
    }
    bytes
}

#[test]
fn delimited_text() {
    run(|random| {
        let (left, right) = (text(random), text(random));
        let options = CsvOptions {
            delimiter: random
                .pick(&[&None, &None, &Some(','), &Some(';'), &Some('"'), &Some('é')])
                .to_owned(),
            encoding: (random.below(6) == 0).then(|| {
                random
                    .pick(&["utf-16le", "windows-1252", "shift_jis", "gb18030", "iso-2022-jp", "x"])
                    .to_owned()
            }),
            nulls: if random.below(4) == 0 { vec!["a".into()] } else { Vec::new() },
            pad_short_rows: random.below(2) == 0,
        };
        let read = |bytes: &[u8]| snapshot::csv::read(bytes, &options);
        if let Ok(snapshot) = read(&left) {
            whole(&snapshot);
            if let Ok(other) = read(&right) {
                joined(&snapshot, &other);
            }
        }
        let (Ok(left), Ok(right)) = (decode(&left, None), decode(&right, None)) else { return };
        let (left, right) = (left.into_owned(), right.into_owned());
        for bytes in [false, true] {
            let options = DiffOptions {
                key: vec!["id".into()],
                bytes,
                csv: options.clone(),
                ..DiffOptions::default()
            };
            if let Ok(found) = diff(&left, &right, &options, None) {
                let counts = found.visit(&mut |change| {
                    assert!(!change.cells.is_empty() || !change.key.is_blank());
                    Ok(())
                });
                let counts = counts.expect("files in memory do not change");
                let [a, b] = found.rows();
                if !found.is_identical() && counts.duplicates == 0 {
                    assert_eq!(
                        counts.same * 2
                            + counts.updated * 2
                            + counts.inserted
                            + counts.deleted
                            + counts.blanks,
                        a + b
                    );
                }
            }
        }
    });
}

/// Reads every row of a snapshot under its inferred schema.
fn whole(snapshot: &Snapshot) {
    let (schema, reasons) = infer(&[snapshot], &[]);
    reasons.iter().for_each(|reason| drop(reason.to_string()));
    snapshot.findings().iter().for_each(|finding| drop(finding.to_string()));
    for row in 0..snapshot.len() {
        assert_eq!(snapshot.row(row).count(), snapshot.headers().len());
    }
    if let Ok(view) = snapshot.view_by_name(&schema) {
        for row in 0..view.len() {
            for (value, column) in view.row(row).iter().zip(&schema.columns) {
                assert_eq!(&column.read(&value.to_string()), value, "canonical text of {column:?}");
            }
        }
    }
}

fn joined(left: &Snapshot, right: &Snapshot) {
    let (mut schema, _) = infer(&[left, right], &[]);
    if schema.columns.is_empty() {
        return;
    }
    schema.key = vec![0];
    if let (Ok(a), Ok(b)) = (left.view_by_name(&schema), right.view_by_name(&schema)) {
        let (ab, ba) = (join(&[Some(&a), Some(&b)]), join(&[Some(&b), Some(&a)]));
        assert_eq!(
            (ab.equal, ab.rows.len(), ab.duplicates.len()),
            (ba.equal, ba.rows.len(), ba.duplicates.len())
        );
    }
}

#[test]
fn values() {
    const SHAPES: [&str; 24] = [
        "1",
        "0",
        "-",
        "+",
        ".",
        "e",
        "E5",
        "9999999999",
        "2024",
        "-01-",
        "15",
        "T",
        ":",
        "30",
        "Z",
        "+02:00",
        "[",
        "]",
        "\"a\"",
        ",",
        "true",
        "é",
        " ",
        "\u{301}",
    ];
    run(|random| {
        let mut text = String::new();
        for _ in 0..random.below(12) {
            match random.below(12) {
                0 => text.extend(char::from_u32(random.next() as u32 & 0x1f_ffff)),
                _ => text.push_str(random.pick(&SHAPES)),
            }
        }
        let float = f64::from_bits(random.next());
        let cells = [
            Cell::Text(&text),
            Cell::Number(&text),
            Cell::Float(float),
            Cell::Bool(true),
            Cell::Null,
        ];
        for ty in TYPES {
            let _ = ty.parse(&text);
            let column = Column {
                fold_case: random.below(4) == 0,
                trim: random.below(4) > 0,
                offset_minutes: (random.below(4) == 0).then(|| random.next() as i16),
                ..Column::new("c", ty)
            };
            let plain = Column::new("c", ty);
            for cell in &cells {
                let value = column.value(cell);
                assert_eq!(
                    column.read(&value.to_string()),
                    value,
                    "canonical text of {ty} {cell:?}"
                );
                let value = plain.value(cell);
                assert_eq!(
                    encode::csv::decode(&encode::csv::encode(&value, &ty), &ty),
                    value,
                    "csv of {ty} {cell:?}"
                );
                assert_eq!(
                    encode::json::decode(&encode::json::encode(&value, &ty), &ty),
                    value,
                    "json of {ty} {cell:?}"
                );
                let mut bytes = Vec::new();
                canonical::write_row(std::slice::from_ref(&value), &mut bytes);
                assert_eq!(
                    canonical::read_row(&bytes).as_deref(),
                    Ok(std::slice::from_ref(&value)),
                    "bytes of {ty} {cell:?}"
                );
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
                let _ = canonical::read_row(&bytes);
            }
        }
    });
}
