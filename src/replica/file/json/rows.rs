//! Objects as rows: the columns are the names of all of them, in the order in which they first appear.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{cell::Cell, schema::ColumnType, snapshot::SnapshotBuilder};

use super::{
    super::{broken, format::Rows},
    members::{Members, compact},
};
use crate::error::Result;

/// Collects objects into rows.
#[derive(Default)]
pub(super) struct Table<'a> {
    headers: Vec<String>,
    known: HashMap<String, usize>,
    rows: Vec<(u64, Vec<(usize, &'a str)>)>,
}

impl<'a> Table<'a> {
    /// Takes an object in; `place` names it in errors, `origin` in findings.
    pub(super) fn push(&mut self, origin: u64, place: &str, members: Members<'a>) -> Result<()> {
        let mut cells: Vec<(usize, &'a str)> = Vec::with_capacity(members.0.len());
        let mut seen = HashSet::new();
        for (name, raw) in members.0 {
            let column = match self.known.get(&name) {
                Some(column) => *column,
                None => {
                    self.headers.push(name.clone());
                    self.known.insert(name.clone(), self.headers.len() - 1);
                    self.headers.len() - 1
                }
            };
            if !seen.insert(column) {
                return Err(broken(format!("{place} has two members \"{name}\"")));
            }
            cells.push((column, raw));
        }
        cells.sort_unstable_by_key(|(column, _)| *column);
        self.rows.push((origin, cells));
        Ok(())
    }

    /// Returns the rows; `place` names one in errors.
    pub(super) fn finish(self, place: impl Fn(u64) -> String) -> Result<Rows> {
        let mut builder = SnapshotBuilder::new(self.headers.iter().map(String::as_str));
        // For each column, whether a list was seen, and whether something else was.
        let mut lists = vec![(false, false); self.headers.len()];
        let mut texts: Vec<String> = vec![String::new(); self.headers.len()];
        for (origin, cells) in &self.rows {
            let mut present = vec![None; self.headers.len()];
            for (column, raw) in cells {
                let name = || self.headers.get(*column).cloned().unwrap_or_default();
                if let (Some(text), Some(slot)) = (texts.get_mut(*column), present.get_mut(*column))
                {
                    let kind = decode(raw, text).map_err(|error| {
                        broken(format!("{}, \"{}\": {error}", place(*origin), name()))
                    })?;
                    *slot = Some(kind);
                    if let Some((list, other)) = lists.get_mut(*column) {
                        match kind {
                            Kind::List => *list = true,
                            Kind::Null => {}
                            _ => *other = true,
                        }
                    }
                }
            }
            let row = present.iter().zip(&texts).map(|(kind, text)| match kind {
                None | Some(Kind::Null) => Cell::Null,
                Some(Kind::Bool) => Cell::Bool(text == "true"),
                Some(Kind::Number) => Cell::Number(text),
                Some(Kind::Text | Kind::List | Kind::Object) => Cell::Text(text),
            });
            builder.push_at(*origin, row);
        }
        let types = self.headers.iter().zip(&lists).filter(|(_, kinds)| **kinds == (true, false));
        let types = types.map(|(name, _)| (name.clone(), ColumnType::List)).collect();
        Ok(Rows { types, ..Rows::from(builder.finish()) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Number,
    Text,
    /// An array of plain values.
    List,
    /// An object, or an array that holds one.
    Object,
}

/// Puts the text of a raw value into `text`; numbers keep their digits.
fn decode(raw: &str, text: &mut String) -> serde_json::Result<Kind> {
    text.clear();
    Ok(match raw.as_bytes().first() {
        Some(b'n') => Kind::Null,
        Some(b't' | b'f') => {
            text.push_str(raw);
            Kind::Bool
        }
        Some(b'"') => {
            *text = serde_json::from_str(raw)?;
            Kind::Text
        }
        Some(b'{') => {
            *text = compact(raw);
            Kind::Object
        }
        Some(b'[') => {
            *text = compact(raw);
            match ColumnType::List.parse(text) {
                Ok(_) => Kind::List,
                Err(_) => Kind::Object,
            }
        }
        _ => {
            text.push_str(raw);
            Kind::Number
        }
    })
}
