use proptest::prelude::*;

use super::*;
use crate::number_format::FormatKind::{
    self, Currency, Date as Day, DateTime, Number, Percent, Scientific, Time,
};
use crate::render::Renderer;

fn today() -> Date {
    Date::constant(2026, 11, 22)
}

fn entered(text: &str, locale: &str) -> Entered {
    parse(text, Locale::of(locale), today())
}

/// What is typed, the number it is, and the format it brings.
type Case<'a> = (&'a str, f64, Option<(FormatKind, &'a str)>);

fn numbers(locale: &str, table: &[Case<'_>]) {
    for (text, number, format) in table {
        let format = format.map(|(kind, pattern)| NumberFormat::new(kind, pattern));
        let expected = Entered { input: Input::Value(Scalar::Number(*number)), format };
        assert_eq!(entered(text, locale), expected, "{text:?} in {locale}");
    }
}

#[test]
fn recorded_table() {
    numbers(
        "en_US",
        &[
            ("1-2", 46_024.0, Some((Day, "m-d"))),
            ("2026-09-05", 46_270.0, Some((Day, "yyyy-mm-dd"))),
            ("2026-09-27 10:30:15", 46_292.437_673_611_11, Some((DateTime, "yyyy-mm-dd h:mm:ss"))),
            ("9/27/2026", 46_292.0, Some((Day, "m/d/yyyy"))),
            ("$100.15", 100.15, Some((Currency, "\"$\"#,##0.00"))),
            ("$1,234.50", 1234.5, Some((Currency, "\"$\"#,##0.00"))),
            ("50%", 0.5, Some((Percent, "0%"))),
            ("2,000,000.01", 2_000_000.01, Some((Number, "#,##0.00"))),
            ("3.00", 3.0, None),
            ("007", 7.0, None),
            ("0042", 42.0, None),
        ],
    );
    let input = |text: &str| entered(text, "en_US").input;
    assert_eq!(input("TRUE"), Input::Value(Scalar::Bool(true)));
    assert_eq!(input("'0123"), Input::Value(Scalar::text("0123")));
    assert_eq!(input("=1+2"), Input::Formula("=1+2".to_owned()));
    assert_eq!(input(""), Input::Value(Scalar::Empty));
}

#[test]
fn more_numbers() {
    numbers(
        "en_US",
        &[
            ("-5", -5.0, None),
            ("+5", 5.0, None),
            (" 5 ", 5.0, None),
            (".5", 0.5, None),
            ("5.", 5.0, None),
            ("(5)", -5.0, None),
            ("-$5", -5.0, Some((Currency, "\"$\"#,##0"))),
            ("$-5", -5.0, Some((Currency, "\"$\"#,##0"))),
            ("€5", 5.0, Some((Currency, "[$€]#,##0"))),
            ("12.5%", 0.125, Some((Percent, "0.00%"))),
            ("1,234", 1234.0, Some((Number, "#,##0"))),
            ("1e5", 100_000.0, Some((Scientific, "0.00E+00"))),
            ("1.5E-3", 0.0015, Some((Scientific, "0.00E+00"))),
        ],
    );
}

#[test]
fn more_dates_and_times() {
    numbers(
        "en_US",
        &[
            ("9/27/26", 46_292.0, Some((Day, "m/d/yy"))),
            ("09/27/2026", 46_292.0, Some((Day, "mm/dd/yyyy"))),
            ("2026/9/27", 46_292.0, Some((Day, "yyyy/m/d"))),
            ("Sep 27, 2026", 46_292.0, Some((Day, "mmm d, yyyy"))),
            ("27 September 2026", 46_292.0, Some((Day, "d mmmm yyyy"))),
            ("27-Sep-26", 46_292.0, Some((Day, "d-mmm-yy"))),
            ("Jan 2", 46_024.0, Some((Day, "mmm d"))),
            ("1850-01-01", -18_260.0, Some((Day, "yyyy-mm-dd"))),
            ("12:00", 0.5, Some((Time, "h:mm"))),
            ("6:00:00 PM", 0.75, Some((Time, "h:mm:ss am/pm"))),
            ("12 am", 0.0, Some((Time, "h am/pm"))),
            ("36:00:00", 1.5, Some((Time, "[h]:mm:ss"))),
            ("9/27/2026 12:00 PM", 46_292.5, Some((DateTime, "m/d/yyyy h:mm am/pm"))),
        ],
    );
}

#[test]
fn other_locales() {
    numbers(
        "de_DE",
        &[
            ("1.234,50", 1234.5, Some((Number, "#,##0.00"))),
            ("3,5", 3.5, None),
            ("27.9.2026", 46_292.0, Some((Day, "d.m.yyyy"))),
            ("27.09.2026", 46_292.0, Some((Day, "dd.mm.yyyy"))),
            ("2.1.", 46_024.0, Some((Day, "d.m"))),
            ("2026-09-27", 46_292.0, Some((Day, "yyyy-mm-dd"))),
            ("27. September 2026", 46_292.0, Some((Day, "d. mmmm yyyy"))),
            ("5,00 €", 5.0, Some((Currency, "#,##0.00 \"€\""))),
        ],
    );
    numbers(
        "fr_FR",
        &[
            ("1 234,5", 1234.5, Some((Number, "#,##0.00"))),
            ("27/09/2026", 46_292.0, Some((Day, "dd/mm/yyyy"))),
            ("27 septembre 2026", 46_292.0, Some((Day, "d mmmm yyyy"))),
        ],
    );
    numbers(
        "en_GB",
        &[
            ("27/9/2026", 46_292.0, Some((Day, "d/m/yyyy"))),
            ("£5", 5.0, Some((Currency, "\"£\"#,##0"))),
        ],
    );
    assert_eq!(entered("wahr", "de_DE").input, Input::Value(Scalar::Bool(true)));
    assert_eq!(entered("VRAI", "fr_FR").input, Input::Value(Scalar::Bool(true)));
}

#[test]
fn texts_stay_texts() {
    for text in [
        "hello",
        "=",
        "'",
        "-",
        "+",
        "$",
        "%",
        "1,23",
        "1,2345",
        "12a",
        "N707MB",
        "2/30/2026",
        "13/13/2026",
        "1-2-3-4",
        "2026-09-27T10:30:15",
        "12:60",
        "25:00 PM",
        "1 2",
        "Jan",
        "Janu 5",
        "1.2.3",
        "5 items",
        "0x10",
        "1e",
        "1e400",
        "NaN",
        "inf",
        "true story",
        "２",
        "1/2/3/4",
        "#N/A",
    ] {
        let expected = text.strip_prefix('\'').unwrap_or(text);
        assert_eq!(entered(text, "en_US").input, Input::Value(Scalar::text(expected)), "{text}");
    }
    assert_eq!(entered("+A1", "en_US").input, Input::Formula("=+A1".to_owned()));
}

#[test]
fn links() {
    for (text, target) in [
        ("https://a.example/x?y#z", Some("https://a.example/x?y#z")),
        ("HTTP://a.example", Some("HTTP://a.example")),
        ("example.com", Some("http://example.com")),
        ("www.example.co.uk/path", Some("http://www.example.co.uk/path")),
        ("mailto:a@b.example", Some("mailto:a@b.example")),
        ("see example.com", None),
        ("1.5", None),
        ("readme.md", None),
        ("https://", None),
        ("-bad.com", None),
        ("", None),
    ] {
        assert_eq!(link(text).as_deref(), target, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_taken(text in "\\PC{0,40}", locale in prop_oneof!["en_US", "de_DE", "fr_FR"]) {
        let _ = entered(&text, &locale);
    }

    #[test]
    fn shown_dates_enter_as_the_same_date(days in -100_000_i32..200_000) {
        for pattern in ["yyyy-mm-dd", "m/d/yyyy", "mmmm d, yyyy", "d-mmm-yyyy"] {
            let shown = Renderer::new("en_US").pattern(f64::from(days), pattern);
            let again = entered(&shown, "en_US");
            prop_assert_eq!(again.input, Input::Value(Scalar::Number(f64::from(days))), "{}", shown);
        }
    }

    #[test]
    fn shown_numbers_enter_as_the_same_number(thousandths in -900_000_000_i64..900_000_000) {
        let number = thousandths as f64 / 1000.0;
        for (tag, pattern) in [("en_US", "#,##0.000"), ("de_DE", "#,##0.000"), ("fr_FR", "#,##0.000"), ("en_US", "0.000")] {
            let shown = Renderer::new(tag).pattern(number, pattern);
            prop_assert_eq!(entered(&shown, tag).input, Input::Value(Scalar::Number(number)), "{}", shown);
        }
    }
}
