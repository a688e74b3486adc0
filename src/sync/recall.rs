//! The rows of a member that was not read whole: what was seen of it, and what changed since.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    cell::Cell,
    key::Key,
    schema::Schema,
    snapshot::{Mapping, Snapshot, SnapshotBuilder, View},
    value::Row,
};

use super::{
    content::{Content, Hasher},
    known::{Known, Texts},
    prepare::Member,
    seen::{About, Against, Remembered},
};
use crate::replica::scan::{Extent, Scan};

/// What a member whose rows were recalled must come to; anything else is a doubt, and it is read whole.
#[derive(Clone, Debug)]
pub(super) struct Recalled {
    /// What was seen of it before.
    pub(super) before: Remembered,
    /// The sum of its rows.
    content: Content,
}

impl Recalled {
    /// Returns whether a member was compared as it was kept: with the same columns, and the rows that add up.
    pub(super) fn holds(&self, member: &Member, schema: &Schema) -> bool {
        let about = &self.before.about;
        about.schema == *schema
            && about.mapped == member.headers
            && member.content == self.content
            && member.findings.is_empty()
            && member.set_aside == 0
    }
}

/// Completes a scan that is not of all rows; `None` if anything is in doubt.
///
/// `others` are the members that were read whole.
pub(super) fn recall(
    scan: Scan,
    before: &Remembered,
    known: &Known,
    others: &[Member],
) -> Option<(Scan, Recalled)> {
    let about = &before.about;
    let reference = match &about.against {
        Against::Base { member, .. } => {
            known.base(member).snapshot.view_by_name(&about.schema).ok()?
        }
        Against::Side { member, mapped, content } => {
            let other = others.iter().find(|other| other.name == *member)?;
            let whole = other.down.is_none() && other.scan.extent == Extent::Whole;
            let view = see(&other.scan.snapshot, &about.schema, mapped)?;
            (whole && Content::of(&view) == *content).then_some(view)?
        }
    };
    let blank = SnapshotBuilder::new(about.headers.iter().cloned()).finish();
    let since = match scan.extent {
        Extent::Since => &scan.snapshot,
        Extent::Unchanged => &blank,
        Extent::Whole => return None,
    };
    if since.headers() != about.headers || !since.findings().is_empty() {
        return None;
    }
    let certain = scan.catalogue.is_some();
    if !certain && !same_types(&scan, since, about) {
        return None;
    }
    let (snapshot, content) = rows(before, &reference, since)?;
    let stamp = scan.stamp.clone().or_else(|| Some(about.stamp.clone()));
    let mut whole = Scan { snapshot, stamp, ..scan };
    if !certain {
        whole.types = about.types.clone().into_iter().collect();
        whole.formulas = about.formulas.iter().cloned().collect();
    }
    Some((whole, Recalled { before: before.clone(), content }))
}

/// Sees a snapshot through those columns of a schema that it has headers for.
fn see<'a>(
    snapshot: &'a Snapshot,
    schema: &'a Schema,
    mapped: &[Option<String>],
) -> Option<View<'a>> {
    let there = |header: &&String| snapshot.headers().contains(header);
    let columns = schema.columns.iter().zip(mapped);
    let mapping: Vec<Mapping> = columns
        .filter_map(|(column, header)| {
            Some(Mapping::new(&column.name, header.as_ref().filter(there)?))
        })
        .collect();
    snapshot.view(schema, &mapping).ok()
}

/// Returns whether what the replica itself says of its columns, as far as it says it, is what it said before.
fn same_types(scan: &Scan, since: &Snapshot, about: &About) -> bool {
    let said = scan.types.iter().all(|(name, ty)| about.types.get(name) == Some(ty));
    let kept = about.types.keys().all(|name| {
        let at = since.headers().iter().position(|header| header == name);
        let filled = |at: usize| (0..since.len()).any(|row| since.cell(row, at) != Cell::Null);
        scan.types.contains_key(name) || !at.is_some_and(filled)
    });
    said && kept
}

/// Returns the rows with what changed since, and their sum.
fn rows(
    before: &Remembered,
    reference: &View<'_>,
    since: &Snapshot,
) -> Option<(Snapshot, Content)> {
    let Remembered { about, apart } = before;
    let (schema, mapped) = (&about.schema, &about.mapped);
    let changed = see(since, schema, mapped)?;
    let mut keys = BTreeSet::new();
    for row in 0..changed.len() {
        let key = changed.key(row);
        if key.is_blank() || !keys.insert(key) {
            return None;
        }
    }
    let column = |header: &String| mapped.iter().position(|one| one.as_ref() == Some(header));
    let columns: Vec<Option<usize>> = about.headers.iter().map(column).collect();
    let mut kept = Kept {
        builder: SnapshotBuilder::new(about.headers.iter().cloned()),
        content: about.content,
        hasher: Hasher::default(),
        columns,
        mapped,
    };
    let mut apart: BTreeMap<&Key, &Option<Row>> = apart.iter().collect();
    for row in 0..reference.len() {
        let key = reference.key(row);
        let gone = keys.contains(&key);
        match apart.remove(&key) {
            Some(None) => {}
            Some(Some(own)) => kept.row(own.clone(), gone),
            None => kept.row(reference.row(row), gone),
        }
    }
    for (key, own) in apart {
        if let Some(own) = own {
            kept.row(own.clone(), keys.contains(key));
        }
    }
    for row in 0..since.len() {
        kept.builder.push(since.row(row));
        kept.content.add(&kept.hasher.hash(&changed.row(row)));
    }
    Some((kept.builder.finish(), kept.content))
}

/// The rows as they are put together.
struct Kept<'a> {
    builder: SnapshotBuilder,
    content: Content,
    hasher: Hasher,
    /// For each header the column of the dataset that stands under it.
    columns: Vec<Option<usize>>,
    mapped: &'a [Option<String>],
}

impl Kept<'_> {
    /// Puts a row back, or takes it out of the sum because it changed since.
    fn row(&mut self, mut row: Row, gone: bool) {
        blank_unmapped(&mut row, self.mapped);
        if gone {
            return self.content.take(&self.hasher.hash(&row));
        }
        let texts = Texts::of(&row);
        let cells =
            self.columns.iter().map(|column| column.map_or(Cell::Null, |at| texts.cell(at)));
        self.builder.push(cells);
    }
}

/// Blanks the values of columns that a member does not have.
pub(super) fn blank_unmapped(row: &mut Row, mapped: &[Option<String>]) {
    if mapped.iter().all(Option::is_some) {
        return;
    }
    for (value, header) in row.iter_mut().zip(mapped) {
        if header.is_none() {
            *value = lockstep_engine::value::Value::Null;
        }
    }
}
