//! A person's word on a conflict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::side::SideName;
use crate::strategy::Strategy;
use crate::value::Value;

/// How one disputed cell is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CellChoice {
    /// The value of a side.
    Take(SideName),
    /// What both sides last agreed on.
    Base,
    /// A value of its own.
    Value(Value),
}

/// How a conflict is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// What a side did, for the disputed cells or for the row; cells that were not disputed flow as always.
    Take(SideName),
    /// The disputed cells by another strategy.
    By(Strategy),
    /// Cell by cell, by column; cells that are not named stay undecided.
    Cells(BTreeMap<usize, CellChoice>),
}

/// A decision about one conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The digest of the conflict that was decided; the decision is refused for any other state.
    pub digest: Box<str>,
    /// The choice.
    pub choice: Choice,
}

/// Decisions by key.
pub type Decisions = BTreeMap<Key, Decision>;
