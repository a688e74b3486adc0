//! `syncDataset`: makes one replica agree with another, by plan and apply.

use std::collections::BTreeMap;

use lockstep_engine::schema::ColumnType;
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Context, Tool, cell::CellOut};
use crate::{
    error::{Error, Result},
    replica::Source,
    sync::{
        Shell,
        definition::{ColumnDef, Definition, Disappeared},
        report::Report,
        run,
    },
};

/// See [`Tool`].
pub(crate) struct SyncDataset;

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
}

/// What happens to rows that are only on the right.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeletesArg {
    #[default]
    Mark,
    Delete,
    Ignore,
}

/// Plan only, or apply.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ModeArg {
    #[default]
    Plan,
    Apply,
}

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// The dataset's name, for reports.
    name: Option<String>,
    /// The source; it is only read.
    left: SideArg,
    /// The target; it is made to agree with left.
    right: SideArg,
    /// Names of the columns that identify a row.
    key: Vec<String>,
    /// Default: every column of left, under the same header on the right. Other columns of the right are left alone.
    columns: Option<Vec<ColumnArg>>,
    /// Texts that mean blank in every column, e.g. "NA".
    #[serde(default)]
    nulls: Vec<String>,
    /// Rows only on the right: mark (default) sets markColumn, delete removes them, ignore leaves them.
    #[serde(default)]
    deletes: DeletesArg,
    /// Default "status".
    mark_column: Option<String>,
    /// Default "inactive".
    mark_value: Option<String>,
    /// Default plan: show, write nothing.
    #[serde(default)]
    mode: ModeArg,
    /// From a plan with the same arguments: apply exactly that plan, refused if anything changed since.
    plan_id: Option<String>,
    /// Names of safety halts to pass, as listed in halted.
    #[serde(default, rename = "override")]
    overrides: Vec<String>,
    /// Halt above this share of deletes or marks; default 25.
    #[schemars(range(max = 100))]
    max_delete_percent: Option<u8>,
    /// Halt above this share of updates; default none.
    #[schemars(range(max = 100))]
    max_change_percent: Option<u8>,
    /// How many changes to show, at most 200; default 20.
    #[schemars(range(max = 200))]
    sample: Option<u32>,
    /// Same as mode plan.
    #[serde(default)]
    dry_run: bool,
}

impl SideArg {
    fn source(self, side: &str) -> Result<Source> {
        let given = [self.file.is_some(), self.spreadsheet_id.is_some(), self.records.is_some()];
        let count = given.iter().filter(|given| **given).count();
        if count != 1 {
            return Err(Error::invalid(format!(
                "argument {side}: {count} of file, spreadsheetId and records are given, one is needed"
            ))
            .next("give {\"file\": \"data.csv\"} or {\"spreadsheetId\": …, \"sheet\": …} or {\"records\": [{…}]}"));
        }
        if self.spreadsheet_id.is_none() && (self.sheet.is_some() || self.header_row.is_some()) {
            return Err(Error::invalid(format!(
                "argument {side}: sheet and headerRow go with spreadsheetId"
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
                Source::Sheet { spreadsheet, sheet: self.sheet, header_row: self.header_row }
            }
            (_, _, records) => Source::Records { records: records.unwrap_or_default() },
        })
    }
}

impl Args {
    fn definition(self) -> Result<Definition> {
        let right = self.right.source("right")?;
        if matches!(right, Source::Records { .. }) {
            return Err(Error::invalid("argument right: records can only be read")
                .next("name a spreadsheetId or a file to write to"));
        }
        let column = |column: ColumnArg| ColumnDef {
            left: column.left.unwrap_or_else(|| column.name.clone()),
            right: column.right.unwrap_or_else(|| column.name.clone()),
            name: column.name,
            ty: column.ty.map(ColumnType::from),
            nulls: column.nulls,
        };
        let deletes = match self.deletes {
            DeletesArg::Mark => Disappeared::Mark {
                column: self.mark_column.unwrap_or_else(|| "status".into()),
                value: self.mark_value.unwrap_or_else(|| "inactive".into()),
            },
            other => {
                if self.mark_column.is_some() || self.mark_value.is_some() {
                    return Err(Error::invalid(
                        "markColumn and markValue go with deletes: \"mark\"",
                    )
                    .next("leave them out, or set deletes to \"mark\""));
                }
                if matches!(other, DeletesArg::Delete) {
                    Disappeared::Delete
                } else {
                    Disappeared::Ignore
                }
            }
        };
        Ok(Definition {
            name: self.name.unwrap_or_else(|| "dataset".into()),
            left: self.left.source("left")?,
            right,
            key: self.key,
            columns: self.columns.map(|columns| columns.into_iter().map(column).collect()),
            nulls: self.nulls,
            deletes,
            max_delete_percent: self.max_delete_percent,
            max_change_percent: self.max_change_percent,
            overrides: self.overrides,
        })
    }
}

impl Tool for SyncDataset {
    const NAME: &'static str = "syncDataset";
    const TITLE: &'static str = "Sync a dataset";
    const DESCRIPTION: &'static str = "Makes the right side agree with the left (one-way), by key: a CSV/TSV file or \
records to a sheet, or a sheet to a file. Compares server-side; no rows pass through you. First call without \
mode: returns a plan (counts, a sample, planId) and writes nothing. Then call again with the same arguments, \
mode \"apply\" and that planId. Safe to repeat: what already agrees is not written. For a handful of cells use \
updateCells, for new rows alone appendRows.";
    type Args = Args;
    type Output = Report;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(false)
    }

    async fn call(context: &Context, args: Args) -> Result<Report> {
        let apply = args.mode == ModeArg::Apply && !args.dry_run;
        let sample = args.sample.unwrap_or(20);
        if sample > 200 {
            return Err(Error::invalid(format!("argument sample: {sample} is more than 200"))
                .next("ask for at most 200 changes"));
        }
        let plan_id = args.plan_id.clone();
        if plan_id.is_some() && !apply {
            return Err(Error::invalid(
                "argument planId: a plan is named, but mode is not \"apply\"",
            )
            .next("add mode: \"apply\" to apply the plan, or leave planId out to make a new one"));
        }
        let definition = args.definition()?;
        let shell = Shell {
            google: context.google.clone(),
            files: context.files.clone(),
            progress: context.progress.clone(),
        };
        let sample = usize::try_from(sample).unwrap_or(20);
        if apply {
            run::apply(&shell, &definition, plan_id.as_deref(), sample).await
        } else {
            run::plan(&shell, &definition, sample).await
        }
    }
}
