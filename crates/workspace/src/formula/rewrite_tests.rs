//! References that follow what they name.

use lockstep_a1::Rect;

use super::*;
use crate::book::{Axis, Remap, Shift};

#[test]
fn references_follow_rows_and_columns() {
    let insert = |at, count| Remap::Insert { at, count };
    let delete = |start, end| Remap::Delete { start, end };
    let table = [
        ("=A5+1", Axis::Rows, insert(2, 3), Some("=A8+1")),
        ("=A1+1", Axis::Rows, insert(2, 3), None),
        ("=SUM(A2:A5)", Axis::Rows, insert(3, 1), Some("=SUM(A2:A6)")),
        ("=SUM(A2:A5)", Axis::Rows, insert(1, 1), Some("=SUM(A3:A6)")),
        ("=SUM(A2:A5)", Axis::Rows, delete(2, 3), Some("=SUM(A2:A4)")),
        ("=A5", Axis::Rows, delete(4, 5), Some("=#REF!")),
        ("=SUM(A2:A3)", Axis::Rows, delete(0, 9), Some("=SUM(#REF!)")),
        ("=$A$5 & \"A5\" & a5", Axis::Rows, insert(0, 1), Some("=$A$6 & \"A5\" & A6")),
        ("=SUM(A:A)", Axis::Rows, insert(0, 1), None),
        ("=SUM(B:C)", Axis::Columns, insert(1, 1), Some("=SUM(C:D)")),
        ("=SUM(A2:C)", Axis::Rows, delete(0, 1), Some("=SUM(A1:C)")),
        ("=Other!A5", Axis::Rows, insert(0, 1), None),
        ("='Sheet1'!A5", Axis::Rows, insert(0, 1), Some("=Sheet1!A6")),
        ("=LOG10(A5)", Axis::Rows, insert(0, 1), Some("=LOG10(A6)")),
        ("=B2", Axis::Rows, Remap::Move { start: 1, end: 2, to: 5 }, Some("=B5")),
        ("=not a formula '", Axis::Rows, insert(0, 1), None),
    ];
    for (formula, axis, remap, expected) in table {
        let shift = Shift::whole(axis, remap);
        assert_eq!(follow(formula, true, "Sheet1", shift).as_deref(), expected, "{formula}");
    }
    let shift = Shift::whole(Axis::Rows, insert(0, 1));
    let elsewhere = follow("=A5+Sheet1!A5", false, "Sheet1", shift);
    assert_eq!(elsewhere.as_deref(), Some("=A5+Sheet1!A6"));
}

#[test]
fn references_follow_shifted_cells() {
    // Cells B3:C4 are inserted, those below move down; or deleted, those below move up.
    let lanes = Some((1, 3));
    let insert = Shift { axis: Axis::Rows, remap: Remap::Insert { at: 2, count: 2 }, lanes };
    let delete = Shift { axis: Axis::Rows, remap: Remap::Delete { start: 2, end: 4 }, lanes };
    for (formula, shift, expected) in [
        ("=B3+B2+A3+D3", insert, Some("=B5+B2+A3+D3")),
        ("=SUM(B1:C9)", insert, Some("=SUM(B1:C11)")),
        ("=SUM(A1:C9)", insert, None),
        ("=SUM(B:C)+SUM(3:3)", insert, None),
        ("=$C$9", delete, Some("=$C$7")),
        ("=B3", delete, Some("=#REF!")),
        ("=SUM(B1:B9)+SUM(C3:C4)", delete, Some("=SUM(B1:B7)+SUM(#REF!)")),
        ("=SUM(C1:D9)", delete, None),
    ] {
        assert_eq!(follow(formula, true, "Sheet1", shift).as_deref(), expected, "{formula}");
    }
}

#[test]
fn references_follow_cells_that_are_cut() {
    // B2:C3 of the first sheet goes to E5 of it, or of the second.
    let titles = [(0, "Sheet1"), (7, "My Data")];
    let sheet_of = |title: &str| titles.iter().find(|(_, own)| *own == title).map(|(id, _)| *id);
    let title_of = |id: i32| titles.iter().find(|(own, _)| *own == id).unwrap().1.to_owned();
    let moved = |to| Moved {
        from: 0,
        source: Rect { start_row: 1, end_row: 3, start_column: 1, end_column: 3 },
        to,
        by: (3, 3),
        sheet_of: &sheet_of,
        title_of: &title_of,
    };
    for (formula, before, now, to, expected) in [
        ("=B2+$C$3+A1", 0, 0, 0, Some("=E5+$F$6+A1")),
        ("=SUM(B2:C3)+SUM(B2:C4)", 0, 0, 0, Some("=SUM(E5:F6)+SUM(B2:C4)")),
        ("=B2+A1", 0, 0, 7, Some("='My Data'!E5+A1")),
        ("=Sheet1!B2", 7, 7, 7, Some("='My Data'!E5")),
        ("=B2", 7, 7, 7, None),
        // A formula that was cut itself reads what it read before.
        ("=B2+A1", 0, 7, 7, Some("=E5+Sheet1!A1")),
        ("='My Data'!A1+Gone!B2", 0, 7, 7, None),
    ] {
        let text = moved(to).relocate(formula, before, now);
        assert_eq!(text.as_deref(), expected, "{formula} to {to}");
    }
}

#[test]
fn copies_and_renames() {
    assert_eq!(translate("=A1+$A1+A$1+$A$1+Sheet1!B:B", 2, 1), "=B3+$A3+B$1+$A$1+Sheet1!C:C");
    assert_eq!(translate("=A1", -1, 0), "=#REF!");
    assert_eq!(
        rename_sheet("=Sheet1!A1+'sheet1'!B2+Other!C3", "Sheet1", "My Data").as_deref(),
        Some("='My Data'!A1+'My Data'!B2+Other!C3")
    );
    assert_eq!(rename_sheet("=A1", "Sheet1", "x"), None);
}
