use std::collections::HashMap;

use jiff::civil::date;
use lockstep_a1::{Cells, Rect};
use proptest::prelude::*;

use super::evaluate::{Evaluator, Source};
use super::parse::{Expression, parse};
use super::value::Outcome;
use super::*;
use crate::book::{Axis, Remap, Shift};
use crate::grid::Scalar;
use crate::locale::Locale;
use crate::render::Renderer;

/// Is a source of plain cells on the sheets `Sheet1` and `My Data`.
#[derive(Default)]
struct Plain(HashMap<(i32, u32, u32), Scalar>);

impl Plain {
    /// Puts values from A1 on; numbers and TRUE are read, the rest is text.
    fn rows(sheet: i32, rows: &[&[&str]]) -> Self {
        let mut cells = HashMap::new();
        for (row, values) in (0..).zip(rows) {
            for (column, text) in (0..).zip(*values) {
                let value = match text.parse::<f64>() {
                    Ok(number) => Scalar::Number(number),
                    Err(_) if *text == "TRUE" => Scalar::Bool(true),
                    Err(_) => Scalar::text(*text),
                };
                cells.insert((sheet, row, column), value);
            }
        }
        Self(cells)
    }
}

impl Source for Plain {
    fn sheet(&mut self, title: &str) -> Option<i32> {
        ["Sheet1", "My Data"]
            .iter()
            .position(|known| *known == title)
            .and_then(|at| i32::try_from(at).ok())
    }
    fn named(&mut self, name: &str) -> Option<(i32, Cells)> {
        (name == "quantities").then(|| (0, lockstep_a1::parse_cells("B2:B4").unwrap()))
    }
    fn size(&mut self, _: i32) -> (u32, u32) {
        (100, 26)
    }
    fn value(&mut self, sheet: i32, row: u32, column: u32) -> Outcome<Scalar> {
        Ok(self.0.get(&(sheet, row, column)).cloned().unwrap_or_default())
    }
    fn each(
        &mut self,
        sheet: i32,
        rect: Rect,
        visit: &mut dyn FnMut(u32, u32, &Scalar) -> Outcome<()>,
    ) -> Outcome<()> {
        for row in rect.start_row..rect.end_row {
            for column in rect.start_column..rect.end_column {
                if let Some(value) =
                    self.0.get(&(sheet, row, column)).cloned().filter(|v| *v != Scalar::Empty)
                {
                    visit(row, column, &value)?;
                }
            }
        }
        Ok(())
    }
}

fn shop() -> Plain {
    let mut cells = Plain::rows(
        0,
        &[
            &["item", "qty", "price", "ok"],
            &["apple", "3", "1.5", "TRUE"],
            &["Banana", "5", "0.25", ""],
            &["cherry", "10", "20", "x"],
            &["", "", "", ""],
        ],
    );
    cells.0.extend(Plain::rows(1, &[&["7", "8"]]).0);
    cells
}

/// Computes a formula in Z50 and returns what it shows.
fn shows(formula: &str) -> String {
    let mut source = shop();
    let Some(tree) = parse(formula, '.') else { return "#ERROR!".to_owned() };
    let mut evaluator = Evaluator {
        source: &mut source,
        locale: Locale::of("en_US"),
        renderer: Renderer::new("en_US"),
        now: date(2026, 11, 22).at(18, 0, 0, 0),
        sheet: 0,
        row: 0,
        column: 0,
    };
    let value = evaluator.compute(&tree, (0, 49, 25)).unwrap();
    Renderer::new("en_US").text(value.view(), None)
}

fn table(rows: &[(&str, &str)]) {
    for (formula, expected) in rows {
        assert_eq!(shows(formula), *expected, "{formula}");
    }
}

#[test]
fn arithmetic_and_comparison() {
    table(&[
        ("=4/2", "2"),
        ("=3/2", "1.5"),
        ("= 1 / 1024", "0.0009765625"),
        ("=1+2*3", "7"),
        ("=(1+2)*3", "9"),
        ("=2^3^2", "64"),
        ("=-2^2", "4"),
        ("=10%", "0.1"),
        ("=50%*4", "2"),
        ("=--3", "3"),
        ("=1e3", "1000"),
        ("=\"a\"&1&TRUE", "a1TRUE"),
        ("=\"\"\"q\"\"\"", "\"q\""),
        ("=1=1", "TRUE"),
        ("=\"A\"=\"a\"", "TRUE"),
        ("=1<>2", "TRUE"),
        ("=2>=3", "FALSE"),
        ("=\"b\">\"a\"", "TRUE"),
        ("=1<\"a\"", "TRUE"),
        ("=E5=0", "TRUE"),
        ("=E5=\"\"", "TRUE"),
        ("=\"5\"+1", "6"),
        ("=\"$1.50\"*2", "3"),
        ("=TRUE+1", "2"),
        ("=1/3&\"\"", "0.333333333333333"),
        ("=0.1+0.2", "0.3"),
        ("=1,2", "#ERROR!"),
        ("=", "#ERROR!"),
        ("=1+", "#ERROR!"),
        ("=(1", "#ERROR!"),
    ]);
}

#[test]
fn errors_and_their_spread() {
    table(&[
        ("=1/0", "#DIV/0!"),
        ("=\"a\"+1", "#VALUE!"),
        ("=NOPE(1)", "#NAME?"),
        ("=nothing", "#NAME?"),
        ("=AB200", "#REF!"),
        ("=Other!A1", "#REF!"),
        ("=#REF!+1", "#REF!"),
        ("=SUM(1/0)", "#DIV/0!"),
        ("=IFERROR(1/0,\"none\")", "none"),
        ("=IFERROR(5,1)", "5"),
        ("=10^400", "#NUM!"),
        ("=IF(1)", "#N/A"),
        ("=ARRAYFORMULA(A1:A2)", "#NAME?"),
        ("=QUERY(A:B)", "#NAME?"),
    ]);
}

#[test]
fn references_and_names() {
    table(&[
        ("=B2", "3"),
        ("=$B$2+B3", "8"),
        ("=Sheet1!B4", "10"),
        ("='My Data'!A1+'My Data'!B1", "15"),
        ("=SUM(B2:B4)", "18"),
        ("=SUM(B:B)", "18"),
        ("=SUM(2:2)", "4.5"),
        ("=SUM(B2:B)", "18"),
        ("=SUM(quantities)", "18"),
        ("=SUM(B4:B2)", "18"),
        ("=sum(b2,b3,1)", "9"),
        ("=E5", ""),
        ("=SUM({1,2;3,4})", "10"),
    ]);
}

#[test]
fn every_function() {
    table(&[
        ("=SUM(A1:C4)", "39.75"),
        ("=SUM(\"2\",TRUE)", "3"),
        ("=SUM(\"x\")", "#VALUE!"),
        ("=AVERAGE(B2:B4)", "6"),
        ("=AVERAGE(A1:A4)", "#DIV/0!"),
        ("=MIN(B2:C4)", "0.25"),
        ("=MAX(B2:C4,99)", "99"),
        ("=MAX(A1:A4)", "0"),
        ("=COUNT(A1:D4)", "6"),
        ("=COUNTA(A1:D5)", "15"),
        ("=COUNT(\"5\",\"x\",1)", "2"),
        ("=IF(B2>2,\"many\",\"few\")", "many"),
        ("=IF(FALSE,1)", "FALSE"),
        ("=IF(TRUE,,1)", ""),
        ("=IFS(B2>5,\"a\",B2>2,\"b\")", "b"),
        ("=IFS(FALSE,1)", "#N/A"),
        ("=AND(TRUE,1)", "TRUE"),
        ("=AND(TRUE,0)", "FALSE"),
        ("=OR(FALSE,D2)", "TRUE"),
        ("=NOT(TRUE)", "FALSE"),
        ("=ROUND(2.5)", "3"),
        ("=ROUND(-2.5)", "-3"),
        ("=ROUND(1.005,2)", "1.01"),
        ("=ROUND(1234.5,-2)", "1200"),
        ("=ABS(-4)", "4"),
        ("=CONCATENATE(\"a\",1,A2)", "a1apple"),
        ("=CONCATENATE(A2:A3)", "appleBanana"),
        ("=TEXT(1234.5,\"#,##0.00\")", "1,234.50"),
        ("=TEXT(46270,\"yyyy-mm-dd\")", "2026-09-05"),
        ("=LEN(\"héllo\")", "5"),
        ("=LEFT(\"hello\")", "h"),
        ("=LEFT(\"hello\",2)", "he"),
        ("=RIGHT(\"hello\",3)", "llo"),
        ("=MID(\"hello\",2,3)", "ell"),
        ("=MID(\"hello\",0,3)", "#NUM!"),
        ("=LEFT(\"a\",-1)", "#VALUE!"),
        ("=TRIM(\"  a   b \")", "a b"),
        ("=UPPER(\"aé\")", "AÉ"),
        ("=LOWER(\"AÉ\")", "aé"),
        ("=VLOOKUP(\"banana\",A2:C4,3,FALSE)", "0.25"),
        ("=VLOOKUP(\"ch*\",A2:C4,2,FALSE)", "10"),
        ("=VLOOKUP(\"kiwi\",A2:C4,2,FALSE)", "#N/A"),
        ("=VLOOKUP(6,B2:C4,2)", "0.25"),
        ("=VLOOKUP(1,B2:C4,5)", "#REF!"),
        ("=XLOOKUP(\"cherry\",A2:A4,C2:C4)", "20"),
        ("=XLOOKUP(\"kiwi\",A2:A4,C2:C4,\"none\")", "none"),
        ("=XLOOKUP(6,B2:B4,A2:A4,,-1)", "Banana"),
        ("=XLOOKUP(6,B2:B4,A2:A4,,1)", "cherry"),
        ("=XLOOKUP(\"qty\",A1:D1,A3:D3)", "5"),
        ("=INDEX(A1:C4,3,2)", "5"),
        ("=INDEX(B2:B4,2)", "5"),
        ("=INDEX(A1:D1,3)", "price"),
        ("=SUM(INDEX(B2:C4,0,1))", "18"),
        ("=INDEX(A1:B2,9,1)", "#REF!"),
        ("=MATCH(\"cherry\",A1:A4,0)", "4"),
        ("=MATCH(6,B2:B4)", "2"),
        ("=MATCH(\"price\",A1:D1,0)", "3"),
        ("=MATCH(99,B2:B4,0)", "#N/A"),
        ("=SUMIF(B2:B4,\">4\")", "15"),
        ("=SUMIF(A2:A4,\"b*\",C2:C4)", "0.25"),
        ("=SUMIF(A2:A4,\"<>apple\",B2:B4)", "15"),
        ("=COUNTIF(A1:A4,\"APPLE\")", "1"),
        ("=COUNTIF(B2:B4,\">=5\")", "2"),
        ("=COUNTIF(A1:A10,\"\")", "6"),
        ("=COUNTIF(B2:B4,5)", "1"),
        ("=TODAY()", "46348"),
        ("=NOW()", "46348.75"),
        ("=DATE(2026,9,5)", "46270"),
        ("=DATE(2026,13,1)", "46388"),
        ("=DATE(2024,1,0)", "45291"),
        ("=TEXT(TODAY(),\"mmm d\")", "Nov 22"),
        ("=TRUE()", "TRUE"),
    ]);
}

#[test]
fn ranges_meet_their_own_row() {
    let mut source = shop();
    let tree = parse("=B1:B4*2", '.').unwrap();
    let mut evaluator = Evaluator {
        source: &mut source,
        locale: Locale::of("en_US"),
        renderer: Renderer::new("en_US"),
        now: date(2026, 11, 22).at(0, 0, 0, 0),
        sheet: 0,
        row: 0,
        column: 0,
    };
    assert_eq!(evaluator.compute(&tree, (0, 2, 9)).unwrap(), Scalar::Number(10.0));
    assert!(matches!(evaluator.compute(&tree, (0, 20, 9)).unwrap(), Scalar::Error(_)));
}

#[test]
fn locales_with_a_decimal_comma() {
    assert!(parse("=SUMME(1,5;2)", ',').is_some());
    assert_eq!(parse("=1,5", ','), Some(Expression::Number(1.5)));
}

proptest! {
    #[test]
    fn any_text_is_taken(text in "=[A-C1-3$!'\"(){},;:.+*/^&=<>% -]{0,24}|=\\PC{0,24}") {
        let _ = shows(&text);
        let _ = follow(&text, true, "Sheet1", Shift::whole(Axis::Rows, Remap::Insert { at: 1, count: 1 }));
        let _ = translate(&text, 1, 1);
    }

    #[test]
    fn inserting_and_deleting_again_changes_nothing(row in 1_u32..60, at in 0_u32..60, count in 1_u32..5) {
        let formula = format!("=SUM(B{row}:C{}) + $D{row}", row + 7);
        let there = follow(&formula, true, "S", Shift::whole(Axis::Rows, Remap::Insert { at, count })).unwrap_or_else(|| formula.clone());
        let back = follow(&there, true, "S", Shift::whole(Axis::Rows, Remap::Delete { start: at, end: at + count })).unwrap_or(there);
        prop_assert_eq!(back, formula);
    }

    #[test]
    fn numbers_add_up(a in -1e6_f64..1e6, b in -1e6_f64..1e6) {
        let tree = parse(&format!("={a}+({b})"), '.').unwrap();
        let mut source = Plain::default();
        let mut evaluator = Evaluator {
            source: &mut source, locale: Locale::of("en_US"), renderer: Renderer::new("en_US"),
            now: date(2026, 1, 1).at(0, 0, 0, 0), sheet: 0, row: 0, column: 0,
        };
        prop_assert_eq!(evaluator.compute(&tree, (0, 0, 0)).unwrap(), Scalar::Number(a + b));
    }
}
