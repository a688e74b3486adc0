//! What a run will do, complete and immutable.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::conflict::{Conflict, Loser, Withheld};
use crate::findings::Finding;
use crate::hub::{HUB, HubConflict, HubReconciled, SpokeResult};
use crate::key::Key;
use crate::reconcile::{Change, Reconciled};
use crate::safety::Halt;
use crate::schema::Schema;
use crate::side::SideName;

/// What a plan was computed from; it may be applied only while all of it still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// The dataset's name.
    pub dataset: String,
    /// Names what was asked for: a hash of its definition, or the run that is taken back.
    pub definition: String,
    /// The version of each member's base; none before the first run.
    pub bases: BTreeMap<String, u64>,
    /// A hash of what was read of each member; none of one that could not be read.
    pub content: BTreeMap<String, String>,
    /// The schema that rows are aligned with.
    pub schema: Schema,
}

/// What follows for the members of a dataset: a pair's `left` and `right`, or `hub` and the spokes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The members; the first is the hub, or the left, and has no base of its own.
    pub members: Vec<SpokeResult>,
    /// What waits for a person, by key.
    pub conflicts: Vec<Disagreement>,
    /// What was decided against, by key.
    pub losers: Vec<Loser>,
    /// What was held back for want of knowledge, by key.
    pub withheld: Vec<Withheld>,
}

/// A conflict of a pair, or of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Disagreement {
    /// Left and right disagree.
    Pair(Box<Conflict>),
    /// Any of hub and spokes disagree.
    Hub(HubConflict),
}

impl Disagreement {
    /// Returns the key.
    pub fn key(&self) -> &Key {
        match self {
            Disagreement::Pair(conflict) => &conflict.key,
            Disagreement::Hub(conflict) => &conflict.key,
        }
    }
}

impl Decided {
    /// Returns the writes to a member.
    pub fn writes(&self, member: &str) -> &[Change] {
        let found = self.members.iter().find(|one| &*one.name == member);
        found.map(|one| one.changes.as_slice()).unwrap_or_default()
    }

    /// Leaves out everything that is about other keys.
    pub fn restrict(&mut self, wanted: impl Fn(&Key) -> bool) {
        for member in &mut self.members {
            member.changes.retain(|one| wanted(&one.key));
            member.drift.retain(|one| wanted(&one.key));
            member.base.retain(|one| wanted(&one.key));
        }
        self.conflicts.retain(|one| wanted(one.key()));
        self.losers.retain(|one| wanted(&one.key));
        self.withheld.retain(|one| wanted(&one.key));
    }

    /// Returns whether no member has to be written.
    pub fn is_quiet(&self) -> bool {
        self.members.iter().all(|member| member.changes.is_empty())
    }

    /// Returns whether no base has anything to learn.
    pub fn learns_nothing(&self) -> bool {
        self.members.iter().all(|member| member.base.is_empty())
    }
}

impl From<Reconciled> for Decided {
    fn from(result: Reconciled) -> Decided {
        let Reconciled { left, right, base, conflicts, losers, drift, withheld, counts: _ } =
            result;
        let member = |side: SideName, changes| SpokeResult {
            name: side.as_str().into(),
            changes,
            drift: drift.iter().filter(|note| note.side == side).cloned().collect(),
            base: Vec::new(),
        };
        let right = SpokeResult { base, ..member(SideName::Right, right) };
        Decided {
            members: vec![member(SideName::Left, left), right],
            conflicts: conflicts.into_iter().map(|one| Disagreement::Pair(Box::new(one))).collect(),
            losers,
            withheld,
        }
    }
}

impl From<HubReconciled> for Decided {
    fn from(result: HubReconciled) -> Decided {
        let hub = SpokeResult { name: HUB.into(), changes: result.hub, ..SpokeResult::default() };
        Decided {
            members: std::iter::once(hub).chain(result.spokes).collect(),
            conflicts: result.conflicts.into_iter().map(Disagreement::Hub).collect(),
            losers: result.losers,
            withheld: result.withheld,
        }
    }
}

/// Everything but the name of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// What it was computed from.
    pub basis: Basis,
    /// The writes, the moves of base and the conflicts.
    pub result: Decided,
    /// Observations about the data that was read.
    pub findings: Vec<Finding>,
    /// Reasons not to apply it without the operator's word.
    pub halts: Vec<Halt>,
}

/// A plan: applying it makes no choices, and its name is the hash of what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    id: String,
    body: Arc<Body>,
}

/// Tells that a stored plan does not say what its name promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plan's content was changed after it was made: it is named {named} and hashes to {found}; plan again"
)]
pub struct Tampered {
    /// The name it has.
    pub named: String,
    /// The name it would have.
    pub found: String,
}

impl Plan {
    /// Names a plan by its content.
    pub fn new(body: Body) -> Plan {
        Plan { id: name(&body), body: Arc::new(body) }
    }

    /// Returns the name: 64 hexadecimal digits of BLAKE3 over the canonical JSON of the content.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the content.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the content, to be shared with another thread.
    pub fn shared(&self) -> Arc<Body> {
        Arc::clone(&self.body)
    }

    /// Returns the content of a plan that may have been stored in between.
    ///
    /// # Errors
    /// When the content is not the one the plan was named for.
    pub fn into_verified(self) -> Result<Body, Tampered> {
        let found = name(&self.body);
        match found == self.id {
            true => Ok(self.into_body()),
            false => Err(Tampered { named: self.id, found }),
        }
    }

    /// Returns the content alone.
    pub fn into_body(self) -> Body {
        Arc::unwrap_or_clone(self.body)
    }

    /// Returns whether no member would be written.
    pub fn is_quiet(&self) -> bool {
        self.body.result.is_quiet()
    }
}

/// Hashes the JSON form, which is canonical: fields have a fixed order, maps are sorted, and so are all lists.
fn name(body: &Body) -> String {
    let mut hasher = blake3::Hasher::new();
    // Writing to a hasher cannot fail, and every type of the body has a JSON form.
    let written = serde_json::to_writer(&mut hasher, body);
    debug_assert!(written.is_ok());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::reconcile::{Change, ChangeKind};
    use crate::schema::{Column, ColumnType};
    use crate::value::{Row, Value};

    fn body() -> Body {
        let row = |n: i64| Some(Row::from([Value::from("k"), Value::from(n)]));
        let change = Change {
            key: Key::of("k"),
            kind: ChangeKind::Update,
            before: row(1),
            after: row(2),
            cells: vec![1].into(),
            row: Some(7),
        };
        Body {
            basis: Basis {
                dataset: "prices".into(),
                definition: "d".into(),
                bases: BTreeMap::new(),
                content: [("left".to_owned(), "l".to_owned())].into(),
                schema: Schema::new(
                    vec![Column::new("id", ColumnType::Text), Column::new("n", ColumnType::Number)],
                    vec![0],
                ),
            },
            result: Reconciled { right: vec![change], ..Reconciled::default() }.into(),
            findings: vec![],
            halts: vec![],
        }
    }

    #[test]
    fn the_name_is_the_content() {
        let plan = Plan::new(body());
        assert_eq!(plan.id().len(), 64);
        assert_eq!(Plan::new(body()).id(), plan.id());
        let mut other = body();
        other.basis.bases.insert("right".into(), 1);
        assert_ne!(Plan::new(other).id(), plan.id());
        let mut other = body();
        other.result.members[1].changes[0].cells = vec![].into();
        assert_ne!(Plan::new(other).id(), plan.id());
    }

    #[test]
    fn storing_keeps_it_and_tampering_shows() {
        let plan = Plan::new(body());
        let json = serde_json::to_string(&plan).unwrap();
        let back: Plan = serde_json::from_str(&json).unwrap();
        // Where a row stood says nothing of the change, so it is not kept.
        let mut kept = body();
        kept.result.members[1].changes[0].row = None;
        assert_eq!(back.clone().into_verified().unwrap(), kept);
        assert_eq!(back.id(), plan.id());
        let forged: Plan =
            serde_json::from_str(&json.replace("\"n\":\"2\"", "\"n\":\"200\"")).unwrap();
        let error = forged.into_verified().unwrap_err();
        assert!(error.to_string().contains("plan again"), "{error}");
    }
}
