//! The members of a dataset side by side, as they are now: what verifying and measuring look at. Nothing is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lockstep_engine::{
    expect::{Checks, References},
    findings::Finding,
    join::join,
    key::Key,
    schema::Schema,
    snapshot::View,
    value::Row,
};

use super::{
    Shell,
    definition::{Definition, Disappeared},
    expected::checks,
    known::Known,
    pair::{base_view, view_of},
    prepare::{Member, compare_members, look_at_all},
    sampled::{self, draw},
    seen::Memory,
    segments::{self, Segments},
};
use crate::{error::Result, store::ChangeRecord};

/// What is known of some keys.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) definition: Definition,
    pub(crate) schema: Schema,
    pub(crate) members: Vec<Member>,
    /// For each member but the first, what it last agreed on with the first, by key.
    pub(crate) agreed: Vec<HashMap<Key, Row>>,
    /// The keys that were looked at, in their order.
    pub(crate) keys: Vec<Seen>,
    /// How many keys there are on all members together, as far as that is known.
    pub(crate) population: u64,
    /// Keys that are equal everywhere and were not listed.
    pub(crate) equal: u64,
    /// What the members' rows are expected to be.
    pub(crate) checks: Checks,
    pub(crate) references: References,
    /// The last confirmed write of each member and key.
    pub(crate) written: BTreeMap<(String, Key), ChangeRecord>,
    /// How the comparison was pushed down, if it was.
    pub(crate) segments: Option<Segments>,
    /// Rows that came over the wire, by member.
    pub(crate) rows_read: BTreeMap<String, u64>,
}

/// A key and its rows.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key: Key,
    /// For each member the rows that have the key; none of one that is not there or was not read.
    pub(crate) rows: Vec<Vec<Row>>,
}

/// Which keys are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// All on which the members do not agree.
    Differing,
    /// This many, drawn without replacement by a seed.
    Sample { keys: usize, seed: u64 },
}

/// Reads the members, and brings together the rows of the keys that are asked for.
///
/// # Errors
/// A member that cannot be read or understood; a spoke that cannot be read is left out, see [`Member::down`].
pub(crate) async fn inspect(
    shell: &Shell,
    definition: &Definition,
    which: Which,
) -> Result<Inspected> {
    shell.reach.progress.check()?;
    let known = Known::load(shell, definition).await?;
    let pushed = segments::pushed(shell, definition, which).await?;
    shell.reach.progress.step(0, None, "reading all sides");
    let (mut segments, mut drawn) = (None, None);
    let looked = match pushed {
        Some((members, found)) => {
            segments = Some(found);
            members
        }
        None => match sampled::read(shell, definition, &known, which).await {
            Some((members, population)) => {
                drawn = Some(population);
                members
            }
            None => {
                let (memory, waiting) = (Memory::default(), BTreeMap::new());
                let looking = look_at_all(shell, definition, (&known, &memory), &waiting);
                shell.reach.progress.reading(looking).await?
            }
        },
    };
    let rows_read = looked.iter().map(|member| (member.name.clone(), member.read.rows)).collect();
    shell.reach.progress.step(0, None, "comparing");
    let now = shell.reach.clock.now();
    let owned = definition.clone();
    let mut inspected = tokio::task::spawn_blocking(move || {
        // The plan itself is not used: a part of the rows may have been read.
        let unlimited = Definition { only: None, ..owned.clone() };
        let planned = compare_members(&unlimited, looked, &known, now)?;
        let schema = planned.plan.body().basis.schema.clone();
        gather(owned, schema, planned.members, &known, which)
    })
    .await
    .map_err(|error| crate::error::Error::internal(format!("the comparison failed: {error}")))??;
    inspected.rows_read = rows_read;
    inspected.population = drawn.unwrap_or(inspected.population);
    if let Some(segments) = segments {
        inspected.population = segments.keys.max(inspected.population);
        inspected.equal += segments.rows_not_read;
        inspected.segments = Some(segments);
    }
    let keys: Vec<Key> = inspected.keys.iter().map(|seen| seen.key.clone()).collect();
    let last = shell.store.last_writes(&definition.name, &keys).await?;
    inspected.written = last
        .into_iter()
        .map(|record| ((record.side.clone(), record.action.key.clone()), record))
        .collect();
    Ok(inspected)
}

fn gather(
    definition: Definition,
    schema: Schema,
    members: Vec<Member>,
    known: &Known,
    which: Which,
) -> Result<Inspected> {
    let checks = checks(&definition, &schema)?;
    let references = known.referred.values(&checks, &schema);
    let (keys, population, equal) = {
        let mut views: Vec<Option<View<'_>>> = Vec::new();
        for Member { name, scan, headers, down, .. } in &members {
            views.push(match down {
                Some(_) => None,
                None => Some(view_of(&scan.snapshot, &schema, headers, name)?),
            });
        }
        let refs: Vec<Option<&View<'_>>> = views.iter().map(Option::as_ref).collect();
        match which {
            Which::Differing => differing(&refs),
            Which::Sample { keys, seed } => sample(&refs, keys, seed),
        }
    };
    let wanted: BTreeSet<&Key> = keys.iter().map(|seen| &seen.key).collect();
    let mut agreed = Vec::new();
    for member in members.iter().skip(1) {
        let learned = known.base(&member.name);
        let mut rows = HashMap::new();
        if learned.version.is_some() {
            let view = base_view(&learned.snapshot, &schema)?;
            for row in 0..view.len() {
                let key = view.key(row);
                if wanted.contains(&key) {
                    rows.insert(key, view.row(row));
                }
            }
        }
        agreed.push(rows);
    }
    Ok(Inspected {
        definition,
        schema,
        members,
        agreed,
        keys,
        population,
        equal,
        checks,
        references,
        written: BTreeMap::new(),
        segments: None,
        rows_read: BTreeMap::new(),
    })
}

/// Keys, how many there are, and how many of them are equal and left out.
type Gathered = (Vec<Seen>, u64, u64);

fn differing(views: &[Option<&View<'_>>]) -> Gathered {
    let joined = join(views);
    let row = |at: usize, row: usize| Some(views.get(at).copied().flatten()?.row(row));
    let single = joined.rows.iter().map(|one| Seen {
        key: one.key.clone(),
        rows: one
            .rows
            .iter()
            .enumerate()
            .map(|(at, found)| found.and_then(|found| row(at, found)).into_iter().collect())
            .collect(),
    });
    let repeated = joined.duplicates.iter().map(|one| Seen {
        key: one.key.clone(),
        rows: one
            .rows
            .iter()
            .enumerate()
            .map(|(at, found)| found.iter().filter_map(|found| row(at, *found)).collect())
            .collect(),
    });
    let mut keys: Vec<Seen> = single.chain(repeated).collect();
    keys.sort_by(|one, other| one.key.cmp(&other.key));
    let population = (joined.equal + keys.len()) as u64;
    (keys, population, joined.equal as u64)
}

/// Draws keys, and brings their rows together.
fn sample(views: &[Option<&View<'_>>], count: usize, seed: u64) -> Gathered {
    let (drawn, population) = draw(views, count, seed);
    let mut keys: BTreeMap<Key, Vec<Vec<Row>>> =
        drawn.into_iter().map(|key| (key, vec![Vec::new(); views.len()])).collect();
    for (at, view) in views.iter().enumerate() {
        let Some(view) = view else { continue };
        for row in 0..view.len() {
            if let Some(slot) = keys.get_mut(&view.key(row)).and_then(|rows| rows.get_mut(at)) {
                slot.push(view.row(row));
            }
        }
    }
    let keys = keys.into_iter().map(|(key, rows)| Seen { key, rows }).collect();
    (keys, population, 0)
}

impl Inspected {
    /// Returns whether a member's row is one that was marked because its partner is gone.
    pub(crate) fn is_marked(&self, member: usize, row: &Row) -> bool {
        let Some(found) = self.members.get(member) else { return false };
        let spoke = self.definition.spokes().iter().find(|spoke| spoke.name == found.name);
        let deletes = spoke.map_or(&self.definition.deletes, |spoke| &spoke.deletes);
        let Disappeared::Mark { column, value } = deletes else { return false };
        let at = found.headers.iter().position(|header| header.as_ref() == Some(column));
        let cell = at.and_then(|at| row.get(at));
        cell.is_some_and(|cell| cell.to_string() == *value)
    }

    /// Returns whether a member has a column.
    pub(crate) fn has(&self, member: usize, column: usize) -> bool {
        let header = self.members.get(member).and_then(|member| member.headers.get(column));
        header.is_some_and(Option::is_some)
    }

    /// Returns how many findings about rows that were set aside there are.
    pub(crate) fn set_aside(&self) -> u64 {
        let aside = |finding: &&Finding| {
            matches!(finding, Finding::DuplicateKey { .. } | Finding::BlankKey { .. })
        };
        let all = self.members.iter().flat_map(|member| &member.findings);
        all.filter(aside).count() as u64
    }
}
