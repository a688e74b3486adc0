//! Everything that is to be written to a table on a sheet, checked, and cut into batches.

use std::sync::Arc;

use jiff::Timestamp;
use lockstep_engine::{
    dataset::SideName,
    reconcile::{Change, ChangeKind},
};
use lockstep_google::{
    CellFields, CellValue, CellWrite, Dimension, Google, MAX_BATCH_BYTES, MAX_BATCH_REQUESTS,
    Request, Sheet,
};
use tokio::time::Instant;

use super::{
    apply::{Guard, Place, Writes},
    marker::{self, Markers},
    sheet,
    sheet_anchor::{self, Anchors},
    sheet_check::{Todo, View, changed},
    sheet_layout::{Index, Layout},
    sheet_ops::{Append, Ops, Removal, SetRow},
    sheet_picture::{Picture, Seen},
    sheet_table::SheetTable,
};
use crate::error::{Error, Result};

/// What is left of a batch's bytes for what surrounds its requests and for its marker.
const MARGIN_BYTES: usize = 2_000;

/// How many requests are left for what surrounds those of a batch: anchors, old markers, columns.
const MARGIN_REQUESTS: usize = 4_000;

/// Which run the batches belong to, and how rows that move are dealt with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    /// The run's id.
    pub(crate) run: &'a str,
    /// The side of the replica.
    pub(crate) side: SideName,
    /// How rows that move are dealt with.
    pub(crate) guard: Guard,
}

/// A sheet and what will be written to it.
#[derive(Debug)]
pub(crate) struct SheetPlan {
    /// The spreadsheet's id.
    pub(crate) spreadsheet: String,
    /// The sheet's title.
    pub(crate) title: String,
    /// The sheet's id.
    pub(crate) sheet: i32,
    /// How rows that move are dealt with.
    pub(crate) guard: Guard,
    run: String,
    side: SideName,
    /// The sheet as it was last seen, with what was written since.
    pub(crate) picture: Picture,
    /// When it was seen.
    pub(crate) seen: Instant,
    /// Its columns.
    pub(crate) layout: Layout,
    /// Its rows.
    pub(crate) index: Index,
    /// What the first batch does before everything else: old markers go, columns come.
    pub(crate) setup: Vec<Request>,
    /// What the batch in hand does after everything else: tags go.
    pub(crate) tail: Vec<Request>,
    /// Positions in [`Writes::changes`], by batch.
    pub(crate) batches: Vec<Vec<usize>>,
    /// What the tags of rows say; `None` if rows are not anchored.
    pub(crate) tags: Option<String>,
}

impl SheetPlan {
    /// Reads the sheet again, checks every change against it, and cuts the changes into batches.
    pub(crate) async fn new(
        google: &Google,
        now: Timestamp,
        table: &SheetTable,
        writes: &Writes<'_>,
        named: Named<'_>,
    ) -> Result<Self> {
        let (id, title) = (&table.spreadsheet, &table.title);
        let place = |error: Error| error.context(format!("sheet \"{title}\""));
        let (spreadsheet, picture) =
            tokio::join!(google.spreadsheet(id), Picture::read(google, id, title));
        let seen = Instant::now();
        let spreadsheet = spreadsheet.map_err(|error| sheet::named(error, id))?;
        let target = sheet::find(&spreadsheet, Some(title))?;
        let picture = picture?;
        let mut setup = Markers::of(&spreadsheet).sweep(now);
        let layout = layout(table, target, writes, &picture, &mut setup)?;
        let index = layout.index(writes, &picture);
        let mut plan = Self {
            spreadsheet: id.clone(),
            title: title.clone(),
            sheet: target.id,
            guard: named.guard,
            run: named.run.to_owned(),
            side: named.side,
            picture,
            seen,
            layout,
            index,
            setup,
            tail: Vec::new(),
            batches: Vec::new(),
            tags: None,
        };
        let todos = plan.check(writes)?;
        if plan.guard != Guard::ReadBack {
            plan.tags = Some(sheet_anchor::tags(&plan.run, plan.side.as_str(), now));
        }
        let mut order: Vec<usize> = (0..todos.len()).collect();
        order.sort_by_key(|position| todos.get(*position).map(rank));
        let end = plan.end_row();
        let limit = MAX_BATCH_BYTES - MARGIN_BYTES;
        let reserved: usize = plan.setup.iter().map(|request| request.wire_size() + 1).sum();
        let (sheet, guard) = (plan.sheet, plan.guard);
        let mut cut = Cut { writes, todos: &todos, sheet, end, limit, guard, done: Vec::new() };
        cut.cut(&order, reserved).map_err(|error| {
            place(error).next("correct the value in the source; nothing was written")
        })?;
        plan.batches = cut.done;
        Ok(plan)
    }

    /// Returns a sheet as it was seen before a batch of a run that died, to be mended under markers of its own.
    pub(crate) fn resumed(
        spreadsheet: &str,
        (title, sheet): (String, i32),
        picture: Picture,
        layout: Layout,
        writes: &Writes<'_>,
        now: Timestamp,
    ) -> Self {
        let (run, side) = (marker::run_id(), SideName::Right);
        Self {
            spreadsheet: spreadsheet.to_owned(),
            title,
            sheet,
            guard: Guard::Auto,
            tags: Some(sheet_anchor::tags(&run, side.as_str(), now)),
            run,
            side,
            index: layout.index(writes, &picture),
            picture,
            seen: Instant::now(),
            layout,
            setup: Vec::new(),
            tail: Vec::new(),
            batches: Vec::new(),
        }
    }

    fn check(&self, writes: &Writes<'_>) -> Result<Vec<Todo>> {
        let view = self.view(writes);
        writes
            .changes
            .iter()
            .map(|change| view.check(change).map_err(|why| why.error(&self.title)))
            .collect()
    }

    /// Returns the sheet as it was last seen.
    pub(crate) fn view<'a>(&'a self, writes: &'a Writes<'a>) -> View<'a> {
        View { writes, picture: &self.picture, layout: &self.layout, index: &self.index }
    }

    /// Takes over a fresh look at the sheet.
    pub(crate) fn see(&mut self, picture: Picture, layout: Layout, writes: &Writes<'_>) {
        self.index = layout.index(writes, &picture);
        (self.picture, self.layout) = (picture, layout);
        self.seen = Instant::now();
    }

    /// Takes over that the columns are there and old markers gone.
    pub(crate) fn set_up(&mut self, writes: &Writes<'_>) {
        if self.setup.is_empty() {
            return;
        }
        self.setup.clear();
        for name in writes.headers.iter().flatten() {
            if let Some(column) = self.layout.column(name) {
                let cell = Seen::showing(CellValue::Text(name.clone()));
                self.picture.put(self.layout.header_row, column, cell);
            }
        }
    }

    /// Returns the row after the last one with data.
    pub(crate) fn end_row(&self) -> u32 {
        self.picture.height().max(self.layout.first_row())
    }

    /// Returns the id and the proof of a batch's marker; repairs and tags of a batch have a part of their own.
    pub(crate) fn marker(&self, batch: usize, part: &str) -> (i32, String) {
        let batch = format!("{batch}{part}");
        let side = self.side.as_str();
        (marker::id(&[&self.run, side, &batch]), format!("{}.{side}.{batch}", self.run))
    }

    /// Returns what settling a batch needs.
    pub(crate) fn place(&self, batch: usize) -> Place {
        let (marker_id, proof) = self.marker(batch, "");
        Place::Sheet {
            spreadsheet: self.spreadsheet.clone(),
            sheet: self.title.clone(),
            marker_id,
            proof,
            tags: self.tags.clone(),
        }
    }

    /// Returns the names that the header has when everything is set up.
    pub(crate) fn names<'w>(&self, writes: &'w Writes<'_>) -> Vec<&'w str> {
        writes.needed().into_iter().map(|column| writes.header(column)).collect()
    }
}

/// Finds the columns, and says what must be done so that those exist that are not there yet.
///
/// New columns are inserted after the last one with data, not written into blank ones, so that nothing that somebody types
/// there meanwhile is overwritten.
fn layout(
    table: &SheetTable,
    target: &Sheet,
    writes: &Writes<'_>,
    picture: &Picture,
    setup: &mut Vec<Request>,
) -> Result<Layout> {
    let known = |name: &str| {
        table.header.as_ref().is_some_and(|header| header.names().any(|known| known == name))
    };
    let needed = writes.needed();
    let (there, missing): (Vec<&str>, Vec<&str>) =
        needed.iter().map(|column| writes.header(*column)).partition(|name| known(name));
    let (mut layout, next) = match &table.header {
        Some(header) => {
            let found = Layout::find(picture, writes, &there, header.row);
            let found =
                found.ok_or_else(|| changed(&table.title, "its header is not what it was"))?;
            (found, picture.width())
        }
        None if picture.is_blank() => (Layout::at_row(picture, writes, table.header_row), 0),
        None => return Err(changed(&table.title, "it was empty and is not any more")),
    };
    if let Some(twin) = missing.iter().find(|name| layout.column(name).is_some()) {
        return Err(changed(&table.title, &format!("the column \"{twin}\" appeared")));
    }
    let count = u32::try_from(missing.len()).unwrap_or(u32::MAX);
    let (sheet, end) = (target.id, next.saturating_add(count));
    if layout.header_row >= target.rows {
        let length = layout.first_row().saturating_sub(target.rows);
        setup.push(Request::AppendDimension { sheet, dimension: Dimension::Rows, length });
    }
    if count == 0 {
        return Ok(layout);
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
    layout.find_keys(writes);
    Ok(layout)
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
    writes: &'a Writes<'a>,
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
                (self.writes.changes.get(*position), self.todos.get(*position))
            {
                add(&mut ops, change, *position, todo.clone());
            }
        }
        let requests = ops.requests(self.sheet, self.end);
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

/// Returns whether a change writes into a row that is there.
pub(crate) fn touches(change: &Change) -> bool {
    !matches!(change.kind, ChangeKind::Insert | ChangeKind::Delete)
}
