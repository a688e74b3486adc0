//! What a run will do, complete and immutable.

use serde::{Deserialize, Serialize};

use crate::dataset::PerSide;
use crate::findings::Finding;
use crate::reconcile::Reconciled;
use crate::safety::Halt;
use crate::schema::Schema;

/// What a plan was computed from; it may be applied only while all of it still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// The dataset's name.
    pub dataset: String,
    /// Names what was asked for: a hash of its definition, or the run that is taken back.
    pub definition: String,
    /// The version of base; `None` before the first run.
    pub base_version: Option<u64>,
    /// A hash of what was read of each side.
    pub content: PerSide<String>,
    /// The schema that rows are aligned with.
    pub schema: Schema,
}

/// Everything but the name of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// What it was computed from.
    pub basis: Basis,
    /// The writes, the moves of base, the conflicts and the counts.
    pub result: Reconciled,
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
    body: Body,
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
        Plan { id: name(&body), body }
    }

    /// Returns the name: 64 hexadecimal digits of BLAKE3 over the canonical JSON of the content.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the content.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the content of a plan that may have been stored in between.
    ///
    /// # Errors
    /// When the content is not the one the plan was named for.
    pub fn into_verified(self) -> Result<Body, Tampered> {
        let found = name(&self.body);
        if found == self.id { Ok(self.body) } else { Err(Tampered { named: self.id, found }) }
    }

    /// Returns whether neither side would be written.
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
    use crate::value::Value;

    fn body() -> Body {
        let row = |n: i64| Some(vec![Value::from("k"), Value::from(n)].into_boxed_slice());
        let change = Change {
            key: Key::of("k"),
            kind: ChangeKind::Update,
            before: row(1),
            after: row(2),
            cells: vec![1],
            row: Some(7),
        };
        Body {
            basis: Basis {
                dataset: "prices".into(),
                definition: "d".into(),
                base_version: None,
                content: PerSide { left: "l".into(), right: "r".into() },
                schema: Schema::new(
                    vec![Column::new("id", ColumnType::Text), Column::new("n", ColumnType::Number)],
                    vec![0],
                ),
            },
            result: Reconciled { right: vec![change], ..Reconciled::default() },
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
        other.basis.base_version = Some(1);
        assert_ne!(Plan::new(other).id(), plan.id());
        let mut other = body();
        other.result.right[0].cells = vec![];
        assert_ne!(Plan::new(other).id(), plan.id());
    }

    #[test]
    fn storing_keeps_it_and_tampering_shows() {
        let plan = Plan::new(body());
        let json = serde_json::to_string(&plan).unwrap();
        let back: Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(back.clone().into_verified().unwrap(), body());
        assert_eq!(back, plan);
        let forged: Plan =
            serde_json::from_str(&json.replace("\"n\":\"2\"", "\"n\":\"200\"")).unwrap();
        let error = forged.into_verified().unwrap_err();
        assert!(error.to_string().contains("plan again"), "{error}");
    }
}
