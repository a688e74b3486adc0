//! A file of the drive, and its resource as the API shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Is the MIME type of a folder.
pub(super) const FOLDER: &str = "application/vnd.google-apps.folder";
/// Is the MIME type of a spreadsheet.
pub(crate) const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";
/// Is the MIME type of Excel's workbook files.
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Is one file, folder or spreadsheet. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct File {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) mime_type: String,
    pub(super) created: i64,
    pub(super) modified: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) viewed: Option<i64>,
    /// Grows by one with every change.
    pub(super) version: u64,
    pub(super) parents: Vec<String>,
    /// Whether it, or a folder it lies in, is in the trash. Stored is only its own mark.
    pub(super) trashed: bool,
    #[serde(skip)]
    pub(super) trashed_by_folder: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trashed_at: Option<i64>,
    pub(super) starred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) properties: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) app_properties: BTreeMap<String, String>,
    /// The content, of files that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content>,
    /// Permission objects of others; the owner's is not among them.
    pub(super) permissions: Vec<Map<String, Value>>,
    pub(super) writers_can_share: bool,
    pub(super) copy_requires_writer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) folder_color: Option<String>,
}

/// Is what is known of the bytes of a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) sha1: String,
    pub(super) sha256: String,
    pub(super) original_name: String,
    pub(super) revision: String,
}

impl File {
    /// Returns whether it is a Google document of some kind, which has no bytes of its own.
    pub(super) fn is_native(&self) -> bool {
        self.mime_type.starts_with("application/vnd.google-apps.")
    }

    /// Returns the roles of an e-mail address; `owner` is the one user's own.
    pub(super) fn roles_of(&self, email: &str, owner: &str) -> Vec<&str> {
        if email == "me" || email.eq_ignore_ascii_case(owner) {
            return vec!["owner"];
        }
        let text = |permission: &'_ Map<String, Value>, name: &str| {
            permission.get(name).and_then(Value::as_str).map(str::to_owned)
        };
        self.permissions
            .iter()
            .filter(|permission| {
                text(permission, "emailAddress")
                    .is_some_and(|mail| mail.eq_ignore_ascii_case(email))
            })
            .filter_map(|permission| permission.get("role").and_then(Value::as_str))
            .collect()
    }

    /// Returns whether an e-mail address has one of some roles.
    pub(super) fn has_role(&self, email: &str, owner: &str, roles: &[&str]) -> bool {
        self.roles_of(email, owner).iter().any(|role| roles.contains(role))
    }

    /// Returns the whole File resource of Drive v3.
    pub(super) fn resource(&self, owner: &str) -> Value {
        let user = user(owner);
        let id = &self.id;
        let size = self.content.as_ref().map_or(1024, |content| content.size);
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        put("kind", "drive#file".into());
        put("id", id.as_str().into());
        put("name", self.name.as_str().into());
        put("mimeType", self.mime_type.as_str().into());
        if let Some(description) = &self.description {
            put("description", description.as_str().into());
        }
        put("starred", self.starred.into());
        put("trashed", self.trashed.into());
        put("explicitlyTrashed", (self.trashed && !self.trashed_by_folder).into());
        if let Some(at) = self.trashed_at {
            put("trashedTime", time(at));
            put("trashingUser", user.clone());
        }
        put("parents", json!(self.parents));
        if !self.properties.is_empty() {
            put("properties", json!(self.properties));
        }
        if !self.app_properties.is_empty() {
            put("appProperties", json!(self.app_properties));
        }
        put("spaces", json!(["drive"]));
        put("version", self.version.to_string().into());
        put("webViewLink", self.web_link().into());
        put("iconLink", self.icon().into());
        put("hasThumbnail", false.into());
        put("thumbnailVersion", "0".into());
        put("viewedByMe", self.viewed.is_some().into());
        if let Some(at) = self.viewed {
            put("viewedByMeTime", time(at));
        }
        put("createdTime", time(self.created));
        put("modifiedTime", time(self.modified));
        put("modifiedByMeTime", time(self.modified));
        put("modifiedByMe", true.into());
        put("owners", json!([user]));
        put("lastModifyingUser", user);
        put("shared", (!self.permissions.is_empty()).into());
        put("ownedByMe", true.into());
        put("capabilities", self.capabilities());
        put("viewersCanCopyContent", (!self.copy_requires_writer).into());
        put("copyRequiresWriterPermission", self.copy_requires_writer.into());
        put("writersCanShare", self.writers_can_share.into());
        let permissions = self.all_permissions(owner);
        let ids: Vec<&Value> =
            permissions.iter().filter_map(|permission| permission.get("id")).collect();
        put("permissionIds", json!(ids));
        put("permissions", json!(permissions));
        if let Some(color) = &self.folder_color {
            put("folderColorRgb", color.as_str().into());
        }
        if let Some(content) = &self.content {
            let link = format!("https://drive.google.com/uc?id={id}&export=download");
            put("webContentLink", link.into());
            put("originalFilename", content.original_name.as_str().into());
            let extension = self.name.rsplit_once('.').map_or("", |(_, extension)| extension);
            put("fullFileExtension", extension.into());
            put("fileExtension", extension.into());
            put("sha1Checksum", content.sha1.as_str().into());
            put("sha256Checksum", content.sha256.as_str().into());
            put("headRevisionId", content.revision.as_str().into());
        }
        if self.mime_type != FOLDER {
            put("size", size.to_string().into());
        }
        let used = if self.mime_type == FOLDER { 0 } else { size };
        put("quotaBytesUsed", used.to_string().into());
        put("isAppAuthorized", true.into());
        if self.mime_type == SPREADSHEET {
            put("exportLinks", export_links(id));
        }
        put(
            "linkShareMetadata",
            json!({ "securityUpdateEligible": false, "securityUpdateEnabled": true }),
        );
        Value::Object(out)
    }

    /// Returns the permissions, the owner's first.
    pub(super) fn all_permissions(&self, owner: &str) -> Vec<Map<String, Value>> {
        std::iter::once(owner_permission(owner)).chain(self.permissions.iter().cloned()).collect()
    }

    fn web_link(&self) -> String {
        let id = &self.id;
        match self.mime_type.as_str() {
            SPREADSHEET => format!("https://docs.google.com/spreadsheets/d/{id}/edit?usp=drivesdk"),
            FOLDER => format!("https://drive.google.com/drive/folders/{id}"),
            _ => format!("https://drive.google.com/file/d/{id}/view?usp=drivesdk"),
        }
    }

    fn icon(&self) -> String {
        format!("https://drive-thirdparty.googleusercontent.com/16/type/{}", self.mime_type)
    }

    fn capabilities(&self) -> Value {
        let folder = self.mime_type == FOLDER;
        json!({
            "canAcceptOwnership": false,
            "canAddChildren": folder,
            "canAddMyDriveParent": false,
            "canChangeCopyRequiresWriterPermission": true,
            "canChangeViewersCanCopyContent": true,
            "canComment": true,
            "canCopy": !folder,
            "canDelete": true,
            "canDownload": !folder,
            "canEdit": true,
            "canListChildren": folder,
            "canModifyContent": true,
            "canMoveChildrenWithinDrive": folder,
            "canMoveItemOutOfDrive": true,
            "canMoveItemWithinDrive": true,
            "canReadRevisions": !folder,
            "canRemoveChildren": folder,
            "canRemoveMyDriveParent": true,
            "canRename": true,
            "canShare": true,
            "canTrash": true,
            "canUntrash": true,
        })
    }
}

/// Returns the links that export a spreadsheet, of the formats this workspace writes.
fn export_links(id: &str) -> Value {
    let link = |format: &str| {
        format!("https://docs.google.com/spreadsheets/export?id={id}&exportFormat={format}")
    };
    json!({
        "text/tab-separated-values": link("tsv"),
        XLSX: link("xlsx"),
        "text/csv": link("csv"),
    })
}

/// Returns the User object of the one user.
pub(super) fn user(email: &str) -> Value {
    json!({
        "kind": "drive#user",
        "displayName": email,
        "me": true,
        "permissionId": permission_id(email),
        "emailAddress": email,
    })
}

/// Returns the owner's permission.
pub(super) fn owner_permission(email: &str) -> Map<String, Value> {
    let mut permission = Map::new();
    for (name, value) in [
        ("kind", json!("drive#permission")),
        ("id", json!(permission_id(email))),
        ("type", json!("user")),
        ("emailAddress", json!(email)),
        ("role", json!("owner")),
        ("displayName", json!(email)),
        ("deleted", json!(false)),
        ("pendingOwner", json!(false)),
    ] {
        permission.insert(name.to_owned(), value);
    }
    permission
}

/// Returns the permission id of an e-mail address or domain: 20 digits, always the same.
pub(super) fn permission_id(email: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, email.to_lowercase().as_bytes());
    let number =
        digest.as_ref().iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{number:020}")
}

/// Returns a time as Drive writes it: `2023-08-17T10:52:47.380Z`.
pub(super) fn time(milliseconds: i64) -> Value {
    let at = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}").into()
}
