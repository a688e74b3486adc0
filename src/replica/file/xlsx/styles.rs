//! The cell styles of a workbook, as far as they tell numbers from dates.

use std::collections::HashMap;

use super::{
    book::Book,
    package::Package,
    xml::{Node, Walk, attribute},
};
use crate::error::Result;

/// What a number of a style is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum NumberKind {
    /// A number, also one that is shown as a duration.
    #[default]
    Plain,
    Date,
    Time,
    DateTime,
}

/// One style of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Style {
    kind: NumberKind,
    /// Font, fill and border.
    look: [Option<String>; 3],
}

/// The styles by their number.
#[derive(Debug, Default)]
pub(super) struct Styles(Vec<Style>);

impl Styles {
    /// Reads the styles; a workbook may have none.
    ///
    /// # Errors
    /// A damaged part.
    pub(super) fn read(package: &mut Package<'_>, book: &Book) -> Result<Self> {
        let Some(part) = book.styles.as_deref().filter(|part| package.has(part)) else {
            return Ok(Self::default());
        };
        let text = package.text(part)?;
        let (mut walk, mut codes, mut styles, mut inside) =
            (Walk::new(&text), HashMap::new(), Vec::new(), false);
        while let Some((node, _)) = walk.next()? {
            let Node::Open { tag, .. } = node else { continue };
            match tag.local_name().as_ref() {
                "numFmt" if !inside => {
                    let id = attribute(&tag, "numFmtId").and_then(|id| id.parse::<u32>().ok());
                    if let (Some(id), Some(code)) = (id, attribute(&tag, "formatCode")) {
                        codes.insert(id, code);
                    }
                }
                "cellXfs" => inside = true,
                "cellStyles" | "dxfs" | "cellStyleXfs" => inside = false,
                "xf" if inside => {
                    let id =
                        attribute(&tag, "numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
                    let kind = codes.get(&id).map_or_else(|| built_in(id), |code| classify(code));
                    let look = ["fontId", "fillId", "borderId"].map(|name| attribute(&tag, name));
                    styles.push(Style { kind, look });
                }
                _ => {}
            }
        }
        Ok(Self(styles))
    }

    /// Returns what a number of this style is.
    pub(super) fn kind(&self, style: u32) -> NumberKind {
        self.get(style).map(|style| style.kind).unwrap_or_default()
    }

    fn get(&self, style: u32) -> Option<&Style> {
        self.0.get(usize::try_from(style).ok()?)
    }

    /// Returns a style for numbers of a kind that looks like this one; of any look if there is none, `None` if there is
    /// no style of the kind.
    pub(super) fn like(&self, style: u32, kind: NumberKind) -> Option<u32> {
        if self.kind(style) == kind {
            return Some(style);
        }
        let own = self.get(style).cloned().unwrap_or_default();
        let of_kind = || self.0.iter().enumerate().filter(|(_, other)| other.kind == kind);
        let alike = of_kind().find(|(_, other)| other.look == own.look);
        let (found, _) = alike.or_else(|| of_kind().next())?;
        u32::try_from(found).ok()
    }
}

/// The formats that have a number and no code (ECMA-376 part 1, 18.8.30).
fn built_in(id: u32) -> NumberKind {
    match id {
        14..=17 | 27..=31 | 36 | 50..=58 => NumberKind::Date,
        18..=21 | 32..=35 | 45 | 47 => NumberKind::Time,
        22 => NumberKind::DateTime,
        _ => NumberKind::Plain,
    }
}

/// Tells from a format code what it shows a number as; elapsed hours are a number.
fn classify(code: &str) -> NumberKind {
    let (mut chars, mut letters) = (code.chars(), String::new());
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                chars.by_ref().find(|c| *c == '"');
            }
            '\\' | '_' | '*' => {
                chars.next();
            }
            '[' => {
                let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let inside = inside.to_lowercase();
                if !inside.is_empty() && inside.chars().all(|c| matches!(c, 'h' | 'm' | 's')) {
                    return NumberKind::Plain;
                }
            }
            // Other sections are for negative numbers, zero and texts.
            ';' => break,
            c => letters.extend(c.to_lowercase()),
        }
    }
    if letters.contains("general") {
        return NumberKind::Plain;
    }
    let letters = letters.replace("am/pm", "").replace("a/p", "");
    let has = |wanted: &[char]| letters.contains(wanted);
    let time = has(&['h', 's']);
    let date = has(&['y', 'd']) || (has(&['m']) && !time);
    match (date, time) {
        (true, true) => NumberKind::DateTime,
        (true, false) => NumberKind::Date,
        (false, true) => NumberKind::Time,
        (false, false) => NumberKind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_dates_from_numbers() {
        use NumberKind::*;
        for (code, kind) in [
            ("General", Plain),
            ("0.00", Plain),
            ("#,##0 \"days\"", Plain),
            ("0\\d", Plain),
            ("[Red]0;[Blue]-0", Plain),
            ("[h]:mm:ss", Plain),
            ("yyyy\\-mm\\-dd", Date),
            ("[$-409]mmm", Date),
            ("dd.mm.yy;@", Date),
            ("mm:ss.0", Time),
            ("h:mm AM/PM", Time),
            ("m/d/yy h:mm", DateTime),
            ("_-* #,##0.00\\ \"h\"", Plain),
        ] {
            assert_eq!(classify(code), kind, "{code}");
        }
        assert_eq!((built_in(14), built_in(22), built_in(46)), (Date, DateTime, Plain));
    }
}
