use std::{
    collections::BTreeMap,
    io::{Cursor, Read, Write},
};

use lockstep_engine::schema::ColumnType::{self, Bool, Date, DateTime, Number, Text, Time};
use proptest::prelude::*;
use rust_xlsxwriter::{Chart, ChartType, Format, Formula, Table, Workbook};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::super::{
    FileSource,
    testing::{Sheet, survive, texts},
};

mod refusals;

const COLUMNS: &[(&str, ColumnType)] =
    &[("id", Text), ("name", Text), ("n", Number), ("day", Date)];

/// Returns every part of a package.
fn parts(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn zipped(parts: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Returns the names of the parts that differ.
fn differing(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (parts(before), parts(after));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    before
        .into_iter()
        .filter(|(name, content)| after[name] != *content)
        .map(|(name, _)| name)
        .collect()
}

/// Makes a workbook whose one sheet has this XML beside `<worksheet …>`.
fn book(sheet: &str) -> Vec<u8> {
    let mut made = Workbook::new();
    made.add_worksheet().set_name("Data").unwrap();
    let dated = Format::new().set_num_format("dd.mm.yyyy");
    made.add_worksheet().write_number_with_format(0, 0, 1, &dated).unwrap();
    let mut all = parts(&made.save_to_buffer().unwrap());
    let head = "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">";
    all.insert(
        "xl/worksheets/sheet1.xml".into(),
        format!("{head}{sheet}</worksheet>").into_bytes(),
    );
    zipped(&all)
}

fn sheet_xml(bytes: &[u8]) -> String {
    let text = String::from_utf8(parts(bytes).remove("xl/worksheets/sheet1.xml").unwrap()).unwrap();
    let start = text.find("<sheetData").unwrap();
    text[start..].to_owned()
}

const ROWS: &str = "<sheetData><row r=\"1\" ht=\"20\"><c r=\"A1\" t=\"inlineStr\"><is><t>id</t></is></c><c r=\"B1\" t=\"str\"><v>name</v></c><c r=\"C1\" t=\"str\"><v>n</v></c></row>\n  <row r=\"2\" spans=\"1:3\"><c r=\"A2\" t=\"str\"><v>a</v></c><c r=\"C2\" s=\"1\"><v>1.1000000000000001</v></c></row>\n  <row r=\"4\"><c r=\"A4\" t=\"str\"><v>b</v></c><c r=\"B4\" t=\"str\"><v>x &amp; y</v></c><c r=\"C4\"><v>2</v></c></row></sheetData>";

fn of(bytes: &[u8]) -> Sheet {
    Sheet::of("a.xlsx", bytes, COLUMNS)
}

fn refused(bytes: &[u8], change: impl FnOnce(Sheet) -> Sheet) -> String {
    change(of(bytes)).write(bytes).unwrap_err().to_string()
}

#[test]
fn only_the_cells_that_change_get_other_xml() {
    let before = book(ROWS);
    assert_eq!(
        texts("a.xlsx", &before),
        [["id", "name", "n"], ["'a", "~", "'1900-01-01T02:24:00"], ["'b", "'x & y", "2"]]
    );
    let of = |bytes: &[u8]| Sheet::of("a.xlsx", bytes, &COLUMNS[..3]);
    let after = of(&before).set("b", &[("n", "3.5")]).write(&before).unwrap();
    assert_eq!(differing(&before, &after), ["xl/worksheets/sheet1.xml"]);
    assert_eq!(sheet_xml(&after), sheet_xml(&before).replace("<v>2</v>", "<v>3.5</v>"));
    let after = of(&before).set("a", &[("name", " <new>"), ("n", "7")]).write(&before).unwrap();
    let new = "<row r=\"2\"><c r=\"A2\" t=\"str\"><v>a</v></c><c r=\"B2\" t=\"inlineStr\"><is><t xml:space=\"preserve\"> &lt;new&gt;</t></is></c><c r=\"C2\"><v>7</v></c></row>";
    let old = "<row r=\"2\" spans=\"1:3\"><c r=\"A2\" t=\"str\"><v>a</v></c><c r=\"C2\" s=\"1\"><v>1.1000000000000001</v></c></row>";
    assert_eq!(sheet_xml(&after), sheet_xml(&before).replace(old, new));
}

#[test]
fn rows_are_added_after_the_last_and_rows_below_a_deleted_one_move_up() {
    let before = book(&ROWS.replace("<c r=\"C4\">", "<c r=\"C4\" s=\"0\">"));
    let columns = [("id", Text), ("name", Text), ("n", Number), ("active", Bool)];
    let sheet = Sheet::of("a.xlsx", &before, &columns).delete("a").add(&[
        "c",
        "C",
        "9007199254740993",
        "yes",
    ]);
    let after = sheet.write(&before).unwrap();
    assert_eq!(
        texts("a.xlsx", &after),
        [
            vec!["id", "name", "n", "active"],
            vec!["'b", "'x & y", "2", "~"],
            vec!["'c", "'C", "'9007199254740993", "true"]
        ]
    );
    let xml = sheet_xml(&after);
    assert!(xml.contains("<row r=\"3\"><c r=\"A3\" t=\"str\"><v>b</v></c>"), "{xml}");
    assert!(xml.contains("<row r=\"4\"><c r=\"A4\" t=\"inlineStr\">"), "{xml}");
    assert!(xml.starts_with("<sheetData><row r=\"1\" ht=\"20\"><c r=\"A1\""), "{xml}");
    let both = calamine_rows(&after, "Data");
    assert_eq!(both[0], ["id", "name", "n", "active"]);
    assert_eq!(both[3], ["c", "C", "9007199254740993", "true"]);
}

#[test]
fn a_new_column_stands_behind_columns_without_a_name() {
    let noted = ROWS
        .replace("<v>2</v></c></row>", "<v>2</v></c><c r=\"E4\" t=\"str\"><v>mine</v></c></row>");
    let before = book(&noted);
    let columns = [("id", Text), ("active", Text)];
    let after = Sheet::of("a.xlsx", &before, &columns)
        .set("b", &[("active", "no")])
        .write(&before)
        .unwrap();
    let rows = calamine_rows(&after, "Data");
    assert_eq!(
        (rows[0][5].as_str(), rows[3][4].as_str(), rows[3][5].as_str()),
        ("active", "mine", "no")
    );
}

/// Reads a sheet by the program of other people.
fn calamine_rows(bytes: &[u8], sheet: &str) -> Vec<Vec<String>> {
    use calamine::Reader;
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let range = book.worksheet_range(sheet).unwrap();
    range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

/// A workbook with what people put into workbooks.
fn rich() -> Vec<u8> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold().set_background_color("FFEE00");
    let day = Format::new().set_num_format("dd.mm.yyyy").set_italic();
    let money = Format::new().set_num_format("#,##0.00 \"€\"");
    let sheet = book.add_worksheet().set_name("Stock").unwrap();
    for (column, name) in ["id", "name", "n", "day", "twice"].iter().enumerate() {
        sheet.write_string_with_format(2, column as u16, *name, &bold).unwrap();
    }
    sheet.write_string(0, 0, "Stock of the shop").unwrap();
    for row in 0..5_u32 {
        sheet.write_string(row + 3, 0, format!("k{row}")).unwrap();
        sheet.write_string(row + 3, 1, "same text").unwrap();
        sheet.write_number_with_format(row + 3, 2, f64::from(row) + 0.1, &money).unwrap();
        sheet.write_number_with_format(row + 3, 3, 45306.0 + f64::from(row), &day).unwrap();
        sheet
            .write_formula(row + 3, 4, Formula::new(format!("=C{}*2", row + 4)).set_result("1"))
            .unwrap();
    }
    sheet.set_column_width(1, 40).unwrap();
    sheet.set_freeze_panes(3, 0).unwrap();
    let mut chart = Chart::new(ChartType::Column);
    chart.add_series().set_values("Stock!$C$4:$C$8");
    sheet.insert_chart(10, 6, &chart).unwrap();
    let other = book.add_worksheet().set_name("Other").unwrap();
    other.write_formula(0, 0, "=SUM(Stock!C4:C8)").unwrap();
    other.merge_range(1, 0, 1, 3, "merged", &bold).unwrap();
    book.define_name("Prices", "=Stock!$C$4:$C$8").unwrap();
    book.save_to_buffer().unwrap()
}

fn rich_sheet(bytes: &[u8]) -> Sheet {
    let source = FileSource {
        path: "a.xlsx".into(),
        sheet: Some("stock".into()),
        header_row: Some(3),
        ..FileSource::default()
    };
    Sheet::read(&source, bytes, COLUMNS).unwrap()
}

#[test]
fn everything_beside_the_changed_cells_stays() {
    // The results of the formulas are of the old values: the workbook's part orders them computed afresh.
    let mut all = parts(&rich());
    let main = String::from_utf8(all["xl/workbook.xml"].clone()).unwrap();
    all.insert("xl/workbook.xml".into(), main.replace(" fullCalcOnLoad=\"1\"", "").into_bytes());
    let before = zipped(&all);
    let sheet = rich_sheet(&before)
        .set("k1", &[("n", "8.25"), ("day", "2025-02-28"), ("name", "")])
        .add(&["k9", "new", "1e3", "2026-01-31"]);
    let after = sheet.write(&before).unwrap();
    assert_eq!(differing(&before, &after), ["xl/workbook.xml", "xl/worksheets/sheet1.xml"]);
    let xml = sheet_xml(&after);
    for kept in ["<f>C5*2</f>", "<drawing r:id=\"rId1\"/>"] {
        assert!(xml.contains(kept), "{kept}: {xml}");
    }
    let style = |cell: &str| {
        let at = xml.find(&format!("r=\"{cell}\"")).unwrap();
        let rest = xml[at..].split_once("s=\"").unwrap().1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    assert_eq!((style("C5"), style("D5")), (style("C6"), style("D6")));
    assert_eq!((style("C9"), style("D9")), (style("C8"), style("D8")));
    let book = String::from_utf8(parts(&after).remove("xl/workbook.xml").unwrap()).unwrap();
    assert!(book.contains("fullCalcOnLoad=\"1\"") && book.contains("Prices"), "{book}");
    let rows = calamine_rows(&after, "Stock");
    assert_eq!(rows[0][0], "Stock of the shop");
    assert_eq!(rows[4][..3], ["k1", "", "8.25"]);
    assert_eq!(rows[8][..3], ["k9", "new", "1000"]);
    let again = rich_sheet(&after);
    let moments: Vec<String> = (0..again.snapshot.len())
        .map(|row| super::super::testing::text(&again.snapshot.cell(row, 3)))
        .collect();
    assert_eq!(moments[1], "'2025-02-28");
    assert_eq!(moments[5], "'2026-01-31");
}

#[test]
fn a_table_grows_with_its_rows() {
    let mut made = Workbook::new();
    let data = made.add_worksheet();
    data.write_row_matrix(0, 0, [["id", "name"], ["a", "A"], ["b", "B"]]).unwrap();
    data.add_table(0, 0, 2, 1, &Table::new()).unwrap();
    let bytes = made.save_to_buffer().unwrap();
    let after = of(&bytes).add(&["c", "C"]).add(&["d", "D"]).write(&bytes).unwrap();
    assert_eq!(differing(&bytes, &after), ["xl/tables/table1.xml", "xl/worksheets/sheet1.xml"]);
    let table = String::from_utf8(parts(&after).remove("xl/tables/table1.xml").unwrap()).unwrap();
    assert_eq!(table.matches("ref=\"A1:B5\"").count(), 2, "{table}");
    let error = refused(&bytes, |sheet| sheet.delete("a"));
    assert!(error.contains("a table"), "{error}");
    let mut made = Workbook::new();
    let data = made.add_worksheet();
    data.write_row_matrix(0, 0, [["id", "name"], ["a", "A"], ["b", "B"]]).unwrap();
    data.add_table(0, 0, 3, 1, &Table::new().set_total_row(true)).unwrap();
    let bytes = made.save_to_buffer().unwrap();
    let error = refused(&bytes, |sheet| sheet.add(&["c", "C"]));
    assert!(error.contains("run into the table") || error.contains("totals"), "{error}");
}

#[test]
fn dates_of_the_1904_system_and_cells_of_every_type() {
    let typed = "<sheetData><row r=\"1\"><c r=\"A1\" t=\"str\"><v>id</v></c><c r=\"B1\" t=\"str\"><v>day</v></c><c r=\"C1\" t=\"str\"><v>ok</v></c><c r=\"D1\" t=\"str\"><v>e</v></c></row><row r=\"2\"><c r=\"A2\"><v>1E-2</v></c><c r=\"B2\" s=\"1\"><v>43844</v></c><c r=\"C2\" t=\"b\"><v>1</v></c><c r=\"D2\" t=\"e\"><v>#N/A</v></c></row></sheetData>";
    let mut all = parts(&book(typed));
    let main = String::from_utf8(all["xl/workbook.xml"].clone()).unwrap();
    let main = main.replace("<workbookPr", "<workbookPr date1904=\"1\"");
    all.insert("xl/workbook.xml".into(), main.into_bytes());
    let bytes = zipped(&all);
    assert_eq!(
        texts("a.xlsx", &bytes),
        [["id", "day", "ok", "e"], ["0.01", "'2024-01-15", "true", "'#N/A"]]
    );
    let sheet = Sheet::of("a.xlsx", &bytes, &[("id", Text), ("day", Date), ("ok", Bool)]);
    let after = sheet
        .set("0.01", &[("day", "2024-01-16"), ("ok", "no")])
        .add(&["x", "1903-12-31", ""])
        .write(&bytes)
        .unwrap();
    let xml = sheet_xml(&after);
    assert!(
        xml.contains("<c r=\"B2\" s=\"1\"><v>43845</v></c><c r=\"C2\" t=\"b\"><v>0</v></c>"),
        "{xml}"
    );
    assert!(xml.contains("1903-12-31</t>"), "{xml}");
}

#[test]
fn a_new_workbook_holds_every_type() {
    let columns = [
        ("id", Text),
        ("n", Number),
        ("ok", Bool),
        ("day", Date),
        ("at", DateTime),
        ("time", Time),
    ];
    let sheet = Sheet::new("a.xlsx", &columns)
        .add(&["007", "0.1", "no", "2024-01-15", "2024-01-15T09:30", "18:00"])
        .add(&["=1+1", "123456789012345678901", "", "1850-01-01", "2024-01-15T09:30:00Z", ""]);
    let bytes = sheet.create().unwrap();
    assert_eq!(
        texts("a.xlsx", &bytes)[1..],
        [
            ["'007", "0.1", "false", "'2024-01-15", "'2024-01-15T09:30:00", "'18:00:00"],
            ["'=1+1", "'123456789012345678901", "~", "'1850-01-01", "'2024-01-15T09:30:00Z", "~"],
        ]
    );
}

#[test]
fn an_empty_sheet_gets_its_header() {
    for data in [
        "<sheetData/>",
        "<sheetData></sheetData>",
        "<sheetData><row r=\"7\" ht=\"3\"/></sheetData>",
    ] {
        let before = book(data);
        let after = of(&before).add(&["a", "A", "1", "2024-01-15"]).write(&before).unwrap();
        assert_eq!(
            texts("a.xlsx", &after),
            [["id", "name", "n", "day"], ["'a", "'A", "1", "'2024-01-15"]],
            "{data}"
        );
    }
}

#[test]
fn macros_are_carried_and_signatures_are_not_broken() {
    let mut all = parts(&book(ROWS));
    all.insert("xl/vbaProject.bin".into(), vec![7; 999]);
    let bytes = zipped(&all);
    let after = of(&bytes).set("b", &[("n", "3")]).write(&bytes).unwrap();
    assert_eq!(differing(&bytes, &after), ["xl/worksheets/sheet1.xml"]);
    all.insert("_xmlsignatures/origin.sigs".into(), Vec::new());
    let signed = zipped(&all);
    assert!(refused(&signed, |sheet| sheet.set("b", &[("n", "3")])).contains("signed"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_reader_or_the_writer_panic(
        at in any::<prop::sample::Index>(), with in any::<u8>(),
        xml in "(<(row|c|v|f|is|t|/row|/c|/v|x)( (r|s|t|ref)=\"[A1b2:sn]{0,3}\")?>|[0-9a&;]){0,12}",
    ) {
        let mut bytes = book(ROWS);
        let at = at.index(bytes.len());
        bytes[at] = with;
        survive("a.xlsx", &bytes);
        survive("a.xlsx", &book(&format!("<sheetData>{xml}</sheetData>")));
        survive("a.xlsx", &book(&ROWS.replace("<row r=\"4\">", &xml)));
    }
}
