//! How a document writes its objects: what stands between the parts.

use super::{members::Members, place};

/// The white space and punctuation of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Between `{` and the first name.
    pub(super) open: String,
    /// Between a value and the next name, with the comma.
    pub(super) between: String,
    /// Between a name and its value, with the colon.
    pub(super) colon: String,
    /// Between the last value and `}`.
    pub(super) close: String,
}

impl Style {
    /// Returns the style of lines that are indented so far.
    pub(super) fn indented(newline: &str, indent: &str, unit: &str) -> Self {
        Self {
            open: format!("{newline}{indent}{unit}"),
            between: format!(",{newline}{indent}{unit}"),
            colon: ": ".into(),
            close: format!("{newline}{indent}"),
        }
    }

    /// Returns the style of one line without spaces.
    pub(super) fn tight() -> Self {
        Self { open: String::new(), between: ",".into(), colon: ":".into(), close: String::new() }
    }

    /// Returns the style of one line with spaces, as most programs write it.
    pub(super) fn spaced() -> Self {
        Self { between: ", ".into(), colon: ": ".into(), ..Self::tight() }
    }

    /// Returns the style of an object that has members; `None` for an empty one.
    pub(super) fn of(item: &str, members: &Members<'_>) -> Option<Self> {
        let part = |from: usize, to: usize| item.get(from..to).map(str::to_owned);
        let first = place(item, members.0.first()?.1);
        let last = place(item, members.0.last()?.1);
        let (key, colon) = name_before(item, 1, first.start)?;
        let open = part(1, key)?;
        let between = match members.0.get(1) {
            Some((_, second)) => {
                let (key, _) = name_before(item, first.end, place(item, second).start)?;
                part(first.end, key)?
            }
            None => format!(",{}", if open.is_empty() { " " } else { &open }),
        };
        Some(Self { open, between, colon, close: part(last.end, item.len().checked_sub(1)?)? })
    }
}

/// Finds the name that stands between two places: where it begins, and what is between it and the value.
fn name_before(item: &str, from: usize, to: usize) -> Option<(usize, String)> {
    let gap = item.get(from..to)?;
    let start = gap.find('"')?;
    let end = gap.rfind('"')? + 1;
    Some((from + start, gap.get(end..)?.to_owned()))
}
