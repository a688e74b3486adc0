//! What must not be shown: the values of columns that are sensitive.

use std::collections::{BTreeMap, BTreeSet};

use super::conflicts::answer::ConflictOut;
use crate::{error::Result, store::Store};

/// What stands in the place of a value that must not be shown.
pub(crate) const HIDDEN: &str = "(hidden)";

/// The sensitive columns of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    columns: BTreeSet<String>,
    /// Whether one of them belongs to the key.
    key: bool,
}

impl Hidden {
    /// Returns whether nothing is hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns whether a column's values are hidden.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.contains(column)
    }

    /// Returns a key as it may be shown.
    pub(crate) fn key(&self, key: String) -> String {
        if self.key { HIDDEN.to_owned() } else { key }
    }

    /// Takes what must not be shown out of a conflict.
    pub(crate) fn conceal(&self, one: &mut ConflictOut) {
        if self.is_empty() {
            return;
        }
        one.key = self.key(std::mem::take(&mut one.key));
        let blank = |text: &mut String| HIDDEN.clone_into(text);
        // What is said of a whole row names cells of it.
        if self.has(&one.column) || one.column == "(row)" {
            one.base.iter_mut().for_each(blank);
            one.values.values_mut().for_each(blank);
            one.reason = HIDDEN.into();
            if one.decision.as_ref().is_some_and(|decision| decision.starts_with("value ")) {
                one.decision = Some(HIDDEN.into());
            }
        }
        for cells in one.row.values_mut() {
            cells.iter_mut().filter(|(name, _)| self.has(name)).for_each(|(_, text)| blank(text));
        }
    }
}

/// Returns what of a dataset must not be shown, as its last run says.
///
/// # Errors
/// A store that cannot be read.
pub(crate) async fn hidden(store: &Store, dataset: &str) -> Result<Hidden> {
    let Some(run) = store.runs(Some(dataset), None, 1).await?.pop() else {
        return Ok(Hidden::default());
    };
    let named = run.sensitive.iter().filter_map(|at| run.columns.get(*at).cloned());
    let columns: BTreeSet<String> = named.collect();
    if columns.is_empty() {
        return Ok(Hidden::default());
    }
    let saved = store.dataset(dataset).await?;
    let key = saved.as_ref().and_then(|saved| saved.definition.pointer("/definition/key"));
    let mut key = key.and_then(|key| key.as_array()).into_iter().flatten();
    let key = key.any(|name| name.as_str().is_some_and(|name| columns.contains(name)));
    Ok(Hidden { columns, key })
}

/// Remembers what is hidden in each dataset of a list.
#[derive(Debug, Default)]
pub(crate) struct Veil(BTreeMap<String, Hidden>);

impl Veil {
    /// Returns what of a dataset must not be shown.
    ///
    /// # Errors
    /// See [`hidden()`].
    pub(crate) async fn of(&mut self, store: &Store, dataset: &str) -> Result<&Hidden> {
        if !self.0.contains_key(dataset) {
            self.0.insert(dataset.to_owned(), hidden(store, dataset).await?);
        }
        Ok(self.0.entry(dataset.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict(column: &str) -> ConflictOut {
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        ConflictOut {
            id: "1".into(),
            dataset: None,
            key: "Ada".into(),
            column: column.into(),
            kind: "edit".into(),
            base: Some("10".into()),
            values: texts(&[("left", "11"), ("right", "12")]),
            since: BTreeMap::new(),
            state: "decided".into(),
            reason: "11 is not 12".into(),
            assignee: None,
            note: None,
            decision: Some("value 13".into()),
            by: None,
            row: BTreeMap::from([("left".to_owned(), texts(&[("pay", "11"), ("seat", "7")]))]),
        }
    }

    #[test]
    fn what_is_sensitive_leaves_a_conflict_and_the_rest_stays() {
        let hidden = |key| Hidden { columns: BTreeSet::from(["pay".to_owned()]), key };
        for (column, gone, stays) in [
            ("pay", vec!["10", "11", "12", "13"], vec!["Ada", "7"]),
            ("(row)", vec!["10", "11", "12", "13"], vec!["Ada", "7"]),
            // Another column's values may be shown; the row beside them has one that may not.
            ("seat", vec![], vec!["Ada", "10", "13", "7"]),
        ] {
            let mut one = conflict(column);
            hidden(false).conceal(&mut one);
            let said = serde_json::to_string(&one).unwrap();
            assert!(gone.iter().all(|text| !said.contains(text)), "{column}: {said}");
            assert!(stays.iter().all(|text| said.contains(text)), "{column}: {said}");
            assert_eq!(one.row["left"]["pay"], HIDDEN);
        }
        let mut one = conflict("seat");
        hidden(true).conceal(&mut one);
        assert_eq!(one.key, HIDDEN);
        let mut one = conflict("pay");
        Hidden::default().conceal(&mut one);
        assert_eq!((one.key.as_str(), one.base.as_deref()), ("Ada", Some("10")));
    }
}
