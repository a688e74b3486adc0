//! What must not be shown: the values of columns that are sensitive.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::{canonical::write_row, findings::Finding, value::Value};
use serde_json::Value as Json;

use super::{
    conflicts::answer::ConflictOut,
    definition::{ColumnDef, Definition, Sensitive},
    report::Report,
    verify::Verification,
};
use crate::{
    consent::Key,
    error::{Error, Kind, Result},
    store::{Store, conflicts::Stored},
};

/// What stands in the place of a value that must not be shown.
pub(crate) const HIDDEN: &str = "(hidden)";

/// The sensitive columns of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    columns: BTreeSet<String>,
    /// Whether one of them belongs to the key.
    key: bool,
    /// Of these, the columns whose values are shown as hashes: each of their names, with the one in the dataset.
    hashed: BTreeMap<String, String>,
    /// What they are hashed with, once that is known: the installation's key and the dataset.
    with: Option<[u8; 32]>,
}

/// How many hexadecimal digits of a hash are shown.
const DIGITS: usize = 10;

impl Hidden {
    /// Returns what a definition says must not be shown.
    pub(crate) fn of(definition: &Definition) -> Self {
        let columns = definition.columns.iter().flatten();
        Self::new(columns.filter(|column| !column.sensitive.is_no()), &definition.key)
    }

    /// Returns the same with hashes in place of values, where the definition asks for them.
    ///
    /// A hash is of the installation, the dataset and the column: what is equal there looks equal, and nothing else can
    /// be told or looked up.
    pub(crate) fn keyed(self, key: &Key, dataset: &str) -> Self {
        let with = blake3::keyed_hash(&key.of("hashes of sensitive values"), dataset.as_bytes());
        Self { with: Some(with.into()), ..self }
    }

    fn new<'a>(columns: impl Iterator<Item = &'a ColumnDef>, key: &[String]) -> Self {
        // On a side the column may have another name, by which the side's own words call it.
        let names = |one: &ColumnDef| [one.name.clone(), one.left.clone(), one.right.clone()];
        let (mut all, mut hashed) = (BTreeSet::new(), BTreeMap::new());
        for one in columns {
            if one.sensitive == Sensitive::Hashed {
                hashed.extend(names(one).map(|name| (name, one.name.clone())));
            }
            all.extend(names(one));
        }
        let key = key.iter().any(|name| all.contains(name));
        Self { columns: all, key, hashed, with: None }
    }

    /// Returns whether nothing is hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns whether a column's values are hidden.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.contains(column)
    }

    /// Returns whether a conflict about a column, or about a whole row where it is blank, must not be shown.
    pub(crate) fn covers(&self, column: &str) -> bool {
        self.key || self.has(column) || (column.is_empty() && !self.is_empty())
    }

    /// Returns a key as it may be shown.
    pub(crate) fn key(&self, key: String) -> String {
        if self.key { HIDDEN.to_owned() } else { key }
    }

    /// Returns a value of a column as it may be shown where it is hashed; `None` where it is not.
    pub(crate) fn hash(&self, column: &str, value: &Value) -> Option<String> {
        let (with, column) = (self.with?, self.hashed.get(column)?);
        if value.is_null() {
            return Some("(blank)".to_owned());
        }
        let mut hasher = blake3::Hasher::new_keyed(&with);
        hasher.update(column.as_bytes()).update(&[0]);
        let mut bytes = Vec::new();
        write_row(std::slice::from_ref(value), &mut bytes);
        let hash = hasher.update(&bytes).finalize().to_hex();
        Some(std::iter::once('#').chain(hash.chars().take(DIGITS)).collect())
    }

    /// Returns the values of a column as they may be shown, from the oldest on; of a hidden one that they are.
    pub(crate) fn change(&self, column: &str, values: [&Value; 2]) -> Option<String> {
        match values.map(|value| self.hash(column, value)) {
            [Some(before), Some(after)] => Some(format!("{before} → {after}")),
            _ => self.has(column).then(|| HIDDEN.to_owned()),
        }
    }

    /// Returns a value of a column as it may be shown.
    pub(crate) fn value(&self, column: &str, text: String) -> String {
        if self.has(column) { HIDDEN.to_owned() } else { text }
    }

    /// Blanks the cells of sensitive columns.
    fn blank<'a>(&self, cells: impl IntoIterator<Item = (&'a String, &'a mut String)>) {
        let sensitive = cells.into_iter().filter(|(name, _)| self.has(name));
        sensitive.for_each(|(_, text)| blank(text));
    }

    /// Returns words that may quote a row: nothing of them where a sensitive column or the key may be in them.
    pub(crate) fn words(&self, words: String) -> String {
        let named = self.key || self.columns.iter().any(|name| words.contains(name.as_str()));
        if !self.is_empty() && named { HIDDEN.to_owned() } else { words }
    }

    /// Returns words of a replica, which may quote any cell of a row.
    pub(crate) fn quote(&self, words: String) -> String {
        if self.is_empty() { words } else { HIDDEN.to_owned() }
    }

    /// Returns a finding in words.
    pub(crate) fn finding(&self, finding: &Finding) -> String {
        match finding {
            Finding::DuplicateKey { rows, .. } if self.key => {
                format!("{} rows all have the same key", rows.len())
            }
            Finding::NotOfType { row, column, .. } if self.has(column) => {
                format!("row {row}, column '{column}': {HIDDEN}")
            }
            Finding::Expectation { problem } => self.words(problem.clone()),
            other => other.to_string(),
        }
    }

    /// Takes what must not be shown out of a report, whose findings are without it already.
    pub(crate) fn clean(&self, report: &mut Report) {
        if self.is_empty() {
            return;
        }
        let key = |key: &mut String| *key = self.key(std::mem::take(key));
        let words = |words: &mut String| *words = self.words(std::mem::take(words));
        for change in &mut report.changes {
            key(&mut change.key);
            // Cells of hashed columns were made as hashes.
            let open = |name: &&String| self.with.is_none() || !self.hashed.contains_key(*name);
            self.blank(change.cells.iter_mut().filter(|(name, _)| open(name)));
        }
        for conflict in &mut report.conflicts {
            key(&mut conflict.key);
            blank(&mut conflict.reason);
            self.blank(&mut conflict.cells);
        }
        report.halted.iter_mut().for_each(|halt| words(&mut halt.reason));
        report.sides.iter_mut().filter_map(|side| side.error.as_mut()).for_each(words);
        report.repaired.iter_mut().for_each(words);
        for one in &mut report.refused {
            key(&mut one.key);
            blank(&mut one.message);
        }
        for one in &mut report.unconfirmed {
            key(&mut one.key);
            words(&mut one.why);
        }
        report
            .columns
            .iter_mut()
            .filter(|one| self.has(&one.name))
            .for_each(|one| blank(&mut one.reason));
    }

    /// Takes what must not be shown out of a verification.
    pub(crate) fn veil(&self, found: &mut Verification) {
        if self.is_empty() {
            return;
        }
        for one in &mut found.drift {
            one.key = self.key(std::mem::take(&mut one.key));
            if one.column.as_ref().is_some_and(|name| self.has(name)) {
                one.values = one.values.take().map(|_| [HIDDEN.to_owned(), HIDDEN.to_owned()]);
            }
        }
        found.unreadable.values_mut().for_each(|why| *why = self.words(std::mem::take(why)));
        if self.key {
            // The call that mends them all names none.
            for call in &mut found.repair {
                call.arguments.remove("keys");
            }
        }
    }

    /// Takes what must not be shown out of a conflict.
    pub(crate) fn conceal(&self, one: &mut ConflictOut) {
        if self.is_empty() {
            return;
        }
        one.key = self.key(std::mem::take(&mut one.key));
        // What is said of a whole row names cells of it.
        if self.has(&one.column) || one.column == "(row)" {
            one.base.iter_mut().for_each(blank);
            one.values.values_mut().for_each(blank);
            one.reason = HIDDEN.into();
            if one.decision.as_ref().is_some_and(|decision| decision.starts_with("value ")) {
                one.decision = Some(HIDDEN.into());
            }
        }
        one.row.values_mut().for_each(|cells| self.blank(cells));
    }

    /// Shows the hashes of what a conflict is about, after [`Hidden::conceal`], where its column is hashed.
    pub(crate) fn hashes(&self, stored: &Stored, one: &mut ConflictOut) {
        if self.hash(&stored.column, &Value::Null).is_none() {
            return;
        }
        one.base = stored.base.as_ref().and_then(|value| self.hash(&stored.column, value));
        for voice in stored.voices.iter().filter(|voice| !voice.deleted) {
            if let Some(hash) = self.hash(&stored.column, &voice.value) {
                one.values.insert(voice.who.clone(), hash);
            }
        }
    }
}

fn blank(text: &mut String) {
    HIDDEN.clone_into(text);
}

/// Returns what of a dataset must not be shown, as its definition and its last run say.
///
/// # Errors
/// A store that cannot be read.
pub(crate) async fn hidden(store: &Store, dataset: &str) -> Result<Hidden> {
    let saved = store.dataset(dataset).await?.map(|saved| saved.definition).unwrap_or_default();
    let list = |place: &str| saved.pointer(place).and_then(Json::as_array).into_iter().flatten();
    let columns: Vec<ColumnDef> = list("/definition/columns")
        .filter_map(|column| serde_json::from_value(column.clone()).ok())
        .filter(|column: &ColumnDef| !column.sensitive.is_no())
        .collect();
    let key: Vec<String> =
        list("/definition/key").filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    let mut hidden = Hidden::new(columns.iter(), &key);
    if let Some(run) = store.runs(Some(dataset), None, 1).await?.pop() {
        hidden.columns.extend(run.sensitive.iter().filter_map(|at| run.columns.get(*at).cloned()));
        hidden.key |= key.iter().any(|name| hidden.columns.contains(name));
    }
    Ok(hidden)
}

/// Refuses a spreadsheet that belongs to a dataset with sensitive columns: on the sheet they may have any name.
///
/// # Errors
/// Such a spreadsheet.
pub(crate) async fn refuse_sheet(store: &Store, id: &str) -> Result<()> {
    for saved in store.datasets_with(id).await? {
        if !hidden(store, &saved.name).await?.is_empty() {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!("the dataset \"{}\" of this spreadsheet has sensitive columns", saved.name),
            )
            .next(
                "sync it with syncDataset, or look at it where you may: in the spreadsheet itself",
            ));
        }
    }
    Ok(())
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
        let hidden =
            |key| Hidden { columns: BTreeSet::from(["pay".to_owned()]), key, ..Hidden::default() };
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

    #[test]
    fn hashes_are_alike_where_values_are_and_only_there() {
        let column =
            |name: &str| ColumnDef { sensitive: Sensitive::Hashed, ..ColumnDef::named(name) };
        let (pay, mail) = (column("pay"), column("mail"));
        let of = |key: u8, dataset: &str| {
            Hidden::new([&pay, &mail].into_iter(), &[]).keyed(&Key::from([key; 32]), dataset)
        };
        let one = of(1, "staff");
        let shown = |hidden: &Hidden, column: &str, text: &str| {
            hidden.hash(column, &Value::from(text)).unwrap()
        };
        let same = shown(&one, "pay", "4711");
        assert_eq!(same, shown(&of(1, "staff"), "pay", "4711"));
        assert!(same.len() == 11 && same.starts_with('#') && !same.contains("4711"), "{same}");
        for other in [
            shown(&one, "pay", "4712"),
            shown(&one, "mail", "4711"),
            shown(&of(1, "other"), "pay", "4711"),
            shown(&of(2, "staff"), "pay", "4711"),
        ] {
            assert_ne!(same, other);
        }
        assert_eq!(one.hash("pay", &Value::Null).as_deref(), Some("(blank)"));
        assert_eq!(one.hash("seat", &Value::from("7")), None);
        // Without the key nothing is shown rather than a hash that can be looked up.
        let bare = Hidden::new([&pay].into_iter(), &[]);
        assert_eq!(bare.hash("pay", &Value::from("4711")), None);
        assert_eq!(bare.change("pay", [&Value::Null, &Value::from("1")]).as_deref(), Some(HIDDEN));
    }
}
