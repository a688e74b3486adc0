//! Reading a part of a replica: the keys of all rows first, then the rows that have some of them.
//!
//! Tables of a database and of a spreadsheet can be read so. What has no way to a row but past the others (a file, the
//! pages of an API, what a query returns) is read whole, and the rows that were not asked for are dropped.

use lockstep_engine::snapshot::SnapshotBuilder;

use super::{
    Source,
    reach::Reach,
    scan::{Role, Scan, scan},
    sheet_part::SheetKeys,
    sql::{
        self,
        scan::{Ask, Part},
    },
};
use crate::error::Result;

/// The keys of a replica.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The rows, as far as they were read: other cells than the key's may be blank or missing.
    pub(crate) scan: Scan,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Whole,
    Table,
    Sheet(Box<SheetKeys>),
}

impl Keys {
    /// Returns whether these are whole rows already.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.place, Place::Whole)
    }
}

/// Reads the columns of the key, by their headers; of a sheet that has no more than `few` rows everything.
///
/// # Errors
/// See [`scan`].
pub(crate) async fn keys(
    reach: &Reach,
    source: &Source,
    role: Role,
    headers: &[String],
    few: usize,
) -> Result<Keys> {
    match source {
        Source::Table { connection, table: Some(table), query: None, .. } => {
            let ask =
                Ask { part: Part::Columns(headers), ..Ask::new(connection, Some(table), None) };
            let scan = sql::scan::scan(reach, ask, role, None).await?;
            Ok(Keys { scan, place: Place::Table })
        }
        Source::Sheet { .. } => match SheetKeys::read(reach, source, role, headers, few).await? {
            Some((scan, keys)) => Ok(Keys { scan, place: Place::Sheet(Box::new(keys)) }),
            None => whole(reach, source, role).await,
        },
        _ => whole(reach, source, role).await,
    }
}

async fn whole(reach: &Reach, source: &Source, role: Role) -> Result<Keys> {
    Ok(Keys { scan: scan(reach, source, role, None).await?, place: Place::Whole })
}

/// Reads the rows that have the keys of some rows of [`Keys::scan`], ascending.
///
/// Whoever changed a row in between may have given it another key.
///
/// # Errors
/// See [`scan`].
pub(crate) async fn rows(
    reach: &Reach,
    source: &Source,
    role: Role,
    keys: Keys,
    wanted: &[usize],
) -> Result<Scan> {
    match (keys.place, source) {
        (Place::Table, Source::Table { connection, table, .. }) => {
            let part = Part::Like(&keys.scan.snapshot, wanted);
            let ask = Ask { part, ..Ask::new(connection, table.as_deref(), None) };
            sql::scan::scan(reach, ask, role, None).await
        }
        (Place::Sheet(sheet), _) => {
            let snapshot = &keys.scan.snapshot;
            let numbers = wanted.iter().map(|row| snapshot.origin(*row)).collect();
            sheet.rows(&reach.google, role, numbers).await
        }
        (Place::Whole | Place::Table, _) => {
            let scan = keys.scan;
            let mut builder = SnapshotBuilder::new(scan.snapshot.headers().iter().cloned());
            for row in wanted {
                builder.push_at(scan.snapshot.origin(*row), scan.snapshot.row(*row));
            }
            Ok(Scan { snapshot: builder.finish(), ..scan })
        }
    }
}
