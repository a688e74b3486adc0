//! Three files, reconciled in memory.

use std::{collections::BTreeMap, fs, io, path::Path};

use lockstep_engine::{
    cell::Cell,
    dataset::Policy,
    encode,
    infer::{Declared, infer},
    join::JoinedRow,
    key::Key,
    reconcile::{Change, Reconciled, Reconciler},
    schema::{Column, Schema},
    snapshot::{self, Snapshot, View, ViewError},
    terms::Terms,
    times::Times,
    value::{Row, Value},
    views::feed_joined,
};

use crate::cli::diff::Reading;

/// Three files and the schema they share.
pub(super) struct Files {
    snapshots: [Snapshot; 3],
    pub(super) schema: Schema,
    notes: Vec<String>,
}

/// What a merge decided.
pub(super) struct Merged {
    pub(super) result: Reconciled,
    /// The keys on which the files differ, with their rows in base, left and right; in the order of keys.
    rows: Vec<JoinedRow>,
    pub(super) findings: Vec<String>,
    set_aside: usize,
}

impl Merged {
    /// Returns the right file's row of a key on which the files differ.
    fn right_row(&self, key: &Key) -> Option<usize> {
        let at = self.rows.binary_search_by(|row| row.key.cmp(key)).ok()?;
        self.rows.get(at)?.rows.get(2).copied()?
    }

    pub(super) fn is_clean(&self) -> bool {
        self.result.conflicts.is_empty() && self.result.withheld.is_empty() && self.set_aside == 0
    }

    pub(super) fn summary(&self) -> String {
        let result = &self.result;
        format!(
            "{} rows taken from right, {} changed on left alone, {} conflicts, {} changes decided against, {} keys set aside",
            result.left.len(),
            result.right.len(),
            result.conflicts.len(),
            result.losers.len(),
            self.set_aside
        )
    }
}

impl Files {
    pub(super) fn read(
        base: &Path,
        left: &Path,
        right: &Path,
        reading: &Reading,
    ) -> Result<Files, String> {
        let options = reading.csv();
        let read = |path: &Path| {
            let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            if path == Path::new("-") {
                return snapshot::csv::read_from(io::stdin().lock(), 0, &options)
                    .map_err(|error| failed(&error));
            }
            let file = fs::File::open(path).map_err(|error| failed(&error))?;
            let size = file.metadata().map_or(0, |data| usize::try_from(data.len()).unwrap_or(0));
            snapshot::csv::read_from(file, size, &options).map_err(|error| failed(&error))
        };
        let (left, right, base) = std::thread::scope(|scope| {
            let (left, right) = (scope.spawn(|| read(left)), scope.spawn(|| read(right)));
            let base = read(base);
            let lost = |_| Err("a reading thread ended".to_owned());
            (left.join().unwrap_or_else(lost), right.join().unwrap_or_else(lost), base)
        });
        let snapshots = [left?, right?, base?];
        let [left, right, base] = &snapshots;
        let shared = |name: &&String| {
            right.headers().contains(name)
                && base.headers().contains(name)
                && !reading.ignore.contains(name)
        };
        let declared: Vec<Declared> = left
            .headers()
            .iter()
            .filter(shared)
            .map(|name| match reading.declared.iter().find(|(known, _)| known == name) {
                Some((_, ty)) => Declared::typed(Column::new(name, *ty)),
                None => Declared::untyped(name),
            })
            .collect();
        let (mut schema, _) = infer(&[left, right, base], &declared);
        for key in &reading.key {
            let known = || {
                schema
                    .columns
                    .iter()
                    .map(|column| column.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let column = schema.position(key).ok_or_else(|| {
                format!("'{key}' is no column of all three files; those are: {}", known())
            })?;
            schema.key.push(column);
        }
        schema.fold_key_case = reading.ignore_key_case;
        let mut notes = Vec::new();
        for name in right.headers().iter().filter(|name| !left.headers().contains(name)) {
            notes.push(format!("the column '{name}' is only on the right and is not merged"));
        }
        Ok(Files { snapshots, schema, notes })
    }

    fn views(&self) -> Result<[View<'_>; 3], String> {
        let [left, right, base] = &self.snapshots;
        let failed = |name: &str, error: ViewError| format!("{name} file: {error}");
        Ok([
            left.view_by_name(&self.schema).map_err(|error| failed("left", error))?,
            right.view_by_name(&self.schema).map_err(|error| failed("right", error))?,
            base.view_by_name(&self.schema).map_err(|error| failed("base", error))?,
        ])
    }

    pub(super) fn reconcile(&self, policy: &Policy) -> Result<Merged, String> {
        let terms = Terms::new(&self.schema, policy).map_err(|error| error.to_string())?;
        let [left, right, base] = &self.views()?;
        let times = Times::default();
        let mut reconciler = Reconciler::new(&terms, &times);
        let joined = feed_joined(&mut reconciler, Some(base), left, right);
        let mut findings = self.notes.clone();
        for (view, (name, seen)) in
            [("base", base), ("left", left), ("right", right)].into_iter().enumerate()
        {
            findings.extend(
                joined.findings(view, seen).iter().map(|finding| format!("{name} file: {finding}")),
            );
        }
        // The keys set aside are decided by nobody: the left file's rows stay as they are.
        let set_aside = joined.duplicates.len() + joined.blanks.len();
        Ok(Merged { result: reconciler.finish(), rows: joined.rows, findings, set_aside })
    }

    /// Writes the merged file: the left one with what follows from the merge, and the right one's new rows at the end.
    pub(super) fn write(&self, merged: &Merged) -> Result<Vec<u8>, String> {
        let [left, right, _] = &self.views()?;
        let changes: BTreeMap<usize, &Change> =
            merged.result.left.iter().filter_map(|change| Some((change.row?, change))).collect();
        let headers = left.snapshot().headers();
        let columns: Vec<Option<usize>> =
            headers.iter().map(|header| self.schema.position(header)).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| error.to_string();
        writer.write_record(headers).map_err(failed)?;
        for row in 0..left.len() {
            let Some(change) = changes.get(&row) else {
                writer
                    .write_record(left.snapshot().row(row).map(|cell| raw(&cell)))
                    .map_err(failed)?;
                continue;
            };
            let Some(after) = &change.after else { continue };
            let cells = left.snapshot().row(row).zip(&columns).map(|(cell, column)| match column {
                Some(column) if change.cells.contains(column) => {
                    self.text(merged, right, change, after, *column)
                }
                _ => raw(&cell),
            });
            writer.write_record(cells).map_err(failed)?;
        }
        let mut inserts: Vec<&Change> =
            merged.result.left.iter().filter(|change| change.row.is_none()).collect();
        inserts.sort_by_cached_key(|change| merged.right_row(&change.key));
        for change in inserts {
            let Some(after) = &change.after else { continue };
            let cells = columns.iter().map(|column| match column {
                Some(column) => self.text(merged, right, change, after, *column),
                None => String::new(),
            });
            writer.write_record(cells).map_err(failed)?;
        }
        writer.into_inner().map_err(|error| error.to_string())
    }

    /// Returns a merged cell's text: the right file's own where it says the value, else the canonical one.
    fn text(
        &self,
        merged: &Merged,
        right: &View<'_>,
        change: &Change,
        after: &Row,
        column: usize,
    ) -> String {
        let (Some(value), Some(definition)) = (after.get(column), self.schema.columns.get(column))
        else {
            return String::new();
        };
        let source =
            right.snapshot().headers().iter().position(|header| *header == definition.name);
        let theirs = merged
            .right_row(&change.key)
            .zip(source)
            .map(|(row, source)| right.snapshot().cell(row, source));
        match theirs.filter(|cell| definition.value(cell) == *value) {
            Some(cell) => raw(&cell),
            None => encode::csv::encode(value, &definition.ty),
        }
    }

    /// Returns side, change, key, column, base, left and right of everything that is not the same everywhere.
    pub(super) fn lines(&self, merged: &Merged) -> Vec<[String; 7]> {
        let mut lines = Vec::new();
        let text = |row: Option<&Row>, column: usize| {
            row.and_then(|row| row.get(column)).map(Value::to_string).unwrap_or_default()
        };
        let name = |column: usize| {
            self.schema.columns.get(column).map_or_else(String::new, |column| column.name.clone())
        };
        // A write to one side is what the other side changed.
        for (side, changes) in [("right", &merged.result.left), ("left", &merged.result.right)] {
            for change in changes {
                let word = match (&change.before, &change.after) {
                    (None, _) => "insert",
                    (_, None) => "delete",
                    _ => "update",
                };
                let all: Vec<usize> = (0..self.schema.columns.len()).collect();
                let columns = if change.cells.is_empty() { &*all } else { &*change.cells };
                for &column in columns {
                    let (before, after) =
                        (text(change.before.as_ref(), column), text(change.after.as_ref(), column));
                    let (left, right) = if side == "right" {
                        (before.clone(), after)
                    } else {
                        (after, before.clone())
                    };
                    lines.push([
                        side.into(),
                        word.into(),
                        change.key.to_string(),
                        name(column),
                        before,
                        left,
                        right,
                    ]);
                }
            }
        }
        for conflict in &merged.result.conflicts {
            let key = conflict.key.to_string();
            let rows = [conflict.base.as_ref(), conflict.left.as_ref(), conflict.right.as_ref()];
            let columns: Vec<usize> = match conflict.cells.as_slice() {
                [] => (0..self.schema.columns.len()).collect(),
                cells => cells.iter().map(|cell| cell.column).collect(),
            };
            for column in columns {
                let [base, left, right] = rows.map(|row| text(row, column));
                lines.push([
                    "both".into(),
                    "conflict".into(),
                    key.clone(),
                    name(column),
                    base,
                    left,
                    right,
                ]);
            }
        }
        lines
    }
}

fn raw(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) | Cell::Number(text) => (*text).to_owned(),
        Cell::Bool(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
    }
}
