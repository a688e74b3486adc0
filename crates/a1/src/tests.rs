use proptest::prelude::*;

use super::*;

fn cells(text: &str) -> Cells {
    match parse(text).unwrap_or_else(|error| panic!("{error}")).area {
        Area::Cells(cells) => cells,
        other => panic!("{text} is {other:?}"),
    }
}

fn open(start_row: u32, end_row: Option<u32>, start_column: u32, end_column: Option<u32>) -> Cells {
    Cells { start_row, end_row, start_column, end_column }
}

#[test]
fn ranges_of_every_form() {
    let table = [
        ("A1", open(0, Some(1), 0, Some(1))),
        ("b7", open(6, Some(7), 1, Some(2))),
        ("A1:B2", open(0, Some(2), 0, Some(2))),
        ("D4:A1", open(0, Some(4), 0, Some(4))),
        ("A4:D1", open(0, Some(4), 0, Some(4))),
        ("$A$1:B$2", open(0, Some(2), 0, Some(2))),
        ("A:C", open(0, None, 0, Some(3))),
        ("C:A", open(0, None, 0, Some(3))),
        ("$A:$C", open(0, None, 0, Some(3))),
        ("1:2", open(0, Some(2), 0, None)),
        ("$3:$1", open(0, Some(3), 0, None)),
        ("A2:C", open(1, None, 0, Some(3))),
        ("C:A2", open(1, None, 0, Some(3))),
        ("A2:2", open(1, Some(2), 0, None)),
        ("B3:5", open(2, Some(5), 1, None)),
        ("R1C1", open(0, Some(1), 0, Some(1))),
        ("R2C3:R4C5", open(1, Some(4), 2, Some(5))),
        ("r4c5:R2C3", open(1, Some(4), 2, Some(5))),
        ("ZZZ1", open(0, Some(1), 18_277, Some(18_278))),
        ("A2147483647", open(2_147_483_646, Some(2_147_483_647), 0, Some(1))),
    ];
    for (text, expected) in table {
        assert_eq!(cells(text), expected, "{text}");
        assert_eq!(cells(&format!("Sheet1!{text}")), expected, "Sheet1!{text}");
    }
}

#[test]
fn titles() {
    let table = [
        ("Sheet1!A1", "Sheet1"),
        ("My Sheet!A1", "My Sheet"),
        ("'My Sheet'!A1", "My Sheet"),
        ("'Jon''s Data'!A1", "Jon's Data"),
        ("'Jon's Data'!A1", "Jon's Data"),
        ("'a!b'!A1", "a!b"),
        ("'it''!A1'!A1", "it'!A1"),
        ("a!b!A1", "a!b"),
        ("'''x'''!A1", "'x'"),
        ("'🌵 test 1'!A:A", "🌵 test 1"),
        ("'C# x'!A1", "C# x"),
    ];
    for (text, title) in table {
        assert_eq!(parse(text).unwrap().sheet.as_deref(), Some(title), "{text}");
    }
    assert_eq!(
        parse("'Q1'").unwrap(),
        Reference { sheet: Some("Q1".to_owned()), area: Area::Whole }
    );
    assert_eq!(
        parse("'Jon's Data'").unwrap(),
        Reference { sheet: Some("Jon's Data".to_owned()), area: Area::Whole }
    );
}

#[test]
fn bare_names_are_left_to_the_caller() {
    for text in [
        "Sheet1",
        "totals",
        "AAAA1",
        "A0",
        "A",
        "7",
        "Table1[Col]",
        "A1:",
        "A1B",
        "A:2",
        "2:A",
        "R1C99999",
    ] {
        assert_eq!(
            parse(text),
            Ok(Reference { sheet: None, area: Area::Name(text.to_owned()) }),
            "{text}"
        );
    }
}

#[test]
fn errors_use_the_words_of_the_service() {
    for text in [
        "",
        "Sheet1!",
        "Sheet1!AAAA1",
        "!A1",
        "'Sheet1!A1",
        "'",
        "''",
        "''!A1",
        "S!A0",
        "S!A1:B2:C3",
        "S!x y",
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), format!("Unable to parse range: {text}"));
    }
}

#[test]
fn echo_quotes_only_where_needed() {
    let table = [
        ("'Sheet1'!D4:A1", "Sheet1!A1:D4"),
        ("Sheet1!D4:D4", "Sheet1!D4"),
        ("'a_b'!A1", "a_b!A1"),
        ("'My Sheet'!A1", "'My Sheet'!A1"),
        ("'Jon's Data'!A1", "'Jon''s Data'!A1"),
        ("'Q1'!A1", "'Q1'!A1"),
        ("'R1C1'!A1", "'R1C1'!A1"),
        ("'2024'!A1", "'2024'!A1"),
        ("'🌵'!A1", "'🌵'!A1"),
        ("'Sheet1'", "'Sheet1'"),
    ];
    for (text, echo) in table {
        assert_eq!(parse(text).unwrap().to_string(), echo, "{text}");
    }
}

#[test]
fn open_ranges_close_against_the_grid() {
    let table = [
        ("A:A", 10, 26, "A1:A10"),
        ("A2:2", 1000, 26, "A2:Z2"),
        ("A2:C", 5, 26, "A2:C5"),
        ("1:2", 5, 3, "A1:C2"),
        ("B2", 5, 3, "B2"),
        ("A1:Z1000", 5, 3, "A1:Z1000"),
    ];
    for (text, rows, columns, closed) in table {
        assert_eq!(cells(text).close(rows, columns).to_string(), closed, "{text}");
    }
    assert!(cells("A9:A").close(5, 5).is_empty());
    assert_eq!(cells("A1:Z1000").close(5, 3).clip(5, 3).unwrap().to_string(), "A1:C5");
    assert_eq!(cells("F1").close(5, 3).clip(5, 3), None);
}

#[test]
fn columns() {
    for (index, letters) in
        [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (18_277, "ZZZ")]
    {
        assert_eq!(column_letters(index), letters);
        assert_eq!(column_index(letters), Some(index));
    }
    assert_eq!(column_letters(18_278), "AAAA");
    for bad in ["", "AAAA", "A1", "é", "a b"] {
        assert_eq!(column_index(bad), None, "{bad}");
    }
    assert_eq!(column_index("zz"), Some(701));
}

#[test]
fn rectangles() {
    let rect = cells("B2:D4").close(9, 9);
    assert_eq!((rect.rows(), rect.columns(), rect.area()), (3, 3, 9));
    assert!(
        rect.contains(1, 1) && rect.contains(3, 3) && !rect.contains(4, 3) && !rect.contains(0, 1)
    );
    assert_eq!(rect.intersect(&cells("C1:Z2").close(9, 26)).unwrap().to_string(), "C2:D2");
    assert_eq!(rect.intersect(&cells("E5").close(9, 9)), None);
}

fn any_cells() -> impl Strategy<Value = Cells> {
    (
        0..3_000_u32,
        proptest::option::of(1..500_u32),
        0..17_000_u32,
        proptest::option::of(1..1_000_u32),
    )
        .prop_filter("both ends open has no A1 form of its own", |(_, rows, _, columns)| {
            rows.is_some() || columns.is_some()
        })
        .prop_map(|(row, rows, column, columns)| {
            open(row, rows.map(|n| row + n), column, columns.map(|n| column + n))
        })
}

proptest! {
    #[test]
    fn printed_references_read_back(title in "\\PC{1,12}", cells in any_cells()) {
        let reference = Reference::cells(title.clone(), cells);
        let always = format!("{}!{cells}", quote_always(&title));
        // A title ending in `'!A1` cannot be told from a title and a range when read leniently.
        prop_assert_eq!(&parse(&always).unwrap(), &reference);
        prop_assert_eq!(&parse(&reference.to_string()).unwrap(), &reference);
        prop_assert_eq!(parse(&cells.to_string()).unwrap().area, Area::Cells(cells));
    }

    #[test]
    fn column_letters_read_back(index in 0..MAX_COLUMNS) {
        prop_assert_eq!(column_index(&column_letters(index)), Some(index));
    }

    #[test]
    fn any_text_parses_or_fails_politely(text in "[\\PC'!:$A-C0-9]{0,24}") {
        match parse(&text) {
            Ok(reference) => {
                let again = parse(&reference.to_string());
                prop_assert_eq!(again, Ok(reference));
            }
            Err(error) => prop_assert_eq!(error.text, text),
        }
    }

    #[test]
    fn ends_lie_after_starts(text in "[A-Ca-cRr$0-9:]{1,10}") {
        if let Some(cells) = parse_cells(&text) {
            prop_assert!(cells.end_row.is_none_or(|end| end > cells.start_row));
            prop_assert!(cells.end_column.is_none_or(|end| end > cells.start_column));
        }
    }
}
