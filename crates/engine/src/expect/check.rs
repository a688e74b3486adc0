//! Tests made ready for the columns of a schema, and played over rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use regex::Regex;

use super::cell::{Bound, is_of, read, regex};
use super::verdict::SHOWN;
use super::{
    Expectation, ExpectationError, Relationship, Severity, Span, Test, Unexpected, Verdict,
};
use crate::nearest::nearest;
use crate::schema::{ColumnType, Schema};
use crate::snapshot::nearest_hint;
use crate::value::{Row, Value};

/// A column of the schema, and the other dataset's column that its values must be in.
pub type Reference = (usize, Relationship);

/// The values of the columns that others refer to, read as the referring column reads them.
pub type References = BTreeMap<Reference, HashSet<Value>>;

/// The tests of a dataset, ready for its schema.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    tests: Vec<One>,
}

#[derive(Clone, Debug)]
struct One {
    column: usize,
    name: String,
    severity: Severity,
    mostly: f64,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    NotNull,
    Unique,
    OfType(ColumnType),
    Between(Bound, Bound, String),
    MatchRegex(Regex),
    AcceptedValues(HashSet<Value>, String),
    Relationships(Reference),
    Freshness(Span),
}

impl Checks {
    /// Makes expectations ready.
    ///
    /// # Errors
    /// What [`Expectation::check`] says, and columns that the schema does not have.
    pub fn new(expected: &[Expectation], schema: &Schema) -> Result<Checks, ExpectationError> {
        let mut tests = Vec::new();
        for one in expected {
            one.check()?;
            let wrong = |problem| ExpectationError { column: one.column.clone(), problem };
            let names = || schema.columns.iter().map(|column| column.name.as_str());
            let at = schema.position(&one.column).ok_or_else(|| {
                let hint = nearest_hint(&nearest(&one.column, names()));
                wrong(format!("the dataset has no such column{hint}"))
            })?;
            let Some(column) = schema.columns.get(at) else { continue };
            let mut add = |rule| {
                let mostly = one.mostly.unwrap_or(1.0);
                let name = column.name.clone();
                tests.push(One { column: at, name, severity: one.severity, mostly, rule });
            };
            if one.not_null {
                add(Rule::NotNull);
            }
            if one.unique {
                add(Rule::Unique);
            }
            if let Some(ty) = one.of_type {
                add(Rule::OfType(ty));
            }
            if one.min.is_some() || one.max.is_some() {
                let (min, max) =
                    (Bound::of(one.min.as_ref(), column), Bound::of(one.max.as_ref(), column));
                let asked = match (&one.min, &one.max) {
                    (Some(min), Some(max)) => format!("between {min} and {max}"),
                    (Some(min), None) => format!("at least {min}"),
                    (_, max) => format!("at most {}", max.clone().unwrap_or_default()),
                };
                add(Rule::Between(min, max, asked));
            }
            if let Some(pattern) = &one.match_regex {
                add(Rule::MatchRegex(regex(pattern).map_err(wrong)?));
            }
            if let Some(values) = &one.accepted_values {
                let texts: Vec<String> = values.iter().take(12).map(ToString::to_string).collect();
                let more = if values.len() > texts.len() { ", …" } else { "" };
                let accepted = values.iter().map(|value| read(value, column)).collect();
                add(Rule::AcceptedValues(accepted, format!("one of {}{more}", texts.join(", "))));
            }
            if let Some(to) = &one.relationships {
                add(Rule::Relationships((at, to.clone())));
            }
            if let Some(span) = one.freshness {
                add(Rule::Freshness(span));
            }
        }
        Ok(Checks { tests })
    }

    /// Returns whether there is nothing to test.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Returns the columns of other datasets that the tests need.
    pub fn references(&self) -> BTreeSet<Reference> {
        let to = |one: &One| match &one.rule {
            Rule::Relationships(to) => Some(to.clone()),
            _ => None,
        };
        self.tests.iter().filter_map(to).collect()
    }

    /// Returns the columns in which no value may be missing.
    pub fn required(&self) -> BTreeSet<usize> {
        let all = self.tests.iter().filter(|one| matches!(one.rule, Rule::NotNull));
        all.map(|one| one.column).collect()
    }

    /// Returns the columns of a row whose value fails a test of single values; missing values fail none.
    pub fn invalid(&self, row: &Row, known: &References) -> BTreeSet<usize> {
        let fails = |one: &&One| {
            let value = row.get(one.column).unwrap_or(&Value::Null);
            !value.is_null() && one.rule.fits(value, known) == Some(false)
        };
        self.tests.iter().filter(fails).map(|one| one.column).collect()
    }

    /// Tests rows, each with its number in the replica; `now` is what freshness is measured from.
    pub fn judge(
        &self,
        rows: impl Iterator<Item = (u64, Row)>,
        known: &References,
        now: Option<Timestamp>,
    ) -> Vec<Verdict> {
        let mut tallies: Vec<Tally> = self.tests.iter().map(|_| Tally::default()).collect();
        for (origin, row) in rows {
            for (one, tally) in self.tests.iter().zip(&mut tallies) {
                let value = row.get(one.column).unwrap_or(&Value::Null);
                tally.see(&one.rule, origin, value, known);
            }
        }
        let all = self.tests.iter().zip(tallies);
        all.filter_map(|(one, tally)| tally.finish(one, now)).collect()
    }
}

impl Rule {
    fn test(&self) -> Test {
        match self {
            Rule::NotNull => Test::NotNull,
            Rule::Unique => Test::Unique,
            Rule::OfType(_) => Test::OfType,
            Rule::Between(..) => Test::Between,
            Rule::MatchRegex(_) => Test::MatchRegex,
            Rule::AcceptedValues(..) => Test::AcceptedValues,
            Rule::Relationships(_) => Test::Relationships,
            Rule::Freshness(_) => Test::Freshness,
        }
    }

    fn asked(&self) -> String {
        match self {
            Rule::NotNull => "a value must be there".into(),
            Rule::Unique => "no two rows may have the same value".into(),
            Rule::OfType(ty) => format!("a {ty} is expected"),
            Rule::Between(_, _, asked) => format!("{asked} is expected"),
            Rule::MatchRegex(regex) => format!("a match of {regex} is expected"),
            Rule::AcceptedValues(_, asked) => format!("{asked} is expected"),
            Rule::Relationships((_, to)) => {
                format!("it must be in column {} of {}", to.field, to.to)
            }
            Rule::Freshness(span) => format!("a value of the last {span} is expected"),
        }
    }

    /// Returns whether a value that is there passes; nothing for tests that look at all values together.
    fn fits(&self, value: &Value, known: &References) -> Option<bool> {
        Some(match self {
            Rule::NotNull => true,
            Rule::OfType(ty) => is_of(value, *ty),
            Rule::Between(min, max, _) => {
                let low = matches!(min, Bound::Open)
                    || matches!(min.compare(value), Some(Ordering::Greater | Ordering::Equal));
                let high = matches!(max, Bound::Open)
                    || matches!(max.compare(value), Some(Ordering::Less | Ordering::Equal));
                low && high
            }
            Rule::MatchRegex(regex) => match value {
                Value::Text(text) => regex.is_match(text),
                other => regex.is_match(&other.to_string()),
            },
            Rule::AcceptedValues(accepted, _) => accepted.contains(value),
            // Where the other dataset could not be read nothing can be held against a value.
            Rule::Relationships(to) => known.get(to)?.contains(value),
            Rule::Unique | Rule::Freshness(_) => return None,
        })
    }
}

#[derive(Default)]
struct Tally {
    checked: u64,
    unexpected: u64,
    shown: Vec<Unexpected>,
    /// For uniqueness: the first row of each value, and how many rows have it.
    seen: HashMap<Value, (u64, u64)>,
    /// For freshness: the newest value.
    newest: Option<DateTime>,
}

impl Tally {
    fn see(&mut self, rule: &Rule, row: u64, value: &Value, known: &References) {
        if value.is_null() {
            if matches!(rule, Rule::NotNull) {
                self.checked += 1;
                self.fail(row, value);
            }
            return;
        }
        match rule {
            Rule::Unique => {
                self.checked += 1;
                if let Some((first, count)) = self.seen.get_mut(value) {
                    *count += 1;
                    // The first row of the value fails as soon as there is a second one.
                    let first = (*count == 2).then_some(*first);
                    first.into_iter().chain([row]).for_each(|row| self.fail(row, value));
                } else {
                    self.seen.insert(value.clone(), (row, 1));
                }
            }
            Rule::Freshness(_) => {
                if let Some(moment) = moment(value) {
                    self.checked += 1;
                    self.newest = self.newest.max(Some(moment));
                }
            }
            _ => match rule.fits(value, known) {
                None => {}
                Some(fits) => {
                    self.checked += 1;
                    if !fits {
                        self.fail(row, value);
                    }
                }
            },
        }
    }

    fn fail(&mut self, row: u64, value: &Value) {
        self.unexpected += 1;
        if self.shown.len() < SHOWN {
            let value: String = value.to_string().chars().take(40).collect();
            self.shown.push(Unexpected { row, value });
        }
    }

    fn finish(mut self, one: &One, now: Option<Timestamp>) -> Option<Verdict> {
        if let Rule::Freshness(span) = &one.rule {
            let oldest = now?.checked_sub(span.duration()).ok()?.to_zoned(TimeZone::UTC).datetime();
            let fresh = self.newest.is_some_and(|newest| newest >= oldest);
            let newest = self.newest.map(|at| Unexpected { row: 0, value: at.to_string() });
            (self.checked, self.unexpected, self.shown) =
                (1, u64::from(!fresh), newest.into_iter().collect());
        }
        self.shown.sort_by_key(|shown| shown.row);
        let held = match one.rule {
            Rule::Freshness(_) => self.unexpected == 0,
            // A share of counts; both are far below 2^53.
            _ => self.unexpected as f64 <= (1.0 - one.mostly) * self.checked as f64 + 1e-9,
        };
        Some(Verdict {
            column: one.name.clone(),
            test: one.rule.test(),
            severity: one.severity,
            checked: self.checked,
            unexpected: self.unexpected,
            shown: self.shown,
            held,
            asked: one.rule.asked(),
        })
    }
}

/// Returns the moment that a value names, in UTC where it has an offset.
fn moment(value: &Value) -> Option<DateTime> {
    match value {
        Value::Date(date) => Some(date.at(0, 0, 0, 0)),
        Value::DateTime(at) => Some(at.utc()),
        Value::Text(text) => match ColumnType::DateTime.parse(text) {
            Ok(Value::DateTime(at)) => Some(at.utc()),
            _ => None,
        },
        _ => None,
    }
}
