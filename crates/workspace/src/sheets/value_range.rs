//! The JSON text of a ValueRange, written straight from the stored blocks.

use lockstep_a1::Rect;

use super::render::Style;
use super::rows::write_rows;
use super::sink::{Sink, gather};
use crate::grid::{Part, RawCell, Walk, Window, damaged};
use crate::http::ApiError;

/// Says how deep a ValueRange stands in its answer; `None` is one line without spaces.
#[derive(Clone, Copy)]
pub(super) struct Layout(pub(super) Option<usize>);

/// Is a line end and an indent, to be cut.
const LINE: &[u8; 32] = b"\n                               ";

impl Layout {
    /// Starts a line, so much deeper than the ValueRange.
    pub(super) fn line(self, out: &mut Sink<'_>, deeper: usize) {
        if let Some(indent) = self.0 {
            out.block(LINE, 1 + (indent + deeper) * 2);
        }
    }

    /// Starts an item of a list, after a comma when there was one before.
    pub(super) fn item(self, out: &mut Sink<'_>, deeper: usize, more: bool) {
        if more {
            out.byte(b',');
        }
        self.line(out, deeper);
    }

    /// Writes the name of a field.
    pub(super) fn key(self, out: &mut Sink<'_>, name: &str) {
        out.string(name);
        out.raw(if self.0.is_some() { b": " } else { b":" });
    }
}

/// Writes the ValueRange of a window, whose rows are those of `rect`.
pub(super) fn write(
    out: &mut Sink<'_>,
    style: &mut Style,
    layout: Layout,
    range: &str,
    window: &Window,
    rect: Rect,
) -> Result<(), ApiError> {
    out.raw(b"{");
    layout.line(out, 1);
    layout.key(out, "range");
    out.string(range);
    out.raw(b",");
    layout.line(out, 1);
    layout.key(out, "majorDimension");
    out.string(style.options.major());
    // The field is left out when there is nothing to tell; nothing is handed on before the first row.
    let before = out.text().len();
    out.raw(b",");
    layout.line(out, 1);
    layout.key(out, "values");
    out.raw(b"[");
    let any = if style.options.columns {
        write_columns(out, style, layout, window, rect)?
    } else {
        write_rows(out, style, layout, window, rect)?
    };
    if any {
        layout.line(out, 1);
        out.raw(b"]");
    } else {
        out.truncate(before);
    }
    layout.line(out, 0);
    out.raw(b"}");
    Ok(())
}

/// Calls a closure for every cell of a rectangle that is told, from left to right in each row.
fn each_told(
    style: &mut Style,
    window: &Window,
    rect: Rect,
    visit: &mut dyn FnMut(&mut Style, u32, &RawCell<'_>) -> Option<()>,
) -> Option<()> {
    let mut number = 0;
    for part in window.parts() {
        let (data, skip, rows) = match part {
            Part::Failed => return None,
            Part::Blank(rows) => {
                number += rows;
                continue;
            }
            Part::Packed { data, skip, rows } => (data, skip, rows),
        };
        let mut walk = Walk::new(data)?;
        for _ in 0..*skip {
            walk.row()?;
        }
        for row in number..number + rows {
            if !walk.row()? {
                break;
            }
            while let Some(cell) = walk.cell()? {
                if (rect.start_column..rect.end_column).contains(&cell.column) && style.tells(&cell)
                {
                    visit(style, row, &cell)?;
                }
            }
        }
        number += rows;
    }
    Some(())
}

fn write_columns(
    out: &mut Sink<'_>,
    style: &mut Style,
    layout: Layout,
    window: &Window,
    rect: Rect,
) -> Result<bool, ApiError> {
    // The cells come row by row: their texts are kept, with the places of each column's.
    let mut columns: Vec<Vec<(u32, usize, usize)>> = vec![Vec::new(); rect.columns() as usize];
    let text = gather(|gathered| {
        let mut start = 0;
        each_told(style, window, rect, &mut |style, row, cell| {
            let before = gathered.text().len();
            style.cell(gathered, cell)?;
            let end = start + gathered.text().len() - before;
            columns.get_mut((cell.column - rect.start_column) as usize)?.push((row, start, end));
            start = end;
            gathered.spill().ok()
        })
        .ok_or_else(damaged)
    })?;
    let used = columns.iter().rposition(|list| !list.is_empty()).map_or(0, |last| last + 1);
    for (index, list) in columns.iter().take(used).enumerate() {
        layout.item(out, 2, index > 0);
        out.raw(b"[");
        let mut next = 0;
        for (row, start, end) in list {
            for gap in next..=*row {
                layout.item(out, 3, gap > 0);
                if gap < *row {
                    out.raw(b"\"\"");
                }
            }
            out.raw(text.get(*start..*end).unwrap_or_default());
            out.spill()?;
            next = row + 1;
        }
        if next > 0 {
            layout.line(out, 2);
        }
        out.raw(b"]");
        out.spill()?;
    }
    Ok(used > 0)
}
