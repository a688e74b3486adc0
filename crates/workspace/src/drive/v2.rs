//! The one call of Drive v2 that clients still make: gspread imports CSV by
//! `PUT /upload/drive/v2/files/ID?uploadType=media&convert=True`.

use serde_json::{Map, Value, json};

use super::file::{File, SPREADSHEET, permission_id, time};
use super::table;
use super::update::replace;
use super::{Context, Reply};
use crate::http::ApiError;

/// Replaces the content of a file, and answers its v2 resource.
pub(super) fn put(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let id = ids.first().map_or("", String::as_str);
    let mut file = table::get(context.session.sql(), id)?;
    let upload = super::media::read_upload(context.call)?;
    replace(context, &mut file, &upload.mime, &upload.data)?;
    Ok(Reply::Json(resource(&file, context.owner)))
}

/// Returns the File resource of v2, field by field as recorded.
fn resource(file: &File, owner: &str) -> Value {
    let id = &file.id;
    let link = format!("https://www.googleapis.com/drive/v2/files/{id}");
    let export = |format: &str| {
        format!("https://docs.google.com/spreadsheets/export?id={id}&exportFormat={format}")
    };
    let user = json!({
        "displayName": owner,
        "kind": "drive#user",
        "isAuthenticatedUser": true,
        "permissionId": permission_id(owner),
        "emailAddress": owner,
        "picture": { "url": "https://lh3.googleusercontent.com/a/default-user=s64" },
    });
    let parents: Vec<Value> = file
        .parents
        .iter()
        .map(|parent| {
            json!({
                "selfLink": format!("{link}/parents/{parent}"),
                "id": parent,
                "isRoot": parent == table::ROOT,
                "kind": "drive#parentReference",
                "parentLink": format!("https://www.googleapis.com/drive/v2/files/{parent}"),
            })
        })
        .collect();
    let size = file.content.as_ref().map_or(1024, |content| content.size).to_string();
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("kind", "drive#file".into());
    put(
        "userPermission",
        json!({
            "id": "me",
            "type": "user",
            "role": "owner",
            "kind": "drive#permission",
            "selfLink": format!("{link}/permissions/me"),
            "etag": etag(&format!("{id}/me")),
            "pendingOwner": false,
        }),
    );
    put("selfLink", link.into());
    put("ownerNames", json!([owner]));
    put("lastModifyingUserName", owner.into());
    put("editable", true.into());
    put("writersCanShare", file.writers_can_share.into());
    put("mimeType", file.mime_type.as_str().into());
    if file.mime_type == SPREADSHEET {
        put(
            "exportLinks",
            json!({
                "application/x-vnd.oasis.opendocument.spreadsheet": export("ods"),
                "text/tab-separated-values": export("tsv"),
                "application/pdf": export("pdf"),
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": export("xlsx"),
                "text/csv": export("csv"),
                "application/zip": export("zip"),
                "application/vnd.oasis.opendocument.spreadsheet": export("ods"),
            }),
        );
    }
    put("parents", json!(parents));
    put(
        "thumbnailLink",
        format!("https://docs.google.com/feeds/vt?gd=true&id={id}&v=1&sz=s220").into(),
    );
    put("appDataContents", false.into());
    put(
        "iconLink",
        format!("https://drive-thirdparty.googleusercontent.com/16/type/{}", file.mime_type).into(),
    );
    put("shared", (!file.permissions.is_empty()).into());
    put("lastModifyingUser", user.clone());
    put("owners", json!([user]));
    put("copyable", true.into());
    put("etag", etag(&format!("{id}/{}", file.version)).into());
    put(
        "alternateLink",
        format!("https://docs.google.com/spreadsheets/d/{id}/edit?usp=drivesdk").into(),
    );
    put("embedLink", format!("https://docs.google.com/spreadsheets/d/{id}/htmlembed").into());
    put("fileSize", size.as_str().into());
    put("copyRequiresWriterPermission", file.copy_requires_writer.into());
    put("spaces", json!(["drive"]));
    put("id", id.as_str().into());
    put("title", file.name.as_str().into());
    put(
        "labels",
        json!({
            "viewed": true,
            "restricted": file.copy_requires_writer,
            "starred": file.starred,
            "hidden": false,
            "trashed": file.trashed,
        }),
    );
    put("explicitlyTrashed", (file.trashed && !file.trashed_by_folder).into());
    put("createdDate", time(file.created));
    put("modifiedDate", time(file.modified));
    put("modifiedByMeDate", time(file.modified));
    put("lastViewedByMeDate", time(file.modified));
    put("markedViewedByMeDate", time(0));
    put("quotaBytesUsed", size.into());
    put("version", file.version.to_string().into());
    put("capabilities", json!({ "canEdit": true, "canCopy": true }));
    Value::Object(out)
}

fn etag(text: &str) -> String {
    format!("\"{}\"", permission_id(text))
}
