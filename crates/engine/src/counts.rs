//! How many keys a comparison decided in which way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::class::{Class, Outcome};
use crate::merge::ChangeKind;

/// How many keys there are of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Keys by what happened to them.
    pub classes: BTreeMap<Class, u64>,
    /// Keys by what is made of them.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Writes to the left, by kind.
    pub left: BTreeMap<ChangeKind, u64>,
    /// Writes to the right, by kind.
    pub right: BTreeMap<ChangeKind, u64>,
}

impl Counts {
    /// Adds the counts of other keys.
    pub(crate) fn absorb(&mut self, other: Counts) {
        fn add<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
            for (kind, keys) in from {
                *to.entry(kind).or_default() += keys;
            }
        }
        add(&mut self.classes, other.classes);
        add(&mut self.outcomes, other.outcomes);
        add(&mut self.left, other.left);
        add(&mut self.right, other.right);
    }
}
