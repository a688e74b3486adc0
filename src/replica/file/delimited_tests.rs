use lockstep_engine::schema::ColumnType::{Number, Text};
use proptest::prelude::*;

use super::super::testing::{Sheet, survive, texts};

const COLUMNS: &[(&str, lockstep_engine::schema::ColumnType)] =
    &[("id", Text), ("name", Text), ("n", Number)];

fn edited(before: &str, change: impl FnOnce(Sheet) -> Sheet) -> String {
    let sheet = change(Sheet::of("a.csv", before.as_bytes(), COLUMNS));
    String::from_utf8(sheet.write(before.as_bytes()).unwrap()).unwrap()
}

#[test]
fn only_the_bytes_of_changed_fields_change() {
    let before = "\u{feff}\"id\";name ;\"n\";name\r\na; x ;\"1\";\"kept, as it is\"\r\n\r\n\"b\";\"y\"\"z\";2.50;5\" pipe\r\nc;;;";
    let sheet =
        Sheet::of("a.csv", before.as_bytes(), &[("id", Text), ("name ", Text), ("n", Number)])
            .set("b", &[("n", "3")])
            .set("a", &[("n", "7"), ("name ", "a;b")]);
    let after = String::from_utf8(sheet.write(before.as_bytes()).unwrap()).unwrap();
    let expected = "\u{feff}\"id\";name ;\"n\";name\r\na;\"a;b\";\"7\";\"kept, as it is\"\r\n\r\n\"b\";\"y\"\"z\";3;5\" pipe\r\nc;;;";
    assert_eq!(after, expected);
}

#[test]
fn rows_come_and_go_and_the_last_line_end_stays_as_it_was() {
    let change = |sheet: Sheet| sheet.delete("a").add(&["d", "\"q\"", "4"]);
    for (before, after) in [
        ("id,name,n\na,x,1\nb,y,2\n", "id,name,n\nb,y,2\nd,\"\"\"q\"\"\",4\n"),
        ("id,name,n\na,x,1\nb,y,2", "id,name,n\nb,y,2\nd,\"\"\"q\"\"\",4"),
        ("id,name,n\rb,y,2\ra,x,1\r", "id,name,n\rb,y,2\rd,\"\"\"q\"\"\",4\r"),
        ("id,name,n\r\nb,y,2\r\na,x,1", "id,name,n\r\nb,y,2\r\nd,\"\"\"q\"\"\",4"),
        (
            "\"id\",\"name\",\"n\"\n\"a\",\"\",\"1\"\n",
            "\"id\",\"name\",\"n\"\n\"d\",\"\"\"q\"\"\",\"4\"\n",
        ),
    ] {
        assert_eq!(edited(before, change), after, "{before:?}");
    }
    assert_eq!(edited("id,name,n", |sheet| sheet.add(&["d", "", "4"])), "id,name,n\nd,,4");
    assert_eq!(edited("id,name,n\na,x,1", |sheet| sheet.delete("a")), "id,name,n");
}

#[test]
fn a_new_column_is_added_at_the_end_of_every_record() {
    let columns = &[("id", Text), ("active", Text)];
    let before = "id,\"x\"\na,\"1\"\nb,2\n";
    let sheet = Sheet::of("a.csv", before.as_bytes(), columns).set("b", &[("active", "no")]);
    let after = sheet.write(before.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(after).unwrap(), "id,\"x\",active\na,\"1\",\nb,2,no\n");
}

#[test]
fn a_new_file_has_its_header_and_delimiter() {
    let sheet = Sheet::new("a.tsv", COLUMNS).add(&["a", "x\ty", "1"]);
    assert_eq!(sheet.create().unwrap(), b"id\tname\tn\na\t\"x\ty\"\t1\n");
    let sheet = Sheet::new("a.csv", &[("id", Text), ("b", Text)]).add(&["a", ""]);
    assert_eq!(sheet.create().unwrap(), b"id,b\na,\n");
}

#[test]
fn a_row_that_is_too_long_or_short_is_named() {
    let read = |text: &str| {
        Sheet::read(
            &super::super::FileSource { path: "a.csv".into(), ..Default::default() },
            text.as_bytes(),
            COLUMNS,
        )
    };
    let error = read("id,name,n\na,b\nc,d,e,f\n").err().unwrap().to_string();
    assert!(error.contains("line 2 has 2, line 3 has 4"), "{error}");
}

proptest! {
    #[test]
    fn untouched_records_keep_their_bytes(
        rows in proptest::collection::vec("[ab\"]{0,2}(,|, )([xy ]{0,3}|\"[xy, ]{0,3}\")", 1..6),
        newline in prop_oneof![Just("\n"), Just("\r\n")],
        value in "[ -~]{0,6}",
    ) {
        // Keys that are told apart by a number in front; malformed quotes are refused by the reader.
        let lines: Vec<String> = rows.iter().enumerate().map(|(n, row)| format!("k{n},x{row}")).collect();
        let before = format!("id,a,name{newline}{}{newline}", lines.join(newline));
        let source = super::super::FileSource { path: "a.csv".into(), ..Default::default() };
        let Ok(sheet) = Sheet::read(&source, before.as_bytes(), &[("id", Text), ("name", Text)]) else {
            return Ok(());
        };
        let after = sheet.set("k0", &[("name", &value)]).write(before.as_bytes()).unwrap();
        let after = String::from_utf8(after).unwrap();
        for line in lines.iter().skip(1) {
            prop_assert!(after.contains(&format!("{newline}{line}{newline}")), "{line:?} in {after:?}");
        }
        prop_assert!(after.starts_with(&format!("id,a,name{newline}k0,")), "{after:?}");
        prop_assert_eq!(texts("a.csv", after.as_bytes()).len(), rows.len() + 1);
    }

    #[test]
    fn no_bytes_make_the_reader_or_the_writer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive("a.csv", &bytes);
    }
}
