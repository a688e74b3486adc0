//! What a diff is asked for, and how it fails.

use crate::csv::{CsvError, CsvOptions};
use crate::schema::ColumnType;
use crate::side::SideName;
use crate::snapshot::nearest_hint;

/// How two files are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// The key columns.
    pub key: Vec<String>,
    /// Compares the texts of cells as they are, and not their values.
    pub bytes: bool,
    /// Compares the texts of keys without letter case.
    pub fold_key_case: bool,
    /// Declared types by column; the others are inferred from all values of both files.
    pub types: Vec<(String, ColumnType)>,
    /// Columns that are not compared.
    pub ignore: Vec<String>,
    /// How the files are read. Both are UTF-8 already, so the encoding is not looked at.
    pub csv: CsvOptions,
    /// Bytes of memory for the indexes of both files before they are spilled; 768 MiB when zero.
    pub memory: usize,
}

/// Tells why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A file cannot be read as delimited text.
    #[error("{side} file: {source}")]
    Csv {
        /// The file.
        side: SideName,
        /// What is wrong.
        source: CsvError,
    },
    /// No key was given.
    #[error("a key is needed: name the column or columns that identify a row")]
    NoKey,
    /// A column is not there.
    #[error("{side} file: there is no column '{name}'{}", nearest_hint(nearest))]
    NoColumn {
        /// The file.
        side: SideName,
        /// The name that was looked for.
        name: String,
        /// Names that are like it.
        nearest: Vec<String>,
    },
    /// Several columns have the same name.
    #[error("{side} file: {count} columns are named '{name}'; give them different names")]
    Ambiguous {
        /// The file.
        side: SideName,
        /// The name.
        name: String,
        /// How many columns have it.
        count: usize,
    },
    /// A file is larger than places can say.
    #[error("{side} file: files of a tebibyte and more are not supported")]
    TooLarge {
        /// The file.
        side: SideName,
    },
    /// The spill file failed.
    #[error("the temporary file for what does not fit in memory failed: {0}")]
    Spill(#[source] std::io::Error),
    /// The receiver of the changes failed.
    #[error("writing the changes failed: {0}")]
    Output(#[source] std::io::Error),
}

impl DiffError {
    pub(crate) fn csv(side: SideName, source: CsvError) -> DiffError {
        DiffError::Csv { side, source }
    }
}
