//! The rows of a ValueRange as JSON text, by two threads when they are many.
//!
//! The helper writes every second block of rows; the pieces it hands over are put between those of
//! the thread that sends. Only the blank rows between two blocks are nobody's: whether they are told
//! is known when a row below them shows something.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use lockstep_a1::Rect;

use super::render::Style;
use super::sink::{Piece, Sink};
use super::value_range::Layout;
use crate::grid::{Part, Walk, Window, damaged};
use crate::http::ApiError;

/// Is how many blocks of rows are worth a second thread.
const SHARED: usize = 6;

/// Is how many pieces the helper may be ahead.
const AHEAD: usize = 4;

/// Is what the helper hands over of a block.
enum Told {
    /// The first row that shows something comes next; so many blank ones are above it.
    Begin { blank: u64 },
    /// A piece of text.
    Piece(Piece),
    /// The block is done; so many blank rows are at its end.
    End { blank: u64 },
    /// It cannot be told.
    Failed(ApiError),
}

/// Writes the rows of a window; `false` when none shows anything.
pub(super) fn write_rows(
    out: &mut Sink<'_>,
    style: &mut Style,
    layout: Layout,
    window: &Window,
    rect: Rect,
) -> Result<bool, ApiError> {
    let mut rows = Rows { style, layout, rect, any: false, blank: 0, began: None };
    if window.len() < SHARED || thread::available_parallelism().map_or(1, usize::from) < 2 {
        for part in window.parts() {
            rows.part(out, part)?;
        }
        return Ok(rows.any);
    }
    let mut second = rows.style.clone();
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || help(&sender, &mut second, layout, window, rect));
        // It is dropped when this ends early: then the helper ends too.
        let receiver = receiver;
        for (index, part) in window.parts().enumerate() {
            if index % 2 == 0 {
                rows.part(out, part)?;
            } else {
                rows.take(out, &receiver)?;
            }
        }
        Ok(rows.any)
    })
}

/// Writes every second block for the other thread, until it wants no more.
fn help(sender: &SyncSender<Told>, style: &mut Style, layout: Layout, window: &Window, rect: Rect) {
    let mut full = |piece| sender.send(Told::Piece(piece)).map_err(|_| unwanted());
    let mut out = Sink::new(&mut full);
    for part in window.parts().skip(1).step_by(2) {
        // A row is above, told or blank: each of these follows a comma.
        let mut rows =
            Rows { style: &mut *style, layout, rect, any: true, blank: 0, began: Some(sender) };
        let done = rows.part(&mut out, part).and_then(|()| out.hand_on());
        let told = match done {
            Ok(()) => Told::End { blank: rows.blank },
            Err(error) => Told::Failed(error),
        };
        if sender.send(told).is_err() {
            return;
        }
    }
}

fn unwanted() -> ApiError {
    ApiError::new(499, "CANCELLED", "The reader of the answer has gone.")
}

struct Rows<'a> {
    style: &'a mut Style,
    layout: Layout,
    rect: Rect,
    /// Whether a row was told.
    any: bool,
    /// How many blank rows wait for one that shows something.
    blank: u64,
    /// Is told of the first row of a block, where another thread writes the blank ones above it.
    began: Option<&'a SyncSender<Told>>,
}

impl Rows<'_> {
    fn part(&mut self, out: &mut Sink<'_>, part: &Part) -> Result<(), ApiError> {
        match part {
            Part::Failed => return Err(damaged()),
            Part::Blank(rows) => self.blank += u64::from(*rows),
            Part::Packed { data, skip, rows } => {
                let mut walk = Walk::new(data).ok_or_else(damaged)?;
                for _ in 0..*skip {
                    walk.row().ok_or_else(damaged)?;
                }
                for row in 0..*rows {
                    if !walk.row().ok_or_else(damaged)? {
                        self.blank += u64::from(rows - row);
                        break;
                    }
                    self.row(out, &mut walk)?;
                }
            }
        }
        Ok(())
    }

    /// Writes one row.
    fn row(&mut self, out: &mut Sink<'_>, walk: &mut Walk<'_>) -> Result<(), ApiError> {
        let Rect { start_column: start, end_column: end, .. } = self.rect;
        let (lead, length) = self.lead();
        let mut next = start;
        while let Some(cell) = walk.cell().ok_or_else(damaged)? {
            if cell.column < start || !self.style.tells(&cell) {
                continue;
            }
            if cell.column >= end {
                break;
            }
            if next == start {
                self.open(out)?;
                self.layout.line(out, 3);
            } else {
                out.block(&lead, length);
            }
            for _ in next..cell.column {
                out.raw(b"\"\"");
                out.block(&lead, length);
            }
            self.style.cell(out, &cell).ok_or_else(damaged)?;
            next = cell.column + 1;
        }
        if next == start {
            self.blank += 1;
            return Ok(());
        }
        self.layout.line(out, 2);
        out.byte(b']');
        out.spill()
    }

    /// Returns what stands between two cells, in a block of a fixed size, and its length.
    fn lead(&self) -> ([u8; 16], usize) {
        match self.layout.0 {
            None => (*b",               ", 1),
            Some(indent) => (*b",\n              ", (2 + (indent + 3) * 2).min(16)),
        }
    }

    /// Begins a row that shows something.
    fn open(&mut self, out: &mut Sink<'_>) -> Result<(), ApiError> {
        if let Some(sender) = self.began.take() {
            let begin = Told::Begin { blank: std::mem::take(&mut self.blank) };
            sender.send(begin).map_err(|_| unwanted())?;
        }
        self.fill(out)?;
        self.layout.item(out, 2, self.any);
        out.byte(b'[');
        self.any = true;
        Ok(())
    }

    /// Writes the blank rows that were waiting.
    fn fill(&mut self, out: &mut Sink<'_>) -> Result<(), ApiError> {
        for _ in 0..std::mem::take(&mut self.blank) {
            self.layout.item(out, 2, self.any);
            out.raw(b"[]");
            self.any = true;
            out.spill()?;
        }
        Ok(())
    }

    /// Takes over what the helper wrote of a block.
    fn take(&mut self, out: &mut Sink<'_>, helper: &Receiver<Told>) -> Result<(), ApiError> {
        loop {
            match helper.recv() {
                Ok(Told::Begin { blank }) => {
                    self.blank += blank;
                    self.fill(out)?;
                }
                Ok(Told::Piece(piece)) => {
                    self.any = true;
                    out.pass(piece)?;
                }
                Ok(Told::End { blank }) => {
                    self.blank += blank;
                    return Ok(());
                }
                Ok(Told::Failed(error)) => return Err(error),
                Err(_) => return Err(ApiError::internal("the second thread of a read ended")),
            }
        }
    }
}
