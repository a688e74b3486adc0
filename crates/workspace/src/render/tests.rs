use proptest::prelude::*;

use super::*;
use crate::grid::{CellError, Scalar};

fn shown(number: f64, pattern: &str) -> String {
    Renderer::new("en_US").pattern(number, pattern)
}

#[test]
fn automatic_numbers() {
    for (number, text) in [
        (0.0, "0"),
        (-0.0, "0"),
        (53.0, "53"),
        (1.5, "1.5"),
        (-2.25, "-2.25"),
        (0.12, "0.12"),
        (1.0 / 1024.0, "0.0009765625"),
        (1.0 / 3.0, "0.3333333333"),
        (2.0 / 3.0, "0.6666666667"),
        (100.0 / 3.0, "33.33333333"),
        (std::f64::consts::PI, "3.141592654"),
        (0.1 + 0.2, "0.3"),
        (123_456_789_012.0, "123456789012"),
        (123_456_789_012_345.0, "123456789012345"),
        (12_345_678_901_234_567.0, "1.23457E+16"),
        (-1e300, "-1E+300"),
        (2_000_000.01, "2000000.01"),
    ] {
        assert_eq!(general(number, '.'), text);
    }
    assert_eq!(general(1.5, ','), "1,5");
}

#[test]
fn recorded_patterns() {
    // google-wire 2.4: values and patterns probed on the live service.
    for (number, pattern, text) in [
        (46_024.0, "m-d", "1-2"),
        (46_270.0, "yyyy-mm-dd", "2026-09-05"),
        (46_292.437_673_611_11, "yyyy-mm-dd h:mm:ss", "2026-09-27 10:30:15"),
        (46_292.0, "m/d/yyyy", "9/27/2026"),
        (100.15, "\"$\"#,##0.00", "$100.15"),
        (1234.5, "\"$\"#,##0.00", "$1,234.50"),
        (-1234.5, "\"$\"#,##0.00", "-$1,234.50"),
        (0.5, "0%", "50%"),
        (2_000_000.01, "#,##0.00", "2,000,000.01"),
        (43_831.0, "yyyy-mm-dd", "2020-01-01"),
    ] {
        assert_eq!(shown(number, pattern), text, "{pattern}");
    }
}

#[test]
fn dates_times_and_durations() {
    for (number, pattern, text) in [
        (45_306.0, "dddd, mmmm d, yyyy", "Monday, January 15, 2024"),
        (45_306.0, "ddd d mmm yy", "Mon 15 Jan 24"),
        (0.5625, "h:mm am/pm", "1:30 PM"),
        (0.0, "h:mm am/pm", "12:00 AM"),
        (0.5625, "hh:mm:ss", "13:30:00"),
        (0.437_678_240_740_740_7, "h:mm:ss.000", "10:30:15.400"),
        (25.0 / 24.0, "[h]:mm:ss", "25:00:00"),
        (-0.5, "[h]:mm", "-12:00"),
        (46_292.999_999_988_43, "yyyy-mm-dd h:mm:ss", "2026-09-28 0:00:00"),
        (1.0, "yyyy-mm-dd", "1899-12-31"),
        (60.0, "yyyy-mm-dd", "1900-02-28"),
        (61.0, "yyyy-mm-dd", "1900-03-01"),
        (-18_260.0, "yyyy-mm-dd", "1850-01-01"),
    ] {
        assert_eq!(shown(number, pattern), text, "{pattern}");
    }
}

#[test]
fn numbers_by_pattern() {
    for (number, pattern, text) in [
        (3.0, "0.00", "3.00"),
        (1234.567, "#,##0.00", "1,234.57"),
        (0.125, "0.00%", "12.50%"),
        (100_000.0, "0.00E+00", "1.00E+05"),
        (7.0, "0000", "0007"),
        (-5.0, "0.0;(0.0)", "(5.0)"),
        (0.0, "0;-0;\"none\"", "none"),
        (5.0, "@", "5"),
        (5.25, "General", "5.25"),
        (5.0, "0 \"items\"", "5 items"),
        (1.5, "# ?/?", "1 1/2"),
        (12.0, "[$€]#,##0.00", "€12.00"),
    ] {
        assert_eq!(shown(number, pattern), text, "{pattern}");
    }
}

#[test]
fn kinds_without_a_pattern_use_the_locale() {
    let format = |kind| NumberFormat::new(kind, "");
    let mut us = Renderer::new("en_US");
    let number = ScalarView::Number(45_306.75);
    assert_eq!(us.text(number, Some(&format(FormatKind::Date))), "1/15/2024");
    assert_eq!(us.text(number, Some(&format(FormatKind::Time))), "6:00:00 PM");
    assert_eq!(us.text(number, Some(&format(FormatKind::DateTime))), "1/15/2024 18:00:00");
    assert_eq!(us.text(number, Some(&format(FormatKind::Currency))), "$45,306.75");
    let mut german = Renderer::new("de_DE");
    assert_eq!(german.text(number, Some(&format(FormatKind::Date))), "15.01.2024");
    assert_eq!(german.text(number, Some(&format(FormatKind::Currency))), "45.306,75 €");
    assert_eq!(german.pattern(45_306.0, "d. mmmm yyyy"), "15. Januar 2024");
    assert_eq!(german.text(number, None), "45306,75");
    assert_eq!(Renderer::new("en_GB").text(number, Some(&format(FormatKind::Date))), "15/01/2024");
    assert_eq!(Renderer::new("fr_FR").pattern(45_306.0, "d mmmm yyyy"), "15 janvier 2024");
}

#[test]
fn other_values() {
    let mut renderer = Renderer::new("en_US");
    let error = Scalar::Error(Box::new(CellError { shown: "#DIV/0!".into(), message: "".into() }));
    assert_eq!(renderer.text(ScalarView::Empty, None), "");
    assert_eq!(renderer.text(ScalarView::Bool(true), None), "TRUE");
    assert_eq!(renderer.text(error.view(), None), "#DIV/0!");
    let text = ScalarView::Text("x");
    assert_eq!(renderer.text(text, None), "x");
    let format = NumberFormat::new(FormatKind::Text, "\"<\"@\">\"");
    assert_eq!(renderer.text(text, Some(&format)), "<x>");
}

proptest! {
    #[test]
    fn any_pattern_and_number_give_text(number in proptest::num::f64::ANY, pattern in "[0#?,.%E+\\-ymdhsAP/:;\"@*_\\[\\]$€\\\\ a]{0,16}") {
        let _ = shown(number, &pattern);
    }

    #[test]
    fn iso_dates_read_back(days in -100_000_i32..2_000_000) {
        let text = shown(f64::from(days), "yyyy-mm-dd");
        let date: jiff::civil::Date = text.parse().unwrap();
        prop_assert_eq!(crate::serial::from_date(date), f64::from(days));
    }
}
