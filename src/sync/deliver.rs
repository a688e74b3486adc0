//! Runs for events: the same comparison and the same journal, limited to the keys that are due.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;
use lockstep_engine::{
    canonical::write_row, dataset::Direction, key::Key, plan::Plan, reconcile::Change,
    safety::remaining,
};

use super::{
    Shell,
    definition::Definition,
    keep::keep,
    plans,
    prepare::{Planned, prepare},
    run::carry_out,
    saved::save,
    see_again::see_again,
};
use crate::{
    error::{Error, Kind, Result},
    replica::{OnError, scan::Target},
    store::{Lease, LeftOut, Work},
};

/// The members of a dataset as they were compared.
#[derive(Debug)]
pub(crate) struct Seen {
    planned: Arc<Planned>,
    /// The halts that nobody passed.
    halts: Vec<String>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// The run, if something was to be written or learned.
    pub(crate) run: Option<String>,
    /// How many rows were written and confirmed.
    pub(crate) written: u64,
    /// Rows that were not written, and why, by member and key.
    pub(crate) unconfirmed: BTreeMap<(String, Key), LeftOut>,
    /// Spokes that were not written, and why, by name.
    pub(crate) failed: BTreeMap<String, String>,
}

/// Reads and compares the members of a dataset but those that are left out, each with the reason.
///
/// A database takes the rows that it can: one that it refuses is told, and does not hold the others up.
///
/// # Errors
/// See [`super::prepare::prepare`]; with the name of the member that could not be read, or a blank one.
pub(crate) async fn see(
    shell: &Shell,
    definition: &Definition,
    left_out: &BTreeMap<String, String>,
) -> Result<Seen, (String, Error)> {
    let mut planned = match compare(shell, definition, left_out).await {
        Ok(planned) => planned,
        Err(error) => return Err((unread(definition, &error), error)),
    };
    for member in &mut planned.members {
        if let Target::Sql(table) = &mut member.scan.target {
            table.on_error = OnError::Skip;
        }
    }
    let halts = remaining(&planned.plan.body().halts, &definition.overrides);
    let halts = halts.iter().map(|halt| format!("{}: {}", halt.reason.as_str(), halt.message));
    let halts = halts.collect();
    Ok(Seen { planned: Arc::new(planned), halts })
}

async fn compare(
    shell: &Shell,
    definition: &Definition,
    left_out: &BTreeMap<String, String>,
) -> Result<Planned> {
    let planned = prepare(shell, definition, left_out).await?;
    see_again(shell, definition, planned, left_out).await
}

/// Returns the member that an error is about: its name is the first thing that the error says after its kind.
fn unread(definition: &Definition, error: &Error) -> String {
    let text = error.to_string();
    let place = text.split(": ").nth(1).unwrap_or_default();
    let member = definition.members().into_iter().find(|(name, _)| *name == place);
    member.map(|(name, _)| name.to_owned()).unwrap_or_default()
}

impl Seen {
    /// Returns what has to be written, by member.
    ///
    /// What flows to others has to be written to spokes that were not read, too: what exactly, the look tells that reads
    /// them.
    pub(crate) fn work(&self, definition: &Definition) -> Vec<Work> {
        let body = self.planned.plan.body();
        let columns = &body.basis.schema.columns;
        let name = |at: &usize| Some(columns.get(*at)?.name.clone());
        let work = |member: &str, change: &Change, digest: Vec<u8>| Work {
            member: member.to_owned(),
            key: change.key.clone(),
            kind: change.kind,
            columns: change.cells.iter().filter_map(name).collect(),
            digest,
        };
        let members = &body.result.members;
        let all =
            members.iter().flat_map(|one| one.changes.iter().map(|change| (&*one.name, change)));
        let mut found: Vec<Work> =
            all.map(|(member, change)| work(member, change, digest(change))).collect();
        let unread: Vec<&str> = definition
            .spokes()
            .iter()
            .filter(|spoke| spoke.direction != Direction::RightToLeft)
            .map(|spoke| spoke.name.as_str())
            .filter(|name| self.planned.down().any(|member| member.name == *name))
            .collect();
        let mut keys = BTreeSet::new();
        for change in members.iter().flat_map(|one| &one.changes) {
            if !unread.is_empty() && keys.insert(&change.key) {
                let unknown = || [b"unread".as_slice(), &digest(change)].concat();
                found.extend(unread.iter().map(|member| work(member, change, unknown())));
            }
        }
        found
    }

    /// Returns the keys that base has to learn without a write, because all agree already.
    pub(crate) fn agreed(&self) -> BTreeSet<Key> {
        let members = &self.planned.plan.body().result.members;
        let written: BTreeSet<&Key> =
            members.iter().flat_map(|one| one.changes.iter().map(|change| &change.key)).collect();
        let learned = members.iter().flat_map(|one| one.base.iter().map(|change| &change.key));
        learned.filter(|key| !written.contains(key)).cloned().collect()
    }

    /// Returns how many rows wait for a person's decision.
    pub(crate) fn conflicts(&self) -> u64 {
        self.planned.plan.body().result.conflicts.len() as u64
    }

    /// Returns the safety halts that nobody passed, in words.
    pub(crate) fn halts(&self) -> &[String] {
        &self.halts
    }

    /// Returns the members that were read.
    pub(crate) fn members(&self) -> BTreeSet<String> {
        let read = self.planned.members.iter().filter(|member| member.down.is_none());
        read.map(|member| member.name.clone()).collect()
    }

    /// Returns the members that were not read, and why.
    pub(crate) fn down(&self) -> BTreeMap<String, String> {
        let why = |member: &super::prepare::Member| {
            Some((member.name.clone(), member.down.clone().unwrap_or_default()))
        };
        self.planned.down().filter_map(why).collect()
    }

    /// Keeps what was seen where no run was to be made: what waits for people, and, where nothing was to be done at
    /// all, what need not be read again.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn keep(
        &self,
        shell: &Shell,
        definition: &Definition,
        lease: &Lease,
    ) -> Result<()> {
        let planned = &self.planned;
        if !planned.plan.is_quiet() {
            return Ok(());
        }
        if let Some(seen) = planned.seen.as_ref().filter(|seen| seen.matters) {
            save(shell, definition, Some(planned)).await?;
            shell.store.record_conflicts(lease, seen, shell.reach.clock.now()).await?;
        }
        if planned.down().next().is_none() {
            keep(shell, definition, lease, planned).await;
        }
        Ok(())
    }

    /// Reads a key from the texts of its parts, by the types of the key columns.
    pub(crate) fn key(&self, parts: &[String]) -> Option<Key> {
        let schema = &self.planned.plan.body().basis.schema;
        let columns: Vec<_> = schema.key.iter().filter_map(|at| schema.columns.get(*at)).collect();
        let values = columns.iter().zip(parts).map(|(column, part)| column.read(part));
        (columns.len() == parts.len()).then(|| Key::normalised(values, schema.fold_key_case))
    }
}

/// Returns a digest of a change: of what is to be there, and of what is there now.
fn digest(change: &Change) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in [&change.before, &change.after] {
        bytes.push(u8::from(row.is_some()));
        write_row(row.as_deref().unwrap_or_default(), &mut bytes);
    }
    for cell in change.cells.iter() {
        bytes.extend_from_slice(&(*cell as u64).to_le_bytes());
    }
    blake3::hash(&bytes).as_bytes().iter().take(16).copied().collect()
}

/// Writes what was found out about some keys, and lets base learn it; the rest stays for another run.
///
/// # Errors
/// Whatever kept the writes from being confirmed; of a hub only what concerns the hub.
pub(crate) async fn deliver(
    shell: &Shell,
    definition: &Definition,
    seen: Seen,
    keys: &BTreeSet<Key>,
    lease: &mut Lease,
) -> Result<Delivered> {
    let planned = Arc::into_inner(seen.planned)
        .ok_or_else(|| Error::internal("what was seen is still looked at"))?;
    let planned = limited(planned, keys);
    let result = &planned.plan.body().result;
    let learns = definition.has_base() && !result.learns_nothing();
    if planned.plan.is_quiet() && !learns {
        return Ok(Delivered::default());
    }
    plans::keep(shell, &planned.plan, &definition.kept()).await?;
    match carry_out(shell, definition, &planned, lease).await {
        Ok(done) => Ok(Delivered {
            run: done.run,
            written: done.written,
            unconfirmed: done
                .unconfirmed
                .into_iter()
                .map(|(member, key, why)| ((member, key), why))
                .collect(),
            failed: done.failed,
        }),
        Err(stopped) => Err(stopped.into()),
    }
}

/// Returns the part of a plan that is about some keys.
fn limited(planned: Planned, keys: &BTreeSet<Key>) -> Planned {
    let Planned { plan, mut members, reasons, due, mark, mut seen, limited: _ } = planned;
    if let Some(seen) = &mut seen {
        // What is decided about other keys is carried out by another run, and waits until then.
        let others: Vec<Key> =
            seen.applied.keys().chain(seen.settled.keys()).map(|(key, _)| key.clone()).collect();
        seen.unjudged.extend(others.into_iter().filter(|key| !keys.contains(key)));
        seen.applied.retain(|(key, _), _| keys.contains(key));
        seen.settled.retain(|(key, _), _| keys.contains(key));
    }
    let mut body = plan.into_body();
    for one in &body.result.members {
        let Some(member) = members.iter_mut().find(|member| *member.name == *one.name) else {
            continue;
        };
        // Where each of its changes stands among those that stay.
        let mut stay = 0..;
        let stays = |change: &Change| keys.contains(&change.key);
        let places: Vec<Option<usize>> =
            one.changes.iter().map(|change| stays(change).then(|| stay.next()).flatten()).collect();
        let place = |at: &usize| places.get(*at).copied().flatten();
        member.order = member.order.iter().filter_map(place).collect();
    }
    body.result.restrict(|key| keys.contains(key));
    (body.findings, body.halts) = (Vec::new(), Vec::new());
    let plan = Plan::new(body);
    Planned { plan, members, reasons, due, mark, seen, limited: true }
}

/// Returns the kind of error that a text of one begins with: spokes that fail are reported in words.
pub(crate) fn kind_of(text: &str) -> Kind {
    let word = text.split(':').next().unwrap_or_default();
    let known = [
        Kind::InvalidArgument,
        Kind::NotFound,
        Kind::Changed,
        Kind::StalePlan,
        Kind::PermissionDenied,
        Kind::Unauthenticated,
        Kind::QuotaExhausted,
        Kind::Unavailable,
        Kind::Ambiguous,
        Kind::TooLarge,
        Kind::ConfirmationNeeded,
        Kind::Cancelled,
    ];
    known.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Kind::Internal)
}

/// Returns how long a text of an error asks to wait, where it does.
pub(crate) fn wait_of(text: &str) -> Option<SignedDuration> {
    let seconds = text.split_once("Retry: after ")?.1.split(' ').next()?;
    seconds.parse().ok().map(SignedDuration::from_secs)
}

#[cfg(test)]
#[test]
fn what_an_error_says_is_read_back_from_its_text() {
    let wait = std::time::Duration::from_secs(600);
    for kind in [Kind::QuotaExhausted, Kind::Unavailable, Kind::PermissionDenied] {
        let error = Error::new(kind, "after a while");
        assert_eq!((kind_of(&error.to_string()), wait_of(&error.to_string())), (kind, None));
    }
    let error = Error::new(Kind::QuotaExhausted, "no more").retry_after(wait).next("wait");
    assert_eq!(wait_of(&error.to_string()), Some(SignedDuration::from_mins(10)));
}
