//! Values of rows that are found by what is attached to them, wherever they are by then.

use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::direct::Url;
use crate::id::check_id;
use crate::retry::{Call, Effect};
use crate::sheets::values::{Render, ValueRange};
use crate::{CellValue, Error, Google, Input, Result};

/// A POST, but one that only reads.
const READ: Call = Call::sheets("sheets.spreadsheets.values.batchGetByDataFilter", Effect::Read);

/// Sent twice it puts the same values into the same rows.
const WRITE: Call =
    Call::sheets("sheets.spreadsheets.values.batchUpdateByDataFilter", Effect::Repeatable);

/// Selects cells for a call that resolves them when it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataFilter {
    /// The row or column that the metadata with this id is attached to.
    Metadata(i32),
    /// A range in A1 notation.
    Range(String),
}

/// Values for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowWrite {
    /// The id of the metadata that is attached to the row.
    pub metadata_id: i32,
    /// The cells from the sheet's first column on; `None` leaves a cell as it is.
    pub cells: Vec<Option<Input>>,
}

impl Google {
    /// Returns the values of what each filter finds, all as they were at one moment, in one read.
    ///
    /// A filter that finds nothing is not in the answer; one whose rows another filter found too comes with them.
    pub async fn values_by_filter(
        &self,
        id: &str,
        filters: &[DataFilter],
        render: Render,
    ) -> Result<Vec<(Vec<DataFilter>, ValueRange)>> {
        check_id(READ.operation, id)?;
        let body = Read {
            data_filters: filters,
            major_dimension: "ROWS",
            value_render_option: render.wire(),
            date_time_render_option: "SERIAL_NUMBER",
        };
        let json = json(READ, &body)?;
        let url = self.filter_url(id, "batchGetByDataFilter");
        let found: Found =
            self.run(READ, |witness| self.exchange(witness, &url, Some(json.clone()))).await?;
        Ok(found
            .value_ranges
            .into_iter()
            .map(|found| {
                let filters =
                    found.data_filters.into_iter().filter_map(FoundFilter::known).collect();
                (filters, found.value_range.into())
            })
            .collect())
    }

    /// Writes values into the rows that metadata are attached to, all or none, and returns these rows as they are then.
    ///
    /// Text is taken literally. The rows are resolved by the service when it writes: none that moved can be missed for
    /// another. Metadata that are gone, with their row, are not in the answer. Numbers bring no number format, and
    /// formulas cannot be written so.
    pub async fn write_rows_by_metadata(
        &self,
        id: &str,
        rows: &[RowWrite],
    ) -> Result<Vec<(i32, ValueRange)>> {
        check_id(WRITE.operation, id)?;
        for row in rows {
            if let Some(problem) = row.cells.iter().flatten().find_map(problem) {
                let message = format!("the row of metadata {}: {problem}", row.metadata_id);
                return Err(Error::invalid(WRITE.operation, message));
            }
        }
        let body = Write {
            value_input_option: "RAW",
            data: rows,
            include_values_in_response: true,
            response_value_render_option: Render::Unformatted.wire(),
            response_date_time_render_option: "SERIAL_NUMBER",
        };
        let json = json(WRITE, &body)?;
        let url = self.filter_url(id, "batchUpdateByDataFilter");
        let written: Written =
            self.run(WRITE, |witness| self.exchange(witness, &url, Some(json.clone()))).await?;
        let rows = written.responses.into_iter().filter_map(|response| {
            match response.data_filter.known()? {
                DataFilter::Metadata(id) => Some((id, response.updated_data.into())),
                DataFilter::Range(_) => None,
            }
        });
        Ok(rows.collect())
    }

    fn filter_url(&self, id: &str, method: &str) -> Url {
        Url::new(format!("{}v4/spreadsheets/{id}/values:{method}", self.shared.sheets_base))
    }
}

fn json(call: Call, body: &impl Serialize) -> Result<hyper::body::Bytes> {
    let json = serde_json::to_vec(body)
        .map_err(|error| Error::invalid(call.operation, error.to_string()).with_source(error))?;
    Ok(json.into())
}

fn problem(input: &Input) -> Option<String> {
    match input {
        Input::Formula(formula) => Some(format!("{formula} is a formula, and would become text")),
        other => crate::CellWrite::from(other.clone()).problem(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    data_filters: &'a [DataFilter],
    major_dimension: &'static str,
    value_render_option: &'static str,
    date_time_render_option: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Write<'a> {
    value_input_option: &'static str,
    data: &'a [RowWrite],
    include_values_in_response: bool,
    response_value_render_option: &'static str,
    response_date_time_render_option: &'static str,
}

impl Serialize for DataFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Metadata(id) => {
                map.serialize_entry("developerMetadataLookup", &Lookup { metadata_id: *id })?;
            }
            Self::Range(range) => map.serialize_entry("a1Range", range)?,
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lookup {
    metadata_id: i32,
}

impl Serialize for RowWrite {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("dataFilter", &DataFilter::Metadata(self.metadata_id))?;
        map.serialize_entry("majorDimension", "ROWS")?;
        map.serialize_entry("values", &[Cells(&self.cells)])?;
        map.end()
    }
}

/// A row of a values write: null leaves a cell as it is, an empty text clears it. Nulls arrive, because this does not go
/// through the generated types (google-wire 1.3, bug 1).
struct Cells<'a>(&'a [Option<Input>]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(self.0.len()))?;
        for cell in self.0 {
            match cell {
                None => row.serialize_element(&())?,
                Some(Input::Empty) => row.serialize_element("")?,
                Some(Input::Number(number)) => row.serialize_element(number)?,
                Some(Input::Bool(value)) => row.serialize_element(value)?,
                Some(Input::Text(text) | Input::Formula(text)) => row.serialize_element(text)?,
            }
        }
        row.end()
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Found {
    value_ranges: Vec<FoundRange>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FoundRange {
    value_range: FoundValues,
    data_filters: Vec<FoundFilter>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    responses: Vec<WrittenRange>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenRange {
    data_filter: FoundFilter,
    updated_data: FoundValues,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FoundValues {
    range: String,
    values: Vec<Vec<CellValue>>,
}

impl From<FoundValues> for ValueRange {
    fn from(found: FoundValues) -> Self {
        Self { range: found.range, rows: found.values }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FoundFilter {
    developer_metadata_lookup: Option<FoundLookup>,
    a1_range: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FoundLookup {
    metadata_id: Option<i32>,
}

impl FoundFilter {
    fn known(self) -> Option<DataFilter> {
        let id = self.developer_metadata_lookup.and_then(|lookup| lookup.metadata_id);
        id.map(DataFilter::Metadata).or(self.a1_range.map(DataFilter::Range))
    }
}
