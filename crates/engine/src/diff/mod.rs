//! The keyed difference of two delimited files, larger than memory if need be.
//!
//! Each file is streamed once, both at the same time. Of every row only digests and its place stay in memory (40
//! bytes); rows whose digests differ are read again at their places when the changes are listed.

mod layout;
mod options;
mod row;
mod scan;
mod visit;

pub use options::{DiffError, DiffOptions};
pub use visit::{CellChange, Change, ChangeKind, Counts};

use std::fs::File;

use rayon::prelude::*;

use crate::csv::CsvError;
use crate::findings::Finding;
use crate::group::Grouper;
use crate::index::{Entry, SHARDS};
use crate::infer::{Cause, InferReason, conclude};
use crate::key::Key;
use crate::schema::Schema;
use crate::side::SideName;
use crate::source::{Source, same_bytes};
use crate::spill::Loaded;
use layout::Layout;
use row::{Place, Rows};
use scan::{Scan, scan};

/// Where the changes between two files are; [`Diff::visit`] lists them.
pub struct Diff<'a> {
    left: Rows<'a>,
    right: Rows<'a>,
    schema: Schema,
    reasons: Vec<InferReason>,
    bytes: bool,
    only: [Vec<String>; 2],
    places: Places,
    rows: [u64; 2],
    identical: bool,
    findings: [Vec<Finding>; 2],
}

/// What the join of two indexes found, by place.
#[derive(Default)]
struct Places {
    same: u64,
    /// Keys on both sides whose rows differ in bytes: left and right.
    doubtful: Vec<(Place, Place)>,
    deleted: Vec<Place>,
    inserted: Vec<Place>,
    /// Keys that one side has more than once: all rows, left and right.
    repeated: Vec<[Vec<Place>; 2]>,
}

/// Compares two files by key; `spill` holds a file for each side, used beyond the memory budget.
///
/// # Errors
/// When a file cannot be read as delimited text, or has not the columns that were asked for.
pub fn diff<'a>(
    left: &'a dyn Source,
    right: &'a dyn Source,
    options: &DiffOptions,
    spill: Option<[File; 2]>,
) -> Result<Diff<'a>, DiffError> {
    let layout = Layout::new(left, right, options)?;
    if same_bytes(left, right)
        .map_err(|error| DiffError::csv(SideName::Left, CsvError::Read(error)))?
    {
        return Ok(Diff::identical(left, right, &layout, options));
    }
    let [spill_left, spill_right] = spill.map_or([None, None], |files| files.map(Some));
    let mut schema = layout.guess.clone();
    let run = |schema: &Schema, left_spill: Option<File>, right_spill: Option<File>| {
        let (a, b) = rayon::join(
            || scan(left, &layout, 0, schema, options, left_spill),
            || scan(right, &layout, 1, schema, options, right_spill),
        );
        Ok::<_, DiffError>([
            a.map_err(|error| DiffError::csv(SideName::Left, error))?,
            b.map_err(|error| DiffError::csv(SideName::Right, error))?,
        ])
    };
    // A second pass can only come from keys whose type the first thousand rows did not show.
    let again = || {
        spill_left
            .as_ref()
            .zip(spill_right.as_ref())
            .and_then(|(a, b)| Some((a.try_clone().ok()?, b.try_clone().ok()?)))
    };
    let (more_left, more_right) = again().unzip();
    let mut scans = run(&schema, more_left, more_right)?;
    let mut reasons = Vec::new();
    if !options.bytes {
        reasons = judge(&layout, &scans);
        let mut found = schema.clone();
        for (column, reason) in found.columns.iter_mut().zip(&reasons) {
            column.ty = reason.ty;
        }
        let keys_changed =
            schema.key.iter().any(|&key| schema.columns.get(key) != found.columns.get(key));
        schema = found;
        if keys_changed {
            drop(scans);
            scans = run(&schema, spill_left, spill_right)?;
        }
    }
    let places = join(&scans)?;
    let [a, b] = scans;
    let rows = [a.rows, b.rows];
    let mut diff = Diff {
        left: Rows::new(left, &layout, 0),
        right: Rows::new(right, &layout, 1),
        schema,
        reasons,
        bytes: options.bytes,
        only: layout.only.clone(),
        places,
        rows,
        identical: false,
        findings: [Vec::new(), Vec::new()],
    };
    diff.findings = diff.find([&a.blanks, &b.blanks])?;
    Ok(diff)
}

fn judge(layout: &Layout, scans: &[Scan; 2]) -> Vec<InferReason> {
    let [left, right] = scans;
    let columns = layout.guess.columns.iter().zip(&layout.declared).enumerate();
    columns
        .map(|(at, (column, declared))| match declared {
            Some(ty) => {
                InferReason { column: column.name.clone(), ty: *ty, cause: Cause::Declared }
            }
            None => {
                let evidence =
                    [left, right].map(|scan| scan.evidence.get(at).cloned().unwrap_or_default());
                conclude(&column.name, &evidence)
            }
        })
        .collect()
}

fn join(scans: &[Scan; 2]) -> Result<Places, DiffError> {
    let [left, right] = scans;
    let spill_error = |error| DiffError::Spill(error);
    let room = || (Grouper::default(), [Loaded::default(), Loaded::default()]);
    let shards: Vec<Places> = (0..SHARDS)
        .into_par_iter()
        .map_init(room, |(grouper, [a, b]), shard| {
            let a = left.index.shard(shard, a).map_err(spill_error)?;
            let b = right.index.shard(shard, b).map_err(spill_error)?;
            Ok(join_shard(grouper, &[a, b]))
        })
        .collect::<Result<_, DiffError>>()?;
    let mut places = Places::default();
    for mut shard in shards {
        places.same += shard.same;
        places.doubtful.append(&mut shard.doubtful);
        places.deleted.append(&mut shard.deleted);
        places.inserted.append(&mut shard.inserted);
        places.repeated.append(&mut shard.repeated);
    }
    // The order of the left file, then of the right one: what a person sees, and easy on the disk.
    places.doubtful.par_sort_unstable_by_key(|(left, _)| left.offset());
    places.deleted.par_sort_unstable_by_key(Place::offset);
    places.inserted.par_sort_unstable_by_key(Place::offset);
    places
        .repeated
        .sort_unstable_by_key(|[left, right]| left.iter().chain(right).next().map(Place::offset));
    Ok(places)
}

fn join_shard(grouper: &mut Grouper, sides: &[&[Entry]]) -> Places {
    let mut places = Places::default();
    for group in grouper.group(sides).iter() {
        if group.is_repeated() {
            places.repeated.push(
                [0, 1].map(|side| group.places(side).into_iter().map(Place::from_word).collect()),
            );
            continue;
        }
        match (group.entry(0), group.entry(1)) {
            (Some(a), Some(b)) if a.same_row(b) => places.same += 1,
            (Some(a), Some(b)) => {
                places.doubtful.push((Place::from_word(a.place), Place::from_word(b.place)))
            }
            (Some(a), None) => places.deleted.push(Place::from_word(a.place)),
            (None, Some(b)) => places.inserted.push(Place::from_word(b.place)),
            (None, None) => {}
        }
    }
    places
}

impl<'a> Diff<'a> {
    fn identical(
        left: &'a dyn Source,
        right: &'a dyn Source,
        layout: &Layout,
        options: &DiffOptions,
    ) -> Diff<'a> {
        Diff {
            left: Rows::new(left, layout, 0),
            right: Rows::new(right, layout, 1),
            schema: layout.guess.clone(),
            reasons: Vec::new(),
            bytes: options.bytes,
            only: layout.only.clone(),
            places: Places::default(),
            rows: [0, 0],
            identical: true,
            findings: [Vec::new(), Vec::new()],
        }
    }

    /// Returns whether the files have the same bytes, so that nothing was compared and no rows were counted.
    pub fn is_identical(&self) -> bool {
        self.identical
    }

    /// Returns the columns that both files have, with their types, and the key.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns why each column has its type; empty when bytes were compared.
    pub fn reasons(&self) -> &[InferReason] {
        &self.reasons
    }

    /// Returns the columns that only the left file has, and those that only the right one has.
    pub fn one_sided_columns(&self) -> &[Vec<String>; 2] {
        &self.only
    }

    /// Returns the numbers of data rows, left and right.
    pub fn rows(&self) -> [u64; 2] {
        self.rows
    }

    /// Returns the duplicate and blank keys of each side by line; their rows are in no change.
    pub fn findings(&self) -> &[Vec<Finding>; 2] {
        &self.findings
    }

    /// Returns the findings by line number, which takes another look at the files where there are any.
    fn find(&self, blanks: [&[Place]; 2]) -> Result<[Vec<Finding>; 2], DiffError> {
        let sides = [(&self.left, SideName::Left), (&self.right, SideName::Right)];
        let mut found = [Vec::new(), Vec::new()];
        for (side, ((rows, name), findings)) in sides.iter().zip(&mut found).enumerate() {
            let failed = |error| DiffError::csv(*name, error);
            let repeated: Vec<&Vec<Place>> = self
                .places
                .repeated
                .iter()
                .filter_map(|sides| sides.get(side))
                .filter(|places| places.len() > 1)
                .collect();
            let blank = blanks.get(side).copied().unwrap_or_default();
            let all: Vec<Place> =
                blank.iter().chain(repeated.iter().copied().flatten()).copied().collect();
            let lines = rows.lines(&all).map_err(failed)?;
            let mut lines = lines.into_iter();
            findings.extend(
                blank.iter().filter_map(|_| lines.next().map(|row| Finding::BlankKey { row })),
            );
            for places in repeated {
                let key = match places.first() {
                    Some(first) => self.key(&rows.fetch(*first).map_err(failed)?),
                    None => continue,
                };
                findings.push(Finding::DuplicateKey {
                    key,
                    rows: lines.by_ref().take(places.len()).collect(),
                });
            }
        }
        Ok(found)
    }

    fn key(&self, cells: &[String]) -> Key {
        let values = self
            .schema
            .key
            .iter()
            .filter_map(|&key| self.schema.columns.get(key).zip(cells.get(key)));
        let values = values.map(
            |(column, cell)| {
                if self.bytes { cell.as_str().into() } else { column.read(cell) }
            },
        );
        Key::normalised(values, self.schema.fold_key_case)
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
