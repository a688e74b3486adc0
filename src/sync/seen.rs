//! What the last run saw of a member, so that the next one reads only what changed since, or nothing.
//!
//! What is kept is a fact of the past: *when this stamp was taken, the member had these rows*. The rows themselves are
//! not kept: they are those of a reference (the member's base, of a one-way pair the other side) but for a few that are
//! kept apart. Why a sync can never come to believe something that is not so:
//!
//! 1. The fact is of the replica alone, and stays true whatever happens to other members. What happened to the replica
//!    since is told by its adapter, which compares the stamp with what is there: nothing ([`Extent::Unchanged`]), these
//!    rows ([`Extent::Since`]), or it reads everything. What a cursor cannot see (a deletion, a change of the key, a
//!    change that does not raise the cursor) is found by the full read that every N-th run makes.
//! 2. Our own writes may not raise a cursor. So the transaction that begins a journal drops what was seen, before the
//!    first effect: a crash at any later point leaves nothing, and the next run reads whole. It is kept again only when
//!    the run is closed, and only for members that the run did not write to.
//!    A run of another dataset may write to the same database: what came after the mark that was taken before the member
//!    was read puts everything in doubt that was seen through the same connection.
//! 3. The reference is named by what cannot change under it: a base by its version, a side by the content that it must
//!    have when it is read. Another version, another content: the member is read whole.
//! 4. The rows that come out are summed up and compared with the sum that was kept; columns, types and headers must be
//!    those that it was kept with. Any difference: the member is read whole.
//! 5. Only members without findings are kept: no double keys, no blank ones, no cells that show errors.
//! 6. `forget`, retention, a restore, a rollback and another definition drop it; the stamp names the place that was read.
//! 7. A sheet has no stamp: it is read whole by every run, in one call where its types are known. Nothing cheaper proves
//!    that it is as it was. Drive's `version` and `modifiedTime` are not said to be there when the write that they tell of
//!    is answered, so an edit of the last moments would be missed; and what formulas show (`TODAY`, `IMPORTRANGE`) changes
//!    without an edit of the file. Its content is what proves it: of equal rows comes an empty plan, and nothing is written.
//!
//! A plan is the same whichever way its members were read, because what it is made from is ([`Content`]).
//!
//! [`Extent::Unchanged`]: crate::replica::scan::Extent::Unchanged
//! [`Extent::Since`]: crate::replica::scan::Extent::Since

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    key::Key,
    schema::{ColumnType, Schema},
    value::Row,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Shell, content::Content, definition::Definition, known::Known, saved::json};
use crate::{error::Result, replica::Source, store::Seen};

/// What was seen of a member, but for the rows kept apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    /// The definition under which it was seen.
    pub(super) definition: String,
    /// What the adapter compares with what is there.
    pub(super) stamp: Json,
    /// The headers that it had.
    pub(super) headers: Vec<String>,
    /// The types that it knew itself.
    pub(super) types: BTreeMap<String, ColumnType>,
    /// The columns that are not written there.
    pub(super) formulas: BTreeSet<String>,
    /// The columns of the dataset.
    pub(super) schema: Schema,
    /// For each of them its header.
    pub(super) mapped: Vec<Option<String>>,
    /// What its rows are compared with.
    pub(super) against: Against,
    /// The sum of its rows.
    pub(super) content: Content,
    /// How many runs there were since it was read whole.
    pub(super) runs: u32,
    /// The mark of the store that was taken before it was read.
    pub(super) mark: i64,
}

/// The rows that a member's are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Against {
    /// Those of a base.
    Base {
        /// The member whose base it is.
        member: String,
        /// Its version.
        version: u64,
    },
    /// Those of the other side.
    Side {
        /// Its name.
        member: String,
        /// For each column of the dataset its header there.
        mapped: Vec<Option<String>>,
        /// What it must have.
        content: Content,
    },
}

/// What was seen of a member.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) about: About,
    /// The rows that are not as the reference has them; `None` for those that the member does not have.
    pub(super) apart: BTreeMap<Key, Option<Row>>,
}

/// What was seen of the members of a dataset.
#[derive(Debug, Default)]
pub(super) struct Memory {
    members: BTreeMap<String, Remembered>,
    /// Whether everything is read because it is time to.
    pub(super) due: bool,
}

impl Memory {
    /// Loads what still holds of a dataset.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(super) async fn load(
        shell: &Shell,
        definition: &Definition,
        known: &Known,
    ) -> Result<Self> {
        let named = definition.kept().fingerprint()?;
        let mut members: BTreeMap<String, Remembered> = BTreeMap::new();
        for (name, Seen { about, apart }) in shell.store.seen(&definition.name).await? {
            // What another version of Lockstep kept is no help.
            let Ok(about) = serde_json::from_value::<About>(about) else { continue };
            let holds = match &about.against {
                Against::Base { member, version } => known.base(member).version == Some(*version),
                Against::Side { .. } => !definition.has_base(),
            };
            if about.definition == named && holds {
                members.insert(name, Remembered { about, apart });
            }
        }
        if let Some(mark) = members.values().map(|one| one.about.mark).min() {
            let places = shell.store.places_since(&definition.name, mark).await?;
            members.retain(|name, _| {
                match (definition.source(name).and_then(connection), &places) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(own), Some(places)) => {
                        places.iter().all(|place| place["connection"] != *own)
                    }
                }
            });
        }
        let every = definition.full_every;
        let due = members.values().any(|one| one.about.runs.saturating_add(1) >= every);
        if due {
            members.clear();
        }
        Ok(Self { members, due: due && every > 1 })
    }

    /// Returns what was seen of a member.
    pub(super) fn of(&self, member: &str) -> Option<&Remembered> {
        self.members.get(member)
    }

    /// Returns the stamp of a member.
    pub(super) fn stamp(&self, member: &str) -> Option<&Json> {
        self.of(member).map(|one| &one.about.stamp)
    }
}

/// Returns the connection whose replica a cursor or a tag of others tells of, but not of our own writes.
fn connection(source: &Source) -> Option<&str> {
    match source {
        Source::Table { connection, .. } | Source::Api { connection, .. } => Some(connection),
        // A file proves itself by its time, size and content, whoever wrote it.
        Source::File(_) | Source::Sheet { .. } | Source::Records { .. } => None,
    }
}

impl Remembered {
    /// Returns it as the store keeps it.
    ///
    /// # Errors
    /// Something without a JSON form, which is a defect.
    pub(super) fn stored(self) -> Result<Seen> {
        Ok(Seen { about: json(&self.about)?, apart: self.apart })
    }
}
