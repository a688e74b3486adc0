//! Ordered rules that decide disputed cells.

pub mod definition;

use crate::dataset::Rule;
use crate::resolve::{Deferred, Dispute, Settled};
use crate::schema::Schema;
use crate::terms::Terms;

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rules[{index}]: {reason}")]
pub struct RuleError {
    /// The rule's number, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// Rules that were checked against a schema.
#[derive(Clone, Debug)]
pub(crate) struct RuleSet {}

impl RuleSet {
    /// Checks rules against a schema.
    pub(crate) fn compile(rules: &[Rule], _schema: &Schema) -> Result<RuleSet, RuleError> {
        if rules.is_empty() {
            Ok(RuleSet {})
        } else {
            Err(RuleError { index: 0, reason: "rules are not supported yet".into() })
        }
    }

    /// Decides by the first rule that applies.
    pub(crate) fn decide(&self, _terms: &Terms, _dispute: &Dispute<'_>) -> Result<Settled, Deferred> {
        Err("no rule applies".into())
    }
}
