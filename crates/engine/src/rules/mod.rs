//! Ordered rules that decide disputed cells.
//!
//! Conditions and calculations are single expressions; they are checked against the schema when a policy is read, and
//! can neither loop nor reach out nor grow when they run. See `expression` for what they may say.

pub(crate) mod check;
pub(crate) mod convert;
pub mod definition;
pub(crate) mod expression;
#[cfg(fuzzing)]
mod fuzz;

#[cfg(fuzzing)]
pub use fuzz::fuzz;

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::combine::{Combined, combine};
use crate::dataset::{Action, Combine, Rule, RuleType, SideName};
use crate::resolve::{Candidate, Deferred, Dispute, Settled, latest, same_or_latest};
use crate::rules::expression::{Expression, Scene};
use crate::schema::Schema;
use crate::terms::{Terms, column_names};

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rules[{index}]{field}: {reason}")]
pub struct RuleError {
    /// The rule's number, from 0.
    pub index: usize,
    /// The part of the rule, such as `.when`; empty for the rule as a whole.
    pub field: &'static str,
    /// Why, with the position in the expression where there is one.
    pub reason: String,
}

/// Rules that were checked against a schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSet {
    rules: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    label: String,
    fields: Vec<usize>,
    sources: Vec<String>,
    timed: bool,
    when: Option<Expression>,
    min_gap: i64,
    max_age: Option<i64>,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Prefer(Vec<String>),
    Latest,
    Merge(Option<Combine>),
    Calculate(Expression),
}

impl RuleSet {
    /// Checks rules against a schema.
    pub(crate) fn compile(rules: &[Rule], schema: &Schema) -> Result<RuleSet, RuleError> {
        let compiled = rules.iter().enumerate().map(|(index, rule)| compile(index, rule, schema));
        Ok(RuleSet { rules: compiled.collect::<Result<_, _>>()? })
    }

    /// Decides by the first rule that applies; a rule that fails leaves the dispute to a person.
    pub(crate) fn decide(&self, terms: &Terms, dispute: &Dispute<'_>) -> Result<Settled, Deferred> {
        for rule in &self.rules {
            let settled = rule
                .decide(terms, dispute)
                .map_err(|reason| format!("{} failed: {reason}", rule.label))?;
            if let Some(settled) = settled {
                return Ok(settled);
            }
        }
        Err("no rule applies".into())
    }

    /// Returns the other columns that the decision about a column may look at.
    pub(crate) fn looks_at(&self, column: usize) -> BTreeSet<usize> {
        let about = self.rules.iter().filter(|rule| rule.is_about(column));
        let named = about.flat_map(|rule| {
            let calculation = match &rule.act {
                Act::Calculate(expression) => Some(expression),
                _ => None,
            };
            rule.when.iter().chain(calculation).flat_map(Expression::columns)
        });
        named.copied().filter(|other| *other != column).collect()
    }
}

fn compile(index: usize, rule: &Rule, schema: &Schema) -> Result<Compiled, RuleError> {
    let bad = |field: &'static str, reason: String| RuleError { index, field, reason };
    let required = match rule.kind {
        RuleType::FieldPriority if rule.fields.is_empty() => {
            Some((".fields", "fieldPriority needs the columns it is about"))
        }
        RuleType::SourcePriority if rule.sources.is_empty() => {
            Some((".sources", "sourcePriority needs the sources it is about"))
        }
        RuleType::ValueBased if rule.when.is_none() => {
            Some((".when", "valueBased needs a condition"))
        }
        _ => None,
    };
    if let Some((field, reason)) = required {
        return Err(bad(field, reason.into()));
    }
    let fields = rule.fields.iter().map(|name| match schema.position(name) {
        Some(column) if !schema.key.contains(&column) => Ok(column),
        Some(_) => {
            Err(bad(".fields", format!("'{name}' is a key column, which is never in dispute")))
        }
        None => Err(bad(
            ".fields",
            format!("there is no column '{name}'; the columns are {}", column_names(schema)),
        )),
    });
    let fields: Vec<usize> = fields.collect::<Result<_, _>>()?;
    let when = match &rule.when {
        Some(text) => {
            Some(Expression::condition(text, schema).map_err(|reason| bad(".when", reason))?)
        }
        None => None,
    };
    let surplus = [
        (".prefer", rule.prefer.is_some(), Action::PreferSource),
        (".merge", rule.merge.is_some(), Action::MergeFields),
        (".expression", rule.expression.is_some(), Action::Calculate),
    ];
    for (field, given, action) in surplus {
        if given && rule.action != action {
            return Err(bad(field, "the rule's action does not use it".into()));
        }
    }
    let act = match rule.action {
        Action::UseLatest => Act::Latest,
        Action::MergeFields => Act::Merge(rule.merge),
        Action::PreferSource => match &rule.prefer {
            Some(sources) if !sources.names().is_empty() => Act::Prefer(sources.names().to_vec()),
            _ => {
                return Err(bad(
                    ".prefer",
                    "preferSource needs the sources to prefer, the best first".into(),
                ));
            }
        },
        Action::Calculate => match &rule.expression {
            Some(text) => {
                let results: Vec<usize> = match fields.as_slice() {
                    [] => (0..schema.columns.len())
                        .filter(|column| !schema.key.contains(column))
                        .collect(),
                    fields => fields.to_vec(),
                };
                let expression = Expression::calculation(text, schema, &results);
                Act::Calculate(expression.map_err(|reason| bad(".expression", reason))?)
            }
            None => return Err(bad(".expression", "calculate needs an expression".into())),
        },
    };
    Ok(Compiled {
        label: format!("rule:{}", rule.name.clone().unwrap_or_else(|| (index + 1).to_string())),
        fields,
        sources: rule.sources.clone(),
        timed: rule.kind == RuleType::TimeBased,
        when,
        min_gap: i64::from(rule.min_gap_seconds.unwrap_or(0)),
        max_age: rule.max_age_seconds.map(i64::from),
        act,
    })
}

impl Compiled {
    /// Decides the dispute, or returns `None` when the rule does not apply.
    fn decide(&self, terms: &Terms, dispute: &Dispute<'_>) -> Result<Option<Settled>, Deferred> {
        let column = dispute.column;
        let field = self.is_about(column);
        let from =
            |candidate: &Candidate<'_>| self.sources.iter().any(|name| candidate.is(name, column));
        let source = self.sources.is_empty() || dispute.candidates.iter().any(from);
        if !field || !source || !self.in_time(dispute) {
            return Ok(None);
        }
        if let Some(when) = &self.when
            && !when.holds(&scene(terms, dispute)?)?
        {
            return Ok(None);
        }
        let rule = || Cow::Owned(self.label.clone());
        let value = match &self.act {
            Act::Latest => Some(latest(terms, column, dispute.candidates)?.value.clone()),
            Act::Prefer(names) => prefer(terms, dispute, names)?,
            Act::Merge(how) => merge(terms, dispute, *how)?,
            Act::Calculate(expression) => {
                let schema = terms.schema();
                let column = schema.columns.get(column).ok_or("the column is gone")?;
                Some(expression.value(&scene(terms, dispute)?, column)?)
            }
        };
        Ok(value.map(|value| Settled { value, rule: rule() }))
    }

    fn is_about(&self, column: usize) -> bool {
        self.fields.is_empty() || self.fields.contains(&column)
    }

    fn in_time(&self, dispute: &Dispute<'_>) -> bool {
        if !self.timed && self.min_gap == 0 && self.max_age.is_none() {
            return true;
        }
        let times: Option<Vec<Timestamp>> =
            dispute.candidates.iter().map(|candidate| candidate.time(dispute.column)).collect();
        let Some(times) = times else { return false };
        let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
            return false;
        };
        let fresh = match (self.max_age, dispute.now) {
            (None, _) => true,
            (Some(age), Some(now)) => now.as_second().saturating_sub(last.as_second()) <= age,
            (Some(_), None) => false,
        };
        fresh && last.as_second().saturating_sub(first.as_second()) >= self.min_gap
    }
}

/// Takes the value of the first source that has one of the values.
fn prefer(
    terms: &Terms,
    dispute: &Dispute<'_>,
    names: &[String],
) -> Result<Option<crate::value::Value>, Deferred> {
    for name in names {
        let own: Vec<Candidate<'_>> = dispute
            .candidates
            .iter()
            .filter(|candidate| candidate.is(name, dispute.column))
            .copied()
            .collect();
        if !own.is_empty() {
            return Ok(Some(same_or_latest(terms, dispute.column, &own)?.value.clone()));
        }
    }
    Ok(None)
}

fn merge(
    terms: &Terms,
    dispute: &Dispute<'_>,
    how: Option<Combine>,
) -> Result<Option<crate::value::Value>, Deferred> {
    let ways = match how {
        Some(how) => vec![how],
        None => vec![Combine::Fill, Combine::Set],
    };
    for way in ways {
        match combine(terms, way, dispute) {
            Combined::Value(value) => return Ok(Some(value)),
            Combined::Impossible(reason) => return Err(reason.into()),
            Combined::NotMeant => {}
        }
    }
    Ok(None)
}

/// Returns what expressions see: one left and one right row.
fn scene<'a>(terms: &'a Terms, dispute: &Dispute<'a>) -> Result<Scene<'a>, Deferred> {
    match dispute.candidates {
        [left, right] if left.side == SideName::Left && right.side == SideName::Right => {
            Ok(Scene {
                schema: terms.schema(),
                base: dispute.base_row,
                left: left.row,
                right: right.row,
                now: dispute.now,
                column: dispute.column,
            })
        }
        others => Err(format!(
            "an expression sees one left and one right value, and {} sources disagree",
            others.len()
        )
        .into()),
    }
}
