//! Files of Drive: look at one, move it, throw it away.

use google_drive3::api;

use crate::retry::{Call, Effect};
use crate::{Google, Result};

const GET: Call = Call::drive("drive.files.get", Effect::Read);
const UPDATE: Call = Call::drive("drive.files.update", Effect::Repeatable);
const DELETE: Call = Call::drive("drive.files.delete", Effect::Once);

/// The fields of [`File`].
pub(super) const FIELDS: &str =
    "id,name,mimeType,parents,createdTime,modifiedTime,size,webViewLink,trashed";

/// A file, folder or spreadsheet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// File id.
    pub id: String,
    /// Name; not unique.
    pub name: String,
    /// MIME type.
    pub mime_type: String,
    /// What it is.
    pub kind: FileKind,
    /// Ids of the folders it is in.
    pub parents: Vec<String>,
    /// When it was created, RFC 3339.
    pub created: Option<String>,
    /// When it was changed last, RFC 3339; edits through the API show late (google-wire 3).
    pub modified: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// Address for people.
    pub url: Option<String>,
    /// Whether it is in the trash.
    pub trashed: bool,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FileKind {
    /// A Google spreadsheet.
    Spreadsheet,
    /// A folder.
    Folder,
    /// Anything else.
    #[default]
    Other,
}

impl FileKind {
    /// Returns the MIME type, if the kind has one.
    pub fn mime_type(self) -> Option<&'static str> {
        match self {
            Self::Spreadsheet => Some("application/vnd.google-apps.spreadsheet"),
            Self::Folder => Some("application/vnd.google-apps.folder"),
            Self::Other => None,
        }
    }

    fn of(mime_type: &str) -> Self {
        [Self::Spreadsheet, Self::Folder]
            .into_iter()
            .find(|kind| kind.mime_type() == Some(mime_type))
            .unwrap_or_default()
    }
}

impl Google {
    /// Returns what Drive knows about a file.
    pub async fn file(&self, id: &str) -> Result<File> {
        self.may(GET.operation, id).await?;
        self.look(id).await
    }

    /// Returns what Drive knows about a file, whether it may be touched or not.
    pub(crate) async fn look(&self, id: &str) -> Result<File> {
        let found = self
            .run(GET, |mut witness| async move {
                scoped!(self.shared.drive.files().get(id))
                    .supports_all_drives(true)
                    .param("fields", FIELDS)
                    .delegate(&mut witness)
                    .doit()
                    .await
            })
            .await?;
        Ok(found.1.into())
    }

    /// Moves a file into a folder, out of those it is in. Costs a read and a write.
    pub async fn move_to(&self, id: &str, folder: &str) -> Result<File> {
        self.may(UPDATE.operation, folder).await?;
        let file = self.file(id).await?;
        if file.parents.as_slice() == [folder] {
            return Ok(file);
        }
        let left: Vec<&str> =
            file.parents.iter().map(String::as_str).filter(|at| *at != folder).collect();
        self.update(id, api::File::default(), Some(folder), &left.join(",")).await
    }

    /// Puts a file into the trash, where its owner can take it back.
    pub async fn trash(&self, id: &str) -> Result<File> {
        let change = api::File { trashed: Some(true), ..api::File::default() };
        self.update(id, change, None, "").await
    }

    /// Deletes a file for good. After an [`Ambiguous`](crate::Retry::Ambiguous) error it may be
    /// deleted again: [`NotFound`](crate::Kind::NotFound) then means that it is gone.
    pub async fn delete(&self, id: &str) -> Result<()> {
        self.may(DELETE.operation, id).await?;
        self.run(DELETE, |mut witness| async move {
            scoped!(self.shared.drive.files().delete(id))
                .supports_all_drives(true)
                .delegate(&mut witness)
                .doit()
                .await
        })
        .await?;
        Ok(())
    }

    async fn update(
        &self,
        id: &str,
        change: api::File,
        add_parent: Option<&str>,
        remove_parents: &str,
    ) -> Result<File> {
        self.may(UPDATE.operation, id).await?;
        let change = &change;
        let updated = self
            .run(UPDATE, |mut witness| async move {
                let mut call = scoped!(self.shared.drive.files().update(change.clone(), id))
                    .supports_all_drives(true)
                    .param("fields", FIELDS);
                if let Some(parent) = add_parent {
                    call = call.add_parents(parent);
                }
                if !remove_parents.is_empty() {
                    call = call.remove_parents(remove_parents);
                }
                call.delegate(&mut witness).doit_without_upload().await
            })
            .await?;
        Ok(updated.1.into())
    }
}

impl From<api::File> for File {
    fn from(found: api::File) -> Self {
        let mime_type = found.mime_type.unwrap_or_default();
        Self {
            id: found.id.unwrap_or_default(),
            name: found.name.unwrap_or_default(),
            kind: FileKind::of(&mime_type),
            mime_type,
            parents: found.parents.unwrap_or_default(),
            created: found.created_time.map(|time| time.to_rfc3339()),
            modified: found.modified_time.map(|time| time.to_rfc3339()),
            size: found.size.and_then(|size| u64::try_from(size).ok()),
            url: found.web_view_link,
            trashed: found.trashed.unwrap_or(false),
        }
    }
}
