//! `createFile`: a spreadsheet with its sheets and first values, a folder, or a file.

use lockstep_google::{
    CellFields, Error as GoogleError, FileKind, NewSheet, NewSpreadsheet, Request, Spreadsheet,
};
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Tool, cell::CellArg, find_files::TypeName};
use crate::{
    error::{Error, Kind, Result},
    replica::{marker, sheet},
};

/// See [`Tool`].
pub(crate) struct CreateFile;

/// A sheet of a new spreadsheet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SheetArg {
    title: String,
    /// Rows, header first.
    #[serde(default)]
    values: Vec<Vec<CellArg>>,
}

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    #[serde(rename = "type")]
    ty: TypeName,
    name: String,
    /// Id or URL; where to make it.
    folder_id: Option<String>,
    /// Default one empty sheet.
    #[serde(default)]
    sheets: Vec<SheetArg>,
    /// Of a file.
    content: Option<String>,
    /// Of a file; default text/plain.
    mime_type: Option<String>,
    /// Check only.
    #[serde(default)]
    dry_run: bool,
}

/// The result.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    created: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: String,
    #[serde(rename = "type")]
    ty: TypeName,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Sheet titles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sheets: Vec<String>,
    /// Cells written.
    cells: u64,
}

impl Args {
    fn check(&self) -> Result<()> {
        let wrong = |message: &str, next: &str| Err(Error::invalid(message).next(next));
        if self.name.trim().is_empty() {
            return wrong("argument name: it is blank", "give the file a name");
        }
        let file = matches!(self.ty, TypeName::File);
        if !file && (self.content.is_some() || self.mime_type.is_some()) {
            return wrong("content and mimeType go with type \"file\"", "leave them out");
        }
        if !matches!(self.ty, TypeName::Spreadsheet) && !self.sheets.is_empty() {
            return wrong("argument sheets: only a spreadsheet has sheets", "leave it out");
        }
        for (index, sheet) in self.sheets.iter().enumerate() {
            let title = sheet.title.as_str();
            let place = format!("argument sheets[{index}].title");
            if title.trim().is_empty() || title.chars().count() > 100 {
                return Err(Error::invalid(format!("{place}: a title has 1 to 100 characters"))
                    .next("give the sheet another title"));
            }
            if self
                .sheets
                .iter()
                .take(index)
                .any(|other| other.title.to_lowercase() == title.to_lowercase())
            {
                return Err(Error::invalid(format!(
                    "{place}: \"{title}\" is given twice (letter case does not count)"
                ))
                .next("give each sheet a title of its own"));
            }
        }
        Ok(())
    }
}

fn cells(rows: &[Vec<CellArg>]) -> u64 {
    let count = rows.iter().flatten().filter(|cell| **cell != CellArg::Keep).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Tells the caller to look before trying again: creating has no marker to look for.
fn look_first(error: GoogleError, name: &str) -> Error {
    let error = Error::from(error);
    if error.kind() == Kind::Ambiguous {
        return error.next(format!(
            "call findFiles with name \"{name}\" to see whether it was made, before creating it again"
        ));
    }
    error
}

impl Tool for CreateFile {
    const NAME: &'static str = "createFile";
    const TITLE: &'static str = "Create a file";
    const DESCRIPTION: &'static str = "Creates a spreadsheet (with sheets and first rows), folder or text file; a new one at each call, even if the name \
is taken (findFiles). For many rows create it empty, then syncDataset.";
    type Args = Args;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new()
            .read_only(false)
            .destructive(false)
            .idempotent(false)
            .open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Output> {
        args.check()?;
        let folder =
            args.folder_id.as_deref().map(|text| sheet::id_of(text, "folderId")).transpose()?;
        let mut output = Output {
            created: false,
            id: None,
            name: args.name.clone(),
            ty: args.ty,
            url: None,
            sheets: args.sheets.iter().map(|sheet| sheet.title.clone()).collect(),
            cells: args.sheets.iter().map(|sheet| cells(&sheet.values)).sum(),
        };
        let rows = args.sheets.iter().map(|sheet| sheet.values.len() as u64).sum();
        let next = "create it with its headers, then write part by part, or ask the operator for a higher limit";
        context.limits.check(rows, output.cells, next)?;
        let requests = requests(&args.sheets)?;
        if args.dry_run {
            return Ok(output);
        }
        let google = &context.google;
        if let Some(folder) = &folder {
            check_folder(context, folder).await?;
        }
        match args.ty {
            TypeName::Folder => {
                let made = google
                    .create_folder(&args.name, folder.as_deref())
                    .await
                    .map_err(|error| look_first(error, &args.name))?;
                (output.id, output.url) = (Some(made.id), made.url);
            }
            TypeName::File => {
                let mime = args.mime_type.as_deref().unwrap_or("text/plain");
                let content = args.content.unwrap_or_default().into_bytes();
                let made = google
                    .create_file(&args.name, mime, content, folder.as_deref())
                    .await
                    .map_err(|error| look_first(error, &args.name))?;
                (output.id, output.url) = (Some(made.id), made.url);
            }
            TypeName::Spreadsheet => {
                let made = spreadsheet(context, &args, folder.as_deref(), requests).await?;
                output.sheets = made.sheets.into_iter().map(|sheet| sheet.title).collect();
                (output.id, output.url) = (Some(made.id), Some(made.url));
            }
        }
        output.created = true;
        Ok(output)
    }
}

/// Returns an error unless the folder is there, before anything is made.
async fn check_folder(context: &Context, folder: &str) -> Result<()> {
    let wrong = |message: String| {
        Error::not_found(message)
            .context("argument folderId")
            .next("look for the folder with findFiles, type \"folder\"; nothing was created")
    };
    match context.google.file(folder).await {
        Ok(file) if file.kind == FileKind::Folder => Ok(()),
        Ok(file) => Err(wrong(format!("\"{}\" is no folder", file.name))),
        Err(error) if error.kind == lockstep_google::Kind::NotFound => {
            Err(wrong(format!("there is no folder \"{folder}\"")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Creates a spreadsheet, moves it into its folder and writes its first values.
///
/// A step that fails after the first says what is there already, so that nothing is left behind unseen.
async fn spreadsheet(
    context: &Context,
    args: &Args,
    folder: Option<&str>,
    requests: Vec<Request>,
) -> Result<Spreadsheet> {
    let new = NewSpreadsheet {
        title: args.name.clone(),
        sheets: (0_i32..)
            .zip(&args.sheets)
            .map(|(id, sheet)| NewSheet {
                title: sheet.title.clone(),
                id: Some(id),
                rows: Some(u32::try_from(sheet.values.len()).unwrap_or(u32::MAX).max(1000)),
                columns: Some(width(&sheet.values).max(26)),
                frozen_rows: u32::from(sheet.values.len() > 1),
            })
            .collect(),
        locale: None,
        time_zone: None,
    };
    let google = &context.google;
    let made =
        google.create_spreadsheet(&new).await.map_err(|error| look_first(error, &args.name))?;
    let left_behind = |error: GoogleError, what: &str| {
        Error::from(error).next(format!(
            "the spreadsheet exists as {}, but {what}; finish it there instead of creating another",
            made.id
        ))
    };
    if !requests.is_empty() {
        let marker = marker::of_run(&made.id, 0, context.clock.now());
        google
            .batch_update_once(&made.id, &requests, &marker, &[])
            .await
            .map_err(|error| left_behind(error, "its values were not written"))?;
    }
    if let Some(folder) = folder {
        google
            .move_to(&made.id, folder)
            .await
            .map_err(|error| left_behind(error, "it was not moved into the folder"))?;
    }
    Ok(made)
}

fn width(rows: &[Vec<CellArg>]) -> u32 {
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    u32::try_from(widest).unwrap_or(u32::MAX)
}

fn requests(sheets: &[SheetArg]) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for (id, sheet) in (0_i32..).zip(sheets) {
        if cells(&sheet.values) == 0 {
            continue;
        }
        let rows = sheet.values.iter().map(|row| row.iter().map(CellArg::to_write).collect());
        let request = Request::UpdateCells {
            sheet: id,
            row: 0,
            column: 0,
            rows: rows.collect(),
            fields: CellFields::ValuesAndFormats,
        };
        request
            .check()
            .map_err(|error| Error::from(error).context(format!("argument sheets[{id}].values")))?;
        requests.push(request);
    }
    let size: usize = requests.iter().map(Request::wire_size).sum();
    if size > lockstep_google::MAX_BATCH_BYTES {
        return Err(Error::new(
            Kind::TooLarge,
            format!("the first values are {size} bytes on the wire"),
        )
        .next("create the sheets with their headers alone, and fill them with syncDataset"));
    }
    Ok(requests)
}
