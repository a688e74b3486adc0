//! Normal forms of text.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Returns the text in Unicode NFC.
pub(crate) fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Returns the text without trailing spaces, tabs and no-break spaces; line ends are content and stay.
pub(crate) fn trim_trailing(text: &str) -> &str {
    text.trim_end_matches([' ', '\t', '\u{a0}'])
}

/// Returns the text with letter case folded away, in NFC.
pub(crate) fn fold_case(text: &str) -> String {
    // Through upper case: it maps letters such as ß and ſ to the form that lower-casing alone keeps apart. Lower case
    // first, because ẞ has no larger upper case of its own.
    text.to_lowercase().to_uppercase().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        assert_eq!(normalise("e\u{301}"), "é");
        assert!(matches!(normalise("plain"), Cow::Borrowed(_)));
        assert_eq!(trim_trailing("a \u{a0}\t "), "a");
        assert_eq!(trim_trailing(" a\n"), " a\n");
        for (a, b) in [("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("İ", "İ"), ("E\u{301}", "é")]
        {
            assert_eq!(fold_case(a), fold_case(b));
        }
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for c in (0..=0x10FFFFu32).filter_map(char::from_u32) {
            let once = fold_case(&c.to_string());
            assert_eq!(fold_case(&once), once, "{c:?}");
        }
    }
}
