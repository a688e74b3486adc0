//! Playing one recording: ids are mapped, requests sent, answers compared.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;

/// Are the fields whose values differ from run to run: times, addresses of people, links made of
/// them, revision counters and what one account shows of itself. That a field is there is compared.
const VOLATILE: [&str; 29] = [
    "createdTime",
    "modifiedTime",
    "viewedByMeTime",
    "createdDate",
    "modifiedDate",
    "modifiedByMeDate",
    "lastViewedByMeDate",
    "markedViewedByMeDate",
    "etag",
    "version",
    "headRevisionId",
    "fileSize",
    "size",
    "quotaBytesUsed",
    "md5Checksum",
    "users",
    "emailAddress",
    "displayName",
    "permissionId",
    "ownerNames",
    "lastModifyingUserName",
    "iconLink",
    "thumbnailLink",
    "embedLink",
    "alternateLink",
    "downloadUrl",
    "selfLink",
    "parentLink",
    "nextPageToken",
];

/// Are the fields that hold ids the service chooses; the first value seen is mapped to ours.
const IDS: [&str; 11] = [
    "id",
    "spreadsheetId",
    "sheetId",
    "namedRangeId",
    "protectedRangeId",
    "metadataId",
    "filterViewId",
    "chartId",
    "bandedRangeId",
    "slicerId",
    "tableId",
];

/// Sends recorded requests and compares the answers.
pub(crate) struct Player {
    address: String,
    /// Recorded ids to ours.
    ids: HashMap<String, String>,
    /// The recorded ids of files that were created for a list to tell.
    furnished: HashSet<String>,
}

/// Returns the recorded ids of the files that recorded calls create.
pub(crate) fn made(interactions: &[Value]) -> HashSet<String> {
    interactions
        .iter()
        .filter(|interaction| {
            request_of(interaction).is_some_and(|(method, _, _)| method == "POST")
        })
        .filter_map(|interaction| {
            let body: Value =
                serde_json::from_str(text(interaction, &["response", "body"])).ok()?;
            let id = body.get("id").or_else(|| body.get("spreadsheetId"))?;
            id.as_str().map(str::to_owned)
        })
        .collect()
}

impl Player {
    /// Returns a player for a server at `host:port`.
    pub(crate) fn new(address: String) -> Self {
        Self { address, ids: HashMap::new(), furnished: HashSet::new() }
    }

    /// Makes the files that a recorded list tells, but that no recorded call created, the files of
    /// the account: what is missing is created, what another list told before is deleted.
    pub(crate) async fn furnish(
        &mut self,
        interaction: &Value,
        made: &HashSet<String>,
    ) -> Outcome<()> {
        let body: Value =
            serde_json::from_str(text(interaction, &["response", "body"])).unwrap_or_default();
        let Some(files) = body.get("files").and_then(Value::as_array) else {
            return Ok(());
        };
        let listed: HashMap<&str, &str> = files
            .iter()
            .filter_map(|file| Some((file.get("id")?.as_str()?, file.get("name")?.as_str()?)))
            .filter(|(id, _)| !made.contains(*id))
            .collect();
        if listed.is_empty() {
            return Ok(());
        }
        let gone: Vec<String> =
            self.furnished.iter().filter(|id| !listed.contains_key(id.as_str())).cloned().collect();
        for id in gone {
            let path = self.mapped(&format!("/drive/v3/files/{id}"));
            self.send("DELETE", &path, None).await?;
            self.furnished.remove(&id);
        }
        for (id, name) in listed {
            if self.furnished.insert(id.to_owned()) {
                let body =
                    json!({"name": name, "mimeType": "application/vnd.google-apps.spreadsheet"});
                let (_, answer) =
                    self.send("POST", "/drive/v3/files", Some(&body.to_string())).await?;
                let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
                if let Some(ours) = answer.get("id").and_then(Value::as_str) {
                    self.ids.insert(id.to_owned(), ours.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Plays one interaction; returns why its answer differs, or `None`.
    pub(crate) async fn step(&mut self, interaction: &Value) -> Outcome<Option<String>> {
        let Some((method, uri, body)) = request_of(interaction) else {
            return Ok(Some("the recording has no request".to_owned()));
        };
        let path = uri
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)))
            .unwrap_or(uri);
        let path = self.mapped(path);
        let body = body.map(|body| self.mapped(body));
        let (status, answer) = self.send(method, &path, body.as_deref()).await?;
        let expected = interaction
            .get("response")
            .and_then(|response| response.get("status"))
            .and_then(Value::as_u64)
            .unwrap_or(0);
        if u64::from(status) != expected {
            let start: String =
                answer.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
            return Ok(Some(format!(
                "{method} {path}: status {status}, recorded {expected}: {start}"
            )));
        }
        let recorded = text(interaction, &["response", "body"]);
        let reason =
            match (serde_json::from_str::<Value>(recorded), serde_json::from_str::<Value>(&answer))
            {
                (Ok(recorded), Ok(ours)) => self.differ("", &recorded, &ours),
                _ if recorded == answer => None,
                _ => Some(format!("body {answer:?}, recorded {recorded:?}")),
            };
        Ok(reason.map(|reason| format!("{method} {path}: {reason}")))
    }

    /// Returns where two JSON values differ first; maps the ids it meets.
    fn differ(&mut self, at: &str, recorded: &Value, ours: &Value) -> Option<String> {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                for (key, value) in recorded {
                    let at = format!("{at}.{key}");
                    let Some(own) = ours.get(key) else {
                        return Some(format!("{at} is missing, recorded {}", short(value)));
                    };
                    if VOLATILE.contains(&key.as_str()) {
                        continue;
                    }
                    if IDS.contains(&key.as_str())
                        && let Some(reason) = self.learn(value, own)
                    {
                        return Some(format!("{at}: {reason}"));
                    } else if IDS.contains(&key.as_str()) {
                        continue;
                    }
                    let sorted = (key == "files").then(|| self.sorted(value, own)).flatten();
                    let (value, own) =
                        sorted.as_ref().map_or((value, own), |(value, own)| (value, own));
                    if let Some(reason) = self.differ(&at, value, own) {
                        return Some(reason);
                    }
                }
                let extra = ours.keys().find(|key| !recorded.contains_key(*key))?;
                Some(format!("{at}.{extra} was not recorded: {}", short(ours.get(extra)?)))
            }
            (Value::Array(recorded), Value::Array(ours)) => {
                if recorded.len() != ours.len() {
                    return Some(format!(
                        "{at} has {} items, recorded {}",
                        ours.len(),
                        recorded.len()
                    ));
                }
                recorded.iter().zip(ours).enumerate().find_map(|(index, (recorded, ours))| {
                    self.differ(&format!("{at}[{index}]"), recorded, ours)
                })
            }
            (Value::Number(recorded), Value::Number(ours))
                if recorded.as_f64() == ours.as_f64() =>
            {
                None
            }
            (Value::String(recorded), Value::String(ours)) if self.mapped(recorded) == *ours => {
                None
            }
            (recorded, ours) if recorded == ours => None,
            (recorded, ours) => {
                Some(format!("{at} is {}, recorded {}", short(ours), short(recorded)))
            }
        }
    }

    /// Returns two lists of files in the order of our ids: Drive documents no order of its own.
    fn sorted(&self, recorded: &Value, ours: &Value) -> Option<(Value, Value)> {
        let (mut recorded, mut ours) = (recorded.as_array()?.clone(), ours.as_array()?.clone());
        recorded.sort_by_key(|file| self.mapped(text(file, &["id"])));
        ours.sort_by_key(|file| text(file, &["id"]).to_owned());
        Some((Value::Array(recorded), Value::Array(ours)))
    }

    fn learn(&mut self, recorded: &Value, ours: &Value) -> Option<String> {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (recorded, ours) = (plain(recorded), plain(ours));
        match self.ids.get(&recorded) {
            Some(known) if *known == ours => None,
            Some(known) => Some(format!("id {ours}, expected {known}")),
            None if recorded == ours => None,
            // Small numbers and words are chosen by the caller, not by the service.
            None if recorded.len() < 6 => Some(format!("id {ours}, recorded {recorded}")),
            None => {
                self.ids.insert(recorded, ours);
                None
            }
        }
    }

    /// Returns a text with every recorded id replaced by ours.
    fn mapped(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (recorded, ours) in &self.ids {
            if out.contains(recorded.as_str()) {
                out = out.replace(recorded.as_str(), ours);
            }
        }
        out
    }

    async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Outcome<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let body = body.unwrap_or_default();
        let kind = if serde_json::from_str::<Value>(body).is_ok() {
            "application/json"
        } else {
            "text/csv"
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await?;
        let raw = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = raw.split_once("\r\n\r\n").ok_or("an answer without a head")?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or("an answer without a status")?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Ok((status, if chunked { unchunk(body) } else { body.to_owned() }))
    }
}

fn unchunk(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some((chunk, next)) = after.split_at_checked(size) else {
            break;
        };
        out.push_str(chunk);
        rest = next.trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    out
}

fn request_of(interaction: &Value) -> Option<(&str, &str, Option<&str>)> {
    let request = interaction.get("request")?;
    Some((
        request.get("method")?.as_str()?,
        request.get("uri")?.as_str()?,
        request.get("body").and_then(Value::as_str),
    ))
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter()
        .try_fold(value, |value, name| value.get(name))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}
