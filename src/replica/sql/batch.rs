//! One batch within its transaction: compare, write, read back; and find the row that the database refuses.

use std::collections::BTreeMap;

use lockstep_engine::reconcile::ChangeKind;
use sqlx::Error as Sqlx;

use super::{
    Engine,
    check::{Look, Work, nulls},
    column::ColumnInfo,
    encode, failure,
    rows::Rows,
    session::{Bind, Session},
};
use crate::{
    error::{Error, Result},
    replica::{OnError, apply::Unconfirmed},
    store::LeftOut,
};

/// Why a part of a batch was taken back.
enum Stop {
    /// The database refuses one of the rows, in these words and for this column.
    Row(String, Option<String>),
    /// These rows, by position, do not stay as they were written.
    Rows(Vec<Unconfirmed>),
    /// No row is to blame.
    Fatal(Error),
}

impl From<Sqlx> for Stop {
    fn from(error: Sqlx) -> Self {
        match failure::refused(&error) {
            Some((said, column)) => Self::Row(said, column),
            None => Self::Fatal(failure::write(&error)),
        }
    }
}

/// Writes the changes of a batch; returns those that were not made, because their rows had changed or were refused.
///
/// A part that the database refuses is taken back to its savepoint and halved, until the row is found.
///
/// # Errors
/// The refused row, unless such rows are to be left out; whatever else fails. The caller rolls back.
pub(super) async fn write(
    work: Work<'_>,
    session: &mut Session,
    positions: &[usize],
) -> Result<Vec<Unconfirmed>> {
    let mut unmatched = Vec::new();
    let mut refused: Vec<Unconfirmed> = Vec::new();
    let mut parts: Vec<Vec<usize>> = vec![positions.to_vec()];
    while let Some(part) = parts.pop() {
        let new = match attempt(work, session, &part).await {
            Ok(more) => {
                unmatched.extend(more);
                continue;
            }
            Err(Stop::Fatal(error)) => return Err(error),
            Err(Stop::Rows(rows)) => {
                let left = |position: &&usize| !rows.iter().any(|row| row.change == **position);
                parts.push(part.iter().filter(left).copied().collect());
                rows
            }
            Err(Stop::Row(said, column)) => match part.as_slice() {
                [change] => {
                    let why = LeftOut::refused(refusal(&said), column);
                    vec![Unconfirmed { change: *change, why }]
                }
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    // The first half goes first: what is taken off the end comes next.
                    parts.extend([second.to_vec(), first.to_vec()]);
                    continue;
                }
            },
        };
        if let (OnError::Rollback, Some(first)) = (work.plan.on_error, new.first()) {
            return Err(refused_row(work, first));
        }
        refused.extend(new);
    }
    // A row may have been refused because one that it needs came after it.
    let mut before = usize::MAX;
    while !refused.is_empty() && refused.len() < before {
        before = refused.len();
        let mut still = Vec::new();
        for row in refused {
            match attempt(work, session, &[row.change]).await {
                Ok(more) => unmatched.extend(more),
                Err(Stop::Fatal(error)) => return Err(error),
                Err(Stop::Row(..) | Stop::Rows(_)) => still.push(row),
            }
        }
        refused = still;
    }
    unmatched.extend(refused);
    Ok(unmatched)
}

fn refusal(said: &str) -> String {
    format!("the database refuses the row: {said}")
}

/// Returns the error that names the row.
fn refused_row(work: Work<'_>, row: &Unconfirmed) -> Error {
    let key = work.change(row.change).map(|change| change.key.to_string()).unwrap_or_default();
    Error::invalid(format!("{}; the batch was taken back", row.why.why))
        .context(format!("row {key} of \"{}\"", work.plan.table.name))
        .next("correct the row, or set onError: \"skip\" on this side to leave such rows out and write the rest")
}

/// Writes some changes between two savepoints.
async fn attempt(
    work: Work<'_>,
    session: &mut Session,
    part: &[usize],
) -> Result<Vec<Unconfirmed>, Stop> {
    session.simple("SAVEPOINT lockstep_part").await?;
    let tried = write_part(work, session, part).await;
    match &tried {
        Ok(_) => session.simple("RELEASE SAVEPOINT lockstep_part").await?,
        Err(Stop::Fatal(_)) => {}
        Err(_) => session.simple("ROLLBACK TO SAVEPOINT lockstep_part").await?,
    }
    tried
}

async fn write_part(
    work: Work<'_>,
    session: &mut Session,
    part: &[usize],
) -> Result<Vec<Unconfirmed>, Stop> {
    if session.engine() == Engine::Postgres {
        session.simple("SET CONSTRAINTS ALL DEFERRED").await?;
    }
    let sorted = Sorted::new(work, part);
    let unmatched = compare(work, session, &sorted).await?;
    let stays = |position: &usize| !unmatched.iter().any(|row| row.change == *position);
    let deleted: Vec<usize> = sorted.deleted.iter().copied().filter(stays).collect();
    let inserted: Vec<usize> = sorted.inserted.iter().copied().filter(stays).collect();
    delete(work, session, &deleted).await?;
    for (cells, positions) in &sorted.updated {
        let positions: Vec<usize> = positions.iter().copied().filter(stays).collect();
        update(work, session, cells, &positions).await?;
    }
    insert(work, session, &inserted).await?;
    if session.engine() == Engine::Postgres {
        // What a constraint would say at the commit it says now, while the row can still be found.
        session.simple("SET CONSTRAINTS ALL IMMEDIATE").await?;
    }
    let written: Vec<usize> = part.iter().copied().filter(stays).collect();
    read_back(work, session, &written).await?;
    Ok(unmatched)
}

/// The changes of a part by what they do; updates by the columns that they touch.
struct Sorted {
    deleted: Vec<usize>,
    updated: BTreeMap<Vec<usize>, Vec<usize>>,
    inserted: Vec<usize>,
}

impl Sorted {
    fn new(work: Work<'_>, part: &[usize]) -> Self {
        let mut sorted = Self { deleted: vec![], updated: BTreeMap::new(), inserted: vec![] };
        for position in part {
            match work.change(*position) {
                Some(change) if change.kind == ChangeKind::Delete => sorted.deleted.push(*position),
                Some(change) if change.kind == ChangeKind::Insert => {
                    sorted.inserted.push(*position);
                }
                Some(change) => {
                    let cells = change.cells.iter().copied();
                    let cells =
                        cells.filter(|column| work.plan.column(*column).is_some()).collect();
                    sorted.updated.entry(cells).or_default().push(*position);
                }
                None => {}
            }
        }
        sorted
    }
}

/// Locks the rows of the changes, and returns those changes whose rows are not as the plan saw them.
async fn compare(
    work: Work<'_>,
    session: &mut Session,
    sorted: &Sorted,
) -> Result<Vec<Unconfirmed>, Sqlx> {
    let mut unmatched = Vec::new();
    // A deletion takes every mapped column with it; an update answers for those that it touches.
    let mapped: Vec<usize> =
        (0..work.plan.columns.len()).filter(|column| work.plan.column(*column).is_some()).collect();
    let deleted = [(mapped, sorted.deleted.clone())];
    let updated = sorted.updated.iter().map(|(cells, rows)| (cells.clone(), rows.clone()));
    for (columns, positions) in deleted.into_iter().chain(updated) {
        let found = work.read(session, &positions, columns.clone(), Look::Before).await?;
        for position in positions {
            let before = work.change(position).and_then(|change| change.before.as_ref());
            if let Some(difference) = found.differs(&work, position, &columns, before) {
                let why = LeftOut::changed(difference.before());
                unmatched.push(Unconfirmed { change: position, why });
            }
        }
    }
    let taken = work.read(session, &sorted.inserted, Vec::new(), Look::Taken).await?;
    for position in &sorted.inserted {
        if taken.has(*position) {
            let why = LeftOut::changed("somebody added a row with the same key meanwhile");
            unmatched.push(Unconfirmed { change: *position, why });
        }
    }
    Ok(unmatched)
}

async fn delete(work: Work<'_>, session: &mut Session, positions: &[usize]) -> Result<(), Sqlx> {
    let keys = work.keys();
    let mut rows = Rows::new(keys.len());
    for position in positions {
        if let Some(change) = work.change(*position) {
            rows.push(*position, work.key(change, false));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let sql = work.statements(&keys).delete(&nulls(&rows));
    session.execute(sql, Bind::Rows(rows)).await.map(drop)
}

async fn update(
    work: Work<'_>,
    session: &mut Session,
    cells: &[usize],
    positions: &[usize],
) -> Result<(), Sqlx> {
    let keys = work.keys();
    let columns: Vec<&ColumnInfo> =
        cells.iter().filter_map(|column| work.plan.column(*column)).collect();
    let mut rows = Rows::new(keys.len() + columns.len());
    for position in positions {
        if let Some(change) = work.change(*position) {
            let mut row = work.key(change, false);
            row.extend(values(work, change, cells));
            rows.push(*position, row);
        }
    }
    if rows.is_empty() || columns.is_empty() {
        return Ok(());
    }
    let nulls: Vec<bool> = nulls(&rows).into_iter().take(keys.len()).collect();
    let sql = work.statements(&keys).update(&columns, &nulls);
    session.execute(sql, Bind::Rows(rows)).await.map(drop)
}

async fn insert(work: Work<'_>, session: &mut Session, positions: &[usize]) -> Result<(), Sqlx> {
    let cells = &work.plan.inserted;
    let columns: Vec<&ColumnInfo> =
        cells.iter().filter_map(|column| work.plan.column(*column)).collect();
    let mut rows = Rows::new(columns.len());
    for position in positions {
        if let Some(change) = work.change(*position) {
            rows.push(*position, values(work, change, cells).collect());
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let keys = work.keys();
    let sql = work.statements(&keys).insert(&columns);
    session.execute(sql, Bind::Rows(rows)).await.map(drop)
}

fn values<'a>(
    work: Work<'a>,
    change: &'a lockstep_engine::reconcile::Change,
    cells: &'a [usize],
) -> impl Iterator<Item = super::rows::Datum> + 'a {
    use lockstep_engine::value::Value;
    cells.iter().filter_map(move |column| {
        let info = work.plan.column(*column)?;
        let value = change.after.as_ref().and_then(|row| row.get(*column)).unwrap_or(&Value::Null);
        Some(encode::datum(work.plan.database.engine, info, value))
    })
}

/// Reads what was written, before it is committed: nothing is confirmed that does not read back equal.
async fn read_back(work: Work<'_>, session: &mut Session, written: &[usize]) -> Result<(), Stop> {
    let sorted = Sorted::new(work, written);
    let mut wrong = Vec::new();
    let left = work.read(session, &sorted.deleted, Vec::new(), Look::Taken).await?;
    for position in sorted.deleted {
        if left.has(position) {
            let why = "the database did not remove the row (a trigger, rule or policy keeps it)";
            wrong.push(Unconfirmed { change: position, why: LeftOut::refused(why, None) });
        }
    }
    let inserted = (work.plan.inserted.clone(), sorted.inserted);
    for (columns, positions) in sorted.updated.into_iter().chain([inserted]) {
        let found = work.read(session, &positions, columns.clone(), Look::After).await?;
        for position in positions {
            let after = work.change(position).and_then(|change| change.after.as_ref());
            if let Some(difference) = found.differs(&work, position, &columns, after) {
                let why = LeftOut::refused(difference.after(), difference.column());
                wrong.push(Unconfirmed { change: position, why });
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Rows(wrong)) }
}
