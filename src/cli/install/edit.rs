//! A client's configuration with the server in it; everything else in it stays as it is.

use serde_json::{Map, Value, json};

use super::{Client, Launch};
use crate::error::{Error, Result};

/// Returns the entry as it is shown, and the whole text with it.
///
/// # Errors
/// A text that is not what the client reads, or that names the server already and cannot be changed safely.
pub(super) fn edit(
    client: Client,
    before: Option<&str>,
    name: &str,
    launch: &Launch,
) -> Result<(String, String)> {
    match client {
        Client::Codex => toml(before, name, launch),
        Client::Vscode => json_file(before, "servers", name, &typed(launch)),
        Client::ClaudeCode => json_file(before, "mcpServers", name, &typed(launch)),
        Client::ClaudeDesktop | Client::Cursor | Client::Gemini => {
            let entry = json!({"command": launch.command, "args": launch.args});
            json_file(before, "mcpServers", name, &entry)
        }
    }
}

fn typed(launch: &Launch) -> Value {
    json!({"type": "stdio", "command": launch.command, "args": launch.args})
}

fn json_file(
    before: Option<&str>,
    list: &str,
    name: &str,
    entry: &Value,
) -> Result<(String, String)> {
    let shown = json!({list: {name: entry}});
    let broken = |why: String| {
        let entry = serde_json::to_string_pretty(&shown).unwrap_or_default();
        Error::invalid(why).next(format!("nothing was written; add this by hand:\n{entry}"))
    };
    let text = before.map(|text| text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let mut whole = match text.trim() {
        "" => Map::new(),
        text => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(broken("it is no JSON object".into())),
            // Comments would be lost, so a file that has them is left alone.
            Err(error) => return Err(broken(format!("it is not plain JSON: {error}"))),
        },
    };
    let servers = whole.entry(list).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(servers) = servers else {
        return Err(broken(format!("its {list} is no object")));
    };
    let same = servers.get(name) == Some(entry);
    servers.insert(name.to_owned(), entry.clone());
    let pretty = |value: &Value| {
        serde_json::to_string_pretty(value)
            .map_err(|error| Error::internal("the entry has no JSON form").with_source(error))
    };
    let entry = pretty(&shown)?;
    match before {
        Some(before) if same => Ok((entry, before.to_owned())),
        _ => Ok((entry, pretty(&Value::Object(whole))? + "\n")),
    }
}

/// Appends a table: what is there, comments included, stays to the letter.
fn toml(before: Option<&str>, name: &str, launch: &Launch) -> Result<(String, String)> {
    let value = |value: toml::Value| value.to_string();
    let args = launch.args.iter().cloned().map(toml::Value::String).collect();
    let entry = format!(
        "[mcp_servers.{name}]\ncommand = {}\nargs = {}",
        value(toml::Value::String(launch.command.clone())),
        value(toml::Value::Array(args))
    );
    let by_hand = |why: String| {
        Error::invalid(why).next(format!("nothing was written; add this by hand:\n{entry}"))
    };
    let before = before.unwrap_or_default();
    let parse = |text: &str| {
        toml::from_str::<toml::Table>(text)
            .map_err(|error| by_hand(format!("it is not TOML: {error}")))
    };
    let found = |table: &toml::Table| table.get("mcp_servers").and_then(|s| s.get(name)).cloned();
    let wanted = found(&parse(&entry)?);
    match found(&parse(before)?) {
        Some(there) if Some(&there) == wanted.as_ref() => return Ok((entry, before.to_owned())),
        Some(_) => return Err(by_hand(format!("it has another [mcp_servers.{name}] already"))),
        None => {}
    }
    let gap = match before {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let after = format!("{before}{gap}{entry}\n");
    // An inline table `mcp_servers = {…}` cannot be added to: then it is said rather than broken.
    parse(&after)?;
    Ok((entry, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        Launch {
            command: "/opt/a \"b\"/lockstep".into(),
            args: vec!["serve".into(), "--root".into(), "/x".into()],
        }
    }

    #[test]
    fn what_else_is_there_stays() {
        let before =
            "{\"theme\": \"dark\", \"mcpServers\": {\"other\": {\"command\": \"x\"}}, \"z\": [1]}";
        let (_, after) = edit(Client::Cursor, Some(before), "lockstep", &launch()).unwrap();
        let after: Value = serde_json::from_str(&after).unwrap();
        assert_eq!(after["theme"], "dark");
        assert_eq!(after["mcpServers"]["other"]["command"], "x");
        assert_eq!(after["mcpServers"]["lockstep"]["args"][0], "serve");
        let names: Vec<&String> = after.as_object().unwrap().keys().collect();
        assert_eq!(names, ["theme", "mcpServers", "z"]);
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for client in [
            Client::ClaudeDesktop,
            Client::ClaudeCode,
            Client::Vscode,
            Client::Codex,
            Client::Gemini,
        ] {
            let (_, once) = edit(client, None, "lockstep", &launch()).unwrap();
            let (_, twice) = edit(client, Some(&once), "lockstep", &launch()).unwrap();
            assert_eq!(once, twice, "{client:?}");
        }
    }

    #[test]
    fn each_client_finds_its_own_words() {
        let parsed = |client| -> Value {
            serde_json::from_str(&edit(client, Some("\u{feff}"), "l", &launch()).unwrap().1)
                .unwrap()
        };
        assert_eq!(parsed(Client::Vscode)["servers"]["l"]["type"], "stdio");
        assert_eq!(parsed(Client::ClaudeCode)["mcpServers"]["l"]["type"], "stdio");
        assert!(parsed(Client::Gemini)["mcpServers"]["l"].get("type").is_none());
        let (_, codex) =
            edit(Client::Codex, Some("# mine\nmodel = \"x\""), "l", &launch()).unwrap();
        assert!(codex.starts_with("# mine\nmodel = \"x\"\n\n[mcp_servers.l]\n"), "{codex}");
        let table: toml::Table = toml::from_str(&codex).unwrap();
        assert_eq!(table["mcp_servers"]["l"]["command"].as_str(), Some("/opt/a \"b\"/lockstep"));
    }

    #[test]
    fn what_cannot_be_changed_safely_is_left_and_the_entry_said() {
        for (client, before) in [
            (Client::Vscode, "{ // mine\n \"servers\": {} }"),
            (Client::Cursor, "[]"),
            (Client::Cursor, "{\"mcpServers\": []}"),
            (Client::Codex, "x = "),
            (Client::Codex, "mcp_servers = {}"),
            (Client::Codex, "[mcp_servers.lockstep]\ncommand = \"other\"\n"),
        ] {
            let error = edit(client, Some(before), "lockstep", &launch()).unwrap_err().to_string();
            assert!(error.contains("by hand") && error.contains("serve"), "{before}: {error}");
        }
    }
}
