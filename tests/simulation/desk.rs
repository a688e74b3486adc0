//! People who decide what a dataset with manual review leaves to them, while everything else goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
};

use lockstep::error::Kind;
use serde_json::{Value, json};

use super::{COLUMNS, Rows, World};
use crate::town::call;

/// The place of the desk among those who say what a cell is to hold.
pub(super) const DESK: usize = 3;

/// How many decisions were made in all stories.
pub(super) static DECISIONS: AtomicU64 = AtomicU64::new(0);

impl World<'_> {
    /// Lists what waits for a decision.
    async fn open(&self, server: usize) -> Result<Vec<Value>, String> {
        let list = json!({"dataset": self.dataset["name"], "state": "open", "limit": 100});
        match call(&self.servers[server], "resolveConflicts", list).await {
            Ok(listed) => Ok(listed["conflicts"].as_array().cloned().unwrap_or_default()),
            // No run of it was tried yet.
            Err(error) if error.kind() == Kind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Decides one of those that wait: for a side, for base, or for a value of its own.
    pub(super) async fn decide(
        &mut self,
        server: usize,
        at: usize,
        how: usize,
    ) -> Result<(), String> {
        let open = self.open(server).await?;
        if open.is_empty() {
            return Ok(());
        }
        let one = &open[at % open.len()];
        let (key, column) = (text(&one["key"]), text(&one["column"]));
        let values = one["values"].as_object().unwrap();
        let column = COLUMNS.iter().position(|name| *name == column);
        let mut wishes: Vec<Value> = values.keys().map(|who| json!({"winner": who})).collect();
        if let Some(column) = column {
            if one["base"].is_string() {
                wishes.push(json!({"winner": "base"}));
            }
            wishes.push(json!({"value": self.value(&key, column)}));
        }
        let mut wish = wishes[how % wishes.len()].clone();
        let said = match (&wish["winner"], &wish["value"]) {
            (_, Value::String(value)) => Some(value.clone()),
            (Value::String(winner), _) if winner == "base" => Some(text(&one["base"])),
            _ => None,
        };
        wish["action"] = json!("decide");
        wish["ids"] = json!([one["id"]]);
        match call(&self.servers[server], "resolveConflicts", wish).await {
            Ok(_) => {
                DECISIONS.fetch_add(1, Ordering::Relaxed);
                if let (Some(column), Some(value)) = (column, said) {
                    self.pending[DESK].cells.entry((key, column)).or_default().push(value);
                }
                Ok(())
            }
            // A run that died has taken another of its decisions up.
            Err(error) if error.kind() == Kind::Changed => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Decides everything that waits; returns whether anything did.
    pub(super) async fn decide_all(&mut self) -> Result<bool, String> {
        let all = self.open(0).await?.len();
        for _ in 0..all {
            self.decide(0, 0, 0).await?;
        }
        Ok(all > 0)
    }

    /// Checks that what waits is what the sides say, and that each keeps its own.
    pub(super) async fn check_waiting(&self, report: &Value) -> Result<bool, String> {
        let open = self.open(0).await?;
        let keys: BTreeSet<String> = open.iter().map(|one| text(&one["key"])).collect();
        let told = report["counts"]["conflicts"].as_u64().unwrap_or_default();
        if open.len() < 100 && keys.len() as u64 > told {
            return Err(format!("{told} rows are in conflict, and these wait: {open:#?}"));
        }
        let sides = self.sides().await?;
        for one in &open {
            let (key, column) = (text(&one["key"]), text(&one["column"]));
            for (who, value) in one["values"].as_object().unwrap() {
                let row = sides.get(who.as_str()).and_then(|rows| rows.get(&key));
                let kept = match COLUMNS.iter().position(|name| *name == column) {
                    Some(at) => row.map(|row| &row[at]) == Some(&text(value)),
                    None => row.is_none() == (*value == "deleted"),
                };
                if !kept {
                    return Err(format!("{who} does not keep its own: {one:#}, it has {row:?}"));
                }
            }
        }
        Ok(told > 0)
    }

    /// Returns what each member has.
    async fn sides(&self) -> Result<BTreeMap<String, Rows>, String> {
        let sheet = self.read_sheet().await?;
        let hub = self.dataset["hub"].is_object();
        let mut sides: BTreeMap<String, Rows> = BTreeMap::new();
        sides.insert(if hub { "hub" } else { "right" }.to_owned(), sheet);
        for at in 0..self.files.len() {
            let name = if hub { format!("spoke{at}") } else { "left".to_owned() };
            sides.insert(name, self.read_file(at)?);
        }
        Ok(sides)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
