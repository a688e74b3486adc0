//! Which columns a hub and its spokes keep in step.

use lockstep_engine::{cell::Cell, dataset::Direction, hub::HUB};

use super::{
    definition::{ColumnDef, Definition},
    known::Known,
    prepare::Member,
};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::header::list,
};

/// Returns the columns of the dataset: those that are named, else those of the hub, else those of the spokes.
///
/// `known` are those that a base has, which may be gone from the hub.
///
/// # Errors
/// A column that no member has, or that is named twice.
pub(super) fn columns(
    definition: &Definition,
    members: &[Member],
    known: &[String],
) -> Result<Vec<ColumnDef>> {
    let mut names: Vec<String> = Vec::new();
    let hub = members.first().map(|hub| hub.scan.snapshot.headers()).unwrap_or_default();
    let blank = hub.is_empty();
    let spokes = members.iter().skip(1).filter(|_| blank).flat_map(|member| {
        let spoke = definition.spokes().iter().find(|spoke| spoke.name == member.name);
        match spoke.and_then(|spoke| spoke.columns.as_ref()) {
            Some(columns) => columns.keys().cloned().collect(),
            None => member.scan.snapshot.headers().to_vec(),
        }
    });
    for name in hub.iter().chain(known).cloned().chain(spokes) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let columns: Vec<ColumnDef> = match &definition.columns {
        Some(columns) => columns.clone(),
        None => names.iter().map(|name| ColumnDef::named(name)).collect(),
    };
    if columns.is_empty() {
        return Err(Error::invalid("argument columns: there are none")
            .next("name at least the key column, or give the hub a header"));
    }
    for (index, column) in columns.iter().enumerate() {
        let twin = columns
            .iter()
            .take(index)
            .find(|other| other.name == column.name || other.left == column.left);
        if let Some(twin) = twin {
            return Err(Error::invalid(format!(
                "argument columns: \"{}\" and \"{}\" have the same name or the same header on the hub",
                twin.name, column.name
            ))
            .next("map each column once"));
        }
        let there = members.iter().any(|member| {
            let header = definition.header(&member.name, &column.name);
            let down = member.down.is_some();
            down || header.is_some_and(|header| member.scan.snapshot.headers().contains(&header))
        });
        let on_hub = blank || definition.writes_hub() || hub.contains(&column.left);
        if !(known.contains(&column.name) || there && on_hub) {
            let near = did_you_mean(&column.left, hub.iter().map(String::as_str));
            return Err(Error::not_found(format!(
                "the hub has no column \"{}\".{near}",
                column.left
            ))
            .next(format!("its columns are {}", list(hub.iter().map(String::as_str)))));
        }
    }
    for spoke in definition.spokes() {
        let known = |name: &str| columns.iter().any(|column| column.name == name);
        let mut mapped = spoke.columns.iter().flat_map(|columns| columns.keys());
        if let Some(unknown) = mapped.find(|name| !known(name)) {
            let names = || columns.iter().map(|column| column.name.as_str());
            return Err(Error::not_found(format!(
                "the spoke {} names the column \"{unknown}\", which the dataset does not have.{}",
                spoke.name,
                did_you_mean(unknown, names())
            ))
            .next(format!("the columns are {}", list(names()))));
        }
    }
    Ok(columns)
}

/// Returns each column's header on a member; none where it has no opinion about the column.
///
/// A spoke that names no columns has those of the dataset that it has a header for; a blank one gets all of them.
///
/// # Errors
/// A column that is named for a spoke that is only read and does not have it.
pub(super) fn headers(
    definition: &Definition,
    columns: &[ColumnDef],
    member: &Member,
    known: &Known,
) -> Result<Vec<Option<String>>> {
    let there = member.scan.snapshot.headers();
    let spoke = definition.spokes().iter().find(|spoke| spoke.name == member.name);
    let one = |column: &ColumnDef| {
        let Some(header) = definition.header(&member.name, &column.name) else { return Ok(None) };
        let has = there.is_empty()
            || there.contains(&header)
            || learned(known, &member.name, &column.name);
        match spoke {
            Some(spoke) if !has && spoke.columns.is_none() => Ok(None),
            Some(spoke) if !has && spoke.direction == Direction::RightToLeft => {
                let near = did_you_mean(&header, there.iter().map(String::as_str));
                Err(Error::not_found(format!(
                    "the spoke {} has no column \"{header}\".{near}",
                    spoke.name
                ))
                .next(format!("its columns are {}", list(there.iter().map(String::as_str)))))
            }
            _ => Ok(Some(header)),
        }
    };
    columns.iter().map(one).collect()
}

/// Checks that a member has the key columns.
///
/// # Errors
/// A key that is empty, names an unknown column, or is not on a member that has rows.
pub(super) fn check_key(
    definition: &Definition,
    columns: &[ColumnDef],
    member: &Member,
) -> Result<()> {
    if definition.key.is_empty() {
        return Err(Error::invalid("argument key: it is empty")
            .next("name the columns that identify a row, e.g. [\"id\"]"));
    }
    let there = member.scan.snapshot.headers();
    for name in &definition.key {
        let names = || columns.iter().map(|column| column.name.as_str());
        let Some(at) = columns.iter().position(|column| column.name == *name) else {
            let near = did_you_mean(name, names());
            return Err(Error::not_found(format!(
                "argument key: there is no column \"{name}\".{near}"
            ))
            .next(format!("the columns are {}", list(names()))));
        };
        let header = member.headers.get(at).cloned().flatten();
        let missing = header.as_ref().is_none_or(|header| !there.contains(header));
        if missing && !there.is_empty() {
            let wanted = header.as_deref().unwrap_or(name);
            let near = did_you_mean(wanted, there.iter().map(String::as_str));
            let who = &member.name;
            return Err(Error::not_found(format!("{who} has no key column \"{wanted}\".{near}"))
                .next("name its header with columns: [{name, header}] of the spoke"));
        }
    }
    Ok(())
}

/// Returns whether a column was agreed on with a member: base has a value in it; of the hub with any spoke.
pub(super) fn learned(known: &Known, member: &str, column: &str) -> bool {
    let has = |name: &str| {
        let base = &known.base(name).snapshot;
        let at = base.headers().iter().position(|header| header == column);
        at.is_some_and(|at| (0..base.len()).any(|row| base.cell(row, at) != Cell::Null))
    };
    match member {
        HUB => known.members().any(has),
        spoke => has(spoke),
    }
}
