//! Where the columns of a table stand when it is to be written, and what must be done so that missing ones do.

use std::sync::Arc;

use lockstep_google::{CellFields, CellWrite, Dimension, GridRange, Request, Sheet, Spreadsheet};

use super::{
    apply::Writes,
    sheet_area::{Bounds, Holder},
    sheet_check::changed,
    sheet_dress::Held,
    sheet_frame::Frame,
    sheet_layout::Layout,
    sheet_packed::PackedRow,
    sheet_picture::Picture,
    sheet_table::SheetTable,
};
use crate::{
    error::{Error, Result},
    replica::header::list,
};

/// Finds the columns, and says what must be done so that those exist that are not there yet.
///
/// Returns the table's own part of the picture with them. New columns are inserted after the last one with data, not
/// written into blank ones, so that nothing that somebody types there meanwhile is overwritten.
pub(crate) fn layout(
    table: &SheetTable,
    target: &Sheet,
    writes: &Writes<'_>,
    picture: Picture,
    setup: &mut Vec<Request>,
) -> Result<(Picture, Layout)> {
    let known = |name: &str| {
        table.header.as_ref().is_some_and(|header| header.names().any(|known| known == name))
    };
    let needed = writes.needed();
    let (there, missing): (Vec<&str>, Vec<&str>) =
        needed.iter().map(|column| writes.header(*column)).partition(|name| known(name));
    let (picture, mut layout) = found(table, target, writes, picture, &there)?;
    layout.grid_rows = target.rows;
    if let Some(twin) = missing.iter().find(|name| layout.column(name).is_some()) {
        return Err(changed(&table.title, &format!("the column \"{twin}\" appeared")));
    }
    let next = match (&table.header, &layout.frame) {
        (Some(_), _) => picture.width(),
        (None, Some(frame)) => frame.columns.0,
        (None, None) => 0,
    };
    let count = u32::try_from(missing.len()).unwrap_or(u32::MAX);
    let (sheet, end) = (target.id, next.saturating_add(count));
    if layout.header_row >= target.rows {
        let length = layout.first_row().saturating_sub(target.rows);
        setup.push(Request::AppendDimension { sheet, dimension: Dimension::Rows, length });
        layout.grid_rows = layout.first_row();
    }
    if count == 0 {
        return Ok((picture, layout));
    }
    if let (Some(bounds), Some(_)) = (&table.bounds, &layout.frame)
        && (table.header.is_some() || end > bounds.columns.1)
    {
        let names = || list(missing.iter().copied());
        return Err(Error::invalid(format!(
            "the table has no room for the columns {}, and its neighbours stay where they are; nothing was written",
            names()
        ))
        .context(format!("sheet \"{}\"", table.title))
        .next("write the headers into the table and widen its range; a column that marks rows is not needed with deletes: \"delete\" or \"ignore\""));
    }
    let dimension = Dimension::Columns;
    if table.header.is_some() && next < target.columns {
        setup.push(Request::InsertDimension {
            sheet,
            dimension,
            start: next,
            end,
            inherit_from_before: false,
        });
    } else if end > target.columns {
        setup.push(Request::AppendDimension { sheet, dimension, length: end - target.columns });
    }
    setup.push(Request::UpdateCells {
        sheet,
        row: layout.header_row,
        column: next,
        rows: vec![missing.iter().map(|name| CellWrite::text(*name)).collect()],
        fields: CellFields::Values,
    });
    for (column, name) in (next..).zip(&missing) {
        layout.name(column, Arc::from(*name));
    }
    if let Some(frame) = &mut layout.frame {
        frame.columns.1 = frame.columns.1.max(end);
    }
    layout.find_keys(writes);
    Ok((picture, layout))
}

/// Finds the table as it was scanned.
fn found(
    table: &SheetTable,
    target: &Sheet,
    writes: &Writes<'_>,
    whole: Picture,
    there: &[&str],
) -> Result<(Picture, Layout)> {
    let Some(header) = &table.header else {
        let mut layout = Layout::at_row(&whole, writes, table.header_row);
        let mut picture = whole;
        if let Some(bounds) = &table.bounds {
            let frame = Frame::new(bounds, &picture, target.columns);
            layout.keep(frame.columns, writes);
            picture = frame.cut(picture);
            layout.frame = Some(frame);
        }
        let mut below = picture.rows.iter().skip(usize::try_from(table.header_row).unwrap_or(0));
        return match below.all(PackedRow::is_empty) {
            true => Ok((picture, layout)),
            false => Err(changed(&table.title, "it was empty and is not any more")),
        };
    };
    let mut expected = Layout::default();
    expected.header_row = header.row;
    if let Some(bounds) = &table.bounds {
        let mut frame = Frame::new(bounds, &whole, target.columns);
        for column in &header.columns {
            expected.name(column.index, Arc::from(column.name.as_str()));
        }
        expected.frame = Some(frame.clone());
        frame.tell_apart(&whole, header.row, expected.own_labels());
        expected.frame = Some(frame);
    }
    let found = expected.find(whole, writes, there);
    found.ok_or_else(|| changed(&table.title, "its header is not what it was"))
}

/// Returns the named range, or the table of the spreadsheet, that holds a table and must grow with it.
///
/// A table of the spreadsheet is found where it stands, whether the caller named it or not.
///
/// # Errors
/// A named range or a table that is not there any more.
pub(crate) fn holder(
    table: &SheetTable,
    spreadsheet: &Spreadsheet,
    target: &Sheet,
    layout: &Layout,
) -> Result<Option<Held>> {
    let header_row = layout.header_row;
    let held = |id: &str, table: bool, range: GridRange| {
        let id = id.to_owned();
        range.end_row.is_some().then_some(Held { id, table, range, header_row })
    };
    let same = |name: &str, wanted: &str| name.to_lowercase() == wanted.to_lowercase();
    match table.bounds.as_ref().map(|bounds: &Bounds| &bounds.holder) {
        Some(Holder::Name(name)) => {
            let found = spreadsheet.named_ranges.iter().find(|range| same(&range.name, name));
            let found = found.ok_or_else(|| {
                changed(&table.title, &format!("the named range \"{name}\" is gone"))
            })?;
            Ok(held(&found.id, false, found.range))
        }
        Some(Holder::Table(name)) => {
            let found = target.objects.tables.iter().find(|found| same(&found.name, name));
            let found = found
                .ok_or_else(|| changed(&table.title, &format!("the table \"{name}\" is gone")))?;
            Ok(held(&found.id, true, found.range))
        }
        Some(Holder::Fixed) | None => {
            let names = table.header.iter().flat_map(|header| header.names());
            let columns: Vec<u32> = names.filter_map(|name| layout.column(name)).collect();
            let spans = |range: &GridRange| {
                let columns_of =
                    range.start_column.unwrap_or(0)..range.end_column.unwrap_or(u32::MAX);
                range.start_row == Some(header_row)
                    && columns.iter().any(|c| columns_of.contains(c))
            };
            let found = target.objects.tables.iter().find(|found| {
                spans(&GridRange {
                    start_row: Some(found.range.start_row.unwrap_or(0)),
                    ..found.range
                })
            });
            Ok(found.and_then(|found| held(&found.id, true, found.range)))
        }
    }
}
