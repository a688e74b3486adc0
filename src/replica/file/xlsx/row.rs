//! Rows of a sheet, written again with some cells changed or another number.

use std::collections::BTreeMap;

use super::{
    area,
    grid::{Grid, GridRow},
    xml::{replaced, without_attribute},
};

/// Returns a row with some cells replaced or added (by column), and a number of its own.
pub(super) fn rewritten(
    grid: &Grid<'_>,
    row: &GridRow,
    number: u32,
    mut cells: BTreeMap<u32, String>,
) -> String {
    let text = |range: std::ops::Range<usize>| grid.text.get(range).unwrap_or_default();
    let moved = number != row.number;
    let tag = text(row.tag());
    let empty = tag.ends_with("/>");
    let known = |column: &u32| row.cells.iter().any(|cell| cell.column == *column);
    let grows = cells.keys().any(|column| !known(column));
    let mut head = if moved { replaced(tag, "r", &number.to_string()) } else { tag.to_owned() };
    if grows {
        // A hint about the row's first and last column, which it may leave out.
        head = without_attribute(&head, "spans");
    }
    if empty && !cells.is_empty() {
        head.truncate(head.len().saturating_sub(2));
        head.truncate(head.trim_end().len());
        head.push('>');
    }
    let mut out = head;
    let mut position = row.tag().end;
    for cell in &row.cells {
        let place = cell.place();
        let before: Vec<u32> = cells.range(..cell.column).map(|(column, _)| *column).collect();
        for column in before {
            out.push_str(&cells.remove(&column).unwrap_or_default());
        }
        out.push_str(text(position..place.start));
        match cells.remove(&cell.column) {
            Some(new) => out.push_str(&new),
            None if moved => out.push_str(&renamed(text(place.clone()), number, cell.column)),
            None => out.push_str(text(place.clone())),
        }
        position = place.end;
    }
    let any = !cells.is_empty();
    for (_, new) in cells {
        out.push_str(&new);
    }
    if empty {
        if any {
            out.push_str(&format!("</{}row>", grid.prefix));
        }
    } else {
        out.push_str(text(position..row.place().end));
    }
    out
}

/// Returns a cell's XML under another name.
fn renamed(xml: &str, row: u32, column: u32) -> String {
    let end = xml.find('>').map_or(xml.len(), |end| end + 1);
    let (tag, rest) = xml.split_at_checked(end).unwrap_or((xml, ""));
    format!("{}{rest}", replaced(tag, "r", &area::name(row, column)))
}

/// Returns a new row with the height and style of another.
pub(super) fn like(
    grid: &Grid<'_>,
    above: Option<&GridRow>,
    number: u32,
    cells: BTreeMap<u32, String>,
) -> String {
    let prefix = grid.prefix;
    let tag = above.and_then(|row| grid.text.get(row.tag()));
    let tag = match tag {
        Some(tag) => {
            let tag = replaced(tag, "r", &number.to_string());
            // A new row is shown, whatever a filter did to the one above it.
            let tag = ["spans", "hidden", "collapsed"]
                .iter()
                .fold(tag, |tag, name| without_attribute(&tag, name));
            tag.trim_end_matches('>').trim_end_matches('/').trim_end().to_owned()
        }
        None => format!("<{prefix}row r=\"{number}\""),
    };
    let cells: String = cells.into_values().collect();
    match cells.is_empty() {
        true => format!("{tag}/>"),
        false => format!("{tag}>{cells}</{prefix}row>"),
    }
}
