//! What is to be kept in step, as the caller said it.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    dataset::{Direction, Policy, SideName},
    expect::{Expectation, Span},
    hub::HUB,
    schema::ColumnType,
};
use serde::{Deserialize, Serialize};

use super::conflicts::review::ReviewSheet;
use crate::{
    error::{Error, Result},
    replica::{Source, apply::Guard, scan::Role},
};

/// A dataset: its members, a key, columns and a policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Definition {
    /// The name: runs, base and lease are kept under it.
    pub(crate) name: String,
    /// The replicas.
    #[serde(flatten)]
    pub(crate) members: Members,
    /// The names of the key columns.
    pub(crate) key: Vec<String>,
    /// The columns, or every column of the left or of the hub.
    pub(crate) columns: Option<Vec<ColumnDef>>,
    /// Texts that mean blank in every column.
    pub(crate) nulls: Vec<String>,
    /// What happens to the other side's row when a row is gone from one side.
    pub(crate) deletes: Disappeared,
    /// Direction, strategy and bounds; its deletes are made from `deletes`.
    pub(crate) policy: Policy,
    /// How a sheet is guarded against rows that move during a write.
    pub(crate) guard: Guard,
    /// The tab in which people decide conflicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) review: Option<ReviewSheet>,
    /// What its rows are expected to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expectations: Vec<Expectation>,
    /// What its health is measured by.
    #[serde(default, skip_serializing_if = "Targets::is_default")]
    pub(crate) health: Targets,
    /// The keys, as reports show them, that a run is about; all where none are named. No part of what is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) only: Option<BTreeSet<String>>,
    /// Whether what a run wrote to these keys, and what is not there any more, is written again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rewrite_lost: bool,
    /// Every so many runs all rows are read, also where a member could prove that nothing changed.
    #[serde(default = "full_every")]
    pub(crate) full_every: u32,
    /// The halts that the caller passes.
    #[serde(skip)]
    pub(crate) overrides: Vec<String>,
}

/// What the health of a dataset is measured by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Targets {
    /// How old a change may be when it arrives, and how old the last good run; a day by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<Span>,
    /// The member whose values are the true ones; accuracy is not measured without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_of_record: Option<String>,
}

impl Targets {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how old a change may be when it arrives.
    pub(crate) fn within(&self) -> Span {
        self.within.unwrap_or(Span::hours(24))
    }
}

/// How often all rows are read, where nobody says.
pub(crate) const FULL_EVERY: u32 = 20;

fn full_every() -> u32 {
    FULL_EVERY
}

/// A column that is kept in step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColumnDef {
    /// The name in reports.
    pub(crate) name: String,
    /// The header on the left, or on the hub.
    pub(crate) left: String,
    /// The header on the right; on spokes, where one does not say otherwise.
    pub(crate) right: String,
    /// The declared type, if any.
    pub(crate) ty: Option<ColumnType>,
    /// Texts that mean blank.
    pub(crate) nulls: Vec<String>,
    /// Whether its values are not to be shown.
    #[serde(default, skip_serializing_if = "Sensitive::is_no")]
    pub(crate) sensitive: Sensitive,
}

/// Whether the values of a column may be shown: false, true, or `"hashed"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub(crate) enum Sensitive {
    /// They may.
    #[default]
    No,
    /// They may not.
    Hidden,
    /// They may not; a keyed hash of each is shown, so that equal ones can be told from others.
    Hashed,
}

impl Sensitive {
    /// Returns whether the values may be shown.
    pub(crate) fn is_no(&self) -> bool {
        *self == Self::No
    }
}

impl TryFrom<serde_json::Value> for Sensitive {
    type Error = String;

    fn try_from(said: serde_json::Value) -> Result<Self, String> {
        match said {
            serde_json::Value::Bool(false) => Ok(Self::No),
            serde_json::Value::Bool(true) => Ok(Self::Hidden),
            serde_json::Value::String(word) if word == "hashed" => Ok(Self::Hashed),
            other => Err(format!("sensitive is true, false or \"hashed\", not {other}")),
        }
    }
}

impl From<Sensitive> for serde_json::Value {
    fn from(said: Sensitive) -> Self {
        match said {
            Sensitive::No => false.into(),
            Sensitive::Hidden => true.into(),
            Sensitive::Hashed => "hashed".into(),
        }
    }
}

/// The replicas of a dataset.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Members {
    /// Two sides.
    Pair {
        /// The left side; the source where the direction does not say otherwise.
        left: Source,
        /// The right side.
        right: Source,
    },
    /// A hub and any number of spokes.
    Hub {
        /// The hub.
        hub: Source,
        /// The spokes.
        spokes: Vec<SpokeDef>,
    },
}

/// A replica that is kept in step with the hub.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpokeDef {
    /// Its name in reports; its base is kept under it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) source: Source,
    /// `leftToRight` is only written, `rightToLeft` only read.
    pub(crate) direction: Direction,
    /// The columns that it has, by name, with their headers there; every column of the dataset where none are named.
    pub(crate) columns: Option<BTreeMap<String, String>>,
    /// What happens to its rows that are gone elsewhere.
    pub(crate) deletes: Disappeared,
}

impl ColumnDef {
    /// Returns a column of which only the name is said: it has it everywhere.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            left: name.to_owned(),
            right: name.to_owned(),
            ty: None,
            nulls: Vec::new(),
            sensitive: Sensitive::No,
        }
    }

    /// Returns the header on a side.
    pub(crate) fn header(&self, side: SideName) -> &str {
        match side {
            SideName::Left => &self.left,
            SideName::Right => &self.right,
        }
    }
}

/// What happens to a row whose partner is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Disappeared {
    /// A column is set to a value.
    Mark {
        /// The header on the side where the row is.
        column: String,
        /// The value.
        value: String,
    },
    /// The row is deleted.
    Delete,
    /// The row is left alone.
    Ignore,
}

impl Definition {
    /// Returns the names of the members with their replicas: left and right, or the hub and the spokes.
    pub(crate) fn members(&self) -> Vec<(&str, &Source)> {
        match &self.members {
            Members::Pair { left, right } => vec![("left", left), ("right", right)],
            Members::Hub { hub, spokes } => {
                let spokes = spokes.iter().map(|spoke| (spoke.name.as_str(), &spoke.source));
                std::iter::once((HUB, hub)).chain(spokes).collect()
            }
        }
    }

    /// Returns a member's replica.
    pub(crate) fn source(&self, member: &str) -> Option<&Source> {
        self.members().into_iter().find(|(name, _)| *name == member).map(|(_, source)| source)
    }

    /// Returns the spokes of a hub.
    pub(crate) fn spokes(&self) -> &[SpokeDef] {
        match &self.members {
            Members::Pair { .. } => &[],
            Members::Hub { spokes, .. } => spokes,
        }
    }

    /// Returns whether a side of a pair may be written.
    pub(crate) fn writes(&self, side: SideName) -> bool {
        self.policy.direction.source() != Some(side)
    }

    /// Returns whether the hub may be written.
    pub(crate) fn writes_hub(&self) -> bool {
        self.spokes().iter().any(|spoke| spoke.direction != Direction::LeftToRight)
    }

    /// Returns whether what both sides last agreed on is kept.
    pub(crate) fn has_base(&self) -> bool {
        self.policy.direction == Direction::Both || self.is_hub()
    }

    /// Returns whether what stands on a member may flow to others.
    pub(crate) fn speaks(&self, member: &str) -> bool {
        match self.spokes().iter().find(|spoke| spoke.name == member) {
            Some(spoke) => spoke.direction != Direction::LeftToRight,
            None => match self.policy.direction.source() {
                Some(side) if !self.is_hub() => side.as_str() == member,
                _ => true,
            },
        }
    }

    /// Returns whether it is a hub with spokes.
    pub(crate) fn is_hub(&self) -> bool {
        matches!(self.members, Members::Hub { .. })
    }

    /// Returns the members that have a base, with the name of the base in the store: none for the one base of a pair.
    pub(crate) fn bases(&self) -> Vec<(&str, &str)> {
        match &self.members {
            Members::Pair { .. } if self.has_base() => vec![("right", "")],
            Members::Pair { .. } => Vec::new(),
            Members::Hub { spokes, .. } => {
                spokes.iter().map(|spoke| (spoke.name.as_str(), spoke.name.as_str())).collect()
            }
        }
    }

    /// Returns the header of a column on a member, if it has the column.
    pub(crate) fn header(&self, member: &str, column: &str) -> Option<String> {
        let mapped = self.columns.iter().flatten().find(|known| known.name == column);
        let side = if matches!(member, "left" | HUB) { SideName::Left } else { SideName::Right };
        let own =
            || mapped.map_or_else(|| column.to_owned(), |known| known.header(side).to_owned());
        match self.spokes().iter().find(|spoke| spoke.name == member) {
            Some(SpokeDef { columns: Some(columns), .. }) => columns.get(column).cloned(),
            _ => Some(own()),
        }
    }

    /// Returns what a member is read for; `typed` says that the types of its columns are known from an earlier run.
    pub(crate) fn role(&self, member: &str, typed: bool) -> Role {
        let side = if matches!(member, "left" | HUB) { SideName::Left } else { SideName::Right };
        let both = Role::Both { side, typed };
        match self.spokes().iter().find(|spoke| spoke.name == member) {
            Some(spoke) if spoke.direction == Direction::RightToLeft => Role::Source,
            Some(_) => both,
            None if self.is_hub() && !self.writes_hub() => Role::Source,
            None if self.has_base() => both,
            None if self.writes(side) => Role::Target,
            None => Role::Source,
        }
    }

    /// Returns a hash of everything that decides what a plan says, so that a plan id names its arguments too.
    ///
    /// # Errors
    /// A definition without a JSON form, which is a defect.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        hash(self)
    }

    /// Returns the definition as it is kept: without the rows that came with the call.
    pub(crate) fn kept(&self) -> Self {
        let mut kept = Self { only: None, rewrite_lost: false, ..self.clone() };
        let sources: Vec<&mut Source> = match &mut kept.members {
            Members::Pair { left, right } => vec![left, right],
            Members::Hub { hub, spokes } => std::iter::once(hub)
                .chain(spokes.iter_mut().map(|spoke| &mut spoke.source))
                .collect(),
        };
        for source in sources {
            if let Source::Records { records } = source {
                records.clear();
            }
        }
        kept
    }

    /// Returns a name that follows from the sides and the key, for a dataset that nobody named.
    ///
    /// # Errors
    /// See [`fingerprint`](Self::fingerprint).
    pub(crate) fn default_name(members: &Members, key: &[String]) -> Result<String> {
        // Records change with every call; what they are written to does not.
        fn fixed(source: &Source) -> Option<&Source> {
            (!matches!(source, Source::Records { .. })).then_some(source)
        }
        let digest = match members {
            Members::Pair { left, right } => hash(&(fixed(left), right, key))?,
            Members::Hub { hub, spokes } => {
                let spokes: Vec<_> =
                    spokes.iter().map(|spoke| (&spoke.name, fixed(&spoke.source))).collect();
                hash(&(fixed(hub), spokes, key))?
            }
        };
        let digest: String = digest.chars().take(8).collect();
        Ok(format!("dataset-{digest}"))
    }
}

fn hash(what: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(what)
        .map_err(|error| Error::internal("the definition has no JSON form").with_source(error))?;
    Ok(blake3::hash(&json).to_hex().to_string())
}
