//! Computing all formulas of a book, each after those it needs.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::DateTime;
use lockstep_a1::Rect;

use super::affected::{Changes, Link, affected};
use super::cells::{BookCells, Place, named};
use super::evaluate::{Evaluator, circular, unparsed};
use super::format;
use super::parse::Expression;
use super::parsed::Parsed;
use super::value::Stop;
use crate::book::Book;
use crate::grid::{FormulaBlock, Scalar};
use crate::http::ApiError;
use crate::locale::Locale;
use crate::render::Renderer;
use crate::store::Session;

/// Computes the formulas of a book that a change since `before` reaches, all of them when there is
/// none before, and stores the values that changed beside their formulas.
///
/// `now` is the wall-clock time of the book, for TODAY and NOW, which any change reaches.
pub(crate) fn recalculate(
    session: &mut Session<'_>,
    book: &mut Book,
    before: Option<&Book>,
    now: DateTime,
) -> Result<(), ApiError> {
    let mut formulas = collect(session, book)?;
    if let Some(changes) = before.and_then(|before| Changes::between(before, book)) {
        let links: Vec<Link<'_>> = formulas
            .iter()
            .map(|formula| Link {
                place: formula.place,
                needs: &formula.needs,
                volatile: formula.parsed().is_some_and(|parsed| parsed.volatile),
            })
            .collect();
        let mut reached = affected(&changes, &links).into_iter();
        formulas.retain(|_| reached.next().unwrap_or(true));
    }
    if formulas.is_empty() {
        return Ok(());
    }
    let (formulas, results) = compute(session, book, formulas, now)?;
    for (number, value) in results {
        let Some(formula) = formulas.get(number) else { continue };
        write(session, book, formula, value)?;
    }
    Ok(())
}

/// Stores the new value of a formula, and the number format it brings to a cell that has none.
fn write(
    session: &mut Session<'_>,
    book: &mut Book,
    formula: &Formula,
    value: Scalar,
) -> Result<(), ApiError> {
    let (sheet, row, column) = formula.place;
    let is_number = matches!(value, Scalar::Number(_));
    let cell = book.sheet_mut(sheet)?.grid.cell_mut(session, row, column)?;
    cell.value = value;
    let before = cell.format;
    if !is_number || book.head.formats.number_format(before).is_some() {
        return Ok(());
    }
    let Some(tree) = formula.tree() else { return Ok(()) };
    if let Some(brought) = format::of(tree, book, sheet, session)? {
        let formats = &mut book.head_mut().formats;
        let new = format::with(formats.get(before), &brought);
        let number = formats.number(new);
        book.sheet_mut(sheet)?.grid.cell_mut(session, row, column)?.format = number;
    }
    Ok(())
}

/// Is one formula with the ranges it reads.
struct Formula {
    place: Place,
    /// The formulas of its block, and its number among them.
    block: Arc<Vec<Parsed>>,
    number: usize,
    needs: Vec<(i32, Rect)>,
    state: State,
}

impl Formula {
    fn parsed(&self) -> Option<&Parsed> {
        self.block.get(self.number)
    }

    fn tree(&self) -> Option<&Expression> {
        self.parsed()?.tree.as_ref()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    /// Its precedents are being computed.
    Open,
    /// It needs itself.
    Circular,
    Done,
}

fn collect(session: &mut Session<'_>, book: &Book) -> Result<Vec<Formula>, ApiError> {
    let decimal = Locale::of(book.locale()).decimal;
    let mut formulas = Vec::new();
    for sheet in &book.sheets {
        for (first, block) in sheet.grid.formula_blocks()? {
            let block = match block {
                FormulaBlock::Stored(id) => session.parsed(id, decimal)?,
                FormulaBlock::Changed(found) => Arc::new(Parsed::all(&found, decimal)),
            };
            for (number, parsed) in block.iter().enumerate() {
                let mut needs = Vec::new();
                if let Some(tree) = &parsed.tree {
                    tree.each_reference(&mut |reference| {
                        needs.extend(resolve(book, sheet.id, reference))
                    });
                }
                formulas.push(Formula {
                    place: (sheet.id, first + parsed.row, parsed.column),
                    block: Arc::clone(&block),
                    number,
                    needs,
                    state: State::Waiting,
                });
            }
        }
    }
    Ok(formulas)
}

/// Returns the cells that a reference or name means, inside the grid.
pub(super) fn resolve(book: &Book, own: i32, reference: &Expression) -> Option<(i32, Rect)> {
    let (sheet, cells) = match reference {
        Expression::Reference(reference) => {
            let sheet = match &reference.sheet {
                None => own,
                Some(title) => book.sheet_titled(title)?.id,
            };
            (sheet, reference.cells())
        }
        Expression::Name(name) => named(book, name)?,
        _ => return None,
    };
    let grid = &book.sheet(sheet)?.grid;
    let rect = cells.close(grid.rows(), grid.columns()).clip(grid.rows(), grid.columns())?;
    Some((sheet, rect))
}

/// Finds the formulas that lie in a range: by sheet and column, their rows in order.
struct Index {
    columns: HashMap<i32, HashMap<u32, Vec<(u32, usize)>>>,
}

/// Is where the search for a formula's precedents goes on.
#[derive(Clone, Copy, Default)]
struct Cursor {
    need: usize,
    column: u32,
    position: usize,
    started: bool,
}

impl Index {
    fn new(formulas: &[Formula]) -> Self {
        let mut columns: HashMap<i32, HashMap<u32, Vec<(u32, usize)>>> = HashMap::new();
        for (number, formula) in formulas.iter().enumerate() {
            let (sheet, row, column) = formula.place;
            columns.entry(sheet).or_default().entry(column).or_default().push((row, number));
        }
        columns.values_mut().flat_map(HashMap::values_mut).for_each(|rows| rows.sort_unstable());
        Self { columns }
    }

    /// Returns the next formula that lies in what a formula needs.
    fn next(&self, needs: &[(i32, Rect)], cursor: &mut Cursor) -> Option<usize> {
        while let Some((sheet, rect)) = needs.get(cursor.need) {
            if let Some(columns) = self.columns.get(sheet) {
                if !cursor.started {
                    *cursor =
                        Cursor { column: rect.start_column, position: 0, started: true, ..*cursor };
                }
                while cursor.column < rect.end_column {
                    if let Some(rows) = columns.get(&cursor.column) {
                        let first = rows.partition_point(|(row, _)| *row < rect.start_row);
                        if let Some((row, number)) = rows.get(first + cursor.position)
                            && *row < rect.end_row
                        {
                            cursor.position += 1;
                            return Some(*number);
                        }
                    }
                    cursor.column += 1;
                    cursor.position = 0;
                }
            }
            *cursor = Cursor { need: cursor.need + 1, ..Cursor::default() };
        }
        None
    }
}

/// The formulas, and the values that they came to, each with its formula's number.
type Computed = (Vec<Formula>, Vec<(usize, Scalar)>);

fn compute(
    session: &mut Session<'_>,
    book: &Book,
    mut formulas: Vec<Formula>,
    now: DateTime,
) -> Result<Computed, ApiError> {
    let index = Index::new(&formulas);
    let mut cells = BookCells::new(session, book);
    // An explicit stack: chains of formulas can be as long as a sheet.
    let mut stack: Vec<(usize, Cursor)> = Vec::new();
    let mut order = Vec::with_capacity(formulas.len());
    for number in 0..formulas.len() {
        if formulas.get(number).is_some_and(|formula| formula.state == State::Waiting) {
            open(&mut formulas, &mut stack, number);
        }
        while let Some((current, mut cursor)) = stack.pop() {
            let Some(formula) = formulas.get(current) else { continue };
            let Some(needed) = index.next(&formula.needs, &mut cursor) else {
                finish(&mut cells, &mut formulas, current, book, now)?;
                order.push(current);
                continue;
            };
            stack.push((current, cursor));
            match formulas.get(needed).map(|formula| formula.state) {
                Some(State::Waiting) => open(&mut formulas, &mut stack, needed),
                Some(State::Open | State::Circular) => close_cycle(&mut formulas, &stack, needed),
                Some(State::Done) | None => {}
            }
        }
    }
    // In the order of dependencies, so that a format is there before it is copied.
    let mut changed = Vec::new();
    for number in order {
        let Some(place) = formulas.get(number).map(|formula| formula.place) else { continue };
        let Some(value) = cells.computed.remove(&place) else { continue };
        if cells.stored(place)? != value {
            changed.push((number, value));
        }
    }
    Ok((formulas, changed))
}

fn open(formulas: &mut [Formula], stack: &mut Vec<(usize, Cursor)>, number: usize) {
    if let Some(formula) = formulas.get_mut(number) {
        formula.state = State::Open;
        stack.push((number, Cursor::default()));
    }
}

/// Marks every formula from `needed` to the top of the stack: together they are a circle.
fn close_cycle(formulas: &mut [Formula], stack: &[(usize, Cursor)], needed: usize) {
    for (number, _) in stack.iter().rev() {
        if let Some(formula) = formulas.get_mut(*number) {
            formula.state = State::Circular;
        }
        if *number == needed {
            break;
        }
    }
}

fn finish(
    cells: &mut BookCells<'_, '_>,
    formulas: &mut [Formula],
    number: usize,
    book: &Book,
    now: DateTime,
) -> Result<(), ApiError> {
    let Some(formula) = formulas.get_mut(number) else { return Ok(()) };
    let value = match (formula.tree(), formula.state) {
        (_, State::Circular) => circular(),
        (None, _) => unparsed(),
        (Some(tree), _) => {
            let mut evaluator = Evaluator {
                source: cells,
                locale: Locale::of(book.locale()),
                renderer: Renderer::new(book.locale()),
                now,
                sheet: 0,
                row: 0,
                column: 0,
            };
            match evaluator.compute(tree, formula.place) {
                Ok(value) => value,
                Err(Stop::Error(error)) => Scalar::Error(error),
                Err(Stop::Broken(error)) => return Err(error),
            }
        }
    };
    formula.state = State::Done;
    cells.computed.insert(formula.place, value);
    Ok(())
}
