//! What came of a test.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Severity, Test};

/// How many unexpected values a verdict shows.
pub(super) const SHOWN: usize = 5;

/// A value that a test did not expect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unexpected {
    /// Its row in the replica.
    pub row: u64,
    /// The value, shortened; blank for one that is missing.
    pub value: String,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The column.
    pub column: String,
    /// The test.
    pub test: Test,
    /// What a failure does.
    pub severity: Severity,
    /// How many values were tested: nulls are not, but by `notNull`.
    pub checked: u64,
    /// How many of them failed.
    pub unexpected: u64,
    /// The first of those.
    pub shown: Vec<Unexpected>,
    /// Whether enough passed.
    pub held: bool,
    /// What the test asks for, in words.
    pub asked: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { column, test, checked, unexpected, asked, .. } = self;
        let name = test.as_str();
        if *test == Test::Freshness {
            let newest = self.shown.first().map_or("there is none", |shown| &shown.value);
            return write!(f, "column '{column}' ({name}): {asked}; the newest is {newest}");
        }
        write!(f, "column '{column}' ({name}): {unexpected} of {checked} values fail: {asked}")?;
        let rows: Vec<String> = self
            .shown
            .iter()
            .map(|one| match one.value.as_str() {
                "" => format!("row {}", one.row),
                value => format!("row {} '{value}'", one.row),
            })
            .collect();
        if !rows.is_empty() {
            let more = if u64::try_from(rows.len()).is_ok_and(|shown| shown < *unexpected) {
                ", …"
            } else {
                ""
            };
            write!(f, " ({}{more})", rows.join(", "))?;
        }
        Ok(())
    }
}
