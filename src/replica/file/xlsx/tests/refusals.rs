//! What is not a table, and what a writer could not keep.

use super::*;

#[test]
fn formulas_merged_cells_and_what_rows_would_break_are_refused() {
    let bytes = rich();
    let source = rich_sheet(&bytes).source;
    let twice = Sheet::read(&source, &bytes, &[("id", Text), ("twice", Number)]).unwrap();
    let error = twice.set("k0", &[("twice", "4")]).write(&bytes).unwrap_err().to_string();
    assert!(error.contains("E4") && error.contains("formula"), "{error}");
    let error = rich_sheet(&bytes).delete("k3").write(&bytes).unwrap_err().to_string();
    assert!(error.contains("formulas") && error.contains("deletes"), "{error}");
    let with = |more: &str| book(&format!("{ROWS}{more}"));
    for (more, said) in [
        ("<mergeCells count=\"1\"><mergeCell ref=\"B4:C4\"/></mergeCells>", "merged cells B4:C4"),
        ("<sheetProtection sheet=\"1\"/>", "protected"),
    ] {
        let error = refused(&with(more), |sheet| sheet.set("b", &[("n", "3")]));
        assert!(error.contains(said), "{error}");
    }
    for (more, said) in [
        ("<autoFilter ref=\"A1:C4\"/>", "a filter"),
        ("<conditionalFormatting sqref=\"C1:C9\"/>", "conditional formats"),
        ("<mergeCells><mergeCell ref=\"E4:F4\"/></mergeCells>", "merged cells"),
        ("<hyperlinks><hyperlink ref=\"A4\"/></hyperlinks>", "links"),
        (
            "<dataValidations><dataValidation sqref=\"C2:C100\"/></dataValidations>",
            "data validations",
        ),
        ("<legacyDrawing r:id=\"rId1\"/>", "notes"),
        ("<unheardOf/>", "\"unheardOf\""),
    ] {
        let error = refused(&with(more), |sheet| sheet.delete("a"));
        assert!(error.contains(said) && error.contains("mark"), "{error}");
    }
    let above = with("<mergeCells><mergeCell ref=\"E1:F1\"/></mergeCells>");
    assert!(of(&above).delete("a").write(&above).is_ok());
    let array =
        book(&ROWS.replace(
            "<c r=\"C2\" s=\"1\"><v>",
            "<c r=\"C2\"><f t=\"array\" ref=\"C2:C4\">A1</f><v>",
        ));
    let error = refused(&array, |sheet| sheet.set("b", &[("n", "3")]));
    assert!(error.contains("C4 holds a formula"), "{error}");
}

#[test]
fn xml_that_declares_entities_is_not_read() {
    let mut all = parts(&book(ROWS));
    for part in ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml"] {
        let Some(before) = all.get(part).cloned() else { continue };
        let text = String::from_utf8(before.clone()).unwrap();
        let (head, body) =
            text.split_once("?>").map_or(("", text.as_str()), |(head, rest)| (head, rest));
        let head = if head.is_empty() { String::new() } else { format!("{head}?>") };
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>";
        all.insert(part.into(), format!("{head}{bomb}{body}").into_bytes());
        let source = FileSource { path: "a.xlsx".into(), ..FileSource::default() };
        let error =
            Sheet::read(&source, &zipped(&all), COLUMNS).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("document type"), "{part}: {error}");
        all.insert(part.into(), before);
    }
}

#[test]
fn another_sheet_that_refers_to_this_one_keeps_its_rows() {
    let mut made = Workbook::new();
    let data = made.add_worksheet().set_name("My data").unwrap();
    data.write_row_matrix(0, 0, [["id", "name"], ["a", "A"], ["b", "B"]]).unwrap();
    let plain = made.save_to_buffer().unwrap();
    assert!(of(&plain).delete("a").write(&plain).is_ok());
    made.add_worksheet().write_formula(0, 0, "=COUNTA('My data'!A2:A3)").unwrap();
    let bytes = made.save_to_buffer().unwrap();
    let error = refused(&bytes, |sheet| sheet.delete("a"));
    assert!(error.contains("sheet2.xml"), "{error}");
    assert!(of(&bytes).set("a", &[("name", "Z")]).write(&bytes).is_ok());
}

#[test]
fn what_is_no_workbook_or_no_table_is_refused_with_its_place() {
    let read = |bytes: &[u8], sheet: Option<&str>, header_row: Option<u32>| {
        let source = FileSource {
            path: "a.xlsx".into(),
            sheet: sheet.map(str::to_owned),
            header_row,
            ..FileSource::default()
        };
        Sheet::read(&source, bytes, &[]).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let good = rich();
    for (bytes, sheet, header_row, said) in [
        (good.clone(), Some("Stok"), None, "Did you mean \"Stock\"?"),
        (good.clone(), Some("Stock"), Some(2), "row 2 is blank"),
        (good.clone(), Some("Stock"), Some(0), "counted from 1"),
        (good.clone(), Some("Other"), Some(2), "merged cells (A2:D2)"),
        (good[..good.len() / 2].to_vec(), None, None, "no whole workbook"),
        (b"PK\x03\x04".to_vec(), None, None, "no whole workbook"),
        (b"a,b".to_vec(), None, None, "no whole workbook"),
        (zipped(&BTreeMap::from([("a.txt".into(), b"x".to_vec())])), None, None, "no workbook"),
        (
            book("<sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>99</v></c></row></sheetData>"),
            None,
            None,
            "A1",
        ),
        (book("<sheetData><row r=\"2\"/><row r=\"1\"/></sheetData>"), None, None, "row 2"),
        (
            book("<sheetData><row r=\"1\"><c r=\"A2\"/></row></sheetData>"),
            None,
            None,
            "out of order",
        ),
        (
            book(
                "<sheetData><row r=\"1\"><c t=\"str\" r=\"A1\"><v>x</v></c><c t=\"str\" r=\"C1\"><v>x</v></c></row></sheetData>",
            ),
            None,
            None,
            "\"x\" stands in column A and in column C",
        ),
        (book("<cols/>"), None, None, "no sheetData"),
        (book("<sheetData><row"), None, None, "damaged"),
    ] {
        let error = read(&bytes, sheet, header_row);
        assert!(error.contains(said), "{said}: {error}");
    }
}
