//! `findFiles`: spreadsheets and folders by name.

use lockstep_google::{FileKind, FileQuery};
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Tool};
use crate::{
    error::{Error, Result},
    replica::sheet,
};

/// See [`Tool`].
pub(crate) struct FindFiles;

/// What a file is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TypeName {
    Spreadsheet,
    Folder,
    File,
}

impl From<FileKind> for TypeName {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::Spreadsheet => Self::Spreadsheet,
            FileKind::Folder => Self::Folder,
            FileKind::Other => Self::File,
        }
    }
}

impl From<TypeName> for FileKind {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::Spreadsheet => Self::Spreadsheet,
            TypeName::Folder => Self::Folder,
            TypeName::File => Self::Other,
        }
    }
}

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// The whole name.
    name: Option<String>,
    /// How a word of the name begins.
    contains: Option<String>,
    /// Default any.
    #[serde(rename = "type")]
    ty: Option<TypeName>,
    /// Id or URL.
    folder_id: Option<String>,
    /// Default 12.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The nextCursor before.
    cursor: Option<String>,
}

/// A file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileOut {
    id: String,
    name: String,
    #[serde(rename = "type")]
    ty: TypeName,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// The result.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    /// Changed last first.
    files: Vec<FileOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for FindFiles {
    const NAME: &'static str = "findFiles";
    const TITLE: &'static str = "Find files";
    const DESCRIPTION: &'static str = "Finds spreadsheets, folders and files by name, to get an id. A pasted URL needs no search.";
    type Args = Args;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Output> {
        let limit = args.limit.unwrap_or(12);
        if !(1..=100).contains(&limit) {
            return Err(Error::invalid(format!(
                "argument limit: {limit} is not between 1 and 100"
            ))
            .next("ask for at most 100 files and use nextCursor"));
        }
        let parent =
            args.folder_id.as_deref().map(|text| sheet::id_of(text, "folderId")).transpose()?;
        let query = FileQuery {
            name: args.name,
            name_contains: args.contains,
            kind: args.ty.map(FileKind::from),
            parent,
            page_size: limit,
            page_token: args.cursor,
        };
        let page = context.google.find_files(&query).await.map_err(|error| {
            let paged = query.page_token.is_some() && error.kind == lockstep_google::Kind::Invalid;
            let error = Error::from(error);
            if paged {
                error
                    .context("argument cursor")
                    .next("pass nextCursor of the page before, unchanged")
            } else {
                error
            }
        })?;
        let files = page.files.into_iter().map(|file| FileOut {
            ty: file.kind.into(),
            id: file.id,
            name: file.name,
            modified: file.modified,
            url: file.url,
        });
        Ok(Output { files: files.collect(), next_cursor: page.next })
    }
}
