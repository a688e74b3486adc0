//! Values of ranges.

use std::fmt;

use hyper::body::Bytes;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::direct::Url;
use crate::retry::{Call, Effect};
use crate::{CellValue, Error, Google, GridRange, Result};

const BATCH_GET: Call = Call::sheets("sheets.spreadsheets.values.batchGet", Effect::Read);

/// A POST, but one that only reads.
const BY_FILTER: Call =
    Call::sheets("sheets.spreadsheets.values.batchGetByDataFilter", Effect::Read);

/// How many ranges one call asks for by position. [ours: the service names no bound]
const MOST_RANGES: usize = 5_000;

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

/// What takes the rows of a range as they are read.
pub trait TakeRows: Default + Send {
    /// Takes the next row.
    fn take(&mut self, row: Vec<CellValue>);
}

impl TakeRows for Vec<Vec<CellValue>> {
    fn take(&mut self, mut row: Vec<CellValue>) {
        // A vector that grew would keep up to as much room again.
        row.shrink_to_fit();
        self.push(row);
    }
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
        let found = self.values_as(id, ranges, render).await?;
        Ok(found.into_iter().map(|(range, rows)| ValueRange { range, rows }).collect())
    }

    /// Returns the values of ranges like [`values`](Self::values), each row in the form that the caller holds it in.
    ///
    /// The ranges come as the service closed them. Rows are never all there as [`CellValue`]s, which take several times
    /// the room of a packed form.
    pub async fn values_as<R: TakeRows>(
        &self,
        id: &str,
        ranges: &[String],
        render: Render,
    ) -> Result<Vec<(String, R)>> {
        self.may(BATCH_GET.operation, id).await?;
        let mut found = Vec::with_capacity(ranges.len());
        for part in split_ranges(BATCH_GET.operation, ranges)? {
            // Not values.get: its range stands in the path, unencoded (google-wire 1.3).
            let path = format!("{}v4/spreadsheets/{id}/values:batchGet", self.shared.sheets_base);
            let url = Url::new(path)
                .param("majorDimension", "ROWS")
                .param("valueRenderOption", render.wire())
                .param("dateTimeRenderOption", "SERIAL_NUMBER");
            let url = part.iter().fold(url, |url, range| url.param("ranges", range));
            let answer: Answer<R> =
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
            found.extend(values.into_iter().map(|values| (values.range, values.values)));
        }
        Ok(found)
    }

    /// Returns the typed values of ranges by their position, each as the service names it; ranges without values may be
    /// missing, and their order is the service's.
    ///
    /// One read for up to 5,000 ranges, whatever the length of the sheet's title: they travel in the body.
    pub async fn values_at(&self, id: &str, ranges: &[GridRange]) -> Result<Vec<ValueRange>> {
        self.may(BY_FILTER.operation, id).await?;
        let mut found = Vec::with_capacity(ranges.len());
        for part in ranges.chunks(MOST_RANGES) {
            let base = &self.shared.sheets_base;
            let url = Url::new(format!("{base}v4/spreadsheets/{id}/values:batchGetByDataFilter"));
            let filters: Vec<_> = part.iter().map(filter).collect();
            let body = serde_json::json!({
                "dataFilters": filters,
                "majorDimension": "ROWS",
                "valueRenderOption": Render::Unformatted.wire(),
                "dateTimeRenderOption": "SERIAL_NUMBER",
            });
            let body = Bytes::from(body.to_string());
            let answer: ByFilter = self
                .run(BY_FILTER, |witness| self.exchange(witness, &url, Some(body.clone())))
                .await?;
            found.extend(answer.value_ranges.into_iter().map(|matched| ValueRange {
                range: matched.value_range.range,
                rows: matched.value_range.values,
            }));
        }
        Ok(found)
    }
}

fn filter(range: &GridRange) -> serde_json::Value {
    let mut wire = serde_json::Map::from_iter([("sheetId".to_owned(), range.sheet.into())]);
    let bounds = [
        ("startRowIndex", range.start_row),
        ("endRowIndex", range.end_row),
        ("startColumnIndex", range.start_column),
        ("endColumnIndex", range.end_column),
    ];
    for (name, bound) in bounds {
        wire.extend(bound.map(|bound| (name.to_owned(), bound.into())));
    }
    serde_json::json!({"gridRange": wire})
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ByFilter {
    value_ranges: Vec<Matched>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Matched {
    value_range: Values<Vec<Vec<CellValue>>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound = "R: TakeRows")]
struct Answer<R> {
    value_ranges: Vec<Values<R>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default, bound = "R: TakeRows")]
struct Values<R> {
    range: String,
    #[serde(deserialize_with = "rows")]
    values: R,
}

fn rows<'de, D: Deserializer<'de>, R: TakeRows>(
    deserializer: D,
) -> std::result::Result<R, D::Error> {
    struct Rows<R>(R);

    impl<'de, R: TakeRows> Visitor<'de> for Rows<R> {
        type Value = R;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("rows of cells")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut all: A) -> std::result::Result<R, A::Error> {
            while let Some(row) = all.next_element()? {
                self.0.take(row);
            }
            Ok(self.0)
        }
    }

    deserializer.deserialize_seq(Rows(R::default()))
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
