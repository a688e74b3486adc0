//! The Drive v3 API.

mod about;
mod changes;
mod channel;
mod copy;
mod create;
mod error;
mod export;
mod file;
mod import;
mod list;
mod media;
mod order;
mod permissions;
mod push;
mod query;
mod remove;
mod resumable;
mod route;
mod saved;
mod shown;
mod table;
mod update;
mod v2;
mod watch;
mod xlsx;
mod zip;

pub(crate) use error::render as render_error;
pub(crate) use push::flush;
pub(crate) use route::handle;
pub(crate) use saved::book_saved;
pub(crate) use shown::spreadsheets;
pub(crate) use table::SCHEMA;

use serde_json::{Map, Value, json};

use self::file::File;
use crate::fields::Mask;
use crate::http::{ApiError, Call};
use crate::store::Session;

/// Is what a Drive call works with.
struct Context<'a, 's> {
    session: &'a mut Session<'s>,
    call: &'a Call,
    /// Milliseconds since 1970.
    now: i64,
    /// The address of the one user.
    owner: &'a str,
    /// The locale of new spreadsheets.
    locale: &'a str,
    /// The time zone of new spreadsheets.
    time_zone: &'a str,
    /// How many bytes the drive can hold.
    storage: u64,
}

/// Is the answer of a Drive call that went well.
enum Reply {
    Json(Value),
    /// The address that the content of a resumable upload goes to.
    Started(String),
    /// 308: so many bytes of a resumable upload are here.
    Incomplete(i64),
    /// 204 without a body.
    Empty,
    Bytes {
        mime: String,
        name: Option<String>,
        data: Vec<u8>,
    },
}

impl Context<'_, '_> {
    /// Returns the JSON object of the body; an empty body is an empty object.
    fn body(&self) -> Result<Map<String, Value>, ApiError> {
        parse_object(&self.call.body)
    }

    /// Returns the part of an answer that `fields` selects, or of `default` when there is none.
    fn select(&self, answer: Value, default: &str, known: &[&str]) -> Result<Value, ApiError> {
        let text = self.call.fields().filter(|text| !text.is_empty()).unwrap_or(default);
        let invalid = |name: &str| {
            error::parameter(
                400,
                "invalidParameter",
                format!("Invalid field selection {name}"),
                "fields",
            )
        };
        let mask = Mask::parse(text).ok_or_else(|| invalid(text))?;
        for (name, _) in mask.names() {
            if name != "*" && answer.get(name).is_none() && !known.contains(&name) {
                return Err(invalid(name));
            }
        }
        Ok(mask.apply(answer))
    }

    /// Returns the answer that shows one file.
    fn show(&self, file: &File) -> Result<Reply, ApiError> {
        let resource = file.resource(self.owner);
        Ok(Reply::Json(self.select(resource, "kind,id,name,mimeType", FILE_FIELDS)?))
    }
}

/// Returns the JSON object in some bytes; none is an empty object.
fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) | Err(_) => Err(error::error(400, "parseError", "Parse Error")),
    }
}

/// Returns a list answer: the kind, the token of the next page if there is one, and the items.
fn page(kind: &str, name: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut out = Map::new();
    out.insert("kind".to_owned(), kind.into());
    if let Some(next) = next {
        out.insert("nextPageToken".to_owned(), next.into());
    }
    out.insert(name.to_owned(), json!(items));
    Value::Object(out)
}

/// Are the fields of a File resource, those included that a file may lack.
const FILE_FIELDS: &[&str] = &[
    "kind",
    "appProperties",
    "capabilities",
    "clientEncryptionDetails",
    "contentHints",
    "contentRestrictions",
    "copyRequiresWriterPermission",
    "createdTime",
    "description",
    "downloadRestrictions",
    "driveId",
    "explicitlyTrashed",
    "exportLinks",
    "fileExtension",
    "folderColorRgb",
    "fullFileExtension",
    "hasAugmentedPermissions",
    "hasThumbnail",
    "headRevisionId",
    "iconLink",
    "id",
    "imageMediaMetadata",
    "inheritedPermissionsDisabled",
    "isAppAuthorized",
    "labelInfo",
    "lastModifyingUser",
    "linkShareMetadata",
    "md5Checksum",
    "mimeType",
    "modifiedByMe",
    "modifiedByMeTime",
    "modifiedTime",
    "name",
    "originalFilename",
    "ownedByMe",
    "owners",
    "parents",
    "permissionIds",
    "permissions",
    "properties",
    "quotaBytesUsed",
    "resourceKey",
    "sha1Checksum",
    "sha256Checksum",
    "shared",
    "sharedWithMeTime",
    "sharingUser",
    "shortcutDetails",
    "size",
    "spaces",
    "starred",
    "teamDriveId",
    "thumbnailLink",
    "thumbnailVersion",
    "trashed",
    "trashedTime",
    "trashingUser",
    "version",
    "videoMediaMetadata",
    "viewedByMe",
    "viewedByMeTime",
    "viewersCanCopyContent",
    "webContentLink",
    "webViewLink",
    "writersCanShare",
];
