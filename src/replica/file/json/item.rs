//! One object: some of its values replaced, or a new one in the style of its neighbours.

use lockstep_engine::{encode, reconcile::Change, schema::ColumnType, value::Value};

use super::{
    super::{broken, edits::Edits},
    members::Members,
    place,
    style::Style,
};
use crate::error::Result;

/// The last object of a file: what new ones look like.
#[derive(Debug)]
pub(super) struct Pattern<'a> {
    pub(super) style: Style,
    pub(super) members: Members<'a>,
}

impl<'a> Pattern<'a> {
    pub(super) fn of(item: &'a str, default: Style) -> Self {
        let members = parse(item).unwrap_or(Members(Vec::new()));
        Self { style: Style::of(item, &members).unwrap_or(default), members }
    }

    fn sample(&self, name: &str) -> Option<&'a str> {
        self.members.0.iter().find(|(known, _)| known == name).map(|(_, raw)| *raw)
    }

    /// Returns a new object: the members that have a value, and blank ones where the last object has the member too.
    pub(super) fn object(&self, change: &Change, headers: &[String], edits: &Edits<'_>) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (name, column) in headers.iter().zip(edits.mapped(headers)) {
            let Some(column) = column else { continue };
            let (value, sample) = (Edits::value(change, column), self.sample(name));
            if !value.is_null() || sample.is_some() {
                let raw = raw(value, &edits.ty(column), sample);
                parts.push(format!("{}{}{raw}", quoted(name), self.style.colon));
            }
        }
        let Style { open, between, close, .. } = &self.style;
        format!("{{{open}{}{close}}}", parts.join(between))
    }
}

pub(super) fn parse(item: &str) -> Result<Members<'_>> {
    serde_json::from_str(item).map_err(|error| broken(error.to_string()))
}

/// Returns an object with the changed values in their places; new members come after the last.
pub(super) fn edit(
    item: &str,
    change: &Change,
    headers: &[String],
    edits: &Edits<'_>,
    pattern: &Pattern<'_>,
) -> Result<String> {
    let members = parse(item)?;
    let mut replaced: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut added: Vec<String> = Vec::new();
    let style = Style::of(item, &members);
    let style = style.as_ref().unwrap_or(&pattern.style);
    for (name, column) in headers.iter().zip(edits.mapped(headers)) {
        let Some(column) = column.filter(|column| change.cells.contains(column)) else { continue };
        let (value, ty) = (Edits::value(change, column), edits.ty(column));
        match members.0.iter().find(|(known, _)| known == name) {
            Some((_, old)) => {
                // A blank cell says nothing of how the column is written; the last object does.
                let sample = Some(*old).filter(|old| *old != "null").or(pattern.sample(name));
                replaced.push((place(item, old), raw(value, &ty, sample)));
            }
            None if value.is_null() => {}
            None => {
                let raw = raw(value, &ty, pattern.sample(name));
                added.push(format!("{}{}{raw}", quoted(name), style.colon));
            }
        }
    }
    if !added.is_empty() {
        match members.0.last() {
            Some((_, last)) => {
                let end = place(item, last).end;
                replaced
                    .push((end..end, format!("{0}{1}", style.between, added.join(&style.between))));
            }
            None => {
                let inside = format!("{}{}{}", style.open, added.join(&style.between), style.close);
                replaced.push((1..item.len().saturating_sub(1), inside));
            }
        }
    }
    replaced.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut out, mut position) = (String::with_capacity(item.len() + 32), 0);
    for (range, text) in replaced {
        out.push_str(item.get(position..range.start).unwrap_or_default());
        out.push_str(&text);
        position = range.end;
    }
    out.push_str(item.get(position..).unwrap_or_default());
    Ok(out)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns a value as JSON, of the kind that `sample` shows its column to hold.
fn raw(value: &Value, ty: &ColumnType, sample: Option<&str>) -> String {
    let first = sample.and_then(|sample| sample.as_bytes().first().copied());
    match (value, first) {
        // A file that holds numbers of any length as numbers goes on to do so.
        (Value::Number(number), Some(b'-' | b'0'..=b'9')) if *ty == ColumnType::Number => {
            number.to_string()
        }
        // What was an object or array inside a cell is one again.
        (Value::Text(text), Some(b'{' | b'['))
            if text.starts_with(['{', '['])
                && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() =>
        {
            text.to_string()
        }
        _ => encode::json::encode(value, ty).to_string(),
    }
}
