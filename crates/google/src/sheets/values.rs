//! Values of ranges.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::direct::Url;
use crate::id::check_id;
use crate::retry::{Call, Effect};
use crate::{CellValue, Error, Google, Result};

const BATCH_GET: Call = Call::sheets("sheets.spreadsheets.values.batchGet", Effect::Read);

/// The longest URL sent. Google's front end takes 16 KB or more [BELIEF, google-wire 1.3]; beyond
/// 64 KB the generated code would panic.
const LONGEST_URL: usize = 12_000;

/// The longest range, in bytes: a title has at most a hundred characters.
const LONGEST_RANGE: usize = 1_500;

/// In which form values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Render {
    /// Typed: numbers, logical values, text; dates as serial numbers.
    Unformatted,
    /// As people see them, all text.
    Formatted,
    /// Formulas as their text, other cells typed.
    Formula,
}

impl Render {
    pub(super) fn wire(self) -> &'static str {
        match self {
            Self::Unformatted => "UNFORMATTED_VALUE",
            Self::Formatted => "FORMATTED_VALUE",
            Self::Formula => "FORMULA",
        }
    }
}

/// The values of one range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValueRange {
    /// The range as the service closed it against the grid, e.g. `'My Sheet'!A1:D100`.
    pub range: String,
    /// The rows; empty cells at the end of a row and empty rows at the end are left out.
    pub rows: Vec<Vec<CellValue>>,
}

impl Google {
    /// Returns the values of ranges in A1 notation, in their order.
    ///
    /// One read for any usual number of ranges; more only when their names exceed 12,000 bytes. A
    /// range that starts outside of the grid is refused by the service; one that only ends outside
    /// should be clipped by the caller (google-wire 2.3).
    pub async fn values(
        &self,
        id: &str,
        ranges: &[String],
        render: Render,
    ) -> Result<Vec<ValueRange>> {
        check_id(BATCH_GET.operation, id)?;
        let mut found = Vec::with_capacity(ranges.len());
        for part in split_ranges(BATCH_GET.operation, ranges)? {
            // Not values.get: its range stands in the path, unencoded (google-wire 1.3).
            let path = format!("{}v4/spreadsheets/{id}/values:batchGet", self.shared.sheets_base);
            let url = Url::new(path)
                .param("majorDimension", "ROWS")
                .param("valueRenderOption", render.wire())
                .param("dateTimeRenderOption", "SERIAL_NUMBER");
            let url = part.iter().fold(url, |url, range| url.param("ranges", range));
            let answer: Answer =
                self.run(BATCH_GET, |witness| self.exchange(witness, &url, None)).await?;
            let values = answer.value_ranges;
            if values.len() != part.len() {
                return Err(Error::new(
                    crate::Kind::Garbled,
                    crate::Retry::Temporary,
                    BATCH_GET.operation,
                    format!("{} ranges were asked for, {} came", part.len(), values.len()),
                ));
            }
            found.extend(
                values
                    .into_iter()
                    .map(|values| ValueRange { range: values.range, rows: values.values }),
            );
        }
        Ok(found)
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    value_ranges: Vec<Values>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Values {
    range: String,
    #[serde(deserialize_with = "rows")]
    values: Vec<Vec<CellValue>>,
}

/// Reads rows that take no more room than their cells: a vector that grew would keep up to as much again.
fn rows<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<Vec<CellValue>>, D::Error> {
    struct Rows;

    impl<'de> Visitor<'de> for Rows {
        type Value = Vec<Vec<CellValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("rows of cells")
        }

        fn visit_seq<A: SeqAccess<'de>>(
            self,
            mut all: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            let mut rows = Vec::new();
            while let Some(mut row) = all.next_element::<Vec<CellValue>>()? {
                row.shrink_to_fit();
                rows.push(row);
            }
            Ok(rows)
        }
    }

    deserializer.deserialize_seq(Rows)
}

/// Splits ranges so that each part fits into a URL.
pub(super) fn split_ranges<'a>(
    operation: &'static str,
    ranges: &'a [String],
) -> Result<Vec<&'a [String]>> {
    let mut parts = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, range) in ranges.iter().enumerate() {
        if range.trim().is_empty() || range.len() > LONGEST_RANGE {
            let shown: String = range.chars().take(80).collect();
            let message = format!("{shown:?} ({} bytes) is not a range", range.len());
            return Err(Error::invalid(operation, message));
        }
        let length = Url::new(String::new()).param("ranges", range).length();
        if used > 0 && used + length > LONGEST_URL {
            parts.extend(ranges.get(start..at));
            (start, used) = (at, 0);
        }
        used += length;
    }
    parts.extend(ranges.get(start..).filter(|rest| !rest.is_empty()));
    Ok(parts)
}

/// A cell of a values read. An empty string is an empty cell: that is how the service writes
/// those between others.
impl<'de> Deserialize<'de> for CellValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Cell)
    }
}

struct Cell;

impl<'de> Visitor<'de> for Cell {
    type Value = CellValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cell value")
    }

    fn visit_unit<E>(self) -> std::result::Result<CellValue, E> {
        Ok(CellValue::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<CellValue, E> {
        Ok(CellValue::Bool(value))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<CellValue, E> {
        Ok(CellValue::Number(value))
    }

    // A cell holds a double: an integer on the wire is one that was written without its fraction.
    fn visit_u64<E>(self, value: u64) -> std::result::Result<CellValue, E> {
        Ok(CellValue::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<CellValue, E> {
        Ok(CellValue::Number(value as f64))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<CellValue, E> {
        Ok(match text {
            "" => CellValue::Empty,
            text => CellValue::Text(text.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_split_by_the_length_of_the_url_and_none_is_lost() {
        let ranges: Vec<String> = (0..2_000).map(|n| format!("'Täble'!A{n}:B{n}")).collect();
        let parts = split_ranges("x", &ranges).unwrap();
        assert!(parts.len() > 2);
        assert_eq!(parts.concat(), ranges);
        for part in &parts {
            let url =
                part.iter().fold(Url::new(String::new()), |url, range| url.param("ranges", range));
            assert!(url.length() <= LONGEST_URL, "{}", url.length());
        }
        assert!(split_ranges("x", &[]).unwrap().is_empty());
        assert_eq!(split_ranges("x", &ranges[..3]).unwrap().len(), 1);
    }

    #[test]
    fn a_range_that_cannot_be_one_is_refused_before_sending() {
        for range in ["", "  ", &"x".repeat(70_000)] {
            let error = split_ranges("x", &[range.to_owned()]).unwrap_err();
            assert_eq!(error.kind, crate::Kind::Invalid);
            assert!(error.to_string().len() < 300, "{error}");
        }
    }
}
