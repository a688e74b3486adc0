//! From a definition to a plan: scan every member, then compare.

use std::{collections::BTreeMap, future::Future, pin::Pin, task::Poll};

use jiff::Timestamp;
use lockstep_engine::{findings::Finding, infer::InferReason, plan::Plan, reconcile::Change};

use super::{
    Shell,
    content::Content,
    definition::{Definition, Members},
    known::{Known, work},
    pair,
    policy::Mark,
    recall::{Recalled, recall},
    seen::Memory,
    spokes,
};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        Source,
        scan::{Extent, Role, Scan, scan},
    },
    store::conflicts::Seen,
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
    /// Whether everything was read because it was time to.
    pub(crate) due: bool,
    /// The mark of the store that was taken before anything was read.
    pub(super) mark: i64,
    /// What was found of conflicts; `None` of a dataset without a base, and of a rollback.
    pub(crate) seen: Option<Seen>,
    /// Whether the plan is about some of the keys alone, those that are due.
    pub(crate) limited: bool,
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
    /// How much of it was read.
    pub(crate) read: Read,
    /// The sum of its rows.
    pub(super) content: Content,
    /// What those of its rows come from that were not read.
    pub(super) recalled: Option<Recalled>,
}

/// How much of a member was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    /// Whether these were all rows.
    pub(crate) extent: Extent,
    /// How many rows were read.
    pub(crate) rows: u64,
    /// The headers that it has.
    pub(crate) headers: Vec<String>,
}

impl Member {
    /// Returns a member about which nothing is known but what was read.
    pub(super) fn new(name: &str, scan: Scan) -> Self {
        let (rows, headers) = (scan.snapshot.len() as u64, scan.snapshot.headers().to_vec());
        Self {
            name: name.to_owned(),
            read: Read { extent: scan.extent, rows, headers },
            content: Content::default(),
            recalled: None,
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

    /// Returns a member that is left out, for a reason.
    pub(super) fn down(name: &str, why: String) -> Self {
        Self { down: Some(why), ..Self::new(name, Scan::nothing()) }
    }

    /// Returns a spoke that cannot be read now: the others go on without it.
    pub(super) fn left_out(name: &str, error: &Error) -> Self {
        tracing::warn!(%error, name, "a spoke could not be read");
        Self::down(name, error.to_string())
    }
}

impl Planned {
    /// Returns whether there is no doubt about what was recalled of a member.
    fn holds(&self, member: &Member) -> bool {
        let body = self.plan.body();
        let one = |recalled: &Recalled| {
            body.halts.is_empty() && recalled.holds(member, &body.basis.schema)
        };
        member.recalled.as_ref().is_none_or(one)
    }

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

/// Spokes of which it is not known what was written, with the reason.
pub(super) type Waiting = BTreeMap<String, String>;

/// Reads all members, as far as they are not known already, and makes the plan.
///
/// # Errors
/// A member that cannot be read or understood (a spoke that cannot be read is reported instead), and columns that do not
/// fit it.
///
/// Of the spokes in `waiting` it is not known what was written: they are left out, for the reason given there.
pub(crate) async fn prepare(
    shell: &Shell,
    definition: &Definition,
    waiting: &Waiting,
) -> Result<Planned> {
    shell.reach.progress.check()?;
    shell.reach.progress.step(0, None, "reading all sides");
    let known = Known::load(shell, definition).await?;
    let memory = Memory::load(shell, definition, &known).await?;
    let planned = compare(shell, definition, known, &memory, waiting).await?;
    if planned.members.iter().all(|member| planned.holds(member)) {
        return Ok(Planned { due: memory.due, ..planned });
    }
    tracing::info!(
        dataset = definition.name,
        "what was seen is in doubt: all sides are read whole"
    );
    whole(shell, definition, waiting).await
}

/// Reads all members whole and makes the plan.
///
/// # Errors
/// See [`prepare`].
pub(super) async fn whole(
    shell: &Shell,
    definition: &Definition,
    waiting: &Waiting,
) -> Result<Planned> {
    let known = Known::load(shell, definition).await?;
    compare(shell, definition, known, &Memory::default(), waiting).await
}

async fn compare(
    shell: &Shell,
    definition: &Definition,
    known: Known,
    memory: &Memory,
    waiting: &Waiting,
) -> Result<Planned> {
    let mark = shell.store.mark().await?;
    let looking = look_at_all(shell, definition, (&known, memory), waiting);
    let members = shell.reach.progress.reading(looking).await?;
    shell.reach.progress.step(0, None, "comparing");
    let definition = definition.clone();
    let now = shell.reach.clock.now();
    // A million rows take seconds: not on a thread that serves other calls.
    work(move || {
        compare_members(&definition, members, &known, now)
            .map(|planned| Planned { mark, ..planned })
    })
    .await
}

/// Makes the plan of members that were read.
///
/// # Errors
/// Columns and a policy that do not fit the members.
pub(super) fn compare_members(
    definition: &Definition,
    members: Vec<Member>,
    known: &Known,
    now: Timestamp,
) -> Result<Planned> {
    match definition.members {
        Members::Pair { .. } => pair::compare(definition, members, known, now),
        Members::Hub { .. } => spokes::compare(definition, members, known, now),
    }
}

/// Reads the members; what of one was not read is recalled, and one of which anything is in doubt is read whole.
///
/// # Errors
/// A member that cannot be read; a spoke that cannot be read is down instead.
pub(super) async fn look_at_all(
    shell: &Shell,
    definition: &Definition,
    (known, memory): (&Known, &Memory),
    waiting: &Waiting,
) -> Result<Vec<Member>> {
    let looks = definition.members().into_iter().map(|(name, source)| {
        let role = definition.role(name, known.schema.is_some());
        let looking = async move {
            match waiting.get(name) {
                Some(why) => Ok(Member::down(name, why.clone())),
                None => look(shell, name, source, role, memory.stamp(name)).await,
            }
        };
        Box::pin(looking) as Looking<'_>
    });
    let mut members: Vec<Member> = Vec::new();
    for (at, looked) in together(looks.collect()).await.into_iter().enumerate() {
        match looked {
            Ok(member) => members.push(member),
            Err((name, error)) if at > 0 && definition.is_hub() && can_wait(&error) => {
                members.push(Member::left_out(&name, &error));
            }
            Err((_, error)) => return Err(error),
        }
    }
    for at in 0..members.len() {
        let Some(member) = members.get_mut(at).filter(|one| one.scan.extent != Extent::Whole)
        else {
            continue;
        };
        let (name, read) = (member.name.clone(), member.read.clone());
        let scan = std::mem::replace(&mut member.scan, Scan::nothing());
        let found = memory.of(&name).and_then(|before| recall(scan, before, known, &members));
        let full = match found {
            Some((scan, recalled)) => {
                let headers = recalled.before.about.headers.clone();
                let read = Read { headers, ..read };
                Member { read, recalled: Some(recalled), ..Member::new(&name, scan) }
            }
            None => {
                let source = definition.source(&name);
                let source = source.ok_or_else(|| Error::internal("a member without a replica"))?;
                let role = definition.role(&name, known.schema.is_some());
                match look(shell, &name, source, role, None).await {
                    Ok(member) => member,
                    Err((_, error)) if at > 0 && definition.is_hub() && can_wait(&error) => {
                        Member::left_out(&name, &error)
                    }
                    Err((_, error)) => return Err(error),
                }
            }
        };
        if let Some(slot) = members.get_mut(at) {
            *slot = full;
        }
    }
    Ok(members)
}

/// Returns whether the others may go on without a member that failed so: not when the caller gave up.
pub(super) fn can_wait(error: &Error) -> bool {
    error.kind() != Kind::Cancelled
}

/// Reads one member: what is new since a stamp, where there is one.
///
/// # Errors
/// See [`scan`]; names the member.
pub(super) async fn look(
    shell: &Shell,
    name: &str,
    source: &Source,
    role: Role,
    since: Option<&serde_json::Value>,
) -> Result<Member, (String, Error)> {
    match scan(&shell.reach, source, role, since).await {
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
