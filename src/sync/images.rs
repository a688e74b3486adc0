//! What a run wrote, beside what is there now.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    key::Key,
    schema::{Column, Schema},
    snapshot::{Mapping, Snapshot, View},
    value::{Row, Value},
};

use super::{rest, saved::Saved};
use crate::{
    error::{Error, Result},
    store::Action,
};

/// Returns each column's header on a member: mapped ones by the definition, marks as they were saved, the others by their
/// own name.
pub(super) fn headers(saved: &Saved, schema: &Schema, member: &str) -> Vec<Option<String>> {
    let own = |column: &Column| -> Option<String> {
        let name = &column.name;
        if let Some((of, header)) = rest::header(name) {
            return (of == member).then(|| header.to_owned());
        }
        match saved.marks.iter().find(|(_, mark)| mark.column == *name) {
            Some((of, mark)) => (of == member).then(|| mark.header.clone()),
            None => saved.definition.header(member, name),
        }
    };
    schema.columns.iter().map(own).collect()
}

/// Sees what is on a member now through the columns of a run.
///
/// # Errors
/// A column that the run wrote and that is not there any more.
pub(super) fn view<'a>(
    now: &'a Snapshot,
    schema: &'a Schema,
    headers: &[Option<String>],
    member: &str,
) -> Result<View<'a>> {
    let mapping: Vec<Mapping> = schema
        .columns
        .iter()
        .zip(headers)
        .filter_map(|(column, header)| Some(Mapping::new(&column.name, header.as_ref()?)))
        .collect();
    now.view(schema, &mapping).map_err(|error| {
        Error::invalid(error.to_string())
            .context(member.to_owned())
            .next("the columns that the run wrote must be there")
    })
}

/// How sure it is that actions were applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A marker proves it; only where each value came to rest is open.
    Applied,
    /// Only what is there now can tell.
    None,
}

/// Returns the keys of actions that what is there now does not confirm.
///
/// A cell that still holds what it held before was not reached, or somebody put it back. Any other value in its place
/// was written later by somebody, and confirms the action if its batch is proven applied.
pub(super) fn unconfirmed(view: &View<'_>, actions: &[Action], proof: Proof) -> BTreeSet<Key> {
    let mut wanted: BTreeMap<&Key, (&Action, bool)> = actions
        .iter()
        .map(|action| (&action.key, (action, proof == Proof::Applied || action.after.is_none())))
        .collect();
    for row in 0..view.len() {
        let key = view.key(row);
        if let Some((action, sure)) = wanted.get_mut(&key) {
            *sure = confirms(view, row, action, proof);
        }
    }
    wanted.into_iter().filter(|(_, (_, sure))| !sure).map(|(key, _)| key.clone()).collect()
}

/// Confirms the rows of a file that somebody edited after the batch: a file is replaced as a whole, so where one row is as
/// it was written, all were.
///
/// A row that is not there stays open: that one row is as it was written could be chance, and a row that was never there
/// must not count as deleted.
pub(super) fn as_a_whole(view: &View<'_>, actions: &[Action], open: &mut BTreeSet<Key>) {
    if !actions.iter().any(|action| action.after.is_some() && !open.contains(&action.key)) {
        return;
    }
    let untouched = unconfirmed(view, actions, Proof::Applied);
    for key in (0..view.len()).map(|row| view.key(row)) {
        if !untouched.contains(&key) {
            open.remove(&key);
        }
    }
}

fn confirms(view: &View<'_>, row: usize, action: &Action, proof: Proof) -> bool {
    let all: Vec<usize> =
        (0..view.schema().columns.len()).filter(|at| view.is_mapped(*at)).collect();
    let cells = if action.after.is_none() { &*all } else { &*action.cells };
    let was = |image: &Option<Row>, at: usize| {
        let value = image.as_ref().map(|row| row.get(at).cloned().unwrap_or(Value::Null));
        value.as_ref() == Some(&view.cell(row, at))
    };
    match proof {
        Proof::None => action.after.is_some() && cells.iter().all(|at| was(&action.after, *at)),
        Proof::Applied => {
            let untouched = |at: &usize| was(&action.before, *at) && !was(&action.after, *at);
            // A deleted row counts as untouched only as a whole: one that came back differs somewhere.
            if action.after.is_none() {
                !cells.iter().all(untouched)
            } else {
                !cells.iter().any(untouched)
            }
        }
    }
}
