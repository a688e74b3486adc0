//! Decisions about stored conflicts, checked before they are kept.

use lockstep_engine::{
    dataset::Policy,
    hub::HUB,
    schema::{Column, Schema},
    value::Value,
};
use serde_json::Value as Json;

use super::{
    super::{Shell, definition::Definition, hidden::Veil},
    weigh::{self, Weighed},
};
use crate::{
    error::{Error, Kind, Result, did_you_mean},
    store::conflicts::{Choice, Stored, Verdict},
};

/// How conflicts are to be decided.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// What a member says, or what was last agreed on.
    Winner(String),
    /// A value, as it came in JSON.
    Value(Json),
    /// By a policy; `alone` where its strategy is for every column.
    Policy { policy: Box<Policy>, alone: bool },
}

/// Decisions, and what they leave to a person.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// The decisions.
    pub(crate) verdicts: Vec<(Stored, Verdict)>,
    /// What is not decided, and why.
    pub(crate) undecided: Vec<(Stored, String)>,
}

/// What a person calls the value that was last agreed on.
pub(crate) const BASE: &str = "base";

/// Returns the decisions that follow from a wish; nothing is kept.
///
/// # Errors
/// A winner that the dataset does not have, and a policy that does not fit its columns.
pub(crate) async fn choose(
    shell: &Shell,
    definition: &Definition,
    conflicts: Vec<Stored>,
    wish: &Wish,
    note: Option<&str>,
) -> Result<Chosen> {
    let verdict = |one: &Stored, choice: Choice, by: String| Verdict {
        id: one.id.clone(),
        choice: Some(choice),
        by,
        note: note.map(str::to_owned),
        hidden: false,
    };
    let mut chosen = Chosen::default();
    match wish {
        Wish::Winner(winner) => {
            member(definition, winner)?;
            for one in conflicts {
                match of(&one, winner) {
                    Ok(choice) => {
                        let verdict = verdict(&one, choice, format!("winner {winner}"));
                        chosen.verdicts.push((one, verdict));
                    }
                    Err(why) => chosen.undecided.push((one, why)),
                }
            }
        }
        Wish::Value(value) => {
            let schema = weigh::schema(shell, &definition.name).await?;
            for one in conflicts {
                match typed(&schema, &one, value) {
                    Ok(value) => {
                        let verdict = verdict(&one, Choice::Value(value), "value".into());
                        chosen.verdicts.push((one, verdict));
                    }
                    Err(why) => chosen.undecided.push((one, why)),
                }
            }
        }
        Wish::Policy { policy, alone } => {
            let weighed = weigh::weigh(shell, definition, policy, *alone, &conflicts).await?;
            for one in conflicts {
                match weighed.get(&one.id).map(|weighed| choice(&one, weighed)) {
                    Some(Ok((choice, rule))) => {
                        let verdict = verdict(&one, choice, rule);
                        chosen.verdicts.push((one, verdict));
                    }
                    Some(Err(why)) => chosen.undecided.push((one, why)),
                    None => chosen.undecided.push((one, "it was not weighed".into())),
                }
            }
        }
    }
    Ok(chosen)
}

/// Checks that a winner is a member of the dataset.
fn member(definition: &Definition, winner: &str) -> Result<()> {
    let mut names: Vec<&str> = definition.members().into_iter().map(|(name, _)| name).collect();
    names.push(BASE);
    if names.contains(&winner) {
        return Ok(());
    }
    let near = did_you_mean(winner, names.iter().copied());
    Err(Error::invalid(format!(
        "argument winner: the dataset \"{}\" has no \"{winner}\".{near}",
        definition.name
    ))
    .next(format!("a winner is one of {}; nothing was decided", names.join(", "))))
}

/// Returns the choice of a winner, or why it cannot win.
fn of(one: &Stored, winner: &str) -> Result<Choice, String> {
    let said: Vec<&str> = one.voices.iter().map(|voice| voice.who.as_str()).collect();
    match winner {
        BASE if one.column.is_empty() => {
            Err(format!("a deletion against a change is decided by a side: {}", said.join(" or ")))
        }
        BASE if one.base.is_none() => {
            Err("nothing was agreed on before, so there is no base to go back to".into())
        }
        BASE => Ok(Choice::Base),
        who if said.contains(&who) => Ok(Choice::Take(who.to_owned())),
        who => Err(format!("{who} says nothing about it; those who do are {}", said.join(", "))),
    }
}

/// Returns a value as the conflict's column has it, or why it is none.
pub(crate) fn typed(schema: &Schema, one: &Stored, value: &Json) -> Result<Value, String> {
    if one.column.is_empty() {
        return Err("a deletion against a change is decided by a side, not by a value".into());
    }
    let Some(column) = schema.position(&one.column).and_then(|at| schema.columns.get(at)) else {
        return Err(format!("the column \"{}\" is not kept in step any more", one.column));
    };
    read(column, value)
}

fn read(column: &Column, value: &Json) -> Result<Value, String> {
    let text = match value {
        Json::Null => return Ok(Value::Null),
        Json::String(text) => text.clone(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::Array(_) | Json::Object(_) => value.to_string(),
    };
    if text.is_empty() {
        return Ok(Value::Null);
    }
    column.ty.parse(&text).map_err(|error| {
        format!(
            "\"{}\" is no value of the column \"{}\" ({}): {error}",
            cut(&text),
            column.name,
            column.ty
        )
    })
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Returns the choice that comes to what a policy decided.
fn choice(one: &Stored, weighed: &Weighed) -> Result<(Choice, String), String> {
    let take = |who: &str| Choice::Take(who.to_owned());
    match weighed {
        Weighed::Undecided(why) => Err(why.clone()),
        Weighed::Row(stays, rule) => {
            let winner = one.voices.iter().find(|voice| voice.deleted != *stays);
            let winner = winner.ok_or("nobody is left who wants it so")?;
            Ok((take(&winner.who), rule.clone()))
        }
        Weighed::Cell(value, rule) => {
            // The hub, or the left, comes first where several say the same.
            let mut said: Vec<&str> = one
                .voices
                .iter()
                .filter(|voice| voice.value == *value)
                .map(|voice| voice.who.as_str())
                .collect();
            said.sort_by_key(|who| (*who != HUB, *who));
            let choice = match said.first() {
                Some(who) => take(who),
                None => Choice::Value(value.clone()),
            };
            Ok((choice, rule.clone()))
        }
    }
}

/// Keeps decisions, all of them or none.
///
/// # Errors
/// A conflict that is not open any more: nothing is decided then.
pub(crate) async fn keep(shell: &Shell, verdicts: &[(Stored, Verdict)]) -> Result<()> {
    let (mut kept, mut veil) = (Vec::with_capacity(verdicts.len()), Veil::default());
    for (one, verdict) in verdicts {
        let hidden = veil.of(&shell.store, &one.dataset).await?.covers(&one.column);
        kept.push(Verdict { hidden, ..verdict.clone() });
    }
    shell.store.decide(&kept, &shell.caller, shell.reach.clock.now()).await
}

/// Returns the error of conflicts, named one by one, that cannot be decided so.
pub(crate) fn refused(undecided: &[(Stored, String)]) -> Error {
    let listed = undecided.iter().take(5);
    let listed: Vec<String> = listed
        .map(|(one, why)| format!("{} ({}, {}): {why}", one.id, one.key, place(one)))
        .collect();
    let more = match undecided.len().saturating_sub(listed.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Error::new(Kind::InvalidArgument, format!("{}{more}; nothing was decided", listed.join("; ")))
        .next("decide these otherwise, or leave them out")
}

/// Returns the column of a conflict as it is shown.
pub(crate) fn place(one: &Stored) -> &str {
    if one.column.is_empty() { "(row)" } else { &one.column }
}
