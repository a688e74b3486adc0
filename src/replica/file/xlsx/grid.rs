//! A sheet's XML as rows and cells, each with the bytes that it stands as.

use std::ops::Range;

use quick_xml::events::BytesStart;

use super::{
    super::broken,
    area::{Area, COLUMNS, LAST_ROW, cell},
    xml::{Node, Walk, attribute, damaged, flag},
};
use crate::error::{Error, Kind, Result};

/// The most cells of a sheet.
const MAX_CELLS: usize = 20_000_000;

/// What a cell's value is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Number,
    Shared,
    /// The text result of a formula.
    Text,
    Inline,
    Bool,
    /// An error, such as `#N/A`.
    Error,
    /// A date in ISO form.
    Iso,
}

/// A cell.
#[derive(Clone, Debug)]
pub(super) struct GridCell {
    /// From 0.
    pub(super) column: u32,
    pub(super) style: u32,
    pub(super) stored: Stored,
    /// It holds a formula.
    pub(super) formula: bool,
    /// It holds something that a writer does not know.
    pub(super) strange: bool,
    span: (u32, u32),
    value: Option<(u32, u32)>,
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct GridRow {
    /// From 1.
    pub(super) number: u32,
    /// The style of its blank cells.
    pub(super) style: Option<u32>,
    pub(super) strange: bool,
    pub(super) cells: Vec<GridCell>,
    tag: (u32, u32),
    span: (u32, u32),
}

/// An element beside the cells, such as `mergeCells`.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) name: String,
    /// The areas that it, or what is in it, refers to.
    pub(super) areas: Vec<Area>,
    /// The ids of the relations it names.
    pub(super) relations: Vec<String>,
    pub(super) place: Range<usize>,
    /// Only for `sheetProtection`: whether it is on.
    pub(super) on: bool,
}

/// A sheet.
#[derive(Debug, Default)]
pub(super) struct Grid<'a> {
    pub(super) text: &'a str,
    pub(super) rows: Vec<GridRow>,
    /// The inside of `sheetData`, or the whole tag if it is its own end.
    pub(super) data: Range<usize>,
    /// `sheetData` is its own end.
    pub(super) blank: bool,
    /// What stands before the names of tags, such as `x:`.
    pub(super) prefix: &'a str,
    /// What stands beside the cells.
    pub(super) elements: Vec<Element>,
    /// The styles of columns: first and last from 0, style.
    pub(super) columns: Vec<(u32, u32, u32)>,
    /// The cells that array formulas and data tables fill.
    pub(super) filled: Vec<Area>,
    /// Some row or cell does not say where it is.
    pub(super) unplaced: bool,
    /// There is a formula.
    pub(super) formulas: bool,
}

fn range(span: (u32, u32)) -> Range<usize> {
    span.0 as usize..span.1 as usize
}

fn span(from: usize, to: usize) -> (u32, u32) {
    // A part has at most 1 GiB.
    (u32::try_from(from).unwrap_or(u32::MAX), u32::try_from(to).unwrap_or(u32::MAX))
}

impl GridRow {
    pub(super) fn place(&self) -> Range<usize> {
        range(self.span)
    }

    pub(super) fn tag(&self) -> Range<usize> {
        range(self.tag)
    }

    pub(super) fn cell(&self, column: u32) -> Option<&GridCell> {
        self.cells.iter().find(|cell| cell.column == column)
    }

    /// Returns whether any cell holds something.
    pub(super) fn filled(&self) -> bool {
        self.cells.iter().any(GridCell::filled)
    }
}

impl GridCell {
    /// Returns whether it holds something.
    pub(super) fn filled(&self) -> bool {
        self.value.is_some() || self.formula
    }

    pub(super) fn place(&self) -> Range<usize> {
        range(self.span)
    }
}

impl<'a> Grid<'a> {
    /// Returns the bytes of a cell's value.
    pub(super) fn raw(&self, cell: &GridCell) -> Option<&'a str> {
        self.text.get(range(cell.value?))
    }

    /// Returns the style that a column gives its blank cells.
    pub(super) fn column_style(&self, column: u32) -> Option<u32> {
        let of = |(first, last, _): &&(u32, u32, u32)| (*first..=*last).contains(&column);
        self.columns.iter().find(of).map(|(_, _, style)| *style)
    }

    /// Returns the elements of a name.
    pub(super) fn elements<'g>(&'g self, name: &'g str) -> impl Iterator<Item = &'g Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// Reads a sheet.
    ///
    /// # Errors
    /// XML that is damaged, rows or cells out of order or out of the sheet, and too many cells.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let mut parser = Parser { grid: Self { text, ..Self::default() }, ..Parser::default() };
        let mut walk = Walk::new(text);
        while let Some((node, place)) = walk.next()? {
            match node {
                Node::Open { tag, empty } => {
                    parser.open(&tag, place.clone(), empty)?;
                    if empty {
                        parser.close(place.end..place.end);
                    }
                }
                Node::Close => parser.close(place),
                Node::Other => {}
            }
        }
        if !parser.stack.is_empty() {
            return Err(damaged("it ends before its last tag does"));
        }
        match parser.found {
            true => Ok(parser.grid),
            false => Err(broken("the sheet has no cells: its XML holds no sheetData")),
        }
    }
}

/// Where the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Root,
    Data,
    Row,
    Cell,
    Value,
    Formula,
    Element,
    Other,
}

#[derive(Default)]
struct Parser<'a> {
    grid: Grid<'a>,
    stack: Vec<(Step, usize)>,
    cells: usize,
    found: bool,
}

impl Parser<'_> {
    fn open(&mut self, tag: &BytesStart<'_>, place: Range<usize>, empty: bool) -> Result<()> {
        let name = tag.local_name();
        let step = match (self.stack.last().map(|(step, _)| *step), name.as_ref()) {
            (None, _) => Step::Root,
            (Some(Step::Root), "sheetData") => {
                if self.found {
                    return Err(damaged("it holds its cells twice"));
                }
                self.found = true;
                self.grid.blank = empty;
                self.grid.data = if empty { place.clone() } else { place.end..place.end };
                let length = tag.name().as_ref().len() - "sheetData".len();
                let start = place.start + 1;
                self.grid.prefix = self.grid.text.get(start..start + length).unwrap_or_default();
                Step::Data
            }
            (Some(Step::Root), other) => {
                self.element(other, tag, &place);
                Step::Element
            }
            (Some(Step::Data), "row") => self.row(tag, &place)?,
            (Some(Step::Row), "c") => self.cell(tag, &place)?,
            (Some(Step::Cell), "v" | "is") => Step::Value,
            (Some(Step::Cell), "f") => {
                self.formula(tag);
                Step::Formula
            }
            (Some(Step::Element), _) => {
                self.inside(tag);
                Step::Element
            }
            (Some(Step::Row), _) => {
                if let Some(row) = self.grid.rows.last_mut() {
                    row.strange = true;
                }
                Step::Other
            }
            (Some(Step::Cell), _) => {
                if let Some(cell) = self.last_cell() {
                    cell.strange = true;
                }
                Step::Other
            }
            _ => Step::Other,
        };
        self.stack.push((step, place.end));
        Ok(())
    }

    fn close(&mut self, place: Range<usize>) {
        let Some((step, start)) = self.stack.pop() else { return };
        match step {
            Step::Data if !self.grid.blank => self.grid.data.end = place.start,
            Step::Row => {
                if let Some(row) = self.grid.rows.last_mut() {
                    row.span.1 = span(0, place.end).1;
                }
            }
            Step::Cell => {
                if let Some(cell) = self.last_cell() {
                    cell.span.1 = span(0, place.end).1;
                }
            }
            Step::Value => {
                let inside = span(start, place.start);
                if let Some(cell) = self.last_cell().filter(|_| inside.0 < inside.1) {
                    cell.value = Some(inside);
                }
            }
            Step::Element => {
                if let Some(element) = self.grid.elements.last_mut() {
                    element.place.end = place.end;
                }
            }
            _ => {}
        }
    }

    fn last_cell(&mut self) -> Option<&mut GridCell> {
        self.grid.rows.last_mut()?.cells.last_mut()
    }

    fn row(&mut self, tag: &BytesStart<'_>, place: &Range<usize>) -> Result<Step> {
        let before = self.grid.rows.last().map_or(0, |row| row.number);
        let number = match attribute(tag, "r") {
            Some(text) => text.parse().ok().filter(|row| *row > before && *row <= LAST_ROW),
            None => {
                self.grid.unplaced = true;
                Some(before + 1)
            }
        };
        let number =
            number.ok_or_else(|| damaged(format!("what follows row {before} is no later row")))?;
        let style = attribute(tag, "s").and_then(|style| style.parse().ok());
        let style = style.filter(|_| flag(tag, "customFormat"));
        let whole = span(place.start, place.end);
        self.grid.rows.push(GridRow {
            number,
            style,
            strange: false,
            cells: Vec::new(),
            tag: whole,
            span: whole,
        });
        Ok(Step::Row)
    }

    fn cell(&mut self, tag: &BytesStart<'_>, place: &Range<usize>) -> Result<Step> {
        self.cells += 1;
        if self.cells > MAX_CELLS {
            return Err(Error::new(
                Kind::TooLarge,
                format!("the sheet has more than {MAX_CELLS} cells"),
            )
            .next("split the sheet, or save it as CSV or Parquet"));
        }
        let unplaced = attribute(tag, "r").is_none();
        self.grid.unplaced |= unplaced;
        let Some(row) = self.grid.rows.last_mut() else { return Ok(Step::Other) };
        let next = row.cells.last().map_or(0, |cell| cell.column + 1);
        let column = match attribute(tag, "r") {
            Some(name) => cell(&name).filter(|(at, column)| *at == row.number && *column >= next),
            None => Some((row.number, next)),
        };
        let column = column.map(|(_, column)| column).filter(|column| *column < COLUMNS);
        let column = column
            .ok_or_else(|| damaged(format!("the cells of row {} are out of order", row.number)))?;
        let stored = match attribute(tag, "t").as_deref() {
            None | Some("n") => Stored::Number,
            Some("s") => Stored::Shared,
            Some("str") => Stored::Text,
            Some("inlineStr") => Stored::Inline,
            Some("b") => Stored::Bool,
            Some("e") => Stored::Error,
            Some("d") => Stored::Iso,
            Some(other) => {
                return Err(damaged(format!("a cell is of the unknown type \"{other}\"")));
            }
        };
        let style = attribute(tag, "s").and_then(|style| style.parse().ok()).unwrap_or(0);
        row.cells.push(GridCell {
            column,
            style,
            stored,
            formula: false,
            strange: false,
            span: span(place.start, place.end),
            value: None,
        });
        Ok(Step::Cell)
    }

    fn formula(&mut self, tag: &BytesStart<'_>) {
        self.grid.formulas = true;
        if let Some(cell) = self.last_cell() {
            cell.formula = true;
        }
        let fills = attribute(tag, "t").is_some_and(|kind| kind == "array" || kind == "dataTable");
        if let Some(area) =
            attribute(tag, "ref").and_then(|area| Area::parse(&area)).filter(|_| fills)
        {
            self.grid.filled.push(area);
        }
    }

    fn element(&mut self, name: &str, tag: &BytesStart<'_>, place: &Range<usize>) {
        self.grid.elements.push(Element {
            name: name.to_owned(),
            areas: Vec::new(),
            relations: Vec::new(),
            place: place.clone(),
            on: flag(tag, "sheet"),
        });
        self.inside(tag);
    }

    /// Notes what a tag inside an element refers to.
    fn inside(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        if let ("col", Some(style)) = (name.as_ref(), attribute(tag, "style")) {
            let number = |name| attribute(tag, name).and_then(|text| text.parse::<u32>().ok());
            if let (Some(min), Some(max), Ok(style)) = (number("min"), number("max"), style.parse())
            {
                self.grid.columns.push((min.saturating_sub(1), max.saturating_sub(1), style));
            }
        }
        let Some(element) = self.grid.elements.last_mut() else { return };
        for name in ["ref", "sqref"] {
            if let Some(areas) = attribute(tag, name) {
                element.areas.extend(Area::list(&areas));
            }
        }
        let relation = tag.attributes().with_checks(false).flatten().find(|attribute| {
            attribute.key.as_ref().contains(':') && attribute.key.local_name().as_ref() == "id"
        });
        element.relations.extend(relation.map(|relation| relation.value.into_owned()));
    }
}
