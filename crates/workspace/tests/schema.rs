//! Every answer that a test gets is held to the schema that the discovery documents have for its
//! method. This check shares no code with the workspace: it takes nothing that is not exactly the
//! type, no unknown field, no null.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

static SHEETS: LazyLock<Types> =
    LazyLock::new(|| Types::read(include_str!("../src/schema/sheets.txt")));
static DRIVE: LazyLock<Types> = LazyLock::new(|| Types::read(include_str!("data/drive.txt")));

/// Is the fields of messages, by their names.
struct Types(HashMap<&'static str, HashMap<&'static str, &'static str>>);

impl Types {
    fn read(table: &'static str) -> Self {
        let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(
            lines
                .map(|line| {
                    let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
                    (name, fields.split(' ').filter_map(|field| field.split_once(':')).collect())
                })
                .collect(),
        )
    }

    /// Returns what is wrong with a value, empty when nothing is.
    fn faults(&self, value: &Value, kind: &str, place: &str) -> Vec<String> {
        let wrong = |what: &str| vec![format!("{place}: {value} is no {what}")];
        let when = |fits: bool| if fits { Vec::new() } else { wrong(kind) };
        if let Some(inner) = kind.strip_prefix('[') {
            let Some(items) = value.as_array() else { return wrong("list") };
            let items = items.iter().enumerate();
            return items
                .flat_map(|(index, item)| self.faults(item, inner, &format!("{place}[{index}]")))
                .collect();
        }
        if let Some(inner) = kind.strip_prefix("map<") {
            let Some(map) = value.as_object() else { return wrong("map") };
            return map
                .iter()
                .flat_map(|(key, item)| self.faults(item, inner, &format!("{place}.{key}")))
                .collect();
        }
        match kind {
            "any" => Vec::new(),
            "string" | "fieldmask" => when(value.is_string()),
            "time" | "google-datetime" => {
                when(value.as_str().is_some_and(|text| text.ends_with('Z') && text.contains('T')))
            }
            "int64" => when(value.as_str().is_some_and(|text| text.parse::<i64>().is_ok())),
            "int32" => when(value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())),
            "float" | "double" => when(value.is_number()),
            "bool" => when(value.is_boolean()),
            _ if kind.contains('|') => {
                when(value.as_str().is_some_and(|text| kind.split('|').any(|name| name == text)))
            }
            _ => {
                let fields = self.0.get(kind).unwrap_or_else(|| panic!("no message {kind}"));
                let Some(map) = value.as_object() else { return wrong(kind) };
                map.iter()
                    .flat_map(|(key, item)| match fields.get(key.as_str()) {
                        Some(inner) => self.faults(item, inner, &format!("{place}.{key}")),
                        None => vec![format!("{place}: {kind} has no field {key}")],
                    })
                    .collect()
            }
        }
    }
}

/// Returns the types and the message that a method answers with; `None` where it answers with no
/// JSON, or is none of the two APIs'.
fn answer_of(method: &str, path: &str, media: bool) -> Option<(&'static Types, &'static str)> {
    if let Some(path) = path.strip_prefix("/v4/spreadsheets") {
        let (id, tail) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        let verb =
            |text: &str| text.rsplit_once(':').map_or(String::new(), |(_, verb)| verb.to_owned());
        let name = match (method, tail) {
            ("POST", "") if id.ends_with(":batchUpdate") => "BatchUpdateSpreadsheetResponse",
            (_, "") => "Spreadsheet",
            ("POST", "values:batchGetByDataFilter") => "BatchGetValuesByDataFilterResponse",
            ("POST", "values:batchUpdate") => "BatchUpdateValuesResponse",
            ("POST", "values:batchUpdateByDataFilter") => "BatchUpdateValuesByDataFilterResponse",
            ("POST", "values:batchClear") => "BatchClearValuesResponse",
            ("POST", "values:batchClearByDataFilter") => "BatchClearValuesByDataFilterResponse",
            ("GET", "values:batchGet") => "BatchGetValuesResponse",
            ("POST", "developerMetadata:search") => "SearchDeveloperMetadataResponse",
            _ if tail.starts_with("developerMetadata/") => "DeveloperMetadata",
            _ if tail.starts_with("sheets/") => "SheetProperties",
            ("GET", _) if tail.starts_with("values/") => "ValueRange",
            ("PUT", _) => "UpdateValuesResponse",
            ("POST", _) if verb(tail) == "append" => "AppendValuesResponse",
            ("POST", _) if verb(tail) == "clear" => "ClearValuesResponse",
            _ => panic!("no schema for {method} {path}"),
        };
        return Some((&SHEETS, name));
    }
    let start = ["/drive/v3/", "/upload/drive/v3/", "/resumable/upload/drive/v3/"];
    let tail = start.iter().find_map(|start| path.strip_prefix(start))?;
    let steps: Vec<&str> = tail.split('/').collect();
    let name = match (method, steps.as_slice()) {
        (_, ["about"]) => "About",
        (_, ["changes"]) => "ChangeList",
        (_, ["changes", "startPageToken"]) => "StartPageToken",
        (_, ["changes", "watch"] | ["files", _, "watch"]) => "Channel",
        (_, ["files", "generateIds"]) => "GeneratedIds",
        (_, ["files", _, "export"]) => return None,
        ("GET", ["files", _]) if media => return None,
        ("GET", ["files"]) => "FileList",
        ("GET", ["files", _, "permissions"]) => "PermissionList",
        (_, ["files", _, "permissions", ..]) => "Permission",
        ("GET", ["drives"]) => "DriveList",
        ("GET", ["teamdrives"]) => "TeamDriveList",
        ("GET", ["files", _, "comments"]) => "CommentList",
        ("GET", ["files", _, "revisions"]) => "RevisionList",
        (_, ["files"] | ["files", _] | ["files", _, "copy"]) => "File",
        (_, ["channels", "stop"]) => return None,
        _ => panic!("no schema for {method} {path}"),
    };
    Some((&DRIVE, name))
}

/// Panics when an answer is not of the type that its method answers with.
pub(crate) fn hold(method: &str, url: &reqwest::Url, status: u16, kind: &str, text: &str) {
    let path = url.path();
    let google = path.starts_with("/v4/") || path.contains("/drive/v3/");
    if !google || !kind.starts_with("application/json") {
        return;
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let faults = match (status, value.get("error")) {
        (200, _) => {
            let media = url.query_pairs().any(|(key, value)| key == "alt" && value == "media");
            match answer_of(method, path, media) {
                Some((types, name)) => types.faults(&value, name, name),
                None => Vec::new(),
            }
        }
        (_, Some(error)) => error_faults(error, status, path.starts_with("/v4/")),
        _ => vec!["an error without an error body".to_owned()],
    };
    assert!(faults.is_empty(), "{method} {path} answered {status}: {}", faults.join("; "));
}

/// Returns what is wrong with an error: google.rpc.Status for Sheets, the older form for Drive.
fn error_faults(error: &Value, status: u16, sheets: bool) -> Vec<String> {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let mut faults = Vec::new();
    if error["code"].as_u64() != Some(status.into()) {
        faults.push(format!("code {} is not the status", error["code"]));
    }
    if !text(&error["message"]) {
        faults.push("no message".to_owned());
    }
    if sheets {
        if !text(&error["status"]) {
            faults.push("no status".to_owned());
        }
        let details = error["details"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        if details.iter().any(|detail| !text(&detail["@type"])) {
            faults.push("a detail without a type".to_owned());
        }
    } else if error.get("status").is_none() {
        let all = error["errors"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let whole =
            |one: &Value| ["domain", "reason", "message"].iter().all(|name| text(&one[*name]));
        if all.is_empty() || !all.iter().all(whole) {
            faults.push("no list of errors with domain, reason and message".to_owned());
        }
    }
    faults
}

#[test]
fn what_is_not_of_the_type_is_found() {
    let found = |value: Value, name: &str, types: &Types| types.faults(&value, name, name);
    let range = serde_json::json!({"range": "A1", "majorDimension": "ROWS", "values": [["x"], []]});
    assert!(found(range, "ValueRange", &SHEETS).is_empty());
    for (value, name) in [
        (serde_json::json!({"range": 1}), "ValueRange"),
        (serde_json::json!({"ranges": "A1"}), "ValueRange"),
        (serde_json::json!({"majorDimension": "LINES"}), "ValueRange"),
        (serde_json::json!({"values": ["x"]}), "ValueRange"),
        (serde_json::json!({"range": null}), "ValueRange"),
        (serde_json::json!({"updatedRows": 1.5}), "UpdateValuesResponse"),
    ] {
        assert_eq!(found(value.clone(), name, &SHEETS).len(), 1, "{value}");
    }
    for value in [
        serde_json::json!({"size": 12}),
        serde_json::json!({"createdTime": "today"}),
        serde_json::json!({"capabilities": {"canFly": true}}),
        serde_json::json!({"permissions": [{"role": 1}]}),
    ] {
        assert_eq!(found(value.clone(), "File", &DRIVE).len(), 1, "{value}");
    }
}
