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

use crate::{
    error::{Error, Result},
    replica::{
        OnError, Source,
        file::{FileSource, format::Format},
    },
    sync::definition::{ColumnDef, Sensitive},
};

/// One side: exactly one of file, spreadsheetId, connection and records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SideArg {
    /// Path; with connection, in its folder.
    file: Option<String>,
    /// Default UTF-8.
    encoding: Option<String>,
    /// Of the file: csv ("csv;" names the delimiter), tsv, json, jsonl, xlsx, parquet; default found out.
    format: Option<String>,
    /// JSON pointer of the rows in a JSON file.
    pointer: Option<String>,
    /// Id or URL.
    spreadsheet_id: Option<String>,
    /// Default the first.
    sheet: Option<String>,
    /// From 1; default the first not blank.
    header_row: Option<u32>,
    /// If tables share the sheet: F3:K, a header cell, a named range or table.
    range: Option<String>,
    /// Of lockstep.toml, with table, query, resource or file.
    connection: Option<String>,
    /// Or view: [schema.]name.
    table: Option<String>,
    /// A SELECT instead of table.
    query: Option<String>,
    /// Of an API, with connection.
    resource: Option<String>,
    /// Column that grows with every change: only newer rows are read.
    cursor: Option<String>,
    /// Rows the database refuses: rollback (default) of the batch, or skip.
    #[schemars(with = "Option<String>")]
    on_error: Option<OnError>,
    /// Rows as {column: value}; left only.
    #[schemars(with = "Option<Vec<AnyObject>>")]
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
    name: String,
    /// Its header; default name.
    left: Option<String>,
    right: Option<String>,
    /// Default inferred.
    #[serde(rename = "type")]
    ty: Option<TypeArg>,
    #[serde(default)]
    nulls: Vec<String>,
    /// Never shown; or "hashed".
    #[serde(default)]
    #[schemars(schema_with = "sensitive_schema")]
    sensitive: Sensitive,
    direction: Option<DirectionArg>,
    #[schemars(with = "Option<String>")]
    strategy: Option<Strategy>,
    /// sum, max, min, union, concat, set or fill.
    #[schemars(with = "Option<String>")]
    merge: Option<Combine>,
}

fn sensitive_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"anyOf": [{"type": "boolean"}, {"type": "string"}]})
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
pub(super) struct AnyObject {}

/// How conflicts are decided; by default reported, both sides keep theirs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PolicyArg {
    /// latestWins, leftPriority, rightPriority, priorityBased, fieldByField, ruleBased, automaticMerge; default manualReview.
    #[schemars(with = "Option<String>")]
    strategy: Strategy,
    /// Delete against change: hold (default), editWins, deleteWins, left, right or later.
    #[schemars(with = "Option<String>")]
    clash: Clash,
    /// What a conflict holds: row (default) or cell.
    #[schemars(with = "Option<String>")]
    granularity: Granularity,
    /// The target's own changes, one-way: overwrite (default), report or keep.
    #[schemars(with = "Option<String>")]
    drift: Drift,
    /// Column with a row's time of change.
    modified_at: Option<String>,
    /// Number by side.
    priorities: BTreeMap<String, i64>,
    /// [{type, fields, when, action, …}].
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

/// Returns a dataset's policy with what is said instead, and whether a strategy is said for all columns.
///
/// # Errors
/// What the policy does not have, or what is no value of it.
pub(super) fn policy_instead(
    own: &Policy,
    said: serde_json::Map<String, Value>,
) -> Result<(Policy, bool)> {
    let has = |name: &str| said.contains_key(name);
    let (strategy, rules) = (has("strategy"), has("rules"));
    let (clash, modified_at, priorities) = (has("clash"), has("modifiedAt"), has("priorities"));
    let said: PolicyArg = super::parse(said).map_err(|error| error.context("policy"))?;
    let mut policy = own.clone();
    if strategy {
        policy.strategy = said.strategy;
    } else if rules {
        policy.strategy = Strategy::RuleBased;
    }
    if rules {
        policy.rules = said.rules;
    }
    if clash {
        policy.clash = said.clash;
    }
    if modified_at {
        policy.modified_at = said.modified_at;
    }
    if priorities {
        policy.priorities = said.priorities;
    }
    Ok((policy, strategy || rules))
}

impl ColumnArg {
    /// Returns the column's name in the dataset.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the column as the dataset keeps it.
    pub(crate) fn definition(self) -> ColumnDef {
        ColumnDef {
            left: self.left.unwrap_or_else(|| self.name.clone()),
            right: self.right.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            ty: self.ty.map(ColumnType::from),
            nulls: self.nulls,
            sensitive: self.sensitive,
        }
    }
}

impl SideArg {
    /// Returns the replica.
    ///
    /// # Errors
    /// Not exactly one kind of replica, or an argument that belongs to another kind.
    pub(crate) fn source(self, side: &str) -> Result<Source> {
        let given = [
            self.file.is_some(),
            self.spreadsheet_id.is_some(),
            self.connection.is_some() && self.file.is_none(),
            self.records.is_some(),
        ];
        let count = given.iter().filter(|given| **given).count();
        if count != 1 {
            return Err(Error::invalid(format!(
                "argument {side}: {count} of file, spreadsheetId, connection and records are given, one is needed"
            ))
            .next("give {\"file\": \"data.csv\"} or {\"spreadsheetId\": …, \"sheet\": …} or {\"connection\": …, \"table\": …} or {\"records\": [{…}]}"));
        }
        self.check_beside(side)?;
        if let Some(format) = &self.format {
            Format::named(format).map_err(|error| error.context(format!("argument {side}")))?;
        }
        if self.connection.is_some() && self.file.is_none() {
            return self.table(side);
        }
        Ok(match (self.file, self.spreadsheet_id, self.records) {
            (Some(path), _, _) => Source::File(FileSource {
                path,
                encoding: self.encoding,
                connection: self.connection,
                format: self.format,
                sheet: self.sheet,
                header_row: self.header_row,
                pointer: self.pointer,
            }),
            (_, Some(spreadsheet), _) => {
                // One name for one spreadsheet, whichever way it was given; what is no id is refused when it is read.
                let spreadsheet = lockstep_google::parse_id(&spreadsheet).unwrap_or(spreadsheet);
                let (sheet, header_row, range) = (self.sheet, self.header_row, self.range);
                Source::Sheet { spreadsheet, sheet, header_row, range }
            }
            (_, _, records) => Source::Records { records: records.unwrap_or_default() },
        })
    }

    /// Refuses arguments that stand beside a kind of side that they do not belong to.
    fn check_beside(&self, side: &str) -> Result<()> {
        let beside = [
            (
                self.spreadsheet_id.is_none()
                    && self.file.is_none()
                    && (self.sheet.is_some() || self.header_row.is_some()),
                "sheet and headerRow go with spreadsheetId, or with an XLSX file",
            ),
            (
                self.spreadsheet_id.is_none() && self.range.is_some(),
                "range goes with spreadsheetId",
            ),
            (
                self.file.is_none()
                    && (self.encoding.is_some() || self.format.is_some() || self.pointer.is_some()),
                "encoding, format and pointer go with file",
            ),
            (
                (self.connection.is_none() || self.file.is_some())
                    && (self.table.is_some()
                        || self.query.is_some()
                        || self.cursor.is_some()
                        || self.resource.is_some()),
                "table, query, cursor and resource go with the connection of a database or an API",
            ),
            (
                (self.connection.is_none() || self.file.is_some()) && self.on_error.is_some(),
                "onError goes with a connection",
            ),
        ];
        match beside.iter().find(|(wrong, _)| *wrong) {
            None => Ok(()),
            Some((_, why)) => {
                Err(Error::invalid(format!("argument {side}: {why}")).next("leave them out"))
            }
        }
    }

    fn table(self, side: &str) -> Result<Source> {
        if let Some(resource) = self.resource {
            let table = self.table.is_some() || self.query.is_some() || self.cursor.is_some();
            if table {
                return Err(Error::invalid(format!(
                    "argument {side}: resource is of an API; table, query and cursor are of a database"
                ))
                .next("give {\"connection\": …, \"resource\": …}"));
            }
            if self.on_error == Some(OnError::Rollback) {
                return Err(Error::invalid(format!(
                    "argument {side}.onError: an API cannot take a batch back; what it refuses is left out and reported"
                ))
                .next("leave onError out, or give \"skip\""));
            }
            return Ok(Source::Api { connection: self.connection.unwrap_or_default(), resource });
        }
        if self.table.is_some() == self.query.is_some() {
            return Err(Error::invalid(format!(
                "argument {side}: a connection needs one of table, query and resource"
            ))
            .next("give {\"connection\": …, \"table\": \"schema.table\"}"));
        }
        if self.query.is_some() && self.on_error.is_some() {
            return Err(Error::invalid(format!(
                "argument {side}: onError goes with table; a query can only be read"
            ))
            .next("leave it out"));
        }
        Ok(Source::Table {
            connection: self.connection.unwrap_or_default(),
            table: self.table,
            query: self.query,
            cursor: self.cursor,
            on_error: self.on_error.unwrap_or_default(),
        })
    }
}
