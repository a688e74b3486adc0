//! What is agreed between a hub and each of its spokes: columns, directions, and how rows are deleted.

use lockstep_engine::{
    dataset::{ColumnPolicy, DeletePolicy, Deletes, Direction, Policy, SideName},
    hub::HUB,
    schema::{Column, ColumnType, Schema},
    terms::Terms,
};

use super::{
    definition::{Definition, Disappeared, SpokeDef},
    policy::Mark,
    prepare::Member,
};
use crate::error::{Error, Result};

/// The terms of a hub and its spokes, and the schema they are about: marks of deleted rows are columns of it.
pub(super) struct HubTerms {
    pub(super) schema: Schema,
    /// The dataset's.
    pub(super) all: Terms,
    /// Of each spoke with the hub.
    pub(super) spokes: Vec<Terms>,
}

/// Settles the terms; fills in the mark columns and headers of the members.
///
/// A column that holds formulas somewhere flows from there alone: nothing is ever written over a formula. `missing` are
/// the columns that each member had and lost: they have no opinion, rather than blanks.
///
/// # Errors
/// A policy that does not fit the columns.
pub(super) fn settle(
    definition: &Definition,
    mut schema: Schema,
    members: &mut [Member],
    missing: &[Vec<usize>],
) -> Result<HubTerms> {
    let mut deletes = Vec::new();
    for member in members.iter_mut() {
        deletes.push(deletes_on(definition, &mut schema, member));
    }
    for member in members.iter_mut() {
        member.headers.resize(schema.columns.len(), None);
    }
    let mut policy = Policy { direction: Direction::Both, ..definition.policy.clone() };
    let hub_deletes = deletes.first().cloned().unwrap_or(Deletes::Ignore);
    if let Some(hub) = members.first() {
        flows(&mut policy, &schema, hub, Direction::LeftToRight);
    }
    let marks: Vec<Option<usize>> =
        members.iter().map(|member| schema.position(&member.mark.as_ref()?.column)).collect();
    let lost = |at: usize| missing.get(at).into_iter().flatten().copied();
    let make = |mut policy: Policy, deletes: DeletePolicy, own: Option<usize>| {
        policy.deletes = deletes;
        for (at, mark) in marks.iter().enumerate() {
            let Some(column) = mark.and_then(|mark| schema.columns.get(mark)) else { continue };
            let side = if own == Some(at) || (own.is_none() && at > 0) {
                SideName::Right
            } else {
                SideName::Left
            };
            let only = ColumnPolicy { only: Some(side), ..ColumnPolicy::default() };
            policy.columns.insert(column.name.clone(), only);
        }
        let mut terms = Terms::new(&schema, &policy)
            .map_err(|error| Error::invalid(error.to_string()).next("correct the arguments"))?;
        for column in lost(0) {
            terms = terms.lacking(SideName::Left, column);
        }
        // The mark of another spoke is no column of this one, nor of the hub.
        let others = marks.iter().enumerate().skip(1).filter(|(at, _)| own != Some(*at));
        for (_, mark) in others.filter(|_| own.is_some()) {
            if let Some(mark) = mark {
                terms = terms.lacking(SideName::Left, *mark);
            }
        }
        Ok::<Terms, Error>(terms)
    };
    let all = make(policy.clone(), DeletePolicy::new(hub_deletes.clone(), Deletes::Ignore), None)?;
    let mut spokes = Vec::new();
    for (at, (spoke, member)) in definition.spokes().iter().zip(members.iter().skip(1)).enumerate()
    {
        let at = at + 1;
        let mut own = Policy { direction: spoke.direction, ..policy.clone() };
        flows(&mut own, &schema, member, Direction::RightToLeft);
        let here = deletes.get(at).cloned().unwrap_or(Deletes::Ignore);
        let mut terms = make(own, DeletePolicy::new(hub_deletes.clone(), here), Some(at))?;
        let absent = (0..schema.columns.len())
            .filter(|column| member.headers.get(*column).is_none_or(Option::is_none))
            .filter(|column| marks.first() != Some(&Some(*column)));
        for column in absent.chain(lost(at)) {
            terms = terms.lacking(SideName::Right, column);
        }
        spokes.push(terms);
    }
    Ok(HubTerms { schema, all, spokes })
}

/// Lets the columns that hold formulas on a member flow from there alone.
fn flows(policy: &mut Policy, schema: &Schema, member: &Member, direction: Direction) {
    let columns = schema.columns.iter().zip(&member.headers).enumerate();
    for (at, (column, header)) in columns.filter(|(at, _)| !schema.key.contains(at)) {
        let holds = header.as_ref().is_some_and(|header| member.scan.formulas.contains(header));
        if holds && !schema.key.contains(&at) {
            policy.columns.entry(column.name.clone()).or_default().direction = Some(direction);
        }
    }
}

/// Returns how rows of a member are deleted; a mark column that is not mapped joins the schema for it alone.
fn deletes_on(definition: &Definition, schema: &mut Schema, member: &mut Member) -> Deletes {
    let spoke = definition.spokes().iter().find(|spoke| spoke.name == member.name);
    let how = match spoke {
        Some(SpokeDef { direction: Direction::RightToLeft, .. }) => return Deletes::Ignore,
        Some(spoke) => &spoke.deletes,
        None if member.name == HUB && !definition.writes_hub() => return Deletes::Ignore,
        None => &definition.deletes,
    };
    let (header, value) = match how {
        Disappeared::Delete => return Deletes::Delete,
        Disappeared::Ignore => return Deletes::Ignore,
        Disappeared::Mark { column, value } => (column, value),
    };
    let mapped = member.headers.iter().position(|known| known.as_ref() == Some(header));
    let name = match mapped.and_then(|at| schema.columns.get(at)) {
        Some(column) => column.name.clone(),
        None => {
            let name = format!("{header} ({})", member.name);
            member.headers.resize(schema.columns.len(), None);
            member.headers.push(Some(header.clone()));
            member.mark = Some(Mark { column: name.clone(), header: header.clone() });
            schema.columns.push(Column::new(&name, ColumnType::Text));
            name
        }
    };
    Deletes::Mark { column: Some(name.into()), value: value.as_str().into() }
}
