//! What is to be written to a sheet, cut into batches that the service takes.

use lockstep_engine::reconcile::Change;
use lockstep_google::{MAX_BATCH_BYTES, MAX_BATCH_REQUESTS};

use super::{
    apply::Guard,
    sheet_anchor::{self, Anchors},
    sheet_check::{Todo, View},
    sheet_ops::{Append, Ops, Removal, SetRow},
};
use crate::error::Result;

/// What is left of a batch's bytes for what surrounds its requests and for its marker.
const MARGIN_BYTES: usize = 2_000;

/// How many requests are left for what surrounds those of a batch: anchors, old markers, columns.
const MARGIN_REQUESTS: usize = 4_000;

/// Cuts changes into batches, in the order in which they are made; returns their positions.
///
/// New rows go from row `end` of a sheet on; `reserved` bytes are taken in the first batch.
///
/// # Errors
/// A value that a cell cannot hold.
pub(crate) fn cut(
    view: View<'_>,
    todos: &[Todo],
    (sheet, end): (i32, u32),
    guard: Guard,
    reserved: usize,
) -> Result<Vec<Vec<usize>>> {
    let mut order: Vec<usize> = (0..todos.len()).collect();
    order.sort_by_key(|position| todos.get(*position).map(rank));
    let limit = MAX_BATCH_BYTES - MARGIN_BYTES;
    let mut cut = Cut { view, todos, sheet, end, limit, guard, done: Vec::new() };
    cut.cut(&order, reserved)?;
    Ok(cut.done)
}

/// Orders changes: cells from the top down, then new rows, then deletes from the bottom up.
fn rank(todo: &Todo) -> (u8, u32) {
    match todo {
        Todo::Set(row, _) => (0, *row),
        Todo::Append(_) => (1, 0),
        Todo::Remove(row) => (2, u32::MAX - row),
        Todo::Gone => (3, 0),
    }
}

/// Adds a change to the operations of a batch.
pub(crate) fn add(ops: &mut Ops, change: &Change, position: usize, todo: Todo) {
    let key = change.key.clone();
    match todo {
        Todo::Set(_, cells) if cells.is_empty() => {}
        Todo::Set(row, cells) => {
            ops.sets.insert(row, SetRow { key, cells, change: Some(position) });
        }
        Todo::Append(cells) => ops.appends.push(Append { key, change: position, cells }),
        Todo::Remove(row) => {
            ops.removes.insert(row, Removal { key, change: Some(position) });
        }
        Todo::Gone => {}
    }
}

/// Cuts changes into batches that the service takes.
struct Cut<'a> {
    view: View<'a>,
    todos: &'a [Todo],
    sheet: i32,
    end: u32,
    limit: usize,
    guard: Guard,
    done: Vec<Vec<usize>>,
}

impl Cut<'_> {
    /// Makes one batch of changes in order if they fit, else as many as their weight says, and looks again.
    fn cut(&mut self, order: &[usize], reserved: usize) -> Result<()> {
        let mut ops = Ops::default();
        for position in order {
            if let (Some(change), Some(todo)) =
                (self.view.writes.changes.get(*position), self.todos.get(*position))
            {
                add(&mut ops, change, *position, todo.clone());
            }
        }
        let requests = ops.requests(&self.view, self.sheet, self.end);
        let rows = ops.rows().len();
        let mut bytes: usize = requests.iter().map(|request| request.wire_size() + 1).sum();
        let most = if self.guard == Guard::Anchor { sheet_anchor::MAX_ROWS } else { usize::MAX };
        if self.guard != Guard::ReadBack && rows > 0 {
            bytes = bytes.saturating_add(Anchors::size(rows));
        }
        let fits = bytes.saturating_add(reserved) <= self.limit
            && requests.len().saturating_add(MARGIN_REQUESTS) < MAX_BATCH_REQUESTS
            && rows <= most;
        if fits || order.len() < 2 {
            for request in &requests {
                request.check()?;
            }
            self.done.push(order.to_vec());
            return Ok(());
        }
        drop((ops, requests));
        let parts = bytes.div_ceil(self.limit).max(rows.div_ceil(most)).max(2);
        let mut reserved = reserved;
        for part in order.chunks(order.len().div_ceil(parts)) {
            self.cut(part, reserved)?;
            reserved = 0;
        }
        Ok(())
    }
}
