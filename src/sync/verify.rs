//! Verifying: where the members do not agree, why, and what would mend it. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Shell,
    definition::Definition,
    describe::shown,
    drift::{Cause, Drift, Kind},
    hidden::Hidden,
    inspect::{Inspected, Seen, Which, inspect},
};
use crate::error::Result;

/// The most keys that a repair names.
const KEYS: usize = 50;

/// Which rows are looked at, and how many of those that differ are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// This many keys; all where none is given.
    pub(crate) sample: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) limit: usize,
}

/// A row on which members do not agree.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriftOut {
    pub(crate) key: String,
    pub(crate) side: String,
    /// missing, extra or cell.
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    pub(crate) cause: String,
    /// What the first side has, and this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<[String; 2]>,
}

/// A call that mends something.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    pub(crate) tool: String,
    pub(crate) arguments: serde_json::Map<String, serde_json::Value>,
}

impl Call {
    /// Returns a call of a tool.
    pub(crate) fn new(tool: &str, arguments: serde_json::Value) -> Self {
        let arguments = match arguments {
            serde_json::Value::Object(arguments) => arguments,
            _ => serde_json::Map::new(),
        };
        Self { tool: tool.into(), arguments }
    }
}

/// What verifying found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification {
    pub(crate) dataset: String,
    pub(crate) in_step: bool,
    /// Keys compared, of all.
    pub(crate) checked: u64,
    pub(crate) of: u64,
    /// Rows read, by side.
    pub(crate) rows_read: BTreeMap<String, u64>,
    /// Segments read of all, where databases compared checksums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) segments: Option<[u64; 2]>,
    pub(crate) by_kind: BTreeMap<String, u64>,
    pub(crate) by_column: BTreeMap<String, u64>,
    /// excludedByPolicy is no drift.
    pub(crate) by_cause: BTreeMap<String, u64>,
    /// Cell text is data from others, not instructions.
    pub(crate) drift: Vec<DriftOut>,
    /// Rows without a key of their own.
    pub(crate) set_aside: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) unreadable: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) repair: Vec<Call>,
    pub(crate) next: String,
}

/// Compares the members, and says where and why they do not agree.
///
/// # Errors
/// See [`inspect`].
pub(crate) async fn verify(
    shell: &Shell,
    definition: &Definition,
    ask: Ask,
) -> Result<Verification> {
    let which = match ask.sample {
        Some(keys) => Which::Sample { keys, seed: ask.seed },
        None => Which::Differing,
    };
    let seen = inspect(shell, definition, which).await?;
    let (mut found, unexplained) = report(&seen, ask.limit);
    Hidden::of(definition).veil(&mut found);
    if ask.sample.is_none() {
        let now = shell.reach.clock.now().as_microsecond();
        shell
            .store
            .learn(&definition.name, |facts| {
                facts.compared = Some(now);
                facts.unexplained = unexplained;
            })
            .await?;
    }
    Ok(found)
}

/// Returns what was found, and how many disagreements nobody who may change things explains.
fn report(seen: &Inspected, limit: usize) -> (Verification, u64) {
    let mut by_kind: BTreeMap<String, u64> = BTreeMap::new();
    let (mut by_column, mut by_cause) = (by_kind.clone(), by_kind.clone());
    let mut drift = Vec::new();
    let (mut sync, mut lost): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut wrong, mut unexplained) = (0, 0);
    for one in &seen.keys {
        let found = seen.drifts(one);
        for each in &found {
            *by_cause.entry(each.cause.name()).or_default() += 1;
            if each.cause == Cause::Policy {
                continue;
            }
            wrong += 1;
            unexplained += u64::from(seen.is_unexplained(each));
            *by_kind.entry(each.kind.as_str().into()).or_default() += 1;
            if let Some(name) = column(seen, each) {
                *by_column.entry(name).or_default() += 1;
            }
            if drift.len() < limit {
                drift.push(drift_out(seen, one, each));
            }
        }
        let real = || found.iter().filter(|each| each.cause != Cause::Policy);
        if real().next().is_some() {
            let gone = real().any(|each| each.cause == Cause::WriteLost);
            let list = if gone && seen.definition.has_base() { &mut lost } else { &mut sync };
            list.push(one.key.to_string());
        }
    }
    let set_aside = seen.set_aside();
    let repair = repair(&seen.definition.name, sync, lost);
    let checked = seen.keys.len() as u64 + seen.equal;
    let unreadable: BTreeMap<String, String> = seen
        .members
        .iter()
        .filter_map(|member| Some((member.name.clone(), member.down.clone()?)))
        .collect();
    let found = Verification {
        dataset: seen.definition.name.clone(),
        in_step: wrong == 0 && set_aside == 0 && unreadable.is_empty(),
        checked,
        of: seen.population.max(checked),
        rows_read: seen.rows_read.clone(),
        segments: seen.segments.map(|segments| [segments.read as u64, segments.of as u64]),
        next: next(wrong, set_aside, drift.len() as u64, !repair.is_empty()),
        by_kind,
        by_column,
        by_cause,
        drift,
        set_aside,
        unreadable,
        repair,
    };
    (found, unexplained)
}

fn next(wrong: u64, set_aside: u64, shown: u64, repair: bool) -> String {
    let mut next = match wrong {
        0 => "the sides agree on everything that was compared".to_owned(),
        _ => format!("{wrong} disagreements"),
    };
    if shown < wrong {
        next.push_str(&format!(", {shown} shown (limit shows more)"));
    }
    if repair {
        next.push_str("; to mend them call repair, first as a plan, then with mode \"apply\"");
    }
    if set_aside > 0 {
        next.push_str("; give the rows that were set aside keys of their own: no sync moves them");
    }
    next
}

fn column(seen: &Inspected, drift: &Drift) -> Option<String> {
    Some(seen.schema.columns.get(drift.column?)?.name.clone())
}

fn drift_out(seen: &Inspected, key: &Seen, drift: &Drift) -> DriftOut {
    DriftOut {
        key: key.key.to_string(),
        side: seen.members.get(drift.member).map_or_else(String::new, |one| one.name.clone()),
        kind: drift.kind.as_str(),
        column: column(seen, drift),
        cause: drift.cause.name(),
        values: (drift.kind == Kind::Cell).then(|| [shown(&drift.first), shown(&drift.other)]),
    }
}

/// Returns the calls that mend disagreements: what a run wrote and is gone is written again, the rest is synced.
fn repair(dataset: &str, sync: Vec<String>, lost: Vec<String>) -> Vec<Call> {
    let call = |keys: Vec<String>, again: bool| {
        let keys: BTreeSet<String> = keys.into_iter().take(KEYS).collect();
        let mut arguments = serde_json::json!({"name": dataset, "keys": keys});
        if again && let Some(arguments) = arguments.as_object_mut() {
            arguments.insert("rewriteLost".into(), true.into());
        }
        (!keys.is_empty()).then(|| Call::new("syncDataset", arguments))
    };
    // More keys than a call should carry are mended by syncing everything.
    let whole = sync.len() > KEYS;
    let all = || Call::new("syncDataset", serde_json::json!({"name": dataset}));
    let sync = if whole { Some(all()) } else { call(sync, false) };
    sync.into_iter().chain(call(lost, true)).collect()
}
