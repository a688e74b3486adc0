//! The writes to a table, cut into batches, before the first effect.

use lockstep_engine::{
    dataset::SideName,
    reconcile::{Change, ChangeKind},
};

use super::{
    Database, Markers,
    catalog::Table,
    column::{ColumnInfo, Kind as Holds},
    failure, marker,
    name::TableName,
    scan::SqlTable,
    session::Bind,
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        OnError,
        apply::{Place, Settled, Writes},
        reach::Reach,
    },
};

/// The most rows of a batch, which is one transaction.
const ROWS: usize = 5_000;

/// The most bytes of the values of a batch, about; well below what servers take in one message.
const BYTES: usize = 4 << 20;

/// What is written to a table.
#[derive(Debug)]
pub(crate) struct SqlPlan {
    pub(super) database: Database,
    pub(super) table: Table,
    pub(super) on_error: OnError,
    /// For each column of the schema, its index in the table.
    pub(super) columns: Vec<Option<usize>>,
    /// The key, as indices of the schema.
    pub(super) keys: Vec<usize>,
    /// The columns that new rows get, as indices of the schema.
    pub(super) inserted: Vec<usize>,
    /// Whether the rows of the snapshot are the table's own.
    pub(super) whole: bool,
    /// What the ids of the markers begin with; `None` where there are no markers.
    marked: Option<String>,
    /// Which changes are in which batch.
    pub(crate) batches: Vec<Vec<usize>>,
}

impl SqlPlan {
    /// Checks that the table takes the writes, and cuts them into batches.
    ///
    /// # Errors
    /// What cannot be written, before anything is.
    pub(crate) async fn new(
        reach: &Reach,
        target: &SqlTable,
        writes: &Writes<'_>,
        run: &str,
        side: SideName,
    ) -> Result<Self> {
        let database = reach.connections.database(&target.connection)?;
        let plan = Self::checked(database, target, writes, run, side).await;
        plan.map_err(|error| error.context(database.place()))
    }

    async fn checked(
        database: &Database,
        target: &SqlTable,
        writes: &Writes<'_>,
        run: &str,
        side: SideName,
    ) -> Result<Self> {
        database.check_writable()?;
        let table = &target.table;
        let mut columns = vec![None; writes.headers.len()];
        for column in writes.needed() {
            let header = writes.header(column);
            let found = table.columns.iter().position(|known| known.name == header);
            let index = found.ok_or_else(|| missing(table, writes, column))?;
            if let Some(ColumnInfo { kind: Holds::Unfit(why), .. }) = table.columns.get(index) {
                return Err(Error::invalid(format!(
                    "the column \"{header}\" cannot be written: {why}"
                ))
                .next("map other columns: name them in columns and leave this one out"));
            }
            if let Some(place) = columns.get_mut(column) {
                *place = Some(index);
            }
        }
        check_kinds(table, writes.changes)?;
        check_generated(table, &columns, writes)?;
        let inserted = (0..columns.len())
            .filter(|column| {
                let info =
                    columns.get(*column).copied().flatten().and_then(|at| table.columns.get(at));
                info.is_some_and(|info| info.generated.is_none())
            })
            .collect();
        let marked = match database.config.markers {
            Markers::None => None,
            Markers::Table => {
                marker::ready(database, &table.name.sibling(marker::TABLE)).await?;
                Some(format!("{run}-{side}"))
            }
        };
        Ok(Self {
            database: database.clone(),
            table: table.clone(),
            on_error: target.on_error,
            columns,
            keys: writes.schema.key.clone(),
            inserted,
            whole: target.whole,
            marked,
            batches: cut(writes.changes),
        })
    }

    /// Returns the column of the table that a column of the schema is.
    pub(super) fn column(&self, column: usize) -> Option<&ColumnInfo> {
        self.table.columns.get(self.columns.get(column).copied().flatten()?)
    }

    /// Returns the id of a batch's marker.
    pub(super) fn marker(&self, batch: usize) -> Option<String> {
        self.marked.as_ref().map(|begin| format!("{begin}-{batch}"))
    }

    /// Returns the table of markers.
    pub(super) fn markers(&self) -> TableName {
        self.table.name.sibling(marker::TABLE)
    }

    /// Returns what settling a batch needs.
    pub(crate) fn place(&self, batch: usize) -> Place {
        Place::Sql {
            connection: self.database.name.clone(),
            schema: self.table.name.schema.clone(),
            table: self.table.name.table.clone(),
            marker: self.marker(batch),
        }
    }
}

/// Settles a batch of a run that died, by its marker; without one only the rows can tell.
///
/// # Errors
/// A database that cannot be asked.
pub(crate) async fn settle(
    reach: &Reach,
    connection: &str,
    schema: Option<&str>,
    table: &str,
    marker: Option<&str>,
) -> Result<Settled> {
    let database = reach.connections.database(connection)?;
    let Some(id) = marker else {
        // Wait for a transaction that is still under way, as far as a look can.
        let mut session = database.pool().await?.read().await?;
        let there = session.execute("SELECT 1".to_owned(), Bind::none()).await;
        session.rollback().await;
        return there.map(|_| Settled::Changed).map_err(|error| failure::read(&error));
    };
    let name = TableName { schema: schema.map(str::to_owned), table: table.to_owned() };
    marker::settle(database, &name.sibling(marker::TABLE), id)
        .await
        .map_err(|error| error.context(database.place()))
}

/// Says that the table lacks a column that a write needs.
fn missing(table: &Table, writes: &Writes<'_>, column: usize) -> Error {
    let header = writes.header(column);
    let error = table.no_column(header);
    if writes.optional.contains(&column) {
        return error.next(format!(
            "rows are to be marked in it: add the column to \"{}\", name another with markColumn, or set deletes to \
             \"delete\" or \"ignore\"",
            table.name
        ));
    }
    error
}

fn check_kinds(table: &Table, changes: &[&Change]) -> Result<()> {
    let has = |wanted: fn(ChangeKind) -> bool| changes.iter().any(|change| wanted(change.kind));
    let refusal = &table.refusal;
    let refused = [
        (has(|kind| kind == ChangeKind::Insert), &refusal.insert),
        (has(|kind| kind == ChangeKind::Delete), &refusal.delete),
        (has(|kind| !matches!(kind, ChangeKind::Insert | ChangeKind::Delete)), &refusal.update),
    ];
    match refused.into_iter().find_map(|(needed, why)| why.as_ref().filter(|_| needed)) {
        None => Ok(()),
        Some(why) => Err(Error::new(
            Kind::PermissionDenied,
            format!("\"{}\" cannot be written so: {why}; nothing was written", table.name),
        )
        .next("name a table that takes it, or a policy that does not need it")),
    }
}

/// Refuses to write what the database writes itself.
fn check_generated(table: &Table, columns: &[Option<usize>], writes: &Writes<'_>) -> Result<()> {
    for (column, index) in columns.iter().enumerate() {
        let Some(info) = index.and_then(|index| table.columns.get(index)) else { continue };
        let Some(what) = info.generated else { continue };
        let touched = |change: &&&Change| {
            let value = change.after.as_ref().and_then(|row| row.get(column));
            match change.kind {
                // What is generated is left to the database; an identity would number the row differently.
                ChangeKind::Insert => {
                    what != "a generated column" && value.is_some_and(|value| !value.is_null())
                }
                _ => change.cells.contains(&column),
            }
        };
        if let Some(change) = writes.changes.iter().find(touched) {
            return Err(Error::invalid(format!(
                "the column \"{}\" of \"{}\" is {what}: it cannot be written (the first row is {})",
                info.name, table.name, change.key
            ))
            .next("leave it out of columns and use another key, or give it direction rightToLeft or leftToRight away from the database"));
        }
    }
    Ok(())
}

/// Cuts changes into batches of a bounded number of rows and bytes, in their order.
fn cut(changes: &[&Change]) -> Vec<Vec<usize>> {
    let size = |change: &Change| -> usize {
        let row = |row: &Option<lockstep_engine::value::Row>| -> usize {
            row.iter()
                .flat_map(|row| row.iter())
                .map(|value| 16 + value.as_text().map_or(8, str::len))
                .sum()
        };
        row(&change.before) + row(&change.after)
    };
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (position, change) in changes.iter().enumerate() {
        let more = size(change);
        match batches.last_mut() {
            Some(batch) if batch.len() < ROWS && bytes + more <= BYTES => {
                batch.push(position);
                bytes += more;
            }
            _ => {
                batches.push(vec![position]);
                bytes = more;
            }
        }
    }
    batches
}
