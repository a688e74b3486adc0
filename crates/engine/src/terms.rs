//! A policy checked against a schema, in the form that decisions are made with.

use std::collections::{BTreeMap, BTreeSet};

use crate::dataset::{
    Clash, Combine, Deletes, Direction, Drift, Granularity, PerSide, Policy, SideName, Strategy,
};
use crate::deletes::MARK_COLUMN;
use crate::rules::{RuleError, RuleSet};
use crate::schema::Schema;
use crate::value::{Row, Value};

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A column is named that the schema does not have.
    #[error(
        "{place} names the column '{name}', which the dataset does not have; its columns are {known}"
    )]
    UnknownColumn {
        /// Where in the policy.
        place: String,
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A key column is given something that only other columns can have.
    #[error(
        "columns.{name}: '{name}' is a key column; the key is always on both sides and is never merged"
    )]
    Key {
        /// The column.
        name: String,
    },
    /// The value that marks a row is no value of the column.
    #[error("deletes.{side}: {reason}")]
    Mark {
        /// The side.
        side: SideName,
        /// Why.
        reason: String,
    },
    /// A rule cannot be used.
    #[error("{0}")]
    Rule(#[from] RuleError),
}

/// What is decided about one column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnTerms {
    pub(crate) key: bool,
    /// Whether each side has the column.
    pub(crate) on: PerSide<bool>,
    pub(crate) direction: Direction,
    pub(crate) strategy: Strategy,
    pub(crate) combine: Option<Combine>,
    pub(crate) separator: Box<str>,
}

impl ColumnTerms {
    /// Returns whether the column takes part in comparisons: both sides have it, and it is not the key.
    pub(crate) fn shared(&self) -> bool {
        !self.key && self.on.left && self.on.right
    }
}

/// How a deletion is carried out on a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeleteTerms {
    /// Sets a column; `own` when only this side has it, so that nothing but a deletion ever sets it.
    Mark {
        column: usize,
        value: Value,
        own: bool,
    },
    /// There is no column to mark in.
    Unmarkable,
    Delete,
    Ignore,
}

/// A policy checked against a schema.
#[derive(Clone, Debug)]
pub struct Terms {
    pub(crate) columns: Vec<ColumnTerms>,
    pub(crate) direction: Direction,
    pub(crate) clash: Clash,
    pub(crate) granularity: Granularity,
    pub(crate) drift: Drift,
    pub(crate) deletes: PerSide<DeleteTerms>,
    pub(crate) priorities: BTreeMap<String, i64>,
    pub(crate) modified_at: Option<usize>,
    pub(crate) rules: RuleSet,
    /// The policy and schema as given.
    pub(crate) schema: Schema,
}

impl Terms {
    /// Checks a policy against a schema.
    ///
    /// # Errors
    /// When the policy names columns that the schema does not have, merges a key column, marks with a value that is
    /// none of the column, or has a rule that cannot work.
    pub fn new(schema: &Schema, policy: &Policy) -> Result<Terms, PolicyError> {
        for (name, column) in &policy.columns {
            let index = find(schema, name, || format!("columns.{name}"))?;
            let special =
                column.only.is_some() || column.direction.is_some() || column.merge.is_some();
            if schema.key.contains(&index) && special {
                return Err(PolicyError::Key { name: name.clone() });
            }
        }
        let columns: Vec<ColumnTerms> = schema
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let own = policy.columns.get(&column.name);
                let only = own.and_then(|own| own.only);
                ColumnTerms {
                    key: schema.key.contains(&index),
                    on: PerSide::from_fn(|side| only.is_none_or(|only| only == side)),
                    direction: own.and_then(|own| own.direction).unwrap_or(policy.direction),
                    strategy: own.and_then(|own| own.strategy).unwrap_or(policy.strategy),
                    combine: own.and_then(|own| own.merge),
                    separator: own
                        .and_then(|own| own.separator.clone())
                        .unwrap_or_else(|| "; ".into()),
                }
            })
            .collect();
        let modified_at = match &policy.modified_at {
            Some(name) => Some(find(schema, name, || "modifiedAt".into())?),
            None => None,
        };
        let deletes = PerSide {
            left: delete_terms(schema, policy, &columns, SideName::Left)?,
            right: delete_terms(schema, policy, &columns, SideName::Right)?,
        };
        Ok(Terms {
            columns,
            direction: policy.direction,
            clash: policy.clash,
            granularity: policy.granularity,
            drift: policy.drift,
            deletes,
            priorities: policy.priorities.clone(),
            modified_at,
            rules: RuleSet::compile(&policy.rules, schema)?,
            schema: schema.clone(),
        })
    }

    /// Takes note that a side turned out not to have a column: it has no opinion about it, rather than nulls.
    #[must_use]
    pub fn lacking(mut self, side: SideName, column: usize) -> Terms {
        if let Some(column) = self.columns.get_mut(column) {
            *column.on.get_mut(side) = false;
        }
        for side in SideName::BOTH {
            if let DeleteTerms::Mark { column: mark, .. } = self.deletes.get(side) {
                let on = self.columns.get(*mark).map(|column| column.on).unwrap_or_default();
                let terms = match self.deletes.get(side) {
                    DeleteTerms::Mark { column, value, .. } if *on.get(side) => DeleteTerms::Mark {
                        column: *column,
                        value: value.clone(),
                        own: !*on.get(side.other()),
                    },
                    _ => DeleteTerms::Unmarkable,
                };
                *self.deletes.get_mut(side) = terms;
            }
        }
        self
    }

    /// Returns the terms under which what the left says is carried out, once it has been decided elsewhere.
    pub(crate) fn settled(&self) -> Terms {
        let mut terms = self.clone();
        terms.granularity = Granularity::Cell;
        terms.clash = Clash::Left;
        terms.modified_at = None;
        for column in &mut terms.columns {
            column.strategy = Strategy::LeftPriority;
            column.combine = None;
        }
        terms
    }

    /// Returns the columns that must stay as they are while these wait for a person.
    ///
    /// A rule that did not decide may look at other cells of the row. Were those carried, the next run could decide
    /// otherwise than this one, on a row that nobody has touched. For the same reason the modified-at column waits with
    /// cells that only wait for others: it may be what decides them.
    pub(crate) fn waiting(&self, held: &BTreeSet<usize>) -> BTreeSet<usize> {
        let ruled = held.iter().filter(|column| {
            self.columns.get(**column).is_some_and(|column| column.strategy == Strategy::RuleBased)
        });
        let mut waiting: BTreeSet<usize> =
            ruled.flat_map(|column| self.rules.looks_at(*column)).collect();
        if !waiting.is_subset(held) {
            waiting.extend(self.modified_at);
        }
        waiting
    }

    /// Returns whether a side has a column.
    pub fn has(&self, side: SideName, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| *column.on.get(side))
    }

    /// Returns the schema the terms were made for.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the values of a row in the columns that are compared.
    pub(crate) fn compared<'a>(&self, row: &'a Row) -> Vec<&'a Value> {
        let shared = row.iter().zip(&self.columns).filter(|(_, column)| column.shared());
        shared.map(|(value, _)| value).collect()
    }

    /// Returns whether a row of the side is marked as deleted.
    pub(crate) fn marked(&self, side: SideName, row: &Row) -> bool {
        match self.deletes.get(side) {
            DeleteTerms::Mark { column, value, .. } => row.get(*column) == Some(value),
            _ => false,
        }
    }
}

fn delete_terms(
    schema: &Schema,
    policy: &Policy,
    columns: &[ColumnTerms],
    side: SideName,
) -> Result<DeleteTerms, PolicyError> {
    let (named, value) = match policy.deletes.on(side) {
        Deletes::Delete => return Ok(DeleteTerms::Delete),
        Deletes::Ignore => return Ok(DeleteTerms::Ignore),
        Deletes::Mark { column, value } => (column, value),
    };
    let has = |index: &usize| {
        columns.get(*index).is_some_and(|column| *column.on.get(side) && !column.key)
    };
    let index = match named {
        Some(name) => {
            let index = find(schema, name, || format!("deletes.{side}"))?;
            if !has(&index) {
                let reason = format!(
                    "'{name}' is a key column or not on the {side} side, so no row can be marked in it"
                );
                return Err(PolicyError::Mark { side, reason });
            }
            index
        }
        None => match schema.position(MARK_COLUMN).filter(has) {
            Some(index) => index,
            None => return Ok(DeleteTerms::Unmarkable),
        },
    };
    let Some((column, terms)) = schema.columns.get(index).zip(columns.get(index)) else {
        return Ok(DeleteTerms::Unmarkable);
    };
    let value = match column.ty.parse(value) {
        Ok(_) => column.read(value),
        // The default words do not fit every `status` column; only what the operator wrote can be wrong.
        Err(_) if named.is_none() => return Ok(DeleteTerms::Unmarkable),
        Err(error) => {
            return Err(PolicyError::Mark {
                side,
                reason: format!("column '{}': {error}", column.name),
            });
        }
    };
    if value.is_null() {
        let reason = format!("column '{}': a blank value does not mark a row", column.name);
        return Err(PolicyError::Mark { side, reason });
    }
    Ok(DeleteTerms::Mark { column: index, value, own: !*terms.on.get(side.other()) })
}

/// Returns the index of a column, or the error that says where it was named and which there are.
fn find(schema: &Schema, name: &str, place: impl Fn() -> String) -> Result<usize, PolicyError> {
    schema.position(name).ok_or_else(|| PolicyError::UnknownColumn {
        place: place(),
        name: name.into(),
        known: column_names(schema),
    })
}

/// Returns the column names for a message, cut where there are many.
pub(crate) fn column_names(schema: &Schema) -> String {
    let names: Vec<&str> =
        schema.columns.iter().map(|column| column.name.as_str()).take(20).collect();
    let more = schema.columns.len().saturating_sub(names.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}
