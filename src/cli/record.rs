//! How a command names one record.

/// `DATASET KEY…`, or the same as `--dataset DATASET --key KEY…`.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// The dataset.
    #[arg(required_unless_present = "of", conflicts_with = "of")]
    dataset: Option<String>,
    /// The record's key, one value for each key column.
    #[arg(required_unless_present = "parts", conflicts_with = "parts")]
    key: Vec<String>,
    /// The dataset, where no other is named.
    #[arg(id = "of", long = "dataset", value_name = "DATASET", requires = "parts")]
    of: Option<String>,
    /// The record's key, one value for each key column.
    #[arg(id = "parts", long = "key", value_name = "KEY", num_args = 1..)]
    parts: Vec<String>,
}

impl Record {
    /// Returns the dataset and the parts of the key.
    pub(super) fn named(self) -> (String, Vec<String>) {
        let dataset = self.of.or(self.dataset).unwrap_or_default();
        (dataset, if self.parts.is_empty() { self.key } else { self.parts })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        record: Record,
    }

    #[test]
    fn a_record_is_named_by_place_or_by_flag() {
        let read = |words: &[&str]| {
            let line = Line::try_parse_from([&["forget"], words].concat());
            line.map(|line| line.record.named()).map_err(|error| error.to_string())
        };
        let wanted = |dataset: &str, key: &[&str]| {
            Ok((dataset.to_owned(), key.iter().map(|part| (*part).to_owned()).collect()))
        };
        for words in [
            &["stock", "A", "1"][..],
            &["--dataset", "stock", "--key", "A", "1"],
            &["stock", "--key", "A", "1"],
            &["--key", "A", "--dataset", "stock", "--key", "1"],
            &["--key=A", "--key=1", "--dataset=stock"],
        ] {
            assert_eq!(read(words), wanted("stock", &["A", "1"]), "{words:?}");
        }
        assert_eq!(read(&["--dataset", "d", "--key=-1"]), wanted("d", &["-1"]));
        for words in [
            &[][..],
            &["stock"],
            &["--dataset", "stock"],
            &["--key", "A"],
            &["--dataset", "stock", "A"],
            &["stock", "A", "--dataset", "stock", "--key", "A"],
        ] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
