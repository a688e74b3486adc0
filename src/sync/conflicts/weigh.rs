//! What a policy would decide about stored conflicts, by the engine itself, on the rows that are stored with them.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    conflict::Lost,
    dataset::{DeletePolicy, Deletes, Direction, Granularity, Policy, SideName, Strategy},
    hub::{HUB, Spoke, reconcile_hub},
    key::Key,
    plan::{Decided, Disagreement},
    reconcile::{ChangeKind, Side, reconcile},
    schema::Schema,
    table::Table,
    terms::Terms,
    times::Times,
    value::{Row, Value},
};

use super::super::{Shell, definition::Definition, saved};
use crate::{
    error::{Error, Result},
    store::conflicts::{Rows, Stored},
};

/// What comes of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Weighed {
    /// A cell gets a value, by a strategy or a rule.
    Cell(Value, String),
    /// A row stays, or goes.
    Row(bool, String),
    /// It is left to a person, for a reason.
    Undecided(String),
}

/// The schema of a dataset's last run.
///
/// # Errors
/// A dataset that had none yet.
pub(crate) async fn schema(shell: &Shell, dataset: &str) -> Result<Schema> {
    saved::schema(&shell.store, dataset).await?.ok_or_else(|| {
        Error::not_found(format!("the dataset \"{dataset}\" was never synced"))
            .next("apply it once with syncDataset; that finds its conflicts")
    })
}

/// Returns what a policy would decide about each conflict, by name; nothing is kept.
///
/// `alone` says that its strategy is for every column, whatever the columns' own say.
///
/// # Errors
/// A policy that does not fit the columns: an unknown one, a rule that cannot work, with the place of the error.
pub(crate) async fn weigh(
    shell: &Shell,
    definition: &Definition,
    policy: &Policy,
    alone: bool,
    conflicts: &[Stored],
) -> Result<BTreeMap<String, Weighed>> {
    let schema = schema(shell, &definition.name).await?;
    let rows = shell.store.conflict_rows(&definition.name).await?;
    let wanted: BTreeSet<&Key> = conflicts.iter().map(|one| &one.key).collect();
    let rows: BTreeMap<&Key, &Rows> = rows.iter().filter(|(key, _)| wanted.contains(key)).collect();
    let mut policy = Policy {
        direction: Direction::Both,
        granularity: Granularity::Cell,
        deletes: DeletePolicy::new(Deletes::Delete, Deletes::Delete),
        ..policy.clone()
    };
    for column in policy.columns.values_mut() {
        (column.only, column.direction) = (None, None);
        if alone {
            (column.strategy, column.merge) = (None, None);
        }
    }
    // What is special about columns that are gone, or about keys, does not matter here.
    policy
        .columns
        .retain(|name, _| schema.position(name).is_some_and(|at| !schema.key.contains(&at)));
    let terms = Terms::new(&schema, &policy)
        .map_err(|error| Error::invalid(error.to_string()).next("correct the policy"))?;
    let ground = Ground { schema: &schema, rows: &rows };
    let now = shell.reach.clock.now();
    let mut times = |spoke: &str| {
        let mut times = times(&schema, conflicts, spoke);
        times.now = Some(now);
        times
    };
    let (hub, result) = if definition.is_hub() {
        let names: Vec<&str> = definition.spokes().iter().map(|one| one.name.as_str()).collect();
        let tables: Vec<Table> = names.iter().map(|name| ground.member(name)).collect();
        let bases: Vec<Table> = names.iter().map(|name| ground.base(name)).collect();
        let all_times: Vec<Times> = names.iter().map(|name| times(name)).collect();
        let own: Vec<Terms> =
            names.iter().map(|name| lacking(&terms, definition, &schema, name)).collect();
        let spokes: Vec<Spoke<'_>> = names
            .iter()
            .zip(tables.iter().zip(&bases))
            .zip(own.iter().zip(&all_times))
            .map(|((name, (rows, base)), (terms, times))| Spoke {
                name,
                terms,
                base: Some(base),
                side: Side::complete(rows),
                times,
            })
            .collect();
        let hub = ground.member(HUB);
        let result = reconcile_hub(Side::complete(&hub), &spokes, &terms, &BTreeMap::new());
        (hub, Decided::from(result))
    } else {
        let (left, right) = (SideName::Left.as_str(), SideName::Right.as_str());
        let (base, left, right) = (ground.base(right), ground.member(left), ground.member(right));
        let (l, r) = (Side::complete(&left), Side::complete(&right));
        let result = reconcile(Some(&base), l, r, &terms, &times(SideName::Right.as_str()));
        (left, Decided::from(result))
    };
    let anchor = if definition.is_hub() { HUB } else { SideName::Left.as_str() };
    let outcome = Outcome::of(anchor, &hub, &result, &schema);
    Ok(conflicts.iter().map(|one| (one.id.clone(), outcome.about(one))).collect())
}

/// Returns the terms of a spoke: what it has no column for it says nothing about.
fn lacking(terms: &Terms, definition: &Definition, schema: &Schema, spoke: &str) -> Terms {
    let absent = schema.columns.iter().enumerate();
    let absent = absent.filter(|(_, column)| definition.header(spoke, &column.name).is_none());
    absent.fold(terms.clone(), |terms, (at, _)| terms.lacking(SideName::Right, at))
}

/// The stored rows, in the columns of the last run.
struct Ground<'a> {
    schema: &'a Schema,
    rows: &'a BTreeMap<&'a Key, &'a Rows>,
}

impl Ground<'_> {
    fn member(&self, name: &str) -> Table {
        self.table(|rows| rows.members.get(name)?.as_ref())
    }

    fn base(&self, name: &str) -> Table {
        self.table(|rows| rows.bases.get(name))
    }

    fn table(&self, of: impl Fn(&Rows) -> Option<&Row>) -> Table {
        let aligned = |rows: &&Rows| Some(aligned(self.schema, &rows.columns, of(rows)?));
        Table::from_rows(self.schema, self.rows.values().filter_map(aligned))
    }
}

/// Returns a stored row in the columns of a schema, by their names.
pub(crate) fn aligned(schema: &Schema, columns: &[String], row: &Row) -> Row {
    let value = |name: &String| {
        let at = columns.iter().position(|known| known == name)?;
        row.get(at).cloned()
    };
    schema.columns.iter().map(|column| value(&column.name).unwrap_or(Value::Null)).collect()
}

/// Returns when the disputed values of a spoke (or the right) and of the hub (or the left) were first seen, as far as
/// they have an order.
fn times(schema: &Schema, conflicts: &[Stored], spoke: &str) -> Times {
    let mut times = Times::default();
    for one in conflicts {
        let last = one.voices.iter().filter_map(|voice| voice.at).max();
        let latest = one.voices.iter().filter(|voice| voice.at == last);
        let what = |voice: &crate::store::conflicts::Voice| (voice.value.clone(), voice.deleted);
        let different: Vec<_> = latest.map(what).collect();
        if different.iter().any(|other| Some(other) != different.first()) {
            continue;
        }
        for voice in &one.voices {
            let side = match voice.who.as_str() {
                HUB | "left" => SideName::Left,
                who if who == spoke => SideName::Right,
                _ => continue,
            };
            let origins = times.entry(one.key.clone(), side);
            match schema.position(&one.column) {
                Some(at) => origins.cells.entry(at).or_default().at = voice.at,
                None => origins.row.at = voice.at,
            }
        }
    }
    times
}

/// What the engine made of the stored rows.
struct Outcome<'a> {
    /// The row of the hub, or of the left, as it would be; none where it would be gone.
    rows: BTreeMap<&'a Key, Option<&'a Row>>,
    undecided: BTreeMap<(&'a Key, &'a str), String>,
    rules: BTreeMap<(&'a Key, &'a str), String>,
    schema: &'a Schema,
}

impl<'a> Outcome<'a> {
    fn of(anchor: &str, there: &'a Table, result: &'a Decided, schema: &'a Schema) -> Self {
        let mut rows: BTreeMap<&Key, Option<&Row>> =
            there.iter().map(|(key, row)| (key, Some(row))).collect();
        for change in result.writes(anchor) {
            let after = change.after.as_ref().filter(|_| change.kind != ChangeKind::Delete);
            rows.insert(&change.key, after);
        }
        let name = |at: usize| schema.columns.get(at).map_or("", |column| column.name.as_str());
        let (mut undecided, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for conflict in &result.conflicts {
            let cells: Vec<(usize, &str)> = match conflict {
                Disagreement::Pair(one) => {
                    undecided.insert((&one.key, ""), one.reason.to_string());
                    one.cells.iter().map(|cell| (cell.column, &*cell.reason)).collect()
                }
                Disagreement::Hub(one) => {
                    undecided.insert((&one.key, ""), one.reason.to_string());
                    one.cells.iter().map(|cell| (cell.column, &*cell.reason)).collect()
                }
            };
            for (column, reason) in cells {
                undecided.insert((conflict.key(), name(column)), reason.to_owned());
            }
        }
        for loser in &result.losers {
            let column = match &loser.lost {
                Lost::Cell { column, .. } => name(*column),
                Lost::Row(_) | Lost::Deletion => "",
            };
            for column in [column, ""] {
                rules.entry((&loser.key, column)).or_insert_with(|| loser.rule.to_string());
            }
        }
        Self { rows, undecided, rules, schema }
    }

    fn about(&self, one: &Stored) -> Weighed {
        let place = (&one.key, one.column.as_str());
        if let Some(reason) = self.undecided.get(&place) {
            return Weighed::Undecided(reason.clone());
        }
        let rule = self.rules.get(&place).cloned().unwrap_or_else(|| "agreement".to_owned());
        let row = self.rows.get(&one.key).copied().flatten();
        if one.column.is_empty() {
            return Weighed::Row(row.is_some(), rule);
        }
        let at = self.schema.position(&one.column);
        match at.and_then(|at| row?.get(at)) {
            Some(value) => Weighed::Cell(value.clone(), rule),
            None => Weighed::Undecided(format!(
                "the column \"{}\" is not kept in step any more; sync the dataset",
                one.column
            )),
        }
    }
}

/// Returns whether a strategy leaves everything to people.
pub(crate) fn decides_nothing(policy: &Policy) -> bool {
    policy.strategy == Strategy::ManualReview
}
