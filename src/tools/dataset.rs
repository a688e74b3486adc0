//! The parts of a dataset as arguments: sides, columns, policy.

use std::collections::BTreeMap;

use lockstep_engine::{
    dataset::{
        Clash, ColumnPolicy, Combine, Direction, Drift, Granularity, Policy, Rule, Strategy,
    },
    schema::ColumnType,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::cell::CellOut;
use crate::{
    error::{Error, Result},
    replica::Source,
    sync::definition::ColumnDef,
};

/// One side: exactly one of file, spreadsheetId and records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SideArg {
    /// Path of a CSV or TSV file in the allowed folder.
    file: Option<String>,
    /// Of the file, e.g. windows-1252; default UTF-8.
    encoding: Option<String>,
    /// Id or URL; with sheet.
    spreadsheet_id: Option<String>,
    /// Sheet title; default the first sheet.
    sheet: Option<String>,
    /// Row of the header, from 1; default the first row that is not blank.
    header_row: Option<u32>,
    /// Table's place if it shares the sheet: F3:K, F3:K200, a header cell, a named range or table.
    range: Option<String>,
    /// Rows given here, as {column: value} (left only).
    #[schemars(with = "Option<Vec<BTreeMap<String, CellOut>>>")]
    records: Option<Vec<serde_json::Map<String, Value>>>,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TypeArg {
    Text,
    Number,
    Bool,
    Date,
    Time,
    DateTime,
    List,
}

impl From<TypeArg> for ColumnType {
    fn from(ty: TypeArg) -> Self {
        match ty {
            TypeArg::Text => Self::Text,
            TypeArg::Number => Self::Number,
            TypeArg::Bool => Self::Bool,
            TypeArg::Date => Self::Date,
            TypeArg::Time => Self::Time,
            TypeArg::DateTime => Self::DateTime,
            TypeArg::List => Self::List,
        }
    }
}

/// A column that is kept in step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ColumnArg {
    /// Name in reports.
    name: String,
    /// Header on the left; default name.
    left: Option<String>,
    /// Header on the right; default name.
    right: Option<String>,
    /// Default: inferred over both sides.
    #[serde(rename = "type")]
    ty: Option<TypeArg>,
    /// Texts that mean blank, e.g. "NA".
    #[serde(default)]
    nulls: Vec<String>,
    /// Default: the dataset's.
    direction: Option<DirectionArg>,
    /// Default: policy.strategy.
    #[schemars(with = "Option<String>")]
    strategy: Option<Strategy>,
    /// Combines both sides' changes: sum, max, min, union, concat, set or fill.
    #[schemars(with = "Option<String>")]
    merge: Option<Combine>,
}

/// Which way rows flow.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DirectionArg {
    #[default]
    LeftToRight,
    RightToLeft,
    Both,
}

impl From<DirectionArg> for Direction {
    fn from(direction: DirectionArg) -> Self {
        match direction {
            DirectionArg::LeftToRight => Self::LeftToRight,
            DirectionArg::RightToLeft => Self::RightToLeft,
            DirectionArg::Both => Self::Both,
        }
    }
}

/// An object that the engine reads, and says what is wrong with it.
#[derive(JsonSchema)]
struct AnyObject {}

/// How disputes are decided. Without it both sides keep theirs and the conflict is reported.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PolicyArg {
    /// latestWins, leftPriority, rightPriority, priorityBased, fieldByField, ruleBased, automaticMerge or manualReview
    /// (default).
    #[schemars(with = "Option<String>")]
    strategy: Strategy,
    /// A deletion against a change: hold (default), editWins, deleteWins, left, right or later.
    #[schemars(with = "Option<String>")]
    clash: Clash,
    /// What waits with an undecided cell: row (default) or cell.
    #[schemars(with = "Option<String>")]
    granularity: Granularity,
    /// One-way, for changes that the target made by itself: overwrite (default), report or keep.
    #[schemars(with = "Option<String>")]
    drift: Drift,
    /// The column that says when a row was changed.
    modified_at: Option<String>,
    /// Of sources by name; left and right are the sides.
    priorities: BTreeMap<String, i64>,
    /// For ruleBased: [{type, fields, when, action, …}].
    #[schemars(with = "Vec<AnyObject>")]
    rules: Vec<Rule>,
}

impl PolicyArg {
    /// Returns the engine's policy, with what single columns say.
    pub(crate) fn policy(self, direction: DirectionArg, columns: &[ColumnArg]) -> Policy {
        let own = columns.iter().filter_map(|column| {
            let own = ColumnPolicy {
                direction: column.direction.map(Direction::from),
                strategy: column.strategy,
                merge: column.merge,
                ..ColumnPolicy::default()
            };
            (own != ColumnPolicy::default()).then(|| (column.name.clone(), own))
        });
        Policy {
            direction: direction.into(),
            strategy: self.strategy,
            clash: self.clash,
            granularity: self.granularity,
            drift: self.drift,
            modified_at: self.modified_at,
            priorities: self.priorities,
            rules: self.rules,
            columns: own.collect(),
            ..Policy::default()
        }
    }
}

impl ColumnArg {
    /// Returns the column as the dataset keeps it.
    pub(crate) fn definition(self) -> ColumnDef {
        ColumnDef {
            left: self.left.unwrap_or_else(|| self.name.clone()),
            right: self.right.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            ty: self.ty.map(ColumnType::from),
            nulls: self.nulls,
        }
    }
}

impl SideArg {
    /// Returns the replica.
    ///
    /// # Errors
    /// Not exactly one kind of replica, or an argument that belongs to another kind.
    pub(crate) fn source(self, side: &str) -> Result<Source> {
        let given = [self.file.is_some(), self.spreadsheet_id.is_some(), self.records.is_some()];
        let count = given.iter().filter(|given| **given).count();
        if count != 1 {
            return Err(Error::invalid(format!(
                "argument {side}: {count} of file, spreadsheetId and records are given, one is needed"
            ))
            .next("give {\"file\": \"data.csv\"} or {\"spreadsheetId\": …, \"sheet\": …} or {\"records\": [{…}]}"));
        }
        if self.spreadsheet_id.is_none()
            && (self.sheet.is_some() || self.header_row.is_some() || self.range.is_some())
        {
            return Err(Error::invalid(format!(
                "argument {side}: sheet, range and headerRow go with spreadsheetId"
            ))
            .next("leave them out"));
        }
        if self.file.is_none() && self.encoding.is_some() {
            return Err(Error::invalid(format!("argument {side}: encoding goes with file"))
                .next("leave it out"));
        }
        Ok(match (self.file, self.spreadsheet_id, self.records) {
            (Some(path), _, _) => Source::File { path, encoding: self.encoding },
            (_, Some(spreadsheet), _) => {
                // One name for one spreadsheet, whichever way it was given; what is no id is refused when it is read.
                let spreadsheet = lockstep_google::parse_id(&spreadsheet).unwrap_or(spreadsheet);
                let (sheet, header_row, range) = (self.sheet, self.header_row, self.range);
                Source::Sheet { spreadsheet, sheet, header_row, range }
            }
            (_, _, records) => Source::Records { records: records.unwrap_or_default() },
        })
    }
}
