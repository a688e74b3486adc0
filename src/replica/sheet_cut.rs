//! What is to be written to a sheet, cut into batches that the service takes.

use lockstep_engine::reconcile::Change;
use lockstep_google::{MAX_BATCH_BYTES, MAX_BATCH_REQUESTS, Request};

use super::{
    apply::Guard,
    sheet_anchor::{self, Anchors},
    sheet_check::{Todo, View},
    sheet_ops::{Append, Ops, Removal, SetRow},
};
use crate::error::{Error, Result};

/// What is left of a batch's bytes for what surrounds its requests and for its marker.
const MARGIN_BYTES: usize = 2_000;

/// How many requests are left for what surrounds those of a batch: anchors, old markers, columns.
const MARGIN_REQUESTS: usize = 4_000;

/// Of more changes than these the weight is summed up block by block, before requests are made of all of them.
const BLOCK: usize = 8_000;

/// Cuts changes into batches, in the order in which they are made; returns their positions.
///
/// New rows go from row `end` of a sheet on; `reserved` bytes are taken in the first batch.
///
/// # Errors
/// A value that a cell cannot hold, and a change that cannot be made on the sheet as it is seen.
pub(crate) fn cut(
    view: View<'_>,
    (sheet, end): (i32, u32),
    guard: Guard,
    reserved: usize,
) -> Result<Vec<Vec<usize>>> {
    let mut cut =
        Cut { view, sheet, end, limit: MAX_BATCH_BYTES - MARGIN_BYTES, guard, done: Vec::new() };
    let ranked = (0..view.writes.changes.len())
        .map(|position| Ok((cut.todo(position)?.map(|(_, todo)| rank(&todo)), position)));
    let mut order: Vec<_> = ranked.collect::<Result<_>>()?;
    order.sort();
    let order: Vec<usize> = order.into_iter().map(|(_, position)| position).collect();
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
    sheet: i32,
    end: u32,
    limit: usize,
    guard: Guard,
    done: Vec<Vec<usize>>,
}

/// What the requests of changes weigh.
#[derive(Clone, Copy, Default)]
struct Weight {
    bytes: usize,
    rows: usize,
}

impl<'a> Cut<'a> {
    fn todo(&self, position: usize) -> Result<Option<(&'a Change, Todo)>> {
        let Some(change) = self.view.writes.changes.get(position).copied() else { return Ok(None) };
        let todo = self.view.check(change).map_err(|why| Error::internal(why.text()))?;
        Ok(Some((change, todo)))
    }

    fn requests(&self, order: &[usize]) -> Result<(Vec<Request>, Weight)> {
        let mut ops = Ops::default();
        for position in order {
            if let Some((change, todo)) = self.todo(*position)? {
                add(&mut ops, change, *position, todo);
            }
        }
        let requests = ops.requests(&self.view, self.sheet, self.end);
        let bytes = requests.iter().map(|request| request.wire_size() + 1).sum();
        Ok((requests, Weight { bytes, rows: ops.rows().len() }))
    }

    /// Returns the most rows of a batch, whatever they weigh.
    fn most(&self) -> usize {
        if self.guard == Guard::Anchor { sheet_anchor::MAX_ROWS } else { usize::MAX }
    }

    /// Returns the bytes of a batch, with its anchors.
    fn bytes(&self, weight: Weight) -> usize {
        match self.guard {
            Guard::ReadBack => weight.bytes,
            Guard::Auto | Guard::Anchor if weight.rows == 0 => weight.bytes,
            Guard::Auto | Guard::Anchor => weight.bytes.saturating_add(Anchors::size(weight.rows)),
        }
    }

    /// Makes one batch of changes in order if they fit, else as many as their weight says, and looks again.
    fn cut(&mut self, order: &[usize], reserved: usize) -> Result<()> {
        if order.len() > BLOCK {
            let mut sum = Weight::default();
            for block in order.chunks(BLOCK) {
                let (_, weight) = self.requests(block)?;
                sum.bytes = sum.bytes.saturating_add(weight.bytes);
                sum.rows = sum.rows.saturating_add(weight.rows);
            }
            // Blocks weigh a little more than the whole: what seems to fit nearly is made, and looked at.
            if self.bytes(sum) > self.limit.saturating_add(self.limit / 10)
                || sum.rows > self.most()
            {
                return self.part(order, sum, reserved);
            }
        }
        let (requests, weight) = self.requests(order)?;
        let fits = self.bytes(weight).saturating_add(reserved) <= self.limit
            && requests.len().saturating_add(MARGIN_REQUESTS) < MAX_BATCH_REQUESTS
            && weight.rows <= self.most();
        if fits || order.len() < 2 {
            for request in &requests {
                request.check()?;
            }
            self.done.push(order.to_vec());
            return Ok(());
        }
        drop(requests);
        self.part(order, weight, reserved)
    }

    /// Cuts changes that do not fit one batch.
    fn part(&mut self, order: &[usize], weight: Weight, mut reserved: usize) -> Result<()> {
        let by_bytes = self.bytes(weight).div_ceil(self.limit);
        let parts = by_bytes.max(weight.rows.div_ceil(self.most())).max(2);
        for part in order.chunks(order.len().div_ceil(parts)) {
            self.cut(part, reserved)?;
            reserved = 0;
        }
        Ok(())
    }
}
