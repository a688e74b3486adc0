//! Observations about the quality of what was read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::key::Key;

/// Something about a replica's data that a person should know; rows are absolute numbers in the replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Finding {
    /// A column has no name.
    BlankHeader {
        /// The column's position, from 1.
        column: usize,
    },
    /// Several columns have the same name, so none of them can be mapped.
    DuplicateHeader {
        /// The name.
        name: String,
        /// Their positions, from 1.
        columns: Vec<usize>,
    },
    /// A row has values beyond the last named column; they are not compared.
    CellsBeyondHeader {
        /// The row.
        row: u64,
        /// How many values.
        cells: usize,
    },
    /// A row has no key, or a part of it is missing.
    BlankKey {
        /// The row.
        row: u64,
    },
    /// Several rows have the same key; all of them are set aside.
    DuplicateKey {
        /// The key.
        key: Key,
        /// The rows.
        rows: Vec<u64>,
    },
    /// A value cannot be read as its column's type; it is kept as text.
    NotOfType {
        /// The row.
        row: u64,
        /// The column's name.
        column: String,
        /// What is wrong, in words.
        problem: String,
    },
    /// Rows are not what the dataset expects; quotes values.
    Expectation {
        /// The test, what it asks and what fails, in words.
        problem: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::BlankHeader { column } => write!(f, "column {column} has no name"),
            Finding::DuplicateHeader { name, columns } => {
                write!(f, "columns {} are all named '{name}'", list(columns))
            }
            Finding::CellsBeyondHeader { row, cells } => {
                write!(f, "row {row} has {cells} values beyond the last named column")
            }
            Finding::BlankKey { row } => write!(f, "row {row} has no complete key"),
            Finding::DuplicateKey { key, rows } => {
                write!(f, "rows {} all have the key '{key}'", list(rows))
            }
            Finding::Expectation { problem } => f.write_str(problem),
            Finding::NotOfType { row, column, problem } => {
                write!(f, "row {row}, column '{column}': {problem}")
            }
        }
    }
}

/// Writes the first few items, and how many more there are.
fn list<T: fmt::Display>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().take(8).map(T::to_string).collect();
    match items.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Finds blank and repeated names.
pub(crate) fn check_headers(headers: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (position, name) in headers.iter().enumerate() {
        let same =
            || headers.iter().enumerate().filter(|(_, other)| *other == name).map(|(at, _)| at + 1);
        if name.trim().is_empty() {
            findings.push(Finding::BlankHeader { column: position + 1 });
        } else if same().next() == Some(position + 1) && same().count() > 1 {
            findings
                .push(Finding::DuplicateHeader { name: name.clone(), columns: same().collect() });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked() {
        let headers = ["id", "", "a", " ", "a", "b", "a"].map(String::from);
        let texts: Vec<String> = check_headers(&headers).iter().map(Finding::to_string).collect();
        assert_eq!(
            texts,
            ["column 2 has no name", "columns 3, 5, 7 are all named 'a'", "column 4 has no name"]
        );
    }

    #[test]
    fn json_names_the_kind() {
        let finding = Finding::DuplicateKey { key: Key::of("k"), rows: (1..=10).collect() };
        let json = serde_json::to_string(&finding).unwrap();
        assert_eq!(json, r#"{"kind":"duplicateKey","key":["k"],"rows":[1,2,3,4,5,6,7,8,9,10]}"#);
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);
        assert_eq!(
            finding.to_string(),
            "rows 1, 2, 3, 4, 5, 6, 7, 8 and 2 more all have the key 'k'"
        );
    }
}
