use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Number {
    text.parse().unwrap_or_else(|_| panic!("{text} does not parse"))
}

fn hash(number: &Number) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn canonical_forms() {
    for (text, canonical) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("+7", "7"),
        ("007", "7"),
        ("10.50", "10.5"),
        ("1e3", "1000"),
        ("1.5E+2", "150"),
        ("25e-2", "0.25"),
        (".5", "0.5"),
        ("5.", "5"),
        (" 12 ", "12"),
        ("0e999999999", "0"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
        ("79228162514264337593543950336", "79228162514264337593543950336"),
        ("-79228162514264337593543950336.10", "-79228162514264337593543950336.1"),
        ("0.00000000000000000000000000001", "0.00000000000000000000000000001"),
        ("-1e40", "-10000000000000000000000000000000000000000"),
        (
            "123456789012345678901234567890.12345678901234567890",
            "123456789012345678901234567890.1234567890123456789",
        ),
        ("1.25e5000", "1.25e5000"),
        ("-3e-5000", "-3e-5000"),
    ] {
        let parsed = number(text);
        assert_eq!(parsed.to_string(), canonical, "of {text}");
        assert_eq!(number(canonical), parsed, "read back {canonical}");
    }
}

#[test]
fn refuses_what_is_not_a_number() {
    for text in [
        "",
        " ",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "1e+-5",
        "1 000",
        "1,000",
        "0x10",
        "NaN",
        "inf",
        "1.2.3",
        "--1",
        "１２",
        "1e99999999999",
    ] {
        assert!(text.parse::<Number>().is_err(), "{text:?} parsed");
    }
}

#[test]
fn order_is_arithmetic() {
    let ascending = [
        "-1e5000",
        "-1e40",
        "-79228162514264337593543950335",
        "-2",
        "-1e-40",
        "0",
        "1e-5000",
        "1e-40",
        "0.9",
        "1",
        "1.5",
        "2",
        "10",
        "79228162514264337593543950335",
        "79228162514264337593543950335.5",
        "79228162514264337593543950336",
        "1e40",
        "1.1e40",
        "1e5000",
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} against {b}");
        }
    }
}

#[test]
fn floats_by_their_shortest_form() {
    assert_eq!(Number::try_from(0.1).unwrap(), number("0.1"));
    assert_eq!(Number::try_from(-0.0).unwrap(), Number::ZERO);
    assert_eq!(Number::try_from(1e300).unwrap(), number("1e300"));
    assert!(Number::try_from(f64::NAN).is_err());
    assert!(Number::try_from(f64::INFINITY).is_err());
    for (text, fits) in [
        ("0.1", true),
        ("9007199254740992", true),
        ("9007199254740993", false),
        ("1152921504606846976", false),
        ("0.12345678901234567890", false),
        ("1e308", true),
        ("1e309", false),
        ("1e-400", false),
        ("-12.5", true),
    ] {
        assert_eq!(number(text).to_f64_exact().is_some(), fits, "{text}");
    }
}

proptest! {
    #[test]
    fn text_of_any_form_reads_back_equal(negative: bool, whole in "[0-9]{1,40}", fraction in "[0-9]{0,40}", exponent in -60i32..60) {
        let sign = if negative { "-" } else { "" };
        let parsed = number(&format!("{sign}{whole}.{fraction}e{exponent}"));
        prop_assert_eq!(number(&parsed.to_string()), parsed.clone());
        let zeros = number(&format!("{sign}000{whole}.{fraction}000e{exponent}"));
        prop_assert_eq!(&zeros, &parsed);
        prop_assert_eq!(hash(&zeros), hash(&parsed));
        prop_assert_eq!(zeros.to_string(), parsed.to_string());
    }

    #[test]
    fn order_agrees_with_integers(a: i64, b: i64) {
        prop_assert_eq!(Number::from(a).cmp(&Number::from(b)), a.cmp(&b));
        prop_assert_eq!(Number::from(a), number(&a.to_string()));
    }

    #[test]
    fn shifting_both_keeps_the_order(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, shift in -80i32..80) {
        prop_assert_eq!(number(&format!("{a}e{shift}")).cmp(&number(&format!("{b}e{shift}"))), a.cmp(&b));
    }

    #[test]
    fn every_finite_float_survives(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
        prop_assert_eq!(Number::try_from(value).unwrap().to_f64_exact(), Some(value + 0.0));
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Number>();
    }
}
