//! What a run wrote, beside what is there now.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{
    dataset::SideName,
    key::Key,
    schema::{Column, Schema},
    snapshot::{Mapping, View},
    value::Value,
};

use super::{policy::Mark, rest, saved::Saved};
use crate::{
    error::{Error, Result},
    replica::scan::Scan,
    store::Action,
};

/// Returns each column's header on a side: mapped ones by the definition, marks as they were saved, the others by their
/// own name.
pub(super) fn headers(saved: &Saved, schema: &Schema, side: SideName) -> Vec<Option<String>> {
    let is = |mark: &Option<Mark>, name: &str| mark.as_ref().is_some_and(|m| m.column == name);
    let own = |column: &Column| -> Option<String> {
        let name = &column.name;
        if SideName::BOTH.iter().any(|side| rest::header(name, *side).is_some()) {
            return rest::header(name, side).map(str::to_owned);
        }
        if is(saved.marks.get(side), name) {
            return saved.marks.get(side).as_ref().map(|mark| mark.header.clone());
        }
        if is(saved.marks.get(side.other()), name) {
            return None;
        }
        let mut mapped = saved.definition.columns.iter().flatten();
        let mapped = mapped.find(|known| known.name == *name);
        Some(mapped.map_or_else(|| name.clone(), |known| known.header(side).to_owned()))
    };
    schema.columns.iter().map(own).collect()
}

/// Sees what is on a side now through the columns of a run.
///
/// # Errors
/// A column that the run wrote and that is not there any more.
pub(super) fn view<'a>(
    now: &'a Scan,
    schema: &'a Schema,
    headers: &[Option<String>],
    side: SideName,
) -> Result<View<'a>> {
    let mapping: Vec<Mapping> = schema
        .columns
        .iter()
        .zip(headers)
        .filter_map(|(column, header)| Some(Mapping::new(&column.name, header.as_ref()?)))
        .collect();
    now.snapshot.view(schema, &mapping).map_err(|error| {
        Error::invalid(error.to_string())
            .context(side.as_str())
            .next("the columns that the run wrote must be there")
    })
}

/// Returns the keys of actions whose row is not as it was to be.
pub(super) fn unlike(view: &View<'_>, actions: &[Action]) -> BTreeSet<Key> {
    let mut wanted: BTreeMap<&Key, (&Action, bool)> = actions
        .iter()
        // What is to be gone is as it was to be until it is found.
        .map(|action| (&action.key, (action, action.after.is_none())))
        .collect();
    for row in 0..view.len() {
        let key = view.key(row);
        let Some((action, like)) = wanted.get_mut(&key) else { continue };
        let same = |at: &usize| {
            let after = action.after.as_ref().and_then(|row| row.get(*at));
            view.cell(row, *at) == *after.unwrap_or(&Value::Null)
        };
        *like = action.after.is_some() && action.cells.iter().all(same);
    }
    wanted.into_iter().filter(|(_, (_, like))| !like).map(|(key, _)| key.clone()).collect()
}
