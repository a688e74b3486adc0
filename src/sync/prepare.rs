//! From a definition to a plan: scan every member, then compare.

use std::{collections::BTreeMap, future::Future, pin::Pin, task::Poll};

use lockstep_engine::{
    findings::Finding, infer::InferReason, plan::Plan, reconcile::Change, times::Times,
};

use super::{
    Shell,
    definition::{Definition, Members},
    known::Known,
    pair,
    policy::Mark,
    spokes,
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        Source,
        scan::{Role, Scan, scan},
    },
};

/// A plan, with what applying and reporting it need.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// The members: left and right, or the hub and the spokes.
    pub(crate) members: Vec<Member>,
    /// How the types were found.
    pub(crate) reasons: Vec<InferReason>,
}

/// A member of a dataset as it was read, and what the plan needs to write it.
#[derive(Debug)]
pub(crate) struct Member {
    /// `left`, `right`, `hub` or the name of a spoke.
    pub(crate) name: String,
    /// What was read; columns that it lacks are there as empty ones.
    pub(crate) scan: Scan,
    /// For each column of the schema its header here.
    pub(crate) headers: Vec<Option<String>>,
    /// Columns that it does not have yet and gets when a change needs them.
    pub(crate) optional: Vec<usize>,
    /// The column in which it marks its rows, where nobody mapped it.
    pub(super) mark: Option<Mark>,
    /// What was found on it.
    pub(crate) findings: Vec<Finding>,
    /// Rows that stay as they are.
    pub(crate) unchanged: u64,
    /// Rows set aside.
    pub(crate) set_aside: u64,
    /// Positions in its writes, new rows in the order of where they come from.
    pub(crate) order: Vec<usize>,
    /// Why it was not read: nothing is known of it, and nothing is written to it.
    pub(crate) down: Option<String>,
}

impl Member {
    /// Returns a member about which nothing is known but what was read.
    pub(super) fn new(name: &str, scan: Scan) -> Self {
        Self {
            name: name.to_owned(),
            scan,
            headers: Vec::new(),
            optional: Vec::new(),
            mark: None,
            findings: Vec::new(),
            unchanged: 0,
            set_aside: 0,
            order: Vec::new(),
            down: None,
        }
    }
}

impl Planned {
    /// Returns the writes to a member, in the order in which they are to be made.
    pub(crate) fn writes(&self, member: &Member) -> Vec<&Change> {
        let writes = self.plan.body().result.writes(&member.name);
        member.order.iter().filter_map(|position| writes.get(*position)).collect()
    }

    /// Returns the columns in which members mark their rows.
    pub(super) fn marks(&self) -> BTreeMap<String, Mark> {
        let mark = |member: &Member| Some((member.name.clone(), member.mark.clone()?));
        self.members.iter().filter_map(mark).collect()
    }

    /// Returns the members that could not be read.
    pub(crate) fn down(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.down.is_some())
    }
}

/// Reads all members and makes the plan.
///
/// # Errors
/// A member that cannot be read or understood (a spoke that cannot be read is reported instead), and columns that do not
/// fit it.
pub(crate) async fn prepare(shell: &Shell, definition: &Definition) -> Result<Planned> {
    prepare_without(shell, definition, &BTreeMap::new()).await.map_err(|(_, error)| error)
}

/// Reads all members but those of a hub's spokes that are left out, each with the reason, and makes the plan.
///
/// # Errors
/// See [`prepare`]; with the member that could not be read, or a blank name.
pub(crate) async fn prepare_without(
    shell: &Shell,
    definition: &Definition,
    left_out: &BTreeMap<String, String>,
) -> Result<Planned, (String, Error)> {
    let nobody = |error| (String::new(), error);
    shell.reach.progress.check().map_err(nobody)?;
    shell.reach.progress.step(0, None, "reading all sides");
    let known = Known::load(shell, definition).await.map_err(nobody)?;
    let looks = definition.members().into_iter().map(|(name, source)| {
        let role = definition.role(name, known.schema.is_some());
        match left_out.get(name) {
            Some(why) => {
                let down = Some(why.clone());
                let member = Member { down, ..Member::new(name, Scan::nothing()) };
                Box::pin(std::future::ready(Ok(member))) as Looking<'_>
            }
            None => Box::pin(look(shell, name, source, role)) as Looking<'_>,
        }
    });
    let mut members = Vec::new();
    for (at, looked) in together(looks.collect()).await.into_iter().enumerate() {
        match looked {
            Ok(member) => members.push(member),
            Err((name, error)) if at > 0 && definition.is_hub() && can_wait(&error) => {
                tracing::warn!(%error, name, "a spoke could not be read");
                let scan = Scan::nothing();
                members.push(Member { down: Some(error.to_string()), ..Member::new(&name, scan) });
            }
            Err(failed) => return Err(failed),
        }
    }
    shell.reach.progress.step(0, None, "comparing");
    let definition = definition.clone();
    let now = shell.reach.clock.now();
    // A million rows take seconds: not on a thread that serves other calls.
    tokio::task::spawn_blocking(move || {
        let mut times = Times::default();
        times.now = Some(now);
        match definition.members {
            Members::Pair { .. } => pair::compare(&definition, members, &known, &times),
            Members::Hub { .. } => spokes::compare(&definition, members, &known, &times),
        }
    })
    .await
    .map_err(|error| Error::internal(format!("the comparison failed: {error}")))
    .flatten()
    .map_err(nobody)
}

/// Returns whether the others may go on without a member that failed so: not when the caller gave up.
pub(super) fn can_wait(error: &Error) -> bool {
    error.kind() != Kind::Cancelled
}

/// Reads one member.
///
/// # Errors
/// See [`scan`]; names the member.
pub(super) async fn look(
    shell: &Shell,
    name: &str,
    source: &Source,
    role: Role,
) -> Result<Member, (String, Error)> {
    match scan(&shell.reach, source, role, None).await {
        Ok(scan) => Ok(Member::new(name, scan)),
        Err(error) => Err((name.to_owned(), error.context(name.to_owned()))),
    }
}

type Looking<'a> = Pin<Box<dyn Future<Output = Result<Member, (String, Error)>> + Send + 'a>>;

/// Waits for all of some futures at once; returns what they came to, in their order.
async fn together<T>(mut waiting: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (future, slot) in waiting.iter_mut().zip(&mut done) {
            if slot.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(result) => *slot = Some(result),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
