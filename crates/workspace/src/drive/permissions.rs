//! Permissions: kept and shown. There is one user here, so they let nobody in or out.

use serde_json::{Map, Value, json};

use super::error::{error, parameter, unsupported};
use super::file::{File, owner_permission, permission_id};
use super::table::{self, Event};
use super::{Context, Reply, page};
use crate::http::ApiError;

const ROLES: [&str; 6] = ["owner", "organizer", "fileOrganizer", "writer", "commenter", "reader"];

/// Are the fields of a Permission that an answer may lack.
const FIELDS: [&str; 12] = [
    "allowFileDiscovery",
    "domain",
    "emailAddress",
    "expirationTime",
    "permissionDetails",
    "photoLink",
    "view",
    "teamDrivePermissionDetails",
    "deleted",
    "displayName",
    "pendingOwner",
    "inheritedPermissionsDisabled",
];

const DEFAULT: &str = "kind,id,type,role";

/// Lists the permissions of a file.
pub(super) fn list(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let file = file(context, ids)?;
    let items = file.all_permissions(context.owner).into_iter().map(Value::Object).collect();
    let answer = page("drive#permissionList", "permissions", items, None);
    let default = "kind,nextPageToken,permissions(kind,id,type,role)";
    Ok(Reply::Json(context.select(answer, default, &["nextPageToken"])?))
}

/// Shows one permission.
pub(super) fn get(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let file = file(context, ids)?;
    let wanted = which(ids);
    let found = file
        .all_permissions(context.owner)
        .into_iter()
        .find(|permission| id_of(permission) == wanted)
        .ok_or_else(|| no_permission(wanted))?;
    show(context, found)
}

/// Adds a permission; one for the same address takes its new role.
pub(super) fn create(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let mut file = file(context, ids)?;
    let body = context.body()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let role = role(text("role"))?;
    if role == "owner" {
        if !context.call.flag("transferOwnership") {
            // The words of the API's documentation; not recorded.
            return Err(parameter(
                403,
                "forbidden",
                "The transferOwnership parameter must be enabled when the permission role is 'owner'.",
                "transferOwnership",
            ));
        }
        if text("emailAddress").is_some_and(|email| email.eq_ignore_ascii_case(context.owner)) {
            return show(context, owner_permission(context.owner));
        }
        return Err(unsupported("Transferring ownership"));
    }
    let mut permission = Map::new();
    let mut put = |name: &str, value: Value| permission.insert(name.to_owned(), value);
    put("kind", "drive#permission".into());
    match text("type") {
        Some(kind @ ("user" | "group")) => {
            let email = text("emailAddress").filter(|email| email.contains('@')).ok_or_else(|| {
                error(400, "invalidSharingRequest", "The specified emailAddress is invalid or not applicable for the given permission type.")
            })?;
            if email.eq_ignore_ascii_case(context.owner) {
                return Err(error(
                    403,
                    "cannotShareWithOwner",
                    "The owner of a file cannot be given another role.",
                ));
            }
            put("id", permission_id(email).into());
            put("type", kind.into());
            put("emailAddress", email.into());
            put("role", role.into());
            put("displayName", email.into());
            put("deleted", false.into());
            put("pendingOwner", false.into());
        }
        Some("domain") => {
            let domain = text("domain").ok_or_else(|| {
                error(
                    400,
                    "invalid",
                    "The domain field is required for permissions of type domain.",
                )
            })?;
            put("id", permission_id(domain).into());
            put("type", "domain".into());
            put("domain", domain.into());
            put("role", role.into());
            put("displayName", domain.into());
            put("allowFileDiscovery", discoverable(&body).into());
        }
        Some("anyone") => {
            let id = if discoverable(&body) { "anyone" } else { "anyoneWithLink" };
            put("id", id.into());
            put("type", "anyone".into());
            put("role", role.into());
            put("allowFileDiscovery", discoverable(&body).into());
        }
        Some(other) => {
            return Err(error(
                400,
                "invalid",
                format!("The specified type is invalid or not supported: {other}."),
            ));
        }
        None => {
            return Err(parameter(
                400,
                "required",
                "The permission type field is required.",
                "permission.type",
            ));
        }
    }
    let id = id_of(&permission).to_owned();
    file.permissions.retain(|known| id_of(known) != id);
    file.permissions.push(permission.clone());
    save(context, &mut file)?;
    show(context, permission)
}

/// Changes the role of a permission.
pub(super) fn update(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let mut file = file(context, ids)?;
    let body = context.body()?;
    let wanted = which(ids);
    if wanted == permission_id(context.owner) {
        return Err(error(
            403,
            "cannotModifyOwner",
            "The permission of the owner cannot be changed.",
        ));
    }
    let role = role(body.get("role").and_then(Value::as_str))?;
    if role == "owner" {
        return Err(unsupported("Transferring ownership"));
    }
    let permission = file
        .permissions
        .iter_mut()
        .find(|permission| id_of(permission) == wanted)
        .ok_or_else(|| no_permission(wanted))?;
    permission.insert("role".to_owned(), role.into());
    let shown = permission.clone();
    save(context, &mut file)?;
    show(context, shown)
}

/// Removes a permission.
pub(super) fn delete(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let mut file = file(context, ids)?;
    let wanted = which(ids);
    if wanted == permission_id(context.owner) {
        return Err(error(403, "cannotRemoveOwner", "The owner of a file cannot be removed."));
    }
    let before = file.permissions.len();
    file.permissions.retain(|permission| id_of(permission) != wanted);
    if file.permissions.len() == before {
        return Err(no_permission(wanted));
    }
    save(context, &mut file)?;
    Ok(Reply::Empty)
}

fn file(context: &Context<'_, '_>, ids: &[String]) -> Result<File, ApiError> {
    table::get(context.session.sql(), ids.first().map_or("", String::as_str))
}

fn which(ids: &[String]) -> &str {
    ids.get(1).map_or("", String::as_str)
}

fn id_of(permission: &Map<String, Value>) -> &str {
    permission.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn discoverable(body: &Map<String, Value>) -> bool {
    body.get("allowFileDiscovery") == Some(&json!(true))
}

fn role(role: Option<&str>) -> Result<&str, ApiError> {
    match role {
        Some(role) if ROLES.contains(&role) => Ok(role),
        Some(other) => Err(error(
            400,
            "invalid",
            format!("The specified role is invalid or not supported: {other}."),
        )),
        None => Err(parameter(
            400,
            "required",
            "The permission role field is required.",
            "permission.role",
        )),
    }
}

fn no_permission(id: &str) -> ApiError {
    parameter(404, "notFound", format!("Permission not found: {id}."), "permissionId")
}

fn save(context: &Context<'_, '_>, file: &mut File) -> Result<(), ApiError> {
    file.version += 1;
    table::put(context.session.sql(), file, Event::Update, "permissions", context.now)
}

fn show(context: &Context<'_, '_>, permission: Map<String, Value>) -> Result<Reply, ApiError> {
    Ok(Reply::Json(context.select(Value::Object(permission), DEFAULT, &FIELDS)?))
}
