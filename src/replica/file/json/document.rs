//! A JSON document: the array of objects that a pointer names, and everything around it.

use serde_json::value::RawValue;

use super::{
    super::{
        FileSource, broken,
        edits::{Edit, Edits},
        format::Rows,
    },
    item::{self, Pattern},
    mark,
    members::{Members, kind},
    place,
    rows::Table,
    style::Style,
    text,
};
use crate::{
    error::{Error, Result},
    replica::header::list,
};

/// Reads the objects of the array.
pub(in super::super) fn read(bytes: &[u8], source: &FileSource) -> Result<Rows> {
    let text = text(bytes, source)?;
    let (_, items) = items(&text, source.pointer.as_deref())?;
    table(&items)?.finish(|number| format!("item {number}"))
}

fn table<'a>(items: &[&'a str]) -> Result<Table<'a>> {
    let mut table = Table::default();
    for (number, item) in (1..).zip(items) {
        let place = format!("item {number}");
        if !item.starts_with('{') {
            return Err(broken(format!("{place} is {}, not an object", kind(item)))
                .next("rows are objects such as {\"id\": 1}; nothing was written"));
        }
        table.push(number, &place, item::parse(item)?)?;
    }
    Ok(table)
}

/// Returns the array, from bracket to bracket, and its items.
fn items<'a>(text: &'a str, pointer: Option<&str>) -> Result<(&'a str, Vec<&'a str>)> {
    if text.trim().is_empty() {
        return Err(broken("the file is empty: a JSON array of objects was expected"));
    }
    let root: &RawValue =
        serde_json::from_str(text).map_err(|error| broken(format!("it is no JSON: {error}")))?;
    let array = match pointer {
        Some(pointer) => descend(root.get(), pointer)?,
        None => sniff(root.get())?,
    };
    if !array.starts_with('[') {
        return Err(Error::invalid(format!("the rows are to be an array, not {}", kind(array)))
            .next("name the array with pointer, e.g. \"/data/items\""));
    }
    Ok((array, elements(array)?))
}

fn elements(array: &str) -> Result<Vec<&str>> {
    let items: Vec<&RawValue> =
        serde_json::from_str(array).map_err(|error| broken(error.to_string()))?;
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// Follows a JSON pointer (RFC 6901).
fn descend<'a>(root: &'a str, pointer: &str) -> Result<&'a str> {
    let mut at = root;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(Error::invalid(format!(
            "argument pointer: \"{pointer}\" does not begin with /"
        ))
        .next("give a JSON pointer such as \"/data/items\""));
    }
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let missing = |names: String| {
            Error::not_found(format!("argument pointer: there is no \"{token}\" of \"{pointer}\""))
                .next(format!("there are {names}"))
        };
        at = match at.as_bytes().first() {
            Some(b'{') => {
                let members = item::parse(at)?;
                let found = members.0.iter().find(|(name, _)| *name == token).map(|(_, raw)| *raw);
                found.ok_or_else(|| missing(names(&members)))?
            }
            Some(b'[') => {
                let items = elements(at)?;
                let found = token.parse::<usize>().ok().and_then(|index| items.get(index).copied());
                found.ok_or_else(|| missing(format!("{} items", items.len())))?
            }
            _ => return Err(missing(format!("no members in {}", kind(at)))),
        };
    }
    Ok(at)
}

fn names(members: &Members<'_>) -> String {
    list(members.0.iter().map(|(name, _)| name.as_str()))
}

/// Finds the array where nobody named it: the document itself, or its only member that is an array of objects.
fn sniff(root: &str) -> Result<&str> {
    if !root.starts_with('{') {
        return Ok(root);
    }
    let members = item::parse(root)?;
    let arrays = || members.0.iter().filter(|(_, raw)| raw.starts_with('['));
    let of_objects = |raw: &str| raw.trim_start_matches('[').trim_start().starts_with('{');
    let mut filled = arrays().filter(|(_, raw)| of_objects(raw));
    let mut all = arrays();
    let only = match (filled.next(), filled.next(), all.next(), all.next()) {
        (Some((_, raw)), None, _, _) | (None, None, Some((_, raw)), None) => Some(*raw),
        _ => None,
    };
    only.ok_or_else(|| {
        Error::invalid(match arrays().count() {
            0 => format!(
                "the document is an object without an array; its members are {}",
                names(&members)
            ),
            count => format!(
                "the document has {count} arrays: {}",
                list(arrays().map(|(name, _)| name.as_str()))
            ),
        })
        .next("name the array with pointer, e.g. \"/data/items\"")
    })
}

/// Returns the document with the changes made in its array.
pub(in super::super) fn edit(
    bytes: &[u8],
    source: &FileSource,
    edits: &Edits<'_>,
) -> Result<Vec<u8>> {
    let text = text(bytes, source)?;
    let (array, items) = items(&text, source.pointer.as_deref())?;
    let headers = table(&items)?.finish(|number| format!("item {number}"))?.snapshot;
    let mut headers = headers.headers().to_vec();
    headers.extend(edits.missing(&headers).into_iter().map(str::to_owned));
    let around = place(&text, array);
    let layout = Layout::of(&text, around.start, array, &items);
    let pattern = Pattern::of(items.last().copied().unwrap_or_default(), layout.style.clone());

    let mut kept: Vec<(Option<usize>, String)> = Vec::new();
    for (row, item) in items.iter().enumerate() {
        match edits.row(row) {
            Edit::Keep => kept.push((Some(row), (*item).to_owned())),
            Edit::Delete => {}
            Edit::Update(change) => {
                kept.push((Some(row), item::edit(item, change, &headers, edits, &pattern)?));
            }
        }
    }
    kept.extend(edits.inserts().map(|change| (None, pattern.object(change, &headers, edits))));

    let mut out = String::from(mark(bytes));
    out.push_str(text.get(..around.start + 1).unwrap_or_default());
    for (index, (row, item)) in kept.iter().enumerate() {
        let gap = row.and_then(|row| layout.gaps.get(row));
        out.push_str(match (index, gap) {
            (0, _) => &layout.open,
            (_, Some(gap)) if gap.contains(',') => gap,
            _ => &layout.between,
        });
        out.push_str(item);
    }
    if !kept.is_empty() {
        out.push_str(&layout.close);
    }
    out.push_str(text.get(around.end.saturating_sub(1)..).unwrap_or_default());
    Ok(out.into_bytes())
}

/// What stands around the items of an array.
struct Layout {
    /// What stands before each item that is there; with the comma from the second on.
    gaps: Vec<String>,
    open: String,
    between: String,
    close: String,
    /// How objects are written, should none be there to be seen.
    style: Style,
}

impl Layout {
    fn of(text: &str, start: usize, array: &str, items: &[&str]) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let before = text.get(..start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let indent: String = line.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
        let unit = unit(text);
        let flat = !text.trim().contains('\n') && text.trim() != "[]";
        let inner = format!("{indent}{unit}");
        let style = if flat { Style::spaced() } else { Style::indented(newline, &inner, &unit) };
        let mut gaps = Vec::with_capacity(items.len());
        let mut position = 1;
        for item in items {
            let here = place(array, item);
            gaps.push(array.get(position..here.start).unwrap_or_default().to_owned());
            position = here.end;
        }
        let (mut open, mut close) = if flat {
            (String::new(), String::new())
        } else {
            (format!("{newline}{inner}"), format!("{newline}{indent}"))
        };
        if let Some(first) = gaps.first() {
            open.clone_from(first);
            close =
                array.get(position..array.len().saturating_sub(1)).unwrap_or_default().to_owned();
        }
        let between = match gaps.len() {
            0 | 1 if open.is_empty() => ", ".to_owned(),
            0 | 1 => format!(",{open}"),
            _ => gaps.last().cloned().unwrap_or_default(),
        };
        Self { gaps, open, between, close, style }
    }
}

/// Returns the indentation of the first line that has one; two spaces without one.
fn unit(text: &str) -> String {
    let indents = text
        .lines()
        .map(|line| line.chars().take_while(|c| *c == ' ' || *c == '\t').collect::<String>());
    let found = indents
        .zip(text.lines())
        .find(|(indent, line)| !indent.is_empty() && indent.len() < line.trim_end().len());
    found.map_or_else(|| "  ".to_owned(), |(indent, _)| indent)
}

/// Returns a new document: an array of indented objects.
pub(in super::super) fn create(source: &FileSource, edits: &Edits<'_>) -> Result<Vec<u8>> {
    if source.pointer.as_deref().is_some_and(|pointer| !pointer.is_empty()) {
        return Err(Error::not_found("the file is not there, so pointer names nothing in it")
            .next("make the file, with an empty array where pointer says, or leave pointer out"));
    }
    let empty = FileSource::default();
    let mut made = edit(b"[]\n", &empty, edits)?;
    if made.last() != Some(&b'\n') {
        made.push(b'\n');
    }
    Ok(made)
}
