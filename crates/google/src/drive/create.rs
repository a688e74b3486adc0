//! New files and folders.

use std::io::Cursor;

use google_drive3::api;
use hyper::body::Bytes;
use serde::Serialize;

use crate::direct::Url;
use crate::drive::file::FIELDS;
use crate::retry::{Call, Effect};
use crate::{Error, File, FileKind, Google, Result};

const CREATE: Call = Call::drive("drive.files.create", Effect::Once);

/// What the generated code puts between the parts of an upload, whatever they contain.
const BOUNDARY: &[u8] = b"--MDuXWGyeE33QFXGchb2VFWc4Z7945d";

impl Google {
    /// Creates a folder, in `parent` or in the root folder of the account.
    ///
    /// When the answer is lost the error is [`Ambiguous`](crate::Retry::Ambiguous): look for it
    /// before creating it again, Drive allows two of one name.
    pub async fn create_folder(&self, name: &str, parent: Option<&str>) -> Result<File> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Folder<'a> {
            name: &'a str,
            mime_type: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            parents: Option<[&'a str; 1]>,
        }
        check(name)?;
        if let Some(parent) = parent {
            self.may(CREATE.operation, parent).await?;
        }
        let folder = Folder {
            name,
            mime_type: FileKind::Folder.mime_type(),
            parents: parent.map(|parent| [parent]),
        };
        let json = serde_json::to_vec(&folder)
            .map_err(|error| Error::invalid(CREATE.operation, error.to_string()))?;
        let json = Bytes::from(json);
        // The generated create can only upload content (google-wire 1.3); a folder has none.
        let url = Url::new(format!("{}files", self.shared.drive_base))
            .param("supportsAllDrives", "true")
            .param("fields", FIELDS);
        let created: api::File =
            self.run(CREATE, |witness| self.exchange(witness, &url, Some(json.clone()))).await?;
        Ok(self.own(created))
    }

    /// Creates a file with content, in `parent` or in the root folder of the account.
    ///
    /// An ambiguous error means what it means for [`create_folder`](Self::create_folder).
    pub async fn create_file(
        &self,
        name: &str,
        mime_type: &str,
        content: Vec<u8>,
        parent: Option<&str>,
    ) -> Result<File> {
        check(name)?;
        if let Some(parent) = parent {
            self.may(CREATE.operation, parent).await?;
        }
        let no_type =
            || Error::invalid(CREATE.operation, format!("{mime_type:?} is not a MIME type"));
        // The parser lets other characters pass in quotes; as a header they would panic.
        if mime_type.len() > 255 || mime_type.chars().any(|c| !matches!(c, ' '..='~')) {
            return Err(no_type());
        }
        let media = mime_type.parse().map_err(|_| no_type())?;
        if content.windows(BOUNDARY.len()).any(|part| part == BOUNDARY) {
            let message = "the content has the line that ends an upload in it";
            return Err(Error::invalid(CREATE.operation, message));
        }
        let (media, content) = (&media, Bytes::from(content));
        let request = api::File {
            name: Some(name.to_owned()),
            mime_type: Some(mime_type.to_owned()),
            parents: parent.map(|parent| vec![parent.to_owned()]),
            ..api::File::default()
        };
        let (request, content) = (&request, &content);
        let created = self
            .run(CREATE, |mut witness| async move {
                // Multipart, not resumable: that one is broken (google-wire 1.3, bug 4).
                scoped!(self.shared.drive.files().create(request.clone()))
                    .supports_all_drives(true)
                    .param("fields", FIELDS)
                    .delegate(&mut witness)
                    .upload(Cursor::new(content.clone()), Clone::clone(media))
                    .await
            })
            .await?;
        Ok(self.own(created.1))
    }

    /// Remembers that this client made a file.
    fn own(&self, created: api::File) -> File {
        let file = File::from(created);
        self.shared.door.made(&file.id);
        file
    }
}

fn check(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid(CREATE.operation, "the name is empty"));
    }
    Ok(())
}
