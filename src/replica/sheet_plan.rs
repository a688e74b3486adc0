//! Everything that is to be written to a table on a sheet, checked, and cut into batches.

use std::sync::Arc;

use jiff::Timestamp;
use lockstep_engine::{
    dataset::SideName,
    reconcile::{Change, ChangeKind},
};
use lockstep_google::{CellValue, CellWrite, Google, Request};
use tokio::time::Instant;

use super::{
    apply::{Guard, Place, Writes},
    marker::{self, Markers},
    sheet, sheet_anchor,
    sheet_check::{Todo, View},
    sheet_columns::{holder, layout},
    sheet_cut::cut,
    sheet_dress::{Dress, Written},
    sheet_layout::{Index, Layout},
    sheet_moved::Placed,
    sheet_ops::Ops,
    sheet_picture::{Picture, Seen},
    sheet_rules,
    sheet_space::Space,
    sheet_table::SheetTable,
};
use crate::error::{Error, Kind, Result};

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
    /// What the batch in hand does before its changes: what an earlier one left in wrong places goes.
    pub(crate) before: Vec<Request>,
    /// Positions in [`Writes::changes`], by batch.
    pub(crate) batches: Vec<Vec<usize>>,
    /// What the tags of rows say; `None` if rows are not anchored.
    pub(crate) tags: Option<String>,
    /// What the last batch did to cells of a table that shares its rows.
    placed: Option<Placed>,
    /// Whether a range that holds the table was made to reach over new rows since the table was last seen.
    grown: bool,
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
        let whole = picture?;
        let mut setup = Markers::of(&spreadsheet).sweep(now);
        // A table that has the sheet for itself is all of its picture.
        let shared = table.bounds.is_some().then(|| whole.clone());
        let (picture, layout) = layout(table, target, writes, whole, &mut setup)?;
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
            before: Vec::new(),
            batches: Vec::new(),
            tags: None,
            placed: None,
            grown: false,
        };
        let mut dress = Dress::default();
        dress.holder = holder(table, &spreadsheet, target, &plan.layout)?;
        dress.learn(&plan.view(writes));
        plan.layout.dress = Arc::new(dress.clone());
        // What the changes come to is worked out anew wherever it is needed: all of it at once would be several times
        // the data.
        let mut written = Written::default();
        for todo in plan.todos(writes) {
            written.add(&todo?);
        }
        dress.look(google, (id, title), &plan.view(writes), &written).await?;
        plan.layout.dress = Arc::new(dress);
        plan.check_rules(writes).map_err(place)?;
        let space = Space {
            sheet: plan.sheet,
            objects: &target.objects,
            whole: shared.as_ref().unwrap_or(&plan.picture),
            view: plan.view(writes),
            bounds: table.bounds.as_ref(),
            end: plan.end_row(),
        };
        space.check(plan.todos(writes)).map_err(place)?;
        drop(shared);
        if plan.guard == Guard::Anchor && plan.layout.frame.is_some() {
            return Err(place(Error::invalid(
                "guard \"anchor\" tags whole rows, and a table named by range may not have them for itself",
            ))
            .next("use guard \"readBack\", the default; nothing was written"));
        }
        // Tags follow rows of the sheet, not cells of a table that shares them.
        if plan.guard != Guard::ReadBack && plan.layout.frame.is_none() {
            plan.tags = Some(sheet_anchor::tags(&plan.run, plan.side.as_str(), now));
        }
        let reserved: usize = plan.setup.iter().map(|request| request.wire_size() + 1).sum();
        let guard = if plan.tags.is_some() { plan.guard } else { Guard::ReadBack };
        let (sheet, end) = (plan.sheet, plan.end_row());
        let batches = cut(plan.view(writes), (sheet, end), guard, reserved);
        plan.batches = batches.map_err(|error| {
            place(error).next("correct the value in the source; nothing was written")
        })?;
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
            // Tags follow rows of the sheet, not cells of a table that shares them.
            tags: layout.frame.is_none().then(|| sheet_anchor::tags(&run, side.as_str(), now)),
            placed: None,
            grown: false,
            run,
            side,
            index: layout.index(writes, &picture),
            picture,
            seen: Instant::now(),
            layout,
            setup: Vec::new(),
            tail: Vec::new(),
            before: Vec::new(),
            batches: Vec::new(),
        }
    }

    /// Returns what each change comes to, dates as people format them in their column.
    fn todos<'a>(&'a self, writes: &'a Writes<'_>) -> impl Iterator<Item = Result<Todo>> + 'a {
        let view = self.view(writes);
        let todo = move |change: &&Change| view.check(change);
        writes.changes.iter().map(move |change| todo(change).map_err(|why| why.error(&self.title)))
    }

    /// Checks values against the data validation of their columns.
    fn check_rules(&self, writes: &Writes<'_>) -> Result<()> {
        if self.layout.dress.rules.is_empty() {
            return Ok(());
        }
        for (change, todo) in writes.changes.iter().zip(self.todos(writes)) {
            let todo = todo?;
            let cells: Vec<(u32, &CellWrite)> = match &todo {
                Todo::Set(_, cells) => cells.iter().map(|(column, cell)| (*column, cell)).collect(),
                Todo::Append(cells) => (0_u32..).zip(cells).collect(),
                Todo::Remove(_) | Todo::Gone => continue,
            };
            for (column, rule) in &self.layout.dress.rules {
                let place = column.find(&self.layout);
                let own = cells.iter().filter(|(at, _)| Some(*at) == place);
                for (_, cell) in own {
                    let Some(demand) = sheet_rules::refuses(rule, cell) else { continue };
                    return Err(Error::invalid(format!(
                        "{} for {column} of \"{}\" is not what its data validation takes: {demand}; nothing was written",
                        Seen::after(cell).shown(),
                        change.key
                    ))
                    .next("correct the value in the source, widen the validation, or leave the column out"));
                }
            }
        }
        Ok(())
    }

    /// Returns the sheet as it was last seen.
    pub(crate) fn view<'a>(&'a self, writes: &'a Writes<'a>) -> View<'a> {
        View { writes, picture: &self.picture, layout: &self.layout, index: &self.index }
    }

    /// Finds the table on a sheet as it is seen now.
    ///
    /// # Errors
    /// A header that is not there any more; cells of others that were hit because columns moved.
    pub(crate) fn locate(
        &self,
        mut whole: Picture,
        writes: &Writes<'_>,
    ) -> Result<(Picture, Layout)> {
        let names = self.names(writes);
        let mut undo = None;
        if let Some(placed) = &self.placed
            && let Some((_, found)) = self.layout.find(whole.clone(), writes, &names)
            && let Some(frame) = &found.frame
        {
            undo = placed.undo(self.sheet, frame.columns, &mut whole)?;
        }
        let (picture, mut layout) = self.layout.find(whole, writes, &names).ok_or_else(|| {
            Error::new(
                Kind::Changed,
                format!("the header of the sheet \"{}\" is not there any more", self.title),
            )
            .next("put the header back, then call syncDataset again")
        })?;
        layout.undo = undo;
        Ok((picture, layout))
    }

    /// Takes over that a batch made room, or filled it.
    pub(crate) fn pushed(&mut self, ops: &Ops) {
        if let Some(frame) = &mut self.layout.frame {
            frame.pushed(ops.appends.len().saturating_add(ops.puts.len()));
        }
        self.placed = None;
    }

    /// Takes over a fresh look at the sheet.
    pub(crate) fn see(&mut self, picture: Picture, mut layout: Layout, writes: &Writes<'_>) {
        self.before.extend(layout.undo.take());
        self.placed = None;
        if let Some(held) = layout.dress.holder.as_ref().filter(|_| self.grown) {
            // It was told to reach to where the rows were expected: it is told again where they are.
            let end = picture.height().max(layout.first_row());
            let columns = layout.frame.as_ref().map(|frame| frame.columns);
            if held.range.end_row.is_some_and(|held| held <= end) {
                self.before.push(held.reach(end, layout.header_row, columns));
            }
            self.grown = false;
        }
        self.index = layout.index(writes, &picture);
        (self.picture, self.layout) = (picture, layout);
        self.seen = Instant::now();
    }

    /// Takes over that the columns are there and old markers gone.
    ///
    /// What the batch did to cells of the table alone is kept until the table was seen where it was.
    pub(crate) fn set_up(&mut self, writes: &Writes<'_>, ops: &Ops) {
        let end = self.end_row();
        self.placed = self.layout.frame.as_ref().map(|frame| Placed::of(ops, frame, end));
        self.grown = self.layout.dress.holder.is_some();
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

/// Returns whether a change writes into a row that is there.
pub(crate) fn touches(change: &Change) -> bool {
    !matches!(change.kind, ChangeKind::Insert | ChangeKind::Delete)
}
