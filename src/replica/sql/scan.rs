//! Reading a table, a view or a query into a snapshot.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use lockstep_engine::snapshot::{Snapshot, SnapshotBuilder};
use serde_json::Value;

use super::{
    Database,
    catalog::Table,
    check::nulls,
    column::{ColumnInfo, Kind},
    copy::CopyReader,
    cursor::{self, Moment, Stamp},
    encode, failure,
    name::{TableName, quote},
    query::Query,
    rows::Rows,
    session::{Bind, Session},
    statements::Statements,
};
use crate::{
    error::{Error, Result},
    replica::{
        OnError,
        reach::Reach,
        scan::{Catalogue, Extent, Role, Scan, Target},
    },
};

/// What is read of a database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) connection: &'a str,
    pub(crate) table: Option<&'a str>,
    pub(crate) query: Option<&'a str>,
    pub(crate) cursor: Option<&'a str>,
    pub(crate) on_error: OnError,
    pub(crate) part: Part<'a>,
}

/// Which part of a table is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Part<'a> {
    /// All of it.
    #[default]
    All,
    /// The rows for which a condition of this room's own making holds.
    Where(&'a str),
    /// These columns of all rows.
    Columns(&'a [String]),
    /// The rows that have the values of these rows of an earlier scan, which read a part of the columns.
    Like(&'a Snapshot, &'a [usize]),
}

impl<'a> Ask<'a> {
    /// Asks for a table's rows, or a query's.
    pub(crate) fn new(connection: &'a str, table: Option<&'a str>, query: Option<&'a str>) -> Self {
        let on_error = OnError::default();
        Self { connection, table, query, cursor: None, on_error, part: Part::All }
    }
}

/// A table as it was read; what is needed to write to it.
#[derive(Clone, Debug)]
pub(crate) struct SqlTable {
    pub(super) connection: String,
    pub(super) table: Table,
    pub(crate) on_error: OnError,
    /// Whether the rows of the snapshot are the table's own, so that a change's row can be found in it.
    pub(super) whole: bool,
}

/// Reads a table, view or query, whole or since an earlier scan.
///
/// # Errors
/// What the operator does not allow, what is not there, columns that cannot be read, and a connection that is lost.
pub(crate) async fn scan(
    reach: &Reach,
    ask: Ask<'_>,
    role: Role,
    since: Option<&Value>,
) -> Result<Scan> {
    let database = reach.connections.database(ask.connection)?;
    let scanned = read(reach, database, ask, role, since).await;
    scanned.map_err(|error| error.context(database.place()))
}

async fn read(
    reach: &Reach,
    database: &Database,
    ask: Ask<'_>,
    role: Role,
    since: Option<&Value>,
) -> Result<Scan> {
    if role.writes() {
        database.check_writable()?;
        if ask.query.is_some() {
            return Err(Error::invalid("a query can only be read").next(
                "name a table to write to, or make the query the left side of a one-way sync",
            ));
        }
    }
    let name = ask.table.map(TableName::read).transpose()?;
    match &name {
        Some(name) => database.check_table(name)?,
        None => database.check_queries()?,
    }
    let mut session = database.pool().await?.read().await?;
    let read = Reading { reach, database, ask, role, since }.read(&mut session, name).await;
    session.rollback().await;
    read
}

struct Reading<'a> {
    reach: &'a Reach,
    database: &'a Database,
    ask: Ask<'a>,
    role: Role,
    since: Option<&'a Value>,
}

impl Reading<'_> {
    async fn read(&self, session: &mut Session, name: Option<TableName>) -> Result<Scan> {
        let engine = session.engine();
        let (from, columns, table) = match (&name, self.ask.query) {
            (Some(name), _) => {
                let table = Table::read(session, name).await?;
                self.check_roles(&table)?;
                let mut columns = table.readable();
                if let Part::Columns(wanted) = self.ask.part {
                    columns.retain(|column| wanted.contains(&column.name));
                }
                (table.name.quoted(engine), columns, Some(table))
            }
            (None, sql) => {
                let query = Query::read(session, sql.unwrap_or_default()).await?;
                (query.table(), query.columns, None)
            }
        };
        let of = self.fingerprint(&columns, table.as_ref());
        let earlier = cursor::earlier(self.since, &of);
        let moment = Moment::read(session, table.as_ref()).await?;
        let mut stamp = Stamp { of, cursor: None, moment };
        let unchanged = match (&stamp.moment, earlier.as_ref().and_then(|e| e.moment.as_ref())) {
            (Some(now), Some(before)) => now.proves(before),
            _ => false,
        };
        if unchanged {
            let builder = builder(&columns);
            stamp.cursor = earlier.and_then(|earlier| earlier.cursor);
            return self.finish(builder, &columns, table, Extent::Unchanged, &stamp);
        }
        let mut condition = None;
        if let Some(cursor) = self.ask.cursor {
            let column = cursor::column(&columns, cursor)?;
            stamp.cursor = cursor::highest(session, &from, column).await?;
            // A cursor that went back tells of rows that are gone, or of another copy of the database.
            let last = earlier.and_then(|earlier| earlier.cursor);
            let last = last.filter(|last| cursor::went_on(column, last, stamp.cursor.as_deref()));
            condition = last.map(|last| cursor::condition(engine, column, &last));
        }
        let extent = if condition.is_some() { Extent::Since } else { Extent::Whole };
        let (filter, bind) = condition.unwrap_or((String::new(), Bind::none()));
        if let (Part::Like(keys, rows), Some(table)) = (self.ask.part, &table) {
            let builder = self.like(session, table, &columns, keys, rows).await?;
            let stamp = Stamp { cursor: None, moment: None, ..stamp };
            return self.finish(builder, &columns, Some(table.clone()), extent, &stamp);
        }
        let selected: Vec<String> =
            columns.iter().map(|column| column.selected(engine, "")).collect();
        let mut sql = format!("SELECT {} FROM {from}", selected.join(", "));
        if !filter.is_empty() {
            sql.push_str(&format!(" WHERE {filter}"));
        } else if let Part::Where(part) = self.ask.part {
            sql.push_str(&format!(" WHERE {part}"));
        }
        // The primary key's order is cheap to have, the same at every scan, and the order of new rows elsewhere.
        let order: Vec<String> =
            table.iter().flat_map(Table::order).map(|name| quote(engine, name)).collect();
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        let builder = self.rows(session, sql, bind, &columns).await?;
        self.finish(builder, &columns, table, extent, &stamp)
    }

    /// Refuses to write what cannot be written at all.
    fn check_roles(&self, table: &Table) -> Result<()> {
        let refusal = &table.refusal;
        match (&refusal.insert, &refusal.update, &refusal.delete) {
            (Some(why), Some(_), Some(_)) if self.role.writes() => Err(Error::new(
                crate::error::Kind::PermissionDenied,
                format!("\"{}\" cannot be written: {why}", table.name),
            )
            .next("name a table, or make it the left side of a one-way sync")),
            _ => Ok(()),
        }
    }

    /// Names what is read: the database, the table as it was made or last emptied, and its columns.
    fn fingerprint(&self, columns: &[ColumnInfo], table: Option<&Table>) -> String {
        let columns: Vec<_> = columns.iter().map(|column| (&column.name, &column.kind)).collect();
        let ask = (self.ask.connection, self.ask.table, self.ask.query, self.ask.cursor);
        let place = (self.database.address.public(), table.map(|table| &table.identity));
        blake3::hash(format!("{place:?} {ask:?} {columns:?}").as_bytes()).to_hex().to_string()
    }

    async fn rows(
        &self,
        session: &mut Session,
        sql: String,
        bind: Bind,
        columns: &[ColumnInfo],
    ) -> Result<SnapshotBuilder> {
        let Session::Postgres(tx) = session else {
            let mut builder = builder(columns);
            let wanted: Vec<&ColumnInfo> = columns.iter().collect();
            let read = session.stream(sql, bind, &wanted, false, &mut builder).await;
            return read.map(|()| builder).map_err(|error| self.broken(&error));
        };
        let mut reader = CopyReader::new(columns);
        let mut done = 0;
        let mut stream = tx
            .copy_out_raw(&format!("COPY ({sql}) TO STDOUT"))
            .await
            .map_err(|error| self.broken(&error))?;
        while let Some(piece) = stream.try_next().await.map_err(|error| self.broken(&error))? {
            let before = done / STEP;
            done += reader.take(&piece).map_err(|why| {
                Error::internal(format!("the database's rows are not understood: {why}"))
            })?;
            if done / STEP > before {
                self.reach.progress.check()?;
                self.reach.progress.step(done, None, "reading the database");
            }
        }
        Ok(reader.finish())
    }

    /// Reads the rows that have the values of some rows of an earlier scan, all columns of each.
    async fn like(
        &self,
        session: &mut Session,
        table: &Table,
        columns: &[ColumnInfo],
        keys: &Snapshot,
        wanted: &[usize],
    ) -> Result<SnapshotBuilder> {
        let engine = session.engine();
        let named = |name: &String| columns.iter().find(|column| column.name == *name);
        let own: Vec<&ColumnInfo> = keys.headers().iter().filter_map(named).collect();
        let mut rows = Rows::new(own.len());
        let mut known = HashSet::new();
        for row in wanted {
            let cells = own.iter().zip(keys.row(*row));
            let key: Vec<_> =
                cells.map(|(info, cell)| encode::again(engine, info, &cell)).collect();
            // A key that is there twice brings all its rows at once.
            if known.insert(key.clone()) {
                rows.push(*row, key);
            }
        }
        let mut builder = builder(columns);
        if !rows.is_empty() {
            let all: Vec<&ColumnInfo> = columns.iter().collect();
            let statements = Statements { engine, table, keys: &own };
            let sql = statements.read(&all, &nulls(&rows), false);
            let read = session.stream(sql, Bind::Rows(rows), &all, true, &mut builder).await;
            read.map_err(|error| self.broken(&error))?;
        }
        Ok(builder)
    }

    fn broken(&self, error: &sqlx::Error) -> Error {
        if let sqlx::Error::Decode(why) = error {
            return Error::invalid(why.to_string())
                .next("map other columns: name them in columns and leave this one out");
        }
        failure::read(error)
    }

    fn finish(
        &self,
        builder: SnapshotBuilder,
        columns: &[ColumnInfo],
        table: Option<Table>,
        extent: Extent,
        stamp: &Stamp,
    ) -> Result<Scan> {
        let named = |wanted: fn(&ColumnInfo) -> bool| -> HashSet<String> {
            columns
                .iter()
                .filter(|column| wanted(column))
                .map(|column| column.name.clone())
                .collect()
        };
        let types: HashMap<_, _> = columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), column.kind.column_type()?)))
            .collect();
        let refused: HashMap<String, String> = table
            .iter()
            .flat_map(|table| &table.columns)
            .filter_map(|column| match &column.kind {
                Kind::Unfit(why) => Some((column.name.clone(), why.clone())),
                _ => None,
            })
            .collect();
        // What the database computes flows from it alone, like the formulas of a sheet.
        let formulas = named(|column| column.generated == Some("a generated column"));
        let instants = named(|column| column.kind == Kind::Instant);
        let target = match table {
            Some(table) if self.role.writes() => Target::Sql(Box::new(SqlTable {
                connection: self.database.name.clone(),
                table,
                on_error: self.ask.on_error,
                whole: extent == Extent::Whole,
            })),
            _ => Target::ReadOnly,
        };
        let stamp = (stamp.cursor.is_some() || stamp.moment.is_some())
            .then(|| serde_json::to_value(stamp))
            .transpose()
            .map_err(|error| Error::internal("a stamp has no JSON form").with_source(error))?;
        let catalogue = Some(Catalogue { instants, refused });
        let whole = Scan::whole(builder.finish(), target);
        Ok(Scan { types, formulas, extent, stamp, catalogue, ..whole })
    }
}

/// How often a long read says how far it is, in rows.
const STEP: u64 = 20_000;

fn builder(columns: &[ColumnInfo]) -> SnapshotBuilder {
    SnapshotBuilder::new(columns.iter().map(|column| column.name.clone()))
}

impl Table {
    /// Returns the names of the columns that a scan is ordered by.
    fn order(&self) -> impl Iterator<Item = &str> {
        self.primary
            .iter()
            .filter_map(|at| self.columns.get(*at))
            .map(|column| column.name.as_str())
    }
}
