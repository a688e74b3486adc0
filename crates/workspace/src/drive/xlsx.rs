//! XLSX: values, formulas with their results, number formats, tab names, frozen rows and columns,
//! hidden tabs and merged cells. Fonts, colours, charts and rules are left out.

use std::collections::HashMap;
use std::fmt::Write as _;

use lockstep_a1::{Rect, column_letters};
use serde_json::Value;

use super::zip::Zip;
use crate::book::{Book, Sheet};
use crate::grid::{CellView, ScalarView};
use crate::http::ApiError;
use crate::store::Session;

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// Returns a book as an XLSX file.
pub(super) fn workbook(session: &mut Session<'_>, book: &Book) -> Result<Vec<u8>, ApiError> {
    let sheets: Vec<&Sheet> =
        book.sheets.iter().map(|sheet| &**sheet).filter(|sheet| sheet.is_grid()).collect();
    let mut styles = Styles::default();
    let mut parts = Vec::new();
    for sheet in &sheets {
        parts.push(worksheet(session, book, sheet, &mut styles)?);
    }
    let mut zip = Zip::default();
    let numbers = 1..=parts.len();
    let mut types = format!(
        "{HEAD}<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" ContentType=\"application/xml\"/>"
    );
    let spreadsheetml = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let mut kind = |part: &str, kind: &str| {
        let _ = write!(
            types,
            "<Override PartName=\"{part}\" ContentType=\"{spreadsheetml}.{kind}+xml\"/>"
        );
    };
    kind("/xl/workbook.xml", "sheet.main");
    kind("/xl/styles.xml", "styles");
    for number in numbers.clone() {
        kind(&format!("/xl/worksheets/sheet{number}.xml"), "worksheet");
    }
    types.push_str("</Types>");
    zip.add("[Content_Types].xml", types.as_bytes());
    let root = format!(
        "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
    );
    zip.add("_rels/.rels", root.as_bytes());
    let mut relations = format!("{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\">");
    let mut tabs = String::new();
    for (number, sheet) in numbers.zip(&sheets) {
        let _ = write!(
            relations,
            "<Relationship Id=\"rId{number}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
        );
        let state = if sheet.is_hidden() { " state=\"hidden\"" } else { "" };
        let name = escape(&tab_name(sheet.title(), number));
        let _ = write!(
            tabs,
            "<sheet name=\"{name}\" sheetId=\"{number}\"{state} r:id=\"rId{number}\"/>"
        );
    }
    let _ = write!(
        relations,
        "<Relationship Id=\"rIdStyles\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/></Relationships>"
    );
    let workbook = format!(
        "{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>{tabs}</sheets></workbook>"
    );
    zip.add("xl/workbook.xml", workbook.as_bytes());
    zip.add("xl/_rels/workbook.xml.rels", relations.as_bytes());
    zip.add("xl/styles.xml", styles.xml().as_bytes());
    for (number, part) in (1..).zip(&parts) {
        zip.add(&format!("xl/worksheets/sheet{number}.xml"), part.as_bytes());
    }
    Ok(zip.finish())
}

/// Returns a title that Excel takes: at most 31 characters, none of `[]:*?/\`. A shortened title
/// ends in its number, so that no two are the same.
fn tab_name(title: &str, number: usize) -> String {
    let clean: String =
        title.chars().map(|c| if "[]:*?/\\".contains(c) { '_' } else { c }).collect();
    if clean == title && clean.chars().count() <= 31 {
        return clean;
    }
    let suffix = format!("~{number}");
    let kept: String = clean.chars().take(31 - suffix.len()).collect();
    kept + &suffix
}

fn worksheet(
    session: &mut Session<'_>,
    book: &Book,
    sheet: &Sheet,
    styles: &mut Styles,
) -> Result<String, ApiError> {
    let mut out = format!("{HEAD}<worksheet xmlns=\"{MAIN}\">");
    out.push_str(&panes(sheet));
    out.push_str("<sheetData>");
    let window = sheet.grid.window(session, 0, sheet.grid.rows())?;
    window.each(&mut |row, line| {
        let mut cells = String::new();
        line.each(&mut |column, cell| {
            let style = styles.of(book
                .head
                .formats
                .number_format(cell.format)
                .map_or("", |(_, pattern)| pattern));
            write_cell(&mut cells, &format!("{}{}", column_letters(column), row + 1), cell, style);
        })?;
        if !cells.is_empty() {
            let _ = write!(out, "<row r=\"{}\">{cells}</row>", row + 1);
        }
        Ok(())
    })?;
    out.push_str("</sheetData>");
    let merges: Vec<String> = sheet.list("merges").iter().filter_map(merge).collect();
    if !merges.is_empty() {
        let _ =
            write!(out, "<mergeCells count=\"{}\">{}</mergeCells>", merges.len(), merges.concat());
    }
    out.push_str("</worksheet>");
    Ok(out)
}

fn panes(sheet: &Sheet) -> String {
    let frozen = |name: &str| {
        let grid = sheet.properties.get("gridProperties");
        grid.and_then(|grid| grid.get(name))
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0)
    };
    let (rows, columns) = (frozen("frozenRowCount"), frozen("frozenColumnCount"));
    if rows == 0 && columns == 0 {
        return String::new();
    }
    let pane = match (rows > 0, columns > 0) {
        (true, true) => "bottomRight",
        (true, false) => "bottomLeft",
        _ => "topRight",
    };
    let corner = format!("{}{}", column_letters(columns), rows + 1);
    format!(
        "<sheetViews><sheetView workbookViewId=\"0\"><pane xSplit=\"{columns}\" ySplit=\"{rows}\" topLeftCell=\"{corner}\" activePane=\"{pane}\" state=\"frozen\"/></sheetView></sheetViews>"
    )
}

fn merge(range: &Value) -> Option<String> {
    let edge =
        |name: &str| range.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let rect = Rect {
        start_row: edge("startRowIndex").unwrap_or(0),
        end_row: edge("endRowIndex")?,
        start_column: edge("startColumnIndex").unwrap_or(0),
        end_column: edge("endColumnIndex")?,
    };
    Some(format!("<mergeCell ref=\"{rect}\"/>"))
}

fn write_cell(out: &mut String, place: &str, cell: CellView<'_>, style: usize) {
    let formula = cell.formula.map_or(String::new(), |formula| {
        format!("<f>{}</f>", escape(formula.strip_prefix('=').unwrap_or(formula)))
    });
    let style = if style == 0 { String::new() } else { format!(" s=\"{style}\"") };
    let (kind, value) = match cell.value {
        ScalarView::Empty if formula.is_empty() && style.is_empty() => return,
        ScalarView::Empty => ("", String::new()),
        ScalarView::Number(number) => ("", format!("<v>{number}</v>")),
        ScalarView::Bool(flag) => (" t=\"b\"", format!("<v>{}</v>", u8::from(flag))),
        ScalarView::Error { shown, .. } => (" t=\"e\"", format!("<v>{}</v>", escape(shown))),
        ScalarView::Text(text) if formula.is_empty() => {
            (" t=\"inlineStr\"", format!("<is><t xml:space=\"preserve\">{}</t></is>", escape(text)))
        }
        ScalarView::Text(text) => (" t=\"str\"", format!("<v>{}</v>", escape(text))),
    };
    let _ = write!(out, "<c r=\"{place}\"{style}{kind}>{formula}{value}</c>");
}

/// Are the number formats in use; 0 is none.
#[derive(Default)]
struct Styles {
    numbers: HashMap<String, usize>,
    patterns: Vec<String>,
}

impl Styles {
    fn of(&mut self, pattern: &str) -> usize {
        if pattern.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(pattern) {
            return *number;
        }
        self.patterns.push(pattern.to_owned());
        self.numbers.insert(pattern.to_owned(), self.patterns.len());
        self.patterns.len()
    }

    fn xml(&self) -> String {
        let mut formats = String::new();
        let mut styles =
            String::from("<xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/>");
        // Numbers below 164 are Excel's own.
        for (number, pattern) in (164..).zip(&self.patterns) {
            let code = escape(&pattern.replace("am/pm", "AM/PM"));
            let _ = write!(formats, "<numFmt numFmtId=\"{number}\" formatCode=\"{code}\"/>");
            let _ = write!(
                styles,
                "<xf numFmtId=\"{number}\" fontId=\"0\" fillId=\"0\" borderId=\"0\" applyNumberFormat=\"1\"/>"
            );
        }
        let count = self.patterns.len();
        let formats = if count == 0 {
            String::new()
        } else {
            format!("<numFmts count=\"{count}\">{formats}</numFmts>")
        };
        format!(
            "{HEAD}<styleSheet xmlns=\"{MAIN}\">{formats}<fonts count=\"1\"><font><sz val=\"10\"/><name val=\"Arial\"/></font></fonts><fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill><fill><patternFill patternType=\"gray125\"/></fill></fills><borders count=\"1\"><border/></borders><cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs><cellXfs count=\"{}\">{styles}</cellXfs><cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>",
            count + 1
        )
    }
}

/// Escapes text for XML; characters that XML 1.0 cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tab_names_fit_excel() {
        assert_eq!(tab_name("Data", 1), "Data");
        assert_eq!(tab_name("a/b", 2), "a_b~2");
        let long = tab_name(&"x".repeat(40), 12);
        assert_eq!(long.chars().count(), 31);
        assert!(long.ends_with("~12"));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a & \"b\">\u{1}\r\n"), "&lt;a &amp; &quot;b&quot;&gt;\u{fffd}&#13;\n");
    }
}
