//! The shared strings of a workbook, and how texts stand in its XML.

use super::{
    book::Book,
    package::Package,
    xml::{Node, Walk, escaped, rich},
};
use crate::error::Result;

/// The texts that cells refer to by number.
#[derive(Debug, Default)]
pub(super) struct Strings(Vec<Box<str>>);

impl Strings {
    /// Reads the shared strings; a workbook may have none.
    ///
    /// # Errors
    /// A damaged part.
    pub(super) fn read(package: &mut Package<'_>, book: &Book) -> Result<Self> {
        let Some(part) = book.strings.as_deref().filter(|part| package.has(part)) else {
            return Ok(Self::default());
        };
        let text = package.text(part)?;
        let (mut walk, mut strings, mut open, mut depth) =
            (Walk::new(&text), Vec::new(), None, 0_usize);
        while let Some((node, place)) = walk.next()? {
            match node {
                Node::Open { tag, empty } => {
                    if depth == 1 && tag.local_name().as_ref() == "si" {
                        match empty {
                            true => strings.push(Box::default()),
                            false => open = Some(place.end),
                        }
                    }
                    depth += usize::from(!empty);
                }
                Node::Close => {
                    depth = depth.saturating_sub(1);
                    if let Some(start) = open.take_if(|_| depth == 1) {
                        let raw = text.get(start..place.start).unwrap_or_default();
                        strings.push(decode(&rich(raw)?).into());
                    }
                }
                Node::Other => {}
            }
        }
        Ok(Self(strings))
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(AsRef::as_ref)
    }
}

/// Resolves `_xHHHH_`, by which texts hold characters that XML does not (ECMA-376 part 1, 22.9.2.19).
pub(super) fn decode(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("_x") {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        // The codes are UTF-16: a character beyond the first 65,536 is two of them.
        let first = unit(found);
        let second = first.and_then(|_| unit(found.get(7..)?));
        let units: Vec<u16> = first.into_iter().chain(second).collect();
        let (c, length) = match (char::decode_utf16(units).next(), first) {
            (Some(Ok(c)), Some(_)) => (Some(c), 7 * c.len_utf16()),
            _ => (None, 2),
        };
        match c {
            Some(c) => out.push(c),
            None => out.push_str("_x"),
        }
        rest = found.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Returns the code that a text begins with.
fn unit(text: &str) -> Option<u16> {
    let hex = text.strip_prefix("_x")?.get(..4).filter(|_| text.get(6..7) == Some("_"))?;
    u16::from_str_radix(hex, 16).ok().filter(|_| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns a text as it stands in a cell's XML; [`decode`] gives it back.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let follows = rest.as_str();
        let code = c == '_'
            && follows.starts_with('x')
            && follows.get(5..6) == Some("_")
            && follows
                .get(1..5)
                .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let forbidden = (c < ' ' && c != '\t' && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
        match code || forbidden {
            true => out.push_str(&format!("_x{:04X}_", u32::from(c))),
            false => out.push(c),
        }
    }
    escaped(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_resolved_and_only_codes() {
        for (stored, text) in [
            ("a_x000D_b", "a\rb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_x12_x_xZZZZ_", "_x12_x_xZZZZ_"),
            ("_xé_x0041_", "_xéA"),
            ("_xD83D__xDCF7_!", "\u{1f4f7}!"),
            ("_xD83D_x", "_xD83D_x"),
        ] {
            assert_eq!(decode(stored), text);
        }
    }

    proptest! {
        #[test]
        fn texts_survive(text in "(_x00[0-9A-F]{2}_|[ -~\t\r\n\u{1}é_x]){0,12}") {
            let stored = encode(&text);
            prop_assert_eq!(decode(&super::super::xml::resolve(&stored).unwrap()), text);
        }
    }
}
