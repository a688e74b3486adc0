//! Sends a batch: looks at each item, writes it if it is as it was compared, and says what was not written and why.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lockstep_engine::{columns::Columns, value::Value};
use reqwest::Method;

use super::{
    config::{Content, Etag, WriteConfig},
    field::Lens,
    fill::{Deed, Item},
    list::At,
    look::{Seen, look},
    plan::ApiPlan,
};
use crate::{
    error::{Error, Kind, Result, Retry},
    progress::Progress,
    replica::apply::{Sent, Unconfirmed, Writes},
    store::LeftOut,
};

/// How long a batch may go on: within the run's lease (5 minutes), with room for one slow request and its waits.
const LONGEST: Duration = Duration::from_secs(150);

/// What came of one item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Done,
    /// It was not written, or cannot be confirmed.
    Not(String),
    /// The API does not take it as it is; the field that it keeps otherwise, if that is why.
    Refused(String, Option<String>),
}

/// One batch on its way.
pub(super) struct Sender<'a> {
    pub(super) at: At<'a>,
    pub(super) lens: &'a Lens<'a>,
    pub(super) plan: &'a ApiPlan,
    pub(super) batch: usize,
    pub(super) verdicts: BTreeMap<usize, Verdict>,
}

/// Writes a batch of the plan.
///
/// # Errors
/// Nothing of the batch was written, or ([`Kind::Ambiguous`]) it is not known what was: it has to be settled.
pub(crate) async fn send(
    plan: &mut ApiPlan,
    batch: usize,
    writes: &Writes<'_>,
    progress: &Progress,
) -> Result<Sent> {
    if let Some((kind, why)) = &plan.stopped {
        return Err(Error::new(*kind, why.clone()).next("correct it and call syncDataset again"));
    }
    let positions = plan.batches.get(batch).cloned().unwrap_or_default();
    let api = plan.api.clone();
    let resource = api.resource(&plan.resource)?;
    let lens = Lens::new(resource, writes);
    let at = At { wire: api.wire(), resource, progress };
    let mut sender = Sender { at, lens: &lens, plan, batch, verdicts: BTreeMap::new() };
    let stopped = sender.run(&positions, writes).await.err();
    let mut verdicts = sender.verdicts;
    if let Some(error) = stopped {
        let written = verdicts.values().any(|verdict| *verdict == Verdict::Done);
        if error.retry() == Retry::Ambiguous || !written {
            return Err(error);
        }
        // What was written stays written: the rest of the batch is told row by row, and no other batch begins.
        let text = error.to_string();
        let why = text.lines().next().unwrap_or_default().to_owned();
        for position in &positions {
            verdicts.entry(*position).or_insert_with(|| Verdict::Not(format!("not sent: {why}")));
        }
        plan.stopped = Some((error.kind(), why));
    }
    let unconfirmed = verdicts.into_iter().filter_map(|(change, verdict)| match verdict {
        Verdict::Done => None,
        Verdict::Not(why) => Some(Unconfirmed { change, why: LeftOut::changed(why) }),
        Verdict::Refused(why, column) => {
            Some(Unconfirmed { change, why: LeftOut::refused(why, column) })
        }
    });
    Ok(Sent { unconfirmed: unconfirmed.collect(), ..Sent::default() })
}

impl<'a> Sender<'a> {
    async fn run(&mut self, positions: &[usize], writes: &'a Writes<'a>) -> Result<()> {
        let began = Instant::now();
        // What goes makes room for what comes, where something must be unique.
        for kind in [Deed::Delete, Deed::Update, Deed::Create] {
            let Some(how) = self.at.resource.write(kind) else { continue };
            let items: Vec<Item<'a>> = positions
                .iter()
                .filter_map(|position| self.item(*position, kind, writes))
                .collect();
            // One reading of the list for all, where items cannot be looked at by themselves.
            let together = !self.alone(kind, how) && items.len() > 1;
            let mut waiting = if together { self.ready(items, how).await? } else { items };
            while !waiting.is_empty() {
                let rest = waiting.split_off(how.size.min(waiting.len()));
                let chunk = std::mem::replace(&mut waiting, rest);
                if began.elapsed() > LONGEST {
                    for item in chunk {
                        let why =
                            "not sent: the API was too slow for the rest of this batch; call again";
                        self.verdicts.insert(item.position, Verdict::Not(why.into()));
                    }
                    continue;
                }
                let chunk = if together { chunk } else { self.ready(chunk, how).await? };
                if !chunk.is_empty() {
                    self.deliver(kind, how, chunk).await?;
                }
            }
        }
        Ok(())
    }

    fn item(&self, position: usize, kind: Deed, writes: &'a Writes<'a>) -> Option<Item<'a>> {
        let change = writes.changes.get(position).filter(|change| Deed::of(change.kind) == kind)?;
        let origin = self.plan.origins.get(&position).cloned().unwrap_or_default();
        Some(Item { position, change, id: origin.id, etag: origin.etag, now: None })
    }

    /// Returns whether items of a kind are looked at by themselves, right before they are written.
    fn alone(&self, kind: Deed, how: &WriteConfig) -> bool {
        let config = &self.at.resource.config;
        match kind {
            Deed::Create => true,
            _ => {
                config.get.is_some()
                    && how.size <= usize::try_from(self.plan.pages).unwrap_or(1).max(3)
            }
        }
    }

    /// Returns the items that are as they were compared; the others get their verdicts.
    async fn ready(&mut self, items: Vec<Item<'a>>, how: &WriteConfig) -> Result<Vec<Item<'a>>> {
        let config = &self.at.resource.config;
        let guarded = |item: &Item<'_>| match item.deed() {
            // Without a way to find one item, the list that was just read has to do.
            Deed::Create => config.find.is_none(),
            kind => {
                let whole = how.content(kind, &how.method(usual(kind))) == Content::Whole;
                matches!(config.etag, Some(Etag::Item(_)))
                    && item.etag.is_some()
                    && item.id.is_some()
                    && !whole
            }
        };
        let (mut ready, open): (Vec<_>, Vec<_>) = items.into_iter().partition(guarded);
        if open.is_empty() {
            return Ok(ready);
        }
        let asked: Vec<&Item<'_>> = open.iter().collect();
        let seen = look(self.at, self.lens, &asked, self.plan.pages).await?;
        for (mut item, seen) in open.into_iter().zip(seen) {
            match self.compare(&item, &seen, how) {
                Some(verdict) => {
                    self.verdicts.insert(item.position, verdict);
                }
                None => {
                    if let Seen::One(now, etag) = seen {
                        item.id = item.id.or_else(|| self.at.resource.id(&now));
                        item.etag = match &config.etag {
                            Some(Etag::Header) => etag,
                            Some(Etag::Item(pointer)) => {
                                now.at(pointer).and_then(super::json::Json::scalar)
                            }
                            None => None,
                        };
                        item.now = Some(now);
                    }
                    ready.push(item);
                }
            }
        }
        Ok(ready)
    }

    /// Returns what is to be said of an item without writing it; `None` if it is as it was compared.
    fn compare(&self, item: &Item<'_>, seen: &Seen, how: &WriteConfig) -> Option<Verdict> {
        let change = item.change;
        let not = |why: String| Some(Verdict::Not(why));
        let now = match (seen, item.deed()) {
            (Seen::Absent, Deed::Create) => return None,
            (Seen::Absent, Deed::Delete) => return Some(Verdict::Done),
            (Seen::Absent, Deed::Update) => return not("it is not there any more".into()),
            (Seen::Many(count), _) => return not(format!("{count} items have this key")),
            (Seen::One(now, _), _) => now,
        };
        if self.is_as_wanted(item, now) {
            return Some(Verdict::Done);
        }
        if item.deed() == Deed::Create {
            return not("an item with this key is there by now, with other values".into());
        }
        let before = change.before.as_ref()?;
        let key = self.lens.writes.schema.key.iter().copied();
        let content = how.content(item.deed(), &how.method(usual(item.deed())));
        let all = item.deed() == Deed::Delete || content == Content::Fields;
        let cells: Columns = match all {
            true => (0..self.lens.fields.len()).collect(),
            false => change.cells.clone(),
        };
        let columns = key.chain(cells.iter().copied());
        let (column, value) = self.lens.difference(now, before, columns)?;
        not(format!("it changed since it was read: {}", self.holds(column, &value)))
    }

    /// Returns whether an item is as a change wants it; a deletion wants it gone.
    pub(super) fn is_as_wanted(&self, item: &Item<'_>, now: &super::json::Json) -> bool {
        let Some(after) = &item.change.after else { return false };
        let key = self.lens.writes.schema.key.iter().copied();
        let cells = item.change.cells.iter().copied().filter(|column| self.lens.sends(*column));
        self.lens.difference(now, after, key.chain(cells)).is_none()
    }

    /// Says what a field holds.
    pub(super) fn holds(&self, column: usize, value: &Value) -> String {
        let shown = match value {
            Value::Null => "blank".to_owned(),
            value => format!("\"{value}\""),
        };
        self.at.wire.redactor().clean(&format!("{} is {shown} there", self.lens.name(column)))
    }

    /// Returns the error of a write whose outcome could not be found out.
    pub(super) fn ambiguous(&self, items: &[Item<'_>], why: &str) -> Error {
        let named = items.first().map(|item| item.change.key.to_string()).unwrap_or_default();
        let more = match items.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        self.at.wire.error(
            Kind::Ambiguous,
            format!("whether {named}{more} was written is not known: {why}"),
        )
    }
}

/// Returns the method that a kind of change usually has.
pub(super) fn usual(kind: Deed) -> Method {
    match kind {
        Deed::Create => Method::POST,
        Deed::Update => Method::PATCH,
        Deed::Delete => Method::DELETE,
    }
}
