//! Whether the rows of the members are what the dataset expects.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::{
    expect::{Checks, References, Relationship, Severity, Verdict},
    findings::Finding,
    safety::{Halt, HaltReason},
    schema::Schema,
    snapshot::{Snapshot, View},
};

use super::{Shell, definition::Definition, saved};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::{
        header::list,
        scan::{Role, scan},
    },
};

/// The columns of other datasets that expectations refer to, as their first member has them.
#[derive(Debug, Default)]
pub(crate) struct Referred {
    columns: BTreeMap<Relationship, Column>,
}

#[derive(Debug)]
struct Column {
    snapshot: std::sync::Arc<Snapshot>,
    at: usize,
}

impl Referred {
    /// Reads what the expectations of a dataset refer to; each other dataset once.
    ///
    /// # Errors
    /// A dataset or a column that is not there, or cannot be read.
    pub(super) async fn load(shell: &Shell, definition: &Definition) -> Result<Self> {
        let wanted: BTreeSet<&Relationship> =
            definition.expectations.iter().filter_map(|one| one.relationships.as_ref()).collect();
        let mut referred = Self::default();
        let mut read = BTreeMap::new();
        for relationship in wanted {
            let found = refer(shell, relationship, &mut read).await.map_err(|error| {
                error.context(format!(
                    "expectations: relationships to {}.{}",
                    relationship.to, relationship.field
                ))
            })?;
            referred.columns.insert(relationship.clone(), found);
        }
        Ok(referred)
    }

    /// Returns the values that the checks of a schema need.
    pub(crate) fn values(&self, checks: &Checks, schema: &Schema) -> References {
        let values = |(at, to): (usize, Relationship)| {
            let (column, found) = (schema.columns.get(at)?, self.columns.get(&to)?);
            let rows = 0..found.snapshot.len();
            let values =
                rows.map(|row| column.value(&found.snapshot.cell(row, found.at))).collect();
            Some(((at, to), values))
        };
        checks.references().into_iter().filter_map(values).collect()
    }
}

async fn refer(
    shell: &Shell,
    to: &Relationship,
    read: &mut BTreeMap<String, (Definition, std::sync::Arc<Snapshot>)>,
) -> Result<Column> {
    if !read.contains_key(&to.to) {
        let other = saved::definition(shell, &to.to).await.map_err(|error| {
            error.next("plan that dataset once (syncDataset with its name), so that it is known")
        })?;
        let members = other.members();
        let (_, source) =
            members.first().ok_or_else(|| Error::internal("a dataset without members"))?;
        let snapshot = Box::pin(scan(&shell.reach, source, Role::Source, None)).await?.snapshot;
        drop(members);
        read.insert(to.to.clone(), (other, snapshot.into()));
    }
    let (other, snapshot) =
        read.get(&to.to).ok_or_else(|| Error::internal("what was read is not there"))?;
    let member = other.members().first().map_or("left", |(name, _)| name).to_owned();
    let header = other.header(&member, &to.field).unwrap_or_else(|| to.field.clone());
    let names = || snapshot.headers().iter().map(String::as_str);
    let at = names().position(|name| name == header).ok_or_else(|| {
        Error::not_found(format!(
            "there is no column \"{header}\".{}",
            did_you_mean(&header, names())
        ))
        .next(format!("the columns are {}", list(names())))
    })?;
    Ok(Column { snapshot: snapshot.clone(), at })
}

/// What a member's rows came to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Every failed test.
    pub(crate) findings: Vec<Finding>,
    /// Those that stop the run.
    pub(crate) halts: Vec<Halt>,
}

/// Tests the rows of a member that has a say.
///
/// # Errors
/// Expectations of columns that the schema does not have.
pub(super) fn judge(
    definition: &Definition,
    schema: &Schema,
    referred: &Referred,
    member: &str,
    view: &View<'_>,
    now: Option<Timestamp>,
) -> Result<Judged> {
    if definition.expectations.is_empty() || !definition.speaks(member) {
        return Ok(Judged::default());
    }
    let checks = checks(definition, schema)?;
    let known = referred.values(&checks, schema);
    let rows = (0..view.len()).map(|row| (view.origin(row), view.row(row)));
    let verdicts = checks.judge(rows, &known, now);
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.held).collect();
    let halt = |verdict: &&Verdict| Halt {
        reason: HaltReason::Expectation,
        side: member.into(),
        message: format!(
            "{member}: {verdict}; correct the rows and sync again (override: {})",
            HaltReason::Expectation.as_str()
        ),
    };
    Ok(Judged {
        findings: failed
            .iter()
            .map(|verdict| Finding::Expectation { problem: verdict.to_string() })
            .collect(),
        halts: failed
            .iter()
            .filter(|verdict| verdict.severity == Severity::Block)
            .map(halt)
            .collect(),
    })
}

/// Makes the expectations of a dataset ready.
///
/// # Errors
/// Expectations of columns that the schema does not have.
pub(crate) fn checks(definition: &Definition, schema: &Schema) -> Result<Checks> {
    Checks::new(&definition.expectations, schema).map_err(|error| {
        Error::invalid(error.to_string()).next("correct expectations; nothing was written")
    })
}
