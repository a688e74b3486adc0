//! What the rows of a dataset are expected to be, and whether they are.
//!
//! Names and semantics are those of dbt's tests (`not_null`, `unique`, `accepted_values`, `relationships`, source
//! freshness, `severity`) and, where dbt has none, of Great Expectations (`match_regex`, `between`, `of_type`,
//! `mostly`). As there, a null is only held against `notNull`.

mod cell;
mod check;
mod span;
#[cfg(test)]
mod tests;
mod verdict;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use check::{Checks, Reference, References};
pub use span::Span;
pub use verdict::{Unexpected, Verdict};

use crate::schema::ColumnType;

/// What is expected of one column; several tests may stand in one expectation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// The column's name in the dataset.
    pub column: String,
    /// No value is missing (dbt `not_null`).
    #[serde(default, alias = "not_null", alias = "required", skip_serializing_if = "is_no")]
    pub not_null: bool,
    /// No two rows have the same value (dbt `unique`).
    #[serde(default, skip_serializing_if = "is_no")]
    pub unique: bool,
    /// Values are of a type (Great Expectations `values_to_be_of_type`).
    #[serde(default, alias = "type", skip_serializing_if = "Option::is_none")]
    pub of_type: Option<ColumnType>,
    /// The least value, itself included (Great Expectations `values_to_be_between`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Json>,
    /// The greatest value, itself included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Json>,
    /// A regular expression that is found somewhere in each value (Great Expectations `values_to_match_regex`).
    #[serde(
        default,
        alias = "match_regex",
        alias = "pattern",
        skip_serializing_if = "Option::is_none"
    )]
    pub match_regex: Option<String>,
    /// The only values there are (dbt `accepted_values`).
    #[serde(
        default,
        alias = "accepted_values",
        alias = "allowed",
        skip_serializing_if = "Option::is_none"
    )]
    pub accepted_values: Option<Vec<Json>>,
    /// Each value is one of another dataset's column (dbt `relationships`).
    #[serde(default, alias = "references", skip_serializing_if = "Option::is_none")]
    pub relationships: Option<Relationship>,
    /// The newest value is no older than this (dbt source freshness).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Span>,
    /// The share of values, from 0 to 1, that is enough (Great Expectations `mostly`); 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mostly: Option<f64>,
    /// What a failed test does to a run.
    #[serde(default, skip_serializing_if = "Severity::is_warn")]
    pub severity: Severity,
}

/// A column of another dataset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relationship {
    /// The dataset.
    pub to: String,
    /// Its column.
    pub field: String,
}

/// What a failed test does to a run (dbt `severity`, whose `error` is accepted for `block`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It is reported.
    #[default]
    Warn,
    /// It halts the run before anything is written.
    #[serde(alias = "error")]
    Block,
}

impl Severity {
    fn is_warn(&self) -> bool {
        *self == Severity::Warn
    }
}

fn is_no(value: &bool) -> bool {
    !*value
}

/// One kind of test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Test {
    /// No value is missing.
    NotNull,
    /// No value repeats.
    Unique,
    /// Values are of a type.
    OfType,
    /// Values lie between bounds.
    Between,
    /// Values match a regular expression.
    MatchRegex,
    /// Values are among some.
    AcceptedValues,
    /// Values are in another dataset.
    Relationships,
    /// The newest value is new enough.
    Freshness,
}

impl Test {
    /// Returns the name by which it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Test::NotNull => "notNull",
            Test::Unique => "unique",
            Test::OfType => "ofType",
            Test::Between => "between",
            Test::MatchRegex => "matchRegex",
            Test::AcceptedValues => "acceptedValues",
            Test::Relationships => "relationships",
            Test::Freshness => "freshness",
        }
    }
}

/// Tells what is wrong with an expectation itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expectation of column \"{column}\": {problem}")]
pub struct ExpectationError {
    /// The column.
    pub column: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl Expectation {
    /// Checks what can be checked before any row is read.
    ///
    /// # Errors
    /// No column, no test, bounds the wrong way round, an empty list, a pattern that does not compile, a share beyond 0
    /// to 1.
    pub fn check(&self) -> Result<(), ExpectationError> {
        let wrong =
            |problem: String| Err(ExpectationError { column: self.column.clone(), problem });
        if self.column.trim().is_empty() {
            return wrong("column is blank: name the column".into());
        }
        let tested = self.not_null
            || self.unique
            || self.of_type.is_some()
            || self.min.is_some()
            || self.max.is_some()
            || self.match_regex.is_some()
            || self.accepted_values.is_some()
            || self.relationships.is_some()
            || self.freshness.is_some();
        if !tested {
            return wrong(
                "it tests nothing: add notNull, unique, ofType, min, max, matchRegex, acceptedValues, relationships or freshness"
                    .into(),
            );
        }
        if self.accepted_values.as_ref().is_some_and(Vec::is_empty) {
            return wrong("acceptedValues is empty: list the values".into());
        }
        let plain = |value: &&Json| !matches!(value, Json::Object(_) | Json::Array(_) | Json::Null);
        let bounds = self.min.iter().chain(&self.max);
        if let Some(odd) = self.accepted_values.iter().flatten().chain(bounds).find(|v| !plain(v)) {
            return wrong(format!(
                "{odd} is no value of a cell: give text, a number, true or false"
            ));
        }
        if let (Some(min), Some(max)) = (&self.min, &self.max) {
            let (low, high) = (cell::Bound::plain(min), cell::Bound::plain(max));
            if low.is_above(&high) {
                return wrong(format!("min {min} is above max {max}"));
            }
        }
        if let Some(pattern) = &self.match_regex
            && let Err(why) = cell::regex(pattern)
        {
            return wrong(format!("matchRegex does not compile: {why}"));
        }
        if let Some(share) = self.mostly
            && !(share > 0.0 && share <= 1.0)
        {
            return wrong(format!(
                "mostly is {share}: give a share above 0 and up to 1, e.g. 0.95"
            ));
        }
        if self.relationships.as_ref().is_some_and(|to| to.to.is_empty() || to.field.is_empty()) {
            return wrong("relationships needs to (a dataset) and field (its column)".into());
        }
        Ok(())
    }
}
