//! A table that shares its sheet: which columns are its own, what stands below it, and where it went when people moved it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    header::label,
    sheet_area::Bounds,
    sheet_picture::{Picture, Seen, at},
};

/// The part of a sheet that a table is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Its first column, and one past the last.
    pub(crate) columns: (u32, u32),
    /// The first row with data below it, in its columns.
    below: Option<Below>,
    /// Which one it is of the tables in its header's row that have the very same names, and how many there are.
    twin: (usize, usize),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Below {
    row: u32,
    cells: Vec<Seen>,
}

impl Frame {
    /// Returns the frame that bounds make on a sheet as it is seen.
    pub(crate) fn new(bounds: &Bounds, picture: &Picture, grid_columns: u32) -> Self {
        let (start, end) = bounds.columns;
        let columns = (start, end.min(grid_columns).max(start.saturating_add(1)));
        let filled = |row: &u32| !is_blank(picture, *row, columns);
        let below = bounds.end.and_then(|end| (end..picture.height()).find(filled));
        let below = below.map(|row| Below { row, cells: cells(picture, row, columns) });
        Self { columns, below, twin: (0, 1) }
    }

    /// Notes which of the tables with the same names it is.
    pub(crate) fn tell_apart(&mut self, picture: &Picture, header_row: u32, labels: &[Arc<str>]) {
        let alike = alike(&names(picture, header_row), labels);
        let own = alike.iter().position(|start| *start == self.columns.0);
        self.twin = (own.unwrap_or(0), alike.len());
    }

    /// Returns the first row below the table that has data in its columns.
    pub(crate) fn below(&self) -> Option<u32> {
        self.below.as_ref().map(|below| below.row)
    }

    /// Returns whether a column is the table's.
    pub(crate) fn holds(&self, column: u32) -> bool {
        (self.columns.0..self.columns.1).contains(&column)
    }

    /// Returns the picture of the table alone: all other cells are blank.
    pub(crate) fn cut(&self, mut picture: Picture) -> Picture {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(row) = self.below() {
            picture.rows.truncate(size(row));
        }
        for row in &mut picture.rows {
            let own = row.cells().enumerate().take(size(self.columns.1));
            let first = size(self.columns.0);
            *row = own.map(|(at, cell)| if at < first { Seen::default() } else { cell }).collect();
        }
        picture.trim();
        picture
    }

    /// Notes that what is below it was moved down by some rows.
    pub(crate) fn pushed(&mut self, rows: usize) {
        if let Some(below) = &mut self.below {
            below.row = below.row.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX));
        }
    }

    /// Returns the frame of the table whose header now stands in `row`, and stood in `was`; `None` if it does not.
    ///
    /// `labels` are the names that its columns had, from the first on, and `names` those that must be there, once.
    pub(crate) fn moved(
        &self,
        picture: &Picture,
        (was, row): (u32, u32),
        labels: &[Arc<str>],
        names: &[&str],
    ) -> Option<Self> {
        let columns = self.found(&self::names(picture, row), labels, names)?;
        let below = self.below.as_ref().map(|below| {
            let expected = below.row.saturating_add(row).saturating_sub(was);
            let same = |at: &u32| cells(picture, *at, columns) == below.cells;
            let now = (row.saturating_add(1)..picture.height())
                .filter(same)
                .min_by_key(|at| at.abs_diff(expected));
            Below { row: now.unwrap_or(expected), cells: below.cells.clone() }
        });
        Some(Self { columns, below, ..*self })
    }

    /// Finds its columns in a row of names.
    fn found(&self, row: &[String], labels: &[Arc<str>], names: &[&str]) -> Option<(u32, u32)> {
        let (start, end) = self.columns;
        let name = |column: u32| {
            let name = usize::try_from(column).ok().and_then(|column| row.get(column));
            name.map(String::as_str).unwrap_or_default()
        };
        let width = u32::try_from(row.len()).unwrap_or(u32::MAX);
        // As it was, here or further left or right; of tables with the same names, all must still be there.
        let alike = alike(row, labels);
        if let Some(now) = alike.get(self.twin.0).filter(|_| alike.len() == self.twin.1) {
            return Some((*now, now.saturating_add(end.saturating_sub(start))));
        }
        // With columns that moved, came or went: by the names, if they stand in the row once.
        let place = |wanted: &str| -> Option<u32> {
            let mut places = (0..width).filter(|column| name(*column) == wanted);
            places.next().filter(|_| places.next().is_none())
        };
        let needed: Option<Vec<u32>> = names.iter().map(|name| place(name)).collect();
        let known =
            labels.iter().filter(|label| !label.is_empty()).filter_map(|label| place(label));
        let places: Vec<u32> = needed?.into_iter().chain(known).collect();
        let (first, last) = (places.iter().min()?, places.iter().max()?);
        // Blank names at the edges were its own too.
        let filled = |label: &Arc<str>| !label.is_empty();
        let before = labels.iter().position(filled).unwrap_or(0);
        let after = labels.iter().rev().position(filled).unwrap_or(0);
        let size = |number: usize| u32::try_from(number).unwrap_or(0);
        Some((
            first.saturating_sub(size(before)),
            last.saturating_add(1).saturating_add(size(after)),
        ))
    }
}

fn names(picture: &Picture, row: u32) -> Vec<String> {
    picture.row(row).iter().map(|cell| label(cell.value())).collect()
}

/// Returns the places in a row of names from which on these names stand.
fn alike(row: &[String], labels: &[Arc<str>]) -> Vec<u32> {
    if labels.iter().all(|label| label.is_empty()) {
        return Vec::new();
    }
    let same = |(name, label): (&String, &Arc<str>)| **name == **label;
    let windows = row.windows(labels.len()).map(|window| window.iter().zip(labels).all(same));
    (0_u32..).zip(windows).filter(|(_, same)| *same).map(|(start, _)| start).collect()
}

fn cells(picture: &Picture, row: u32, (start, end): (u32, u32)) -> Vec<Seen> {
    (start..end).map(|column| picture.cell(row, column)).collect()
}

fn is_blank(picture: &Picture, row: u32, (start, end): (u32, u32)) -> bool {
    let cells = picture.row(row);
    (start..end.min(u32::try_from(cells.len()).unwrap_or(u32::MAX)))
        .all(|column| at(&cells, column).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::sheet_area::Holder;
    use lockstep_google::CellValue;

    fn picture(rows: &[&str]) -> Picture {
        let cell = |text: &str| match text {
            "." => Seen::default(),
            text => Seen::showing(CellValue::Text(text.into())),
        };
        Picture { rows: rows.iter().map(|row| row.split(' ').map(cell).collect()).collect() }
    }

    fn frame(picture: &Picture) -> Frame {
        let bounds = Bounds { columns: (3, 5), top: 0, end: Some(3), holder: Holder::Fixed };
        let mut frame = Frame::new(&bounds, picture, 26);
        frame.tell_apart(picture, 0, &["id".into(), "n".into()]);
        frame
    }

    const SHEET: [&str; 6] =
        ["id n . id n", "1 a . x p", "2 b . y q", "3 c . . .", "4 d . t .", "5 e . 9 9"];

    #[test]
    fn a_frame_sees_its_own_cells_alone() {
        let whole = picture(&SHEET);
        let frame = frame(&whole);
        assert_eq!(frame.below(), Some(4));
        let own = frame.cut(whole);
        assert_eq!(own.height(), 3);
        assert!(own.cell(1, 0).is_empty() && !own.cell(1, 3).is_empty());
    }

    #[test]
    fn a_table_is_found_where_people_moved_it() {
        let whole = picture(&SHEET);
        let own = frame(&whole);
        let labels: Vec<Arc<str>> = vec!["id".into(), "n".into()];
        let moved =
            |rows: &[&str], row: u32| own.moved(&picture(rows), (0, row), &labels, &["id", "n"]);
        // A column inserted before, a row above and one inside: its twin on the left is not taken for it.
        let shifted = [
            ". . . . .",
            "id n . . id n",
            "1 a . . x p",
            "0 0 0 0 0 0",
            "2 b . . y q",
            "3 c . . . .",
            "4 d . . t .",
            "5 e . . 9 9",
        ];
        let now = moved(&shifted, 1).unwrap();
        assert_eq!((now.columns, now.below()), ((4, 6), Some(6)));
        // A column that came inside it, where the names are its own.
        let wider = ["k m . id new n", "1 a . x . p"];
        assert_eq!(moved(&wider, 0).unwrap().columns, (3, 6));
        // Names that stand twice, in another order: nobody can tell.
        assert_eq!(moved(&["id n . n id"], 0), None);
        assert_eq!(moved(&["n id . id n"], 0), None);
        // Its twin moved to where it was.
        assert_eq!(moved(&[". . . id n . id n"], 0).unwrap().columns, (6, 8));
    }
}
