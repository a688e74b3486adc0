//! Comparing two large tables where they are, so that rows that are equal are not read.

use std::collections::BTreeSet;

use lockstep_engine::dataset::SideName;

use super::{
    Shell,
    definition::{Definition, Members},
    inspect::Which,
    prepare::Member,
};
use crate::{
    error::Result,
    replica::{
        Source,
        sql::segment::{SEGMENTS, Segmented},
    },
};

/// How a comparison was pushed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    /// Segments whose checksums differ, and whose rows were read; all that were drawn, for a sample.
    pub(crate) read: usize,
    /// Segments there are.
    pub(crate) of: usize,
    /// Keys at least, on both sides together.
    pub(crate) keys: u64,
    /// Rows of one side that are equal on the other and were not read.
    pub(crate) rows_not_read: u64,
}

/// Reads what has to be read of a pair of large PostgreSQL tables; `None` where everything has to be.
///
/// # Errors
/// A table that cannot be read.
pub(super) async fn pushed(
    shell: &Shell,
    definition: &Definition,
    which: Which,
) -> Result<Option<(Vec<Member>, Segments)>> {
    let Members::Pair { left, right } = &definition.members else { return Ok(None) };
    let (Some(left), Some(right)) = (table(left), table(right)) else { return Ok(None) };
    let reach = &shell.reach;
    let Some(left) = Segmented::open(reach, left.0, left.1).await? else { return Ok(None) };
    let Some(right) = Segmented::open(reach, right.0, right.1).await? else { return Ok(None) };
    let (own, theirs) = columns(definition, &left);
    let (own, theirs): (Vec<&str>, Vec<&str>) =
        (own.iter().map(String::as_str).collect(), theirs.iter().map(String::as_str).collect());
    let keys = definition.key.len();
    if keys == 0 || own.len() < keys || !left.agrees(&own, &right, &theirs, keys) {
        return Ok(None);
    }
    shell.reach.progress.step(0, None, "comparing checksums in the databases");
    let (scans, read, rows_not_read) = match which {
        Which::Differing => {
            let (one, two) =
                tokio::try_join!(left.sums(reach, &own, keys), right.sums(reach, &theirs, keys))?;
            let all: BTreeSet<u32> = one.keys().chain(two.keys()).copied().collect();
            let differ: BTreeSet<u32> =
                all.into_iter().filter(|bucket| one.get(bucket) != two.get(bucket)).collect();
            if differ.len() > SEGMENTS / 2 {
                return Ok(None);
            }
            let equal = one.iter().filter(|(bucket, _)| !differ.contains(bucket));
            let equal: u64 = equal.map(|(_, (count, _))| count).sum();
            let scans = tokio::try_join!(
                left.segments(reach, &own, keys, &differ),
                right.segments(reach, &theirs, keys, &differ)
            )?;
            (scans, differ.len(), equal)
        }
        Which::Sample { keys: count, seed } => {
            let (one, two) = tokio::try_join!(
                left.draw(reach, &own, keys, (seed, count)),
                right.draw(reach, &theirs, keys, (seed, count))
            )?;
            let drawn: BTreeSet<&String> = one.union(&two).take(count).collect();
            let Some(last) = drawn.last() else { return Ok(None) };
            let scans = tokio::try_join!(
                left.sample(reach, &own, keys, (seed, last)),
                right.sample(reach, &theirs, keys, (seed, last))
            )?;
            (scans, drawn.len(), 0)
        }
    };
    let segments = Segments { read, of: SEGMENTS, keys: left.rows.max(right.rows), rows_not_read };
    let members = vec![
        Member::new(SideName::Left.as_str(), scans.0),
        Member::new(SideName::Right.as_str(), scans.1),
    ];
    Ok(Some((members, segments)))
}

fn table(source: &Source) -> Option<(&str, &str)> {
    match source {
        Source::Table { connection, table: Some(table), query: None, .. } => {
            Some((connection, table))
        }
        _ => None,
    }
}

/// Returns the headers of the columns on both sides, the key's first.
fn columns(definition: &Definition, left: &Segmented) -> (Vec<String>, Vec<String>) {
    let all: Vec<(String, String)> = match &definition.columns {
        Some(columns) => {
            columns.iter().map(|column| (column.name.clone(), column.right.clone())).collect()
        }
        None => left.headers().map(|name| (name.to_owned(), name.to_owned())).collect(),
    };
    let is_key = |name: &String| definition.key.contains(name);
    let key = definition.key.iter().filter_map(|name| all.iter().find(|(known, _)| known == name));
    let rest = all.iter().filter(|(name, _)| !is_key(name));
    let header = |name: &str| {
        let columns = definition.columns.iter().flatten();
        let mut own = columns.filter(|column| column.name == name).map(|column| &column.left);
        own.next().cloned().unwrap_or_else(|| name.to_owned())
    };
    key.chain(rest).map(|(name, right)| (header(name), right.clone())).unzip()
}
