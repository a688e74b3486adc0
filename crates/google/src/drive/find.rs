//! Searching for files.

use crate::drive::file::FIELDS;
use crate::id::check_id;
use crate::retry::{Call, Effect};
use crate::{Error, File, FileKind, Google, Result};

const LIST: Call = Call::drive("drive.files.list", Effect::Read);

/// The longest name and page token, in bytes: both travel in the URL.
const LONGEST: usize = 4_000;

/// What files to look for; all members that are given must match, the trash is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileQuery {
    /// The whole name.
    pub name: Option<String>,
    /// The beginning of a word of the name: Drive's `contains` matches prefixes.
    pub name_contains: Option<String>,
    /// What it is.
    pub kind: Option<FileKind>,
    /// Id of the folder it is in.
    pub parent: Option<String>,
    /// Files a page, 1 to 1000; 100 if 0.
    pub page_size: u32,
    /// Where to go on: [`FilePage::next`] of the page before, with the same query.
    pub page_token: Option<String>,
}

impl FileQuery {
    /// The search expression (google-wire 2.10).
    fn expression(&self) -> Result<String> {
        let mut terms = vec!["trashed = false".to_owned()];
        for (text, operator) in [(&self.name, "="), (&self.name_contains, "contains")] {
            if let Some(text) = text {
                let name = quoted(text)?;
                terms.push(format!("name {operator} {name}"));
            }
        }
        let mime = "application/vnd.google-apps";
        match self.kind {
            None => {}
            Some(FileKind::Spreadsheet) => terms.push(format!("mimeType = '{mime}.spreadsheet'")),
            Some(FileKind::Folder) => terms.push(format!("mimeType = '{mime}.folder'")),
            Some(FileKind::Other) => terms
                .push(format!("mimeType != '{mime}.spreadsheet' and mimeType != '{mime}.folder'")),
        }
        if let Some(parent) = &self.parent {
            check_id(LIST.operation, parent)?;
            terms.push(format!("'{parent}' in parents"));
        }
        Ok(terms.join(" and "))
    }
}

fn quoted(text: &str) -> Result<String> {
    if text.is_empty() || text.len() > LONGEST {
        let message = format!("a name of {} bytes cannot be searched for", text.len());
        return Err(Error::invalid(LIST.operation, message));
    }
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
    Ok(format!("'{escaped}'"))
}

/// A page of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilePage {
    /// The files, those changed last first.
    pub files: Vec<File>,
    /// Where to go on, if there are more.
    pub next: Option<String>,
}

impl Google {
    /// Returns a page of the files that match.
    ///
    /// With the `drive.file` scope Drive shows only files that were made by or opened with this
    /// application.
    pub async fn find_files(&self, query: &FileQuery) -> Result<FilePage> {
        let expression = query.expression()?;
        let expression = expression.as_str();
        let size = match query.page_size {
            0 => 100,
            size => i32::try_from(size.min(1000)).unwrap_or(1000),
        };
        let token = query.page_token.as_deref();
        if token.is_some_and(|token| token.is_empty() || token.len() > LONGEST) {
            return Err(Error::invalid(LIST.operation, "that is not a page token"));
        }
        let fields = format!("nextPageToken,files({FIELDS})");
        let fields = fields.as_str();
        let found = self
            .run(LIST, |mut witness| async move {
                let mut call = scoped!(self.shared.drive.files().list())
                    .q(expression)
                    .page_size(size)
                    .order_by("modifiedTime desc")
                    .supports_all_drives(true)
                    .include_items_from_all_drives(true)
                    .param("fields", fields);
                if let Some(token) = token {
                    call = call.page_token(token);
                }
                call.delegate(&mut witness).doit().await
            })
            .await?;
        let files = found.1.files.unwrap_or_default();
        Ok(FilePage {
            files: files
                .into_iter()
                .map(File::from)
                .filter(|file| self.shared.door.shows(file))
                .collect(),
            next: found.1.next_page_token.filter(|token| !token.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        for (name, expression) in [
            ("Plan", "trashed = false and name = 'Plan'"),
            ("Jon's", r"trashed = false and name = 'Jon\'s'"),
            (r"a\' or '1", r"trashed = false and name = 'a\\\' or \'1'"),
        ] {
            let query = FileQuery { name: Some(name.into()), ..FileQuery::default() };
            assert_eq!(query.expression().unwrap(), expression);
        }
    }

    #[test]
    fn every_condition_stands_in_the_expression() {
        let query = FileQuery {
            name_contains: Some("pla".into()),
            kind: Some(FileKind::Folder),
            parent: Some("root".into()),
            ..FileQuery::default()
        };
        assert_eq!(
            query.expression().unwrap(),
            "trashed = false and name contains 'pla' and \
             mimeType = 'application/vnd.google-apps.folder' and 'root' in parents"
        );
        let long = FileQuery { name: Some("x".repeat(70_000)), ..FileQuery::default() };
        assert!(long.expression().is_err());
        let injected = FileQuery { parent: Some("a' or 'b".into()), ..FileQuery::default() };
        assert!(injected.expression().is_err());
    }
}
