//! Reads members whole that are to be written, where the write has to know more than what was recalled of them.

use std::collections::HashMap;

use lockstep_engine::{
    key::Key,
    plan::Plan,
    reconcile::{Change, ChangeKind},
};

use super::{
    Shell,
    columns::widened,
    content::Content,
    definition::Definition,
    known::work,
    pair::view_of,
    prepare::{Member, Planned, Waiting, can_wait, look, whole},
};
use crate::{
    error::Result,
    replica::scan::{Scan, Target},
};

/// Reads those members whole whose rows must be known by their place, or whose deleted rows must be kept as they are.
///
/// What is there must be what was compared; else all members are read whole, and compared afresh.
///
/// # Errors
/// A member that cannot be read.
pub(super) async fn see_again(
    shell: &Shell,
    definition: &Definition,
    planned: Planned,
    waiting: &Waiting,
) -> Result<Planned> {
    if !planned.members.iter().any(|member| wanted(&planned, member)) {
        return Ok(planned);
    }
    let mut scans: Vec<(usize, Scan)> = Vec::new();
    for (at, member) in planned.members.iter().enumerate() {
        let source = definition.source(&member.name).filter(|_| wanted(&planned, member));
        let Some(source) = source else { continue };
        let role = definition.role(&member.name, true);
        match look(shell, &member.name, source, role, None).await {
            Ok(now) => scans.push((at, now.scan)),
            // What was compared of a spoke does not count any more when it is down now.
            Err((_, error)) if at > 0 && definition.is_hub() && can_wait(&error) => {
                return whole(shell, definition, waiting).await;
            }
            Err((_, error)) => return Err(error),
        }
    }
    let again = work(move || placed(planned, scans)).await?;
    match again {
        Some(planned) => Ok(planned),
        None => whole(shell, definition, waiting).await,
    }
}

fn wanted(planned: &Planned, member: &Member) -> bool {
    let writes = planned.plan.body().result.writes(&member.name);
    let deletes = || writes.iter().any(|change| change.kind == ChangeKind::Delete);
    // A database finds rows by their keys, and checks the values that they had.
    let by_place = !matches!(member.scan.target, Target::Sql(_));
    member.recalled.is_some() && !writes.is_empty() && (by_place || deletes())
}

/// Gives members what was read now, and the changes the places of their rows in it; `None` if it is something else.
fn placed(planned: Planned, scans: Vec<(usize, Scan)>) -> Result<Option<Planned>> {
    let Planned { plan, mut members, reasons, due, mark, seen, limited } = planned;
    let mut body = plan.into_body();
    for (at, mut scan) in scans {
        let Some(member) = members.get_mut(at) else { continue };
        if !scan.snapshot.findings().is_empty() || !scan.errors.is_empty() {
            return Ok(None);
        }
        let rows = scan.snapshot.len() as u64;
        let headers = scan.snapshot.headers().to_vec();
        scan.snapshot = widened(scan.snapshot, member.headers.iter().flatten());
        let view = view_of(&scan.snapshot, &body.basis.schema, &member.headers, &member.name)?;
        if Content::of(&view) != member.content || headers != member.read.headers {
            return Ok(None);
        }
        let own = body.result.members.iter_mut().find(|one| *one.name == member.name);
        let changes: &mut [Change] = own.map(|one| one.changes.as_mut_slice()).unwrap_or_default();
        let mut places: HashMap<Key, Option<usize>> =
            changes.iter().map(|change| (change.key.clone(), None)).collect();
        for row in 0..view.len() {
            if let Some(place) = places.get_mut(&view.key(row)) {
                *place = Some(row);
            }
        }
        for change in changes {
            change.row = places.get(&change.key).copied().flatten();
        }
        member.read.extent = scan.extent;
        member.read.rows = rows;
        member.recalled = None;
        member.scan = scan;
    }
    Ok(Some(Planned { plan: Plan::new(body), members, reasons, due, mark, seen, limited }))
}
