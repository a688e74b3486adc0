//! Cells with their formulas and formats: the grid form of `spreadsheets.get`.

use serde::Deserialize;

use crate::cell::NumberKind;
use crate::direct::Url;
use crate::retry::{Call, Effect};
use crate::sheets::validation::Validation;
use crate::sheets::values::split_ranges;
use crate::{CellValue, Google, Input, NumberFormat, Result};

const GET: Call = Call::sheets("sheets.spreadsheets.get", Effect::Read);

/// Which parts of the cells are read; each one makes the answer longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GridParts {
    /// What was entered: formulas, or typed values.
    pub entered: bool,
    /// What the cell shows, computed and typed.
    pub value: bool,
    /// The number format, be it set or inferred by the service.
    pub format: bool,
    /// The data validation.
    pub validation: bool,
}

impl GridParts {
    fn mask(self) -> String {
        let cells = [
            (self.entered, "userEnteredValue"),
            (self.value, "effectiveValue"),
            (self.format, "userEnteredFormat.numberFormat,effectiveFormat.numberFormat"),
            (self.validation, "dataValidation"),
        ];
        let cells: Vec<&str> =
            cells.iter().filter(|(wanted, _)| *wanted).map(|(_, path)| *path).collect();
        let data = match cells.is_empty() {
            true => "startRow,startColumn".to_owned(),
            false => format!("startRow,startColumn,rowData.values({})", cells.join(",")),
        };
        format!("sheets(properties.sheetId,data({data}))")
    }
}

/// The cells of one range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GridBlock {
    /// Sheet id.
    pub sheet: i32,
    /// First row.
    pub row: u32,
    /// First column.
    pub column: u32,
    /// The rows; empty cells and rows at the end may be missing.
    pub rows: Vec<Vec<GridCell>>,
}

/// A cell of a grid read; parts that were not asked for are empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GridCell {
    /// What was entered.
    pub entered: Input,
    /// What the cell shows.
    pub value: CellValue,
    /// The number format.
    pub format: Option<NumberFormat>,
    /// The data validation.
    pub validation: Option<Box<Validation>>,
}

impl Google {
    /// Returns the cells of ranges in A1 notation, with the parts asked for.
    ///
    /// One read for any usual number of ranges. Blocks come sheet by sheet, and within a sheet in
    /// the order of the ranges.
    pub async fn grid(
        &self,
        id: &str,
        ranges: &[String],
        parts: GridParts,
    ) -> Result<Vec<GridBlock>> {
        self.may(GET.operation, id).await?;
        let mut blocks = Vec::new();
        for ranges in split_ranges(GET.operation, ranges)? {
            let path = format!("{}v4/spreadsheets/{id}", self.shared.sheets_base);
            let url = Url::new(path).param("fields", &parts.mask());
            let url = ranges.iter().fold(url, |url, range| url.param("ranges", range));
            let found: Found = self.run(GET, |witness| self.exchange(witness, &url, None)).await?;
            blocks.extend(found.blocks());
        }
        Ok(blocks)
    }
}

/// The part of a spreadsheet that a grid read, or the read-back of a write, returns.
#[derive(Debug, Deserialize, Default)]
pub(super) struct Found {
    #[serde(default)]
    sheets: Vec<FoundSheet>,
}

#[derive(Debug, Deserialize)]
struct FoundSheet {
    #[serde(default)]
    properties: FoundProperties,
    #[serde(default)]
    data: Vec<FoundData>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FoundProperties {
    sheet_id: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundData {
    #[serde(default)]
    start_row: u32,
    #[serde(default)]
    start_column: u32,
    #[serde(default)]
    row_data: Vec<FoundRow>,
}

#[derive(Debug, Deserialize)]
struct FoundRow {
    #[serde(default)]
    values: Vec<Converted>,
}

/// A cell that is converted while it is read: the wire form is several times larger.
#[derive(Debug, Deserialize)]
#[serde(from = "FoundCell")]
struct Converted(GridCell);

impl From<FoundCell> for Converted {
    fn from(cell: FoundCell) -> Self {
        Self(cell.into())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundCell {
    user_entered_value: Option<FoundValue>,
    effective_value: Option<FoundValue>,
    user_entered_format: Option<FoundFormat>,
    effective_format: Option<FoundFormat>,
    data_validation: Option<Box<Validation>>,
}

/// `ExtendedValue`: one typed member.
#[derive(Debug, Deserialize)]
enum FoundValue {
    #[serde(rename = "numberValue")]
    Number(f64),
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "boolValue")]
    Bool(bool),
    #[serde(rename = "formulaValue")]
    Formula(String),
    #[serde(rename = "errorValue")]
    Error(FoundError),
}

#[derive(Debug, Deserialize)]
struct FoundError {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundFormat {
    number_format: Option<FoundNumberFormat>,
}

#[derive(Debug, Deserialize)]
struct FoundNumberFormat {
    #[serde(rename = "type", default)]
    kind: String,
    pattern: Option<String>,
}

impl Found {
    pub(super) fn blocks(self) -> impl Iterator<Item = GridBlock> {
        self.sheets.into_iter().flat_map(|sheet| {
            let id = sheet.properties.sheet_id;
            sheet.data.into_iter().map(move |data| GridBlock {
                sheet: id,
                row: data.start_row,
                column: data.start_column,
                rows: data
                    .row_data
                    .into_iter()
                    .map(|row| row.values.into_iter().map(|cell| cell.0).collect())
                    .collect(),
            })
        })
    }
}

impl From<FoundCell> for GridCell {
    fn from(cell: FoundCell) -> Self {
        let set = cell.user_entered_format.and_then(|format| format.number_format);
        let shown = cell.effective_format.and_then(|format| format.number_format);
        Self {
            entered: cell.user_entered_value.map(Input::from).unwrap_or_default(),
            value: cell.effective_value.map(CellValue::from).unwrap_or_default(),
            format: set.or(shown).and_then(FoundNumberFormat::known),
            validation: cell.data_validation,
        }
    }
}

impl From<FoundValue> for Input {
    fn from(value: FoundValue) -> Self {
        match value {
            FoundValue::Number(number) => Self::Number(number),
            FoundValue::Text(text) => Self::Text(text),
            FoundValue::Bool(value) => Self::Bool(value),
            FoundValue::Formula(formula) => Self::Formula(formula),
            FoundValue::Error(error) => Self::Text(error.shown().to_owned()),
        }
    }
}

impl From<FoundValue> for CellValue {
    fn from(value: FoundValue) -> Self {
        match value {
            FoundValue::Number(number) => Self::Number(number),
            FoundValue::Text(text) if text.is_empty() => Self::Empty,
            FoundValue::Text(text) | FoundValue::Formula(text) => Self::Text(text),
            FoundValue::Bool(value) => Self::Bool(value),
            FoundValue::Error(error) => Self::Error(error.shown().to_owned()),
        }
    }
}

impl FoundError {
    /// The text people see for an `ErrorType` of the Sheets API.
    fn shown(&self) -> &str {
        match self.kind.as_str() {
            "DIVIDE_BY_ZERO" => "#DIV/0!",
            "VALUE" => "#VALUE!",
            "REF" => "#REF!",
            "NAME" => "#NAME?",
            "NUM" => "#NUM!",
            "N_A" => "#N/A",
            "NULL_VALUE" => "#NULL!",
            "LOADING" => "Loading...",
            _ => "#ERROR!",
        }
    }
}

impl FoundNumberFormat {
    fn known(self) -> Option<NumberFormat> {
        NumberKind::from_wire(&self.kind)
            .map(|kind| NumberFormat { kind, pattern: self.pattern.map(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_names_only_what_is_wanted() {
        for (parts, mask) in [
            (
                GridParts { entered: true, ..GridParts::default() },
                "sheets(properties.sheetId,data(startRow,startColumn,rowData.values(userEnteredValue)))",
            ),
            (
                GridParts { value: true, format: true, ..GridParts::default() },
                "sheets(properties.sheetId,data(startRow,startColumn,rowData.values(effectiveValue,userEnteredFormat.numberFormat,effectiveFormat.numberFormat)))",
            ),
            (GridParts::default(), "sheets(properties.sheetId,data(startRow,startColumn))"),
        ] {
            assert_eq!(parts.mask(), mask);
        }
    }

    #[test]
    fn cells_are_typed_and_what_is_left_out_is_zero_or_empty() {
        let json = r##"{"sheets":[{"data":[{}]},{"properties":{"sheetId":7},"data":[{"startRow":2,
            "startColumn":1,"rowData":[{},{"values":[{},
            {"userEnteredValue":{"formulaValue":"=1/0"},"effectiveValue":{"errorValue":{"type":"DIVIDE_BY_ZERO","message":"x"}}},
            {"userEnteredValue":{"numberValue":45306},"userEnteredFormat":{"numberFormat":{"type":"DATE","pattern":"yyyy-mm-dd"}}},
            {"effectiveFormat":{"numberFormat":{"type":"PERCENT"}}},
            {"userEnteredValue":{"boolValue":false},"effectiveValue":{"boolValue":false}},
            {"effectiveValue":{"stringValue":""}}]}]}]}]}"##;
        let found: Found = serde_json::from_str(json).unwrap();
        let blocks: Vec<GridBlock> = found.blocks().collect();
        assert_eq!(blocks[0], GridBlock::default());
        assert_eq!((blocks[1].sheet, blocks[1].row, blocks[1].column), (7, 2, 1));
        let row = &blocks[1].rows[1];
        assert!(blocks[1].rows[0].is_empty());
        assert_eq!(row[0], GridCell::default());
        assert_eq!(row[1].entered, Input::Formula("=1/0".into()));
        assert_eq!(row[1].value, CellValue::Error("#DIV/0!".into()));
        let date = NumberFormat::new(NumberKind::Date, "yyyy-mm-dd");
        assert_eq!(row[2].format, Some(date));
        let percent = NumberFormat { kind: NumberKind::Percent, pattern: None };
        assert_eq!(row[3].format, Some(percent));
        assert_eq!(row[4].value, CellValue::Bool(false));
        assert_eq!(row[5].value, CellValue::Empty);
    }
}
