//! Keeps what a run saw of its members, for the next one; see `seen` for why that is sound.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use lockstep_engine::{
    hub::HUB,
    key::Key,
    schema::Schema,
    value::{Row, Value},
};

use super::{
    Shell,
    content::{Hash, Hasher},
    definition::Definition,
    known::work,
    pair::view_of,
    prepare::{Member, Planned},
    recall::blank_unmapped,
    seen::{About, Against, Remembered},
};
use crate::{
    error::Result,
    replica::scan::Extent,
    store::{Lease, PackedBase, Seen, base_name},
};

/// Of so many rows one may be kept apart; with more the reference is none.
const SHARE: usize = 10;

/// The rows that may be kept apart of any member, however small.
const FEW: usize = 1_000;

/// The rows that may be kept apart of any member, however large.
const MANY: usize = 10_000;

/// Keeps what a closed run saw, or one that had nothing to do; a failure costs the next run time, and nothing else.
pub(super) async fn keep(
    shell: &Shell,
    definition: &Definition,
    lease: &Lease,
    planned: &Arc<Planned>,
) {
    let kept = seen(shell, definition, planned).await;
    super::halt::point("keeping").await;
    let kept = match kept {
        Ok(kept) => shell.store.keep_seen(lease, kept, shell.reach.clock.now()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        tracing::warn!(%error, dataset = definition.name, "what was seen is not kept");
    }
    super::halt::point("kept").await;
}

async fn seen(
    shell: &Shell,
    definition: &Definition,
    planned: &Arc<Planned>,
) -> Result<Vec<(String, Seen)>> {
    if definition.full_every <= 1 || !planned.members.iter().any(|one| fit(planned, one)) {
        return Ok(Vec::new());
    }
    let mut bases = BTreeMap::new();
    for (member, spoke) in definition.bases() {
        if let Some(base) = shell.store.packed_base(&base_name(&definition.name, spoke)).await? {
            bases.insert(member.to_owned(), base);
        }
    }
    let (planned, definition) = (Arc::clone(planned), definition.clone());
    work(move || {
        let named = definition.kept().fingerprint()?;
        let mut all = Vec::new();
        for member in planned.members.iter().filter(|one| fit(&planned, one)) {
            let Some(reference) = Reference::of(&definition, &planned, member, &bases) else {
                continue;
            };
            if let Some(kept) = remember(&planned, member, &reference, &named)? {
                all.push((member.name.clone(), kept.stored()?));
            }
        }
        Ok(all)
    })
    .await
}

/// Returns whether what was seen of a member may be kept: it is clean, can prove something, and was not written.
fn fit(planned: &Planned, member: &Member) -> bool {
    let clean = member.findings.is_empty() && member.set_aside == 0;
    let clean = clean && member.scan.errors.is_empty() && member.down.is_none();
    let written = !planned.plan.body().result.writes(&member.name).is_empty();
    clean && member.scan.stamp.is_some() && !written
}

/// The rows that a member's are compared with.
enum Reference<'a> {
    Base { member: &'a str, base: &'a PackedBase },
    Side { side: &'a Member, planned: &'a Planned },
}

impl<'a> Reference<'a> {
    /// Returns the rows that are the most like those of a member.
    fn of(
        definition: &Definition,
        planned: &'a Planned,
        member: &Member,
        bases: &'a BTreeMap<String, PackedBase>,
    ) -> Option<Self> {
        let like = match member.name.as_str() {
            // The base of the spoke that has the most of the hub's columns, and of those the largest.
            HUB => {
                let like = |other: &Member| {
                    let both = member.headers.iter().zip(&other.headers);
                    let shared = both.filter(|(here, there)| here.is_some() && there.is_some());
                    (shared.count(), other.scan.snapshot.len())
                };
                let spokes = planned.members.iter().skip(1).filter(|one| one.down.is_none());
                spokes.max_by_key(|one| like(one)).map(|one| one.name.as_str())?
            }
            _ if definition.is_hub() => &member.name,
            _ if definition.has_base() => "right",
            "left" => {
                let side = planned.members.iter().find(|one| one.name == "right")?;
                let clean = side.findings.is_empty() && side.set_aside == 0;
                return clean.then_some(Self::Side { side, planned });
            }
            // Of a one-way pair one side has to be read, for the other to be like it.
            _ => return None,
        };
        let (member, base) = bases.get_key_value(like)?;
        Some(Self::Base { member, base })
    }

    fn against(&self) -> Against {
        match self {
            Self::Base { member, base } => {
                Against::Base { member: (*member).to_owned(), version: base.version }
            }
            Self::Side { side, planned } => {
                let mut content = side.content;
                let mut hasher = Hasher::default();
                let mut hash = |row: &Row| {
                    let mut row = row.clone();
                    blank_unmapped(&mut row, &side.headers);
                    hasher.hash(&row)
                };
                for change in planned.plan.body().result.writes(&side.name) {
                    change.before.iter().for_each(|row| content.take(&hash(row)));
                    change.after.iter().for_each(|row| content.add(&hash(row)));
                }
                let (member, mapped) = (side.name.clone(), side.headers.clone());
                Against::Side { member, mapped, content }
            }
        }
    }

    /// Calls something for each row, in the columns of the schema.
    fn each(&self, schema: &Schema, mut row: impl FnMut(Row)) -> Result<()> {
        match self {
            Self::Base { base, .. } => {
                let at = |name| base.columns.iter().position(|known| known == name);
                let from: Vec<Option<usize>> =
                    schema.columns.iter().map(|column| at(&column.name)).collect();
                base.each(|own| {
                    let value = |at: &Option<usize>| own.get((*at)?).cloned();
                    row(from.iter().map(|at| value(at).unwrap_or(Value::Null)).collect());
                })
            }
            Self::Side { side, planned } => {
                let view = view_of(&side.scan.snapshot, schema, &side.headers, &side.name)?;
                let writes = planned.plan.body().result.writes(&side.name);
                let written: HashSet<&Key> = writes.iter().map(|change| &change.key).collect();
                let kept = (0..view.len()).filter(|at| !written.contains(&view.key(*at)));
                kept.for_each(|at| row(view.row(at)));
                writes.iter().filter_map(|change| change.after.clone()).for_each(row);
                Ok(())
            }
        }
    }
}

fn remember(
    planned: &Planned,
    member: &Member,
    reference: &Reference<'_>,
    named: &str,
) -> Result<Option<Remembered>> {
    let schema = &planned.plan.body().basis.schema;
    let against = reference.against();
    let Some(stamp) = member.scan.stamp.clone() else { return Ok(None) };
    let before = member.recalled.as_ref().map(|recalled| &recalled.before);
    let runs = before.map_or(0, |before| before.about.runs.saturating_add(1));
    let before = before.filter(|before| before.about.against == against);
    if let Some(before) = before.filter(|_| member.scan.extent == Extent::Unchanged) {
        let about = About { stamp, runs, mark: planned.mark, ..before.about.clone() };
        return Ok(Some(Remembered { about, apart: before.apart.clone() }));
    }
    let Some(apart) = apart(schema, member, reference)? else { return Ok(None) };
    let about = About {
        definition: named.to_owned(),
        stamp,
        headers: member.read.headers.clone(),
        types: member.scan.types.clone().into_iter().collect(),
        formulas: member.scan.formulas.iter().cloned().collect(),
        schema: schema.clone(),
        mapped: member.headers.clone(),
        against,
        content: member.content,
        runs,
        mark: planned.mark,
    };
    Ok(Some(Remembered { about, apart }))
}

/// Returns the rows that are not as the reference has them; `None` if there are too many.
fn apart(
    schema: &Schema,
    member: &Member,
    reference: &Reference<'_>,
) -> Result<Option<BTreeMap<Key, Option<Row>>>> {
    let mut hasher = Hasher::default();
    let mut there: HashMap<[u8; 16], Hash> = HashMap::new();
    reference.each(schema, |mut row| {
        let key = hasher.short(schema.key_of(&row).as_values());
        blank_unmapped(&mut row, &member.headers);
        there.insert(key, hasher.hash(&row));
    })?;
    let view = view_of(&member.scan.snapshot, schema, &member.headers, &member.name)?;
    let most = (view.len() / SHARE).clamp(FEW, MANY);
    let mut apart = BTreeMap::new();
    for at in 0..view.len() {
        let (key, row) = (view.key(at), view.row(at));
        if there.remove(&hasher.short(key.as_values())) != Some(hasher.hash(&row)) {
            apart.insert(key, Some(row));
        }
        if apart.len() > most {
            return Ok(None);
        }
    }
    if apart.len() + there.len() > most {
        return Ok(None);
    }
    if !there.is_empty() {
        reference.each(schema, |row| {
            let key = schema.key_of(&row);
            if there.contains_key(&hasher.short(key.as_values())) {
                apart.insert(key, None);
            }
        })?;
    }
    Ok(Some(apart))
}
