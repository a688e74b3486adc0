//! A whole sheet as it was seen at one moment: what images for guards and repairs are taken from.

use lockstep_a1::quote_always;
use lockstep_google::{CellValue, CellWrite, Google, GridCell, GridParts, Input, Render};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    sheet,
    sheet_packed::{PackedRow, PlainRows},
};
use crate::error::Result;

/// How often two reads that contradict each other are repeated before the slower single read is used.
const TRIES: u32 = 2;

/// A cell as it was seen: a value, or a formula with the value that it showed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// A value that somebody entered, or nothing.
    Plain(CellValue),
    /// A formula and what it showed.
    Formula(Box<(String, CellValue)>),
}

impl Default for Seen {
    fn default() -> Self {
        Self::Plain(CellValue::Empty)
    }
}

impl Seen {
    /// Returns a cell that shows a value and is no formula.
    pub(crate) fn showing(value: CellValue) -> Self {
        Self::Plain(plain(value))
    }

    /// Returns what the cell shows.
    pub(crate) fn value(&self) -> &CellValue {
        match self {
            Self::Plain(value) => value,
            Self::Formula(formula) => &formula.1,
        }
    }

    /// Returns the formula, if it is one.
    pub(crate) fn formula(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Formula(formula) => Some(&formula.0),
        }
    }

    /// Returns whether nothing is in the cell.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the write that puts the cell back to what it was; number formats stay as they are.
    pub(crate) fn write(&self) -> CellWrite {
        match self {
            Self::Formula(formula) => CellWrite::formula(formula.0.clone()),
            Self::Plain(CellValue::Empty) => CellWrite::empty(),
            Self::Plain(CellValue::Number(number)) => CellWrite::number(*number),
            Self::Plain(CellValue::Bool(value)) => CellWrite::bool(*value),
            Self::Plain(CellValue::Text(text) | CellValue::Error(text)) => {
                CellWrite::text(text.clone())
            }
        }
    }

    /// Returns how the cell is once a write has been made.
    pub(crate) fn after(write: &CellWrite) -> Self {
        Self::Plain(match &write.value {
            Input::Empty => CellValue::Empty,
            Input::Number(number) => CellValue::Number(*number),
            Input::Bool(value) => CellValue::Bool(*value),
            Input::Text(text) => plain(CellValue::Text(text.clone())),
            Input::Formula(formula) => {
                return Self::Formula(Box::new((formula.clone(), CellValue::Empty)));
            }
        })
    }

    /// Returns whether a write would change nothing that people see.
    pub(crate) fn is_already(&self, write: &CellWrite) -> bool {
        match (&write.value, self) {
            (Input::Formula(wanted), Self::Formula(there)) => *wanted == there.0,
            (Input::Formula(_), Self::Plain(_)) | (_, Self::Formula(_)) => false,
            _ => *self == Self::after(write),
        }
    }

    /// Returns the cell as people see it, for a message.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Formula(formula) => format!("the formula {}", formula.0),
            Self::Plain(CellValue::Empty) => "blank".to_owned(),
            Self::Plain(value) => format!("\"{}\"", super::header::label(value)),
        }
    }
}

/// As it is stored: null, a truth value, a number, a text, or a formula with what it showed.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Empty(()),
    Bool(bool),
    Number(f64),
    Text(String),
    Formula(String, Box<Stored>),
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Formula(formula) => {
                (&formula.0, Self::Plain(formula.1.clone())).serialize(serializer)
            }
            Self::Plain(CellValue::Empty) => serializer.serialize_unit(),
            Self::Plain(CellValue::Bool(value)) => serializer.serialize_bool(*value),
            Self::Plain(CellValue::Number(number)) => serializer.serialize_f64(*number),
            Self::Plain(CellValue::Text(text) | CellValue::Error(text)) => {
                serializer.serialize_str(text)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = |stored: Stored| match stored {
            Stored::Empty(()) | Stored::Formula(..) => CellValue::Empty,
            Stored::Bool(value) => CellValue::Bool(value),
            Stored::Number(number) => CellValue::Number(number),
            Stored::Text(text) => CellValue::Text(text),
        };
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Formula(formula, shown) => Self::Formula(Box::new((formula, value(*shown)))),
            plain => Self::Plain(value(plain)),
        })
    }
}

/// Error values come as text from a values read and typed from a grid read; an empty text is an empty cell.
pub(crate) fn plain(value: CellValue) -> CellValue {
    match value {
        CellValue::Error(text) | CellValue::Text(text) if text.is_empty() => CellValue::Empty,
        CellValue::Error(text) => CellValue::Text(text),
        other => other,
    }
}

/// A sheet's cells, from its first row and column on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// The rows.
    pub(crate) rows: Vec<PackedRow>,
}

static BLANK: Seen = Seen::Plain(CellValue::Empty);

impl Picture {
    /// Reads a sheet by two value reads at the same time, which together tell formulas from text.
    ///
    /// Should they contradict each other, because somebody is editing just then, one grid read decides.
    pub(crate) async fn read(google: &Google, id: &str, title: &str) -> Result<Self> {
        let range = [quote_always(title)];
        for _ in 0..TRIES {
            if let Some(pictures) = Self::read_parts(google, id, &range).await? {
                return Ok(pictures.into_iter().next().unwrap_or_default());
            }
        }
        Self::read_at_once(google, id, title).await
    }

    /// Reads parts of a spreadsheet by two value reads at the same time; `None` if they contradict each other.
    pub(crate) async fn read_parts(
        google: &Google,
        id: &str,
        ranges: &[String],
    ) -> Result<Option<Vec<Self>>> {
        let (values, formulas) = tokio::join!(
            google.values_as::<PlainRows>(id, ranges, Render::Unformatted),
            google.values_as::<PlainRows>(id, ranges, Render::Formula),
        );
        let named = |error| sheet::named(error, id);
        let (values, formulas) = (values.map_err(named)?, formulas.map_err(named)?);
        let parts = values.into_iter().zip(formulas);
        Ok(parts.map(|((_, values), (_, formulas))| Self::of(values.0, formulas.0)).collect())
    }

    /// Reads a sheet in one call, so that nothing moves while it is read; slower for large sheets.
    pub(crate) async fn read_at_once(google: &Google, id: &str, title: &str) -> Result<Self> {
        let parts = GridParts { entered: true, value: true, ..GridParts::default() };
        let blocks = google
            .grid(id, &[quote_always(title)], parts)
            .await
            .map_err(|error| sheet::named(error, id))?;
        let seen = |cell: GridCell| match cell.entered {
            Input::Formula(formula) => Seen::Formula(Box::new((formula, plain(cell.value)))),
            _ => Seen::Plain(plain(cell.value)),
        };
        let rows = blocks.into_iter().next().map(|block| block.rows).unwrap_or_default();
        let rows = rows.into_iter().map(|row| row.into_iter().map(seen).collect());
        let mut picture = Self { rows: rows.collect() };
        picture.trim();
        Ok(picture)
    }

    /// Joins a read of values and one of formulas; `None` if they are not of the same sheet any more.
    fn of(values: Vec<PackedRow>, formulas: Vec<PackedRow>) -> Option<Self> {
        let height = values.len().max(formulas.len());
        let (mut values, mut formulas) = (values.into_iter(), formulas.into_iter());
        let mut rows = Vec::with_capacity(height);
        for _ in 0..height {
            let (values, formulas) =
                (values.next().unwrap_or_default(), formulas.next().unwrap_or_default());
            if values == formulas {
                rows.push(values);
                continue;
            }
            let (mut shown, mut entered) = (values.cells(), formulas.cells());
            let cell = |_| {
                let shown = shown.next().unwrap_or_default();
                match (entered.next().unwrap_or_default(), shown) {
                    (entered, shown) if entered == shown => Some(shown),
                    (Seen::Plain(CellValue::Text(formula)), Seen::Plain(shown))
                        if formula.starts_with('=') =>
                    {
                        Some(Seen::Formula(Box::new((formula, shown))))
                    }
                    _ => None,
                }
            };
            let width = values.width().max(formulas.width());
            rows.push((0..width).map(cell).collect::<Option<PackedRow>>()?);
        }
        Some(Self { rows })
    }

    /// Returns a row; an empty one beyond the last.
    pub(crate) fn row(&self, row: u32) -> Vec<Seen> {
        self.packed(row).map(|row| row.cells().collect()).unwrap_or_default()
    }

    fn packed(&self, row: u32) -> Option<&PackedRow> {
        usize::try_from(row).ok().and_then(|row| self.rows.get(row))
    }

    /// Returns a cell; an empty one beyond the end.
    pub(crate) fn cell(&self, row: u32, column: u32) -> Seen {
        self.packed(row).map(|row| row.cell(column)).unwrap_or_default()
    }

    /// Returns the cells of the rows from one on.
    pub(crate) fn cells_from(&self, first: u32) -> impl Iterator<Item = Vec<Seen>> {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        self.rows.iter().skip(first).map(|row| row.cells().collect())
    }

    /// Returns how many rows there are, up to the last with data.
    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    /// Returns the first column after every one that has data.
    pub(crate) fn width(&self) -> u32 {
        let width = self.rows.iter().map(PackedRow::width).max();
        u32::try_from(width.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Returns whether there is no data at all.
    pub(crate) fn is_blank(&self) -> bool {
        self.rows.iter().all(PackedRow::is_empty)
    }

    /// Drops blank rows at the end.
    pub(crate) fn trim(&mut self) {
        while self.rows.last().is_some_and(PackedRow::is_empty) {
            self.rows.pop();
        }
    }

    /// Puts a cell, as after a write that was confirmed.
    pub(crate) fn put(&mut self, row: u32, column: u32, cell: Seen) {
        let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else { return };
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, PackedRow::default);
        }
        if let Some(packed) = self.rows.get_mut(row) {
            let mut cells: Vec<Seen> = packed.cells().collect();
            if cells.len() <= column {
                cells.resize_with(column + 1, Seen::default);
            }
            if let Some(slot) = cells.get_mut(column) {
                *slot = cell;
            }
            *packed = cells.into_iter().collect();
        }
    }
}

/// Returns the cell of a row in a column; empty beyond the row's end.
pub(crate) fn at(row: &[Seen], column: u32) -> &Seen {
    usize::try_from(column).ok().and_then(|column| row.get(column)).unwrap_or(&BLANK)
}

#[cfg(test)]
mod tests {
    use lockstep_google::TakeRows;

    use super::*;

    fn text(value: &str) -> CellValue {
        CellValue::Text(value.into())
    }

    fn joined(values: Vec<Vec<CellValue>>, formulas: Vec<Vec<CellValue>>) -> Option<Picture> {
        let [values, formulas] = [values, formulas].map(|rows| {
            let mut packed = PlainRows::default();
            rows.into_iter().for_each(|row| packed.take(row));
            packed.0
        });
        Picture::of(values, formulas)
    }

    #[test]
    fn two_reads_tell_formulas_from_text_that_looks_like_one() {
        let values = vec![vec![text("=1+1"), CellValue::Number(2.0)], vec![], vec![text("a")]];
        let formulas =
            vec![vec![text("=1+1"), text("=A1"), text("=IF(TRUE,\"\")")], vec![], vec![text("a")]];
        let picture = joined(values, formulas).unwrap();
        assert_eq!(picture.cell(0, 0), Seen::Plain(text("=1+1")));
        assert_eq!(picture.cell(0, 1).formula(), Some("=A1"));
        assert_eq!(picture.cell(0, 2).value(), &CellValue::Empty);
        assert_eq!((picture.height(), picture.width()), (3, 3));
        assert_eq!(picture.cell(0, 0).write(), CellWrite::text("=1+1"));
        assert_eq!(picture.cell(0, 1).write(), CellWrite::formula("=A1"));
    }

    #[test]
    fn reads_of_two_moments_are_not_joined() {
        assert!(joined(vec![vec![text("a")]], vec![vec![text("b")]]).is_none());
        assert!(joined(vec![vec![text("a")]], vec![]).is_none());
        assert!(joined(vec![], vec![]).unwrap().is_blank());
    }

    #[test]
    fn a_cell_is_put_wherever_it_belongs() {
        let mut picture = Picture::default();
        picture.put(2, 1, Seen::after(&CellWrite::number(7.0)));
        assert_eq!((picture.height(), picture.width()), (3, 2));
        assert!(picture.cell(2, 1).is_already(&CellWrite::number(7.0)));
        assert!(picture.cell(9, 9).is_already(&CellWrite::text("")));
    }
}
