//! The changes to one sheet: its XML with cells replaced, rows added and removed, and what must follow from that.

use std::collections::{BTreeMap, HashMap};

use lockstep_engine::{reconcile::Change, schema::ColumnType, value::Value};

use super::{
    super::{
        FileSource,
        edits::{Edit, Edits},
    },
    area::{Area, COLUMNS, LAST_ROW},
    book::{Book, SheetRef, relations},
    cell::{Pen, Spot, blank},
    formula,
    grid::{Grid, GridRow},
    guard::{self, Reach},
    lists::List,
    package::Package,
    recalc::recalculated,
    row,
    strings::Strings,
    styles::{NumberKind, Styles},
    table::Table,
    xml::replaced,
};
use crate::{
    error::{Error, Kind, Result},
    replica::scan::Role,
};

/// Returns the parts that change, by name.
pub(super) fn patch(
    package: &mut Package<'_>,
    book: &Book,
    sheet: &SheetRef,
    source: &FileSource,
    edits: &Edits<'_>,
) -> Result<HashMap<String, String>> {
    let text = package.text(&sheet.part)?;
    let grid = Grid::parse(&text)?;
    let (strings, styles) = (Strings::read(package, book)?, Styles::read(package, book)?);
    let table = Table::find(&grid, &strings, &styles, source.header_row, Role::Target)?;
    let relations = relations(package, &sheet.part)?;
    let lists = List::all(package, &relations)?;
    guard::writable(package, &grid, &relations, &lists)?;

    let pen = Pen { styles: &styles, date1904: book.date1904 };
    let work = Work::new(&grid, &table, source, edits, pen)?;
    let plan = work.plan()?;
    guard::cells(&grid, &plan.reach)?;
    if let Some(first) = plan.reach.deleted {
        guard::deletable(package, book, sheet, &grid, first)?;
    }
    let mut parts = HashMap::new();
    if let Some(added) = &plan.added {
        for list in lists {
            let over = |row: u32| {
                (list.area.left..=list.area.right).any(|column| work.is_column(column))
                    && row <= list.area.bottom
            };
            if list.area.bottom + 1 == added.first && work.in_table(&list.area) {
                if list.totals {
                    return Err(Error::invalid(format!("the table \"{}\" ends with a row of totals, so no row can be added behind its last", list.name))
                        .next("remove the row of totals"));
                }
                let (part, text) = list.ending(package, added.last)?;
                parts.insert(part, text);
            } else if over(added.first) {
                return Err(Error::invalid(format!(
                    "new rows would run into the table \"{}\"",
                    list.name
                ))
                .next("give the table a sheet of its own"));
            }
        }
    }
    parts.insert(sheet.part.clone(), plan.text);
    if grid.formulas || package.names().iter().any(|name| name.ends_with("calcChain.xml")) {
        // The results of formulas that lie in the file are of the old values.
        let main = package.text(&book.part)?;
        let ordered = recalculated(&main)?;
        if ordered != main {
            parts.insert(book.part.clone(), ordered);
        }
    }
    Ok(parts)
}

/// The new rows.
#[derive(Clone, Copy, Debug)]
struct Added {
    first: u32,
    last: u32,
}

/// What will be written.
struct Plan {
    text: String,
    reach: Reach,
    added: Option<Added>,
}

/// A sheet, its table and the changes to it.
struct Work<'a> {
    grid: &'a Grid<'a>,
    table: &'a Table,
    edits: &'a Edits<'a>,
    pen: Pen<'a>,
    /// The row of the header, from 1.
    header_row: u32,
    /// The columns of the sheet that hold columns of the schema: place, column, name; the last ones may be new.
    columns: Vec<(u32, usize)>,
    /// The columns that are new on the sheet, with their names.
    fresh: Vec<(u32, String)>,
    /// For each column of the sheet, a style of its cells that shows dates.
    dates: HashMap<u32, u32>,
}

impl<'a> Work<'a> {
    fn new(
        grid: &'a Grid<'a>,
        table: &'a Table,
        source: &FileSource,
        edits: &'a Edits<'a>,
        pen: Pen<'a>,
    ) -> Result<Self> {
        let header = table.header.as_ref();
        let names: Vec<String> =
            header.into_iter().flat_map(|header| header.names()).map(str::to_owned).collect();
        // Behind everything: a column without a name may hold somebody's notes.
        let header_row = header.map_or(source.header_row.unwrap_or(1), |header| header.row + 1);
        let below = grid.rows.iter().filter(|row| row.number >= header_row);
        let used = below.flat_map(|row| &row.cells).filter(|cell| cell.filled());
        let mut next = used.map(|cell| cell.column + 1).max().unwrap_or(0);
        let mut fresh = Vec::new();
        for name in edits.missing(&names) {
            fresh.push((next, name.to_owned()));
            next += 1;
        }
        if next > COLUMNS {
            return Err(Error::invalid(format!("a sheet has at most {COLUMNS} columns"))
                .next("leave columns out"));
        }
        let known = header
            .into_iter()
            .flat_map(|header| &header.columns)
            .map(|column| (column.index, column.name.clone()));
        let all: Vec<(u32, String)> = known.chain(fresh.iter().cloned()).collect();
        let mapped = edits.mapped(&all.iter().map(|(_, name)| name).collect::<Vec<_>>());
        let columns = all
            .iter()
            .zip(mapped)
            .filter_map(|((index, _), column)| Some((*index, column?)))
            .collect();
        let mut work =
            Self { grid, table, edits, pen, header_row, columns, fresh, dates: HashMap::new() };
        for row in table.data(grid) {
            for (index, _) in &work.columns {
                if let Some(cell) =
                    row.cell(*index).filter(|cell| pen.styles.kind(cell.style) != NumberKind::Plain)
                {
                    work.dates.insert(*index, cell.style);
                }
            }
        }
        Ok(work)
    }

    fn is_column(&self, index: u32) -> bool {
        self.columns.iter().any(|(column, _)| *column == index)
    }

    /// Returns whether an area is the table's: its header is the area's first row.
    fn in_table(&self, area: &Area) -> bool {
        area.top == self.header_row && (area.left..=area.right).any(|column| self.is_column(column))
    }

    fn spot(&self, row: u32, column: u32, style: u32) -> Spot<'a> {
        Spot {
            prefix: self.grid.prefix,
            row,
            column,
            style,
            dates: self.dates.get(&column).copied(),
        }
    }

    /// Returns the style of a cell: its own, or what its row, the row above or its column gives it.
    fn style(&self, row: Option<&GridRow>, above: Option<&GridRow>, column: u32) -> u32 {
        let own = row.and_then(|row| row.cell(column).map(|cell| cell.style).or(row.style));
        let above = || above.and_then(|row| row.cell(column).map(|cell| cell.style).or(row.style));
        own.or_else(above).or_else(|| self.grid.column_style(column)).unwrap_or(0)
    }

    fn plan(&self) -> Result<Plan> {
        let data: HashMap<u32, usize> = self
            .table
            .data(self.grid)
            .enumerate()
            .map(|(index, row)| (row.number, index))
            .collect();
        let (mut rows, mut reach): (Vec<(u32, String)>, Reach) = (Vec::new(), Reach::default());
        let (mut shift, mut last, mut above) = (0_u32, self.header_row, None);
        let mut header_done = self.fresh.is_empty();
        let mut gap_from = self.grid.data.start;
        for row in &self.grid.rows {
            let gap = if self.grid.blank {
                ""
            } else {
                self.grid.text.get(gap_from..row.place().start).unwrap_or_default()
            };
            gap_from = row.place().end;
            let number = row.number - shift;
            if !header_done && row.number >= self.header_row {
                header_done = true;
                let cells =
                    self.header(Some(row).filter(|row| row.number == self.header_row), &mut reach)?;
                if row.number == self.header_row {
                    rows.push((
                        number,
                        format!("{gap}{}", row::rewritten(self.grid, row, number, cells)),
                    ));
                    last = last.max(number);
                    continue;
                }
                rows.push((self.header_row, row::like(self.grid, None, self.header_row, cells)));
            }
            let change = match data.get(&row.number).map(|index| self.edits.row(*index)) {
                Some(Edit::Delete) => {
                    reach.deleted.get_or_insert(row.number);
                    shift += 1;
                    continue;
                }
                Some(Edit::Update(change)) => Some(change),
                _ => None,
            };
            let xml = match change {
                None if shift == 0 => {
                    self.grid.text.get(row.place()).unwrap_or_default().to_owned()
                }
                None => row::rewritten(self.grid, row, number, BTreeMap::new()),
                Some(change) => {
                    let cells = self.cells(change, row, number)?;
                    reach.cells.extend(cells.keys().map(|column| (row.number, *column)));
                    row::rewritten(self.grid, row, number, cells)
                }
            };
            rows.push((number, format!("{gap}{xml}")));
            if row.filled() {
                last = number;
                above = data.contains_key(&row.number).then_some(row).or(above);
            }
        }
        if !header_done {
            let cells = self.header(None, &mut reach)?;
            rows.push((self.header_row, row::like(self.grid, None, self.header_row, cells)));
        }
        let added = self.insert(&mut rows, &mut reach, last, shift, above)?;
        let tail = if self.grid.blank {
            ""
        } else {
            self.grid.text.get(gap_from..self.grid.data.end).unwrap_or_default()
        };
        Ok(Plan { text: self.text(&rows, tail), reach, added })
    }

    /// Returns the new cells of the header.
    fn header(&self, row: Option<&GridRow>, reach: &mut Reach) -> Result<BTreeMap<u32, String>> {
        let left = row.and_then(|row| row.cells.last()).map(|cell| cell.style);
        let mut cells = BTreeMap::new();
        for (column, name) in &self.fresh {
            let style = left.unwrap_or_else(|| self.style(row, None, *column));
            let spot = Spot { dates: None, ..self.spot(self.header_row, *column, style) };
            cells.insert(
                *column,
                self.pen.write(spot, &Value::text(name.as_str()), &ColumnType::Text)?,
            );
            reach.cells.push((self.header_row, *column));
        }
        Ok(cells)
    }

    /// Returns the changed cells of a row.
    fn cells(&self, change: &Change, row: &GridRow, number: u32) -> Result<BTreeMap<u32, String>> {
        let mut cells = BTreeMap::new();
        for (index, column) in
            self.columns.iter().filter(|(_, column)| change.cells.contains(column))
        {
            let spot = self.spot(number, *index, self.style(Some(row), None, *index));
            let ty = self.edits.ty(*column);
            cells.insert(*index, self.pen.write(spot, Edits::value(change, *column), &ty)?);
        }
        Ok(cells)
    }

    /// Adds the new rows after the last that holds something, in the look of the last row of the table.
    fn insert(
        &self,
        rows: &mut Vec<(u32, String)>,
        reach: &mut Reach,
        last: u32,
        shift: u32,
        above: Option<&GridRow>,
    ) -> Result<Option<Added>> {
        let first = last + 1;
        let mut number = last;
        let carried = formula::carried(self.grid, self.table.data(self.grid))?;
        for change in self.edits.inserts() {
            number += 1;
            if number > LAST_ROW {
                return Err(Error::new(
                    Kind::TooLarge,
                    format!("a sheet has at most {LAST_ROW} rows"),
                )
                .next("split the table, or write to a CSV or Parquet file"));
            }
            let there = self.grid.rows.binary_search_by_key(&(number + shift), |row| row.number);
            let there = there.ok().and_then(|at| self.grid.rows.get(at));
            let mut cells = BTreeMap::new();
            for cell in above.iter().flat_map(|row| &row.cells).filter(|cell| cell.style != 0) {
                if there.is_none_or(|row| row.cell(cell.column).is_none()) {
                    cells.insert(cell.column, blank(self.spot(number, cell.column, cell.style)));
                }
            }
            for one in &carried {
                let there = there.and_then(|row| row.cell(one.column));
                if !there.is_some_and(|cell| cell.filled()) {
                    reach.cells.push((number + shift, one.column));
                    cells.insert(one.column, one.cell(self.spot(number, one.column, one.style)));
                }
            }
            for (index, column) in &self.columns {
                reach.cells.push((number + shift, *index));
                let value = Edits::value(change, *column);
                if !value.is_null() {
                    let spot = self.spot(number, *index, self.style(there, above, *index));
                    cells.insert(*index, self.pen.write(spot, value, &self.edits.ty(*column))?);
                }
            }
            let (at, xml) = match there {
                Some(row) => (
                    rows.binary_search_by_key(&number, |(number, _)| *number),
                    row::rewritten(self.grid, row, number, cells),
                ),
                None => (
                    rows.binary_search_by_key(&number, |(number, _)| *number),
                    row::like(self.grid, above, number, cells),
                ),
            };
            match at {
                Ok(at) => {
                    if let Some(slot) = rows.get_mut(at) {
                        slot.1 = xml;
                    }
                }
                Err(at) => rows.insert(at, (number, xml)),
            }
        }
        Ok((number >= first).then_some(Added { first, last: number }))
    }

    /// Returns the sheet's XML with these rows.
    fn text(&self, rows: &[(u32, String)], tail: &str) -> String {
        let Grid { text, data, prefix, .. } = self.grid;
        let bottom = rows.last().map_or(1, |(number, _)| *number);
        let right = self.columns.iter().map(|(column, _)| *column).max().unwrap_or(0);
        let mut body: String = rows.iter().map(|(_, xml)| xml.as_str()).collect();
        body.push_str(tail);
        if self.grid.blank {
            body = format!("<{prefix}sheetData>{body}</{prefix}sheetData>");
        }
        let mut out = String::with_capacity(text.len() + body.len());
        let mut position = 0;
        for dimension in
            self.grid.elements("dimension").filter(|element| element.place.end <= data.start)
        {
            out.push_str(text.get(position..dimension.place.start).unwrap_or_default());
            let tag = text.get(dimension.place.clone()).unwrap_or_default();
            position = dimension.place.end;
            let Some(area) = dimension.areas.first() else {
                out.push_str(tag);
                continue;
            };
            let area = Area { bottom: bottom.max(area.top), right: area.right.max(right), ..*area };
            out.push_str(&replaced(tag, "ref", &area.name()));
        }
        out.push_str(text.get(position..data.start).unwrap_or_default());
        out.push_str(&body);
        out.push_str(text.get(data.end..).unwrap_or_default());
        out
    }
}
