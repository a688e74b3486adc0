//! A sample of a dataset's keys, and their rows alone: what is not drawn is not read, where the replica has a way to a row.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    infer::{Declared, infer},
    key::Key,
    schema::Schema,
    snapshot::View,
};

use super::{
    Shell,
    columns::{Place, declared},
    definition::{ColumnDef, Definition},
    inspect::Which,
    known::{Known, work},
    pair::view_of,
    prepare::{Member, Read},
};
use crate::{
    error::{Error, Result},
    replica::{
        part::{Keys, keys, rows},
        scan::{Extent, Scan},
    },
};

/// Reads the rows of the keys that are drawn; returns the members, and how many keys there are.
///
/// `None` where everything has to be read: all is asked for, there are no more keys than are to be drawn, or a member
/// cannot be read so, or was changed between its keys and its rows. What is wrong with it is found by reading it whole.
pub(super) async fn read(
    shell: &Shell,
    definition: &Definition,
    known: &Known,
    which: Which,
) -> Option<(Vec<Member>, u64)> {
    let Which::Sample { keys, seed } = which else { return None };
    let sampling = Sampling { shell, definition, known };
    match shell.reach.progress.reading(sampling.read(keys, seed)).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, dataset = definition.name, "no sample alone could be read");
            None
        }
    }
}

struct Sampling<'a> {
    shell: &'a Shell,
    definition: &'a Definition,
    known: &'a Known,
}

impl Sampling<'_> {
    async fn read(&self, count: usize, seed: u64) -> Result<Option<(Vec<Member>, u64)>> {
        let reach = &self.shell.reach;
        let mut found: Vec<(String, Vec<String>, Keys)> = Vec::new();
        for (name, source) in self.definition.members() {
            let header = |column: &String| self.definition.header(name, column);
            let headers: Option<Vec<String>> = self.definition.key.iter().map(header).collect();
            let Some(headers) = headers else { return Ok(None) };
            let role = self.definition.role(name, self.known.schema.is_some());
            let keys = keys(reach, source, role, &headers, count).await?;
            found.push((name.to_owned(), headers, keys));
        }
        if found.iter().all(|(.., keys)| keys.is_whole()) {
            return Ok(None);
        }
        let schema = self.schema(&found);
        let (found, drawn, population) = work(move || {
            let (drawn, population) = {
                let views = found
                    .iter()
                    .map(|(name, headers, keys)| view(&schema, name, headers, &keys.scan))
                    .collect::<Result<Vec<_>>>()?;
                let views: Vec<Option<&View<'_>>> = views.iter().map(Some).collect();
                let (keys, population) = draw(&views, count, seed);
                let drawn: Vec<Vec<usize>> =
                    views.iter().flatten().map(|view| positions(view, &keys)).collect();
                (drawn, population)
            };
            Ok((found, drawn, population))
        })
        .await?;
        if population <= count as u64 {
            return Ok(None);
        }
        let mut members = Vec::new();
        for ((name, headers, keys), wanted) in found.into_iter().zip(drawn) {
            let source = self.definition.source(&name);
            let source = source.ok_or_else(|| Error::internal("a member without a replica"))?;
            let role = self.definition.role(&name, self.known.schema.is_some());
            let whole = keys.is_whole().then(|| keys.scan.snapshot.len() as u64);
            let before = texts(&headers, &keys.scan, wanted.iter().copied());
            let scan = rows(reach, source, role, keys, &wanted).await?;
            if texts(&headers, &scan, 0..scan.snapshot.len()) != before {
                return Ok(None);
            }
            let read = Read {
                extent: Extent::Whole,
                rows: whole.unwrap_or(scan.snapshot.len() as u64),
                headers: scan.snapshot.headers().to_vec(),
            };
            members.push(Member { read, ..Member::new(&name, scan) });
        }
        Ok(Some((members, population)))
    }

    /// Returns the columns of the key, by the types that they are compared as: declared, learned before, known to a
    /// replica, or inferred from the values that decide.
    fn schema(&self, found: &[(String, Vec<String>, Keys)]) -> Schema {
        let source =
            self.definition.policy.direction.source().filter(|_| !self.definition.is_hub());
        let decides = |name: &str| source.is_none_or(|source| source.as_str() == name);
        let declared = self.definition.key.iter().enumerate().map(|(at, name)| {
            let own = self.definition.columns.iter().flatten().find(|column| column.name == *name);
            let own = own.cloned().unwrap_or_else(|| ColumnDef::named(name));
            let places: Vec<Place<'_>> = found
                .iter()
                .map(|(_, headers, keys)| Place {
                    header: headers.get(at).map(String::as_str),
                    scan: &keys.scan,
                })
                .collect();
            let stored = self.known.schema.as_ref();
            let mut declared =
                declared(&own, &self.definition.nulls, stored, &places, places.len());
            let mut names = found.iter().map(|(name, ..)| decides(name));
            declared.sources.retain(|_| names.next().unwrap_or_default());
            declared
        });
        let declared: Vec<Declared> = declared.collect();
        let snapshots: Vec<_> = found
            .iter()
            .filter(|(name, ..)| decides(name))
            .map(|(.., keys)| &keys.scan.snapshot)
            .collect();
        let (schema, _) = infer(&snapshots, &declared);
        let key = (0..schema.columns.len()).collect();
        Schema::new(schema.columns, key)
    }
}

fn view<'a>(
    schema: &'a Schema,
    name: &str,
    headers: &[String],
    scan: &'a Scan,
) -> Result<View<'a>> {
    let headers: Vec<Option<String>> = headers.iter().cloned().map(Some).collect();
    view_of(&scan.snapshot, schema, &headers, name)
}

fn positions(view: &View<'_>, keys: &BTreeSet<Key>) -> Vec<usize> {
    (0..view.len()).filter(|row| keys.contains(&view.key(*row))).collect()
}

/// Returns the cells of the key of some rows, as the replica has them, sorted.
fn texts(headers: &[String], scan: &Scan, rows: impl Iterator<Item = usize>) -> Vec<Vec<String>> {
    let snapshot = &scan.snapshot;
    let at = |name: &String| snapshot.headers().iter().position(|header| header == name);
    let columns: Vec<usize> = headers.iter().filter_map(at).collect();
    let text = |row: usize| {
        columns.iter().map(|column| format!("{:?}", snapshot.cell(row, *column))).collect()
    };
    let mut found: Vec<Vec<String>> = rows.map(text).collect();
    found.sort_unstable();
    found
}

/// Draws keys: those with the least digests under a seed, which is the same draw on every member. Returns how many keys
/// there are as well.
pub(super) fn draw(views: &[Option<&View<'_>>], count: usize, seed: u64) -> (BTreeSet<Key>, u64) {
    let mut drawn: BTreeMap<u64, Key> = BTreeMap::new();
    let mut all: BTreeSet<u64> = BTreeSet::new();
    for view in views.iter().copied().flatten() {
        for row in 0..view.len() {
            let key = view.key(row);
            if key.is_blank() {
                continue;
            }
            let place = digest(&key, seed);
            if !all.insert(place) {
                continue;
            }
            if drawn.len() < count || drawn.last_key_value().is_some_and(|(last, _)| place < *last)
            {
                drawn.insert(place, key);
                if drawn.len() > count {
                    drawn.pop_last();
                }
            }
        }
    }
    (drawn.into_values().collect(), all.len() as u64)
}

/// Returns the place of a key in the order in which a seed draws keys.
fn digest(key: &Key, seed: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(key.to_string().as_bytes());
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}
