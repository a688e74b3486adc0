//! Connections, and the spreadsheets of every dataset.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_google::{Google, Kind};

use super::line::Line;
use crate::{config::Config, error::Error, replica::connections::Connections, store::Store};

/// Looks at each connection by itself, so that one that is wrong hides no other.
pub(super) async fn connections(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, connection) in &config.connections {
        let check = format!("connection {name}");
        let one = BTreeMap::from([(name.clone(), connection.clone())]);
        lines.push(match Connections::new(&one) {
            Err(error) => Line::wrong(check, &error),
            Ok(opened) => match opened.reached(name).await {
                Ok(what) => Line::well(check, what),
                Err(error) => Line::wrong(check, &error),
            },
        });
    }
    lines
}

/// Looks whether the account reaches the spreadsheets of every dataset; each is asked for once.
pub(super) async fn datasets(
    config: &Config,
    store: &Store,
    google: &Google,
    email: Option<&str>,
) -> Vec<Line> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut note = |dataset: &str, definition: &serde_json::Value| {
        let mut found = BTreeSet::new();
        spreadsheets(definition, &mut found);
        for id in found {
            wanted.entry(id).or_default().insert(dataset.to_owned());
        }
    };
    for (name, definition) in &config.datasets {
        note(name, definition);
    }
    let mut after: Option<String> = None;
    loop {
        let page = match store.datasets(after.as_deref(), 200).await {
            Ok(page) => page,
            Err(error) => return vec![Line::wrong("datasets", &error)],
        };
        for dataset in &page {
            note(&dataset.name, &dataset.definition);
        }
        match page.last() {
            Some(last) => after = Some(last.name.clone()),
            None => break,
        }
    }
    let mut lines = Vec::new();
    for (id, names) in wanted {
        let names: Vec<String> = names.into_iter().collect();
        let check = format!("dataset {}", names.join(", "));
        lines.push(match google.spreadsheet(&id).await {
            Ok(book) => Line::well(check, format!("reaches the spreadsheet \"{}\"", book.title)),
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Forbidden) => {
                let whom = email.map_or_else(
                    || "the account in use".to_owned(),
                    |email| format!("{email} as an editor"),
                );
                Line::fault(
                    check,
                    format!("the spreadsheet {id} is not there, or not shared"),
                    format!("share it with {whom}, or correct the id"),
                )
            }
            Err(error) => Line::wrong(check, &Error::from(error)),
        });
    }
    lines
}

/// Collects the ids of the spreadsheets that a definition names, as it is stored or as it is declared.
fn spreadsheets(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let id = value
                    .as_str()
                    .filter(|_| matches!(name.as_str(), "spreadsheet" | "spreadsheetId"));
                match id.and_then(|text| lockstep_google::parse_id(text).ok()) {
                    Some(id) => {
                        found.insert(id);
                    }
                    None => spreadsheets(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| spreadsheets(item, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_are_found_in_stored_and_declared_definitions() {
        let stored = serde_json::json!({"definition": {"members": {"Pair": {"left": {"Sheet":
            {"spreadsheet": "https://docs.google.com/spreadsheets/d/abcdefghijklmnopqrstuvwx/edit", "sheet": null}}}}}});
        let declared = serde_json::json!({"hub": {"spreadsheetId": "zyxwvutsrqponmlkjihgfedc"}, "spokes": [{"file": "a.csv"}]});
        let mut found = BTreeSet::new();
        spreadsheets(&stored, &mut found);
        spreadsheets(&declared, &mut found);
        let found: Vec<String> = found.into_iter().collect();
        assert_eq!(found, ["abcdefghijklmnopqrstuvwx", "zyxwvutsrqponmlkjihgfedc"]);
    }
}
