//! Makes one request happen for one or several items, and finds out what came of each.

use std::collections::HashMap;

use lockstep_engine::columns::Columns;
use reqwest::header::IF_MATCH;

use super::{
    answer::Answer,
    call::Ask,
    config::WriteConfig,
    exchange::Outcome,
    fill::{Deed, Item, One, Several},
    json::Json,
    look::{Seen, look},
    origin,
    send::{Sender, Verdict, usual},
    template::{Fill, Line},
};
use crate::error::{Kind, Result, Retry};

impl<'a> Sender<'a> {
    /// Writes items that are as they were compared; each gets its verdict.
    ///
    /// # Errors
    /// What concerns every item alike; an outcome that could not be found out ([`crate::error::Kind::Ambiguous`]).
    pub(super) async fn deliver(
        &mut self,
        kind: Deed,
        how: &WriteConfig,
        items: Vec<Item<'a>>,
    ) -> Result<()> {
        let mut waiting = vec![items];
        while let Some(mut items) = waiting.pop() {
            let mut tries = 0;
            while !items.is_empty() {
                let ask = match self.ask(kind, how, &items) {
                    Ok(ask) => ask,
                    Err(why) => {
                        self.refuse(&items, &why);
                        break;
                    }
                };
                let outcome = match self.at.wire.write(&ask, self.at.progress).await {
                    Ok(outcome) => outcome,
                    // An earlier try of the same request may still have had its effect.
                    Err(error) if tries > 0 => {
                        return Err(self.ambiguous(&items, &error.to_string()));
                    }
                    Err(error) => return Err(error),
                };
                tries += 1;
                let why = match outcome {
                    Outcome::Done(answer) => match self.accepted(kind, how, &items, &answer).await?
                    {
                        None => break,
                        Some(why) => why,
                    },
                    Outcome::Refused { status, why, sure } => {
                        // An earlier try of the same request may have had its effect all the same.
                        let mut left = match sure && tries == 1 {
                            true => items,
                            false => self.unknown(items, &why).await?,
                        };
                        if sure && left.len() > 1 {
                            // One of them is at fault: halves find out which, and the others go through.
                            waiting.push(left.split_off(left.len() / 2));
                            waiting.push(left);
                        } else {
                            self.refused(kind, &left, status, &why);
                        }
                        break;
                    }
                    Outcome::Unknown(why) => why,
                };
                self.at.wire.rest(tries, self.at.progress).await;
                items = self.unknown(items, &why).await?;
                if !items.is_empty() && tries >= self.at.wire.limits.attempts {
                    return Err(self.ambiguous(&items, &why));
                }
            }
        }
        Ok(())
    }

    fn ask(&self, kind: Deed, how: &WriteConfig, items: &[Item<'a>]) -> Result<Ask, String> {
        let method = how.method(usual(kind));
        let content = how.content(kind, &method);
        let first = items.first().ok_or("there is nothing to send")?;
        let fill: Box<dyn Fill + '_> = match how.size {
            1 => Box::new(One { lens: self.lens, item: first, content }),
            _ => {
                let element = |item: &Item<'_>| {
                    let fill = One { lens: self.lens, item, content };
                    match &how.element {
                        Some(element) => element.render(&fill),
                        None => Ok(fill
                            .fill(&super::template::Slot::Item(Default::default()))
                            .unwrap_or_default()),
                    }
                };
                let elements = items.iter().map(element).collect::<Result<_, _>>()?;
                Box::new(Several(Json::List(elements)))
            }
        };
        let path = how.path.render(&*fill, origin::segment)?;
        let mut query = Vec::new();
        for (name, value) in &how.query {
            query.push((name.clone(), plain(value, &*fill)?));
        }
        let body = match (&how.body, kind) {
            (Some(body), _) => Some(body.render(&*fill)?.to_string()),
            (None, Deed::Delete) => None,
            (None, _) => {
                let item = fill.fill(&super::template::Slot::Item(Default::default()));
                Some(item.unwrap_or_default().to_string())
            }
        };
        let url = self.at.wire.origin.join(&path, &query).map_err(|error| error.to_string())?;
        let positions: Vec<usize> = items.iter().map(|item| item.position).collect();
        let key = self.plan.idempotency(self.batch, &positions);
        let ask = Ask::new(method, url, body).header(self.plan.api.0.idempotency.clone(), &key);
        Ok(match first.etag.as_ref().filter(|_| kind != Deed::Create) {
            Some(etag) => ask.header(IF_MATCH, &tag(etag)),
            None => ask,
        })
    }

    /// Judges an accepted request by what its answer holds; returns why nothing can be said, if so.
    async fn accepted(
        &mut self,
        kind: Deed,
        how: &WriteConfig,
        items: &[Item<'a>],
        answer: &Answer,
    ) -> Result<Option<String>> {
        let json = match answer.json() {
            Ok(json) => json,
            Err(why) => return Ok(Some(why)),
        };
        if kind == Deed::Delete {
            for item in items {
                self.verdicts.insert(item.position, Verdict::Done);
            }
            return Ok(None);
        }
        let at = how.results.clone().unwrap_or_default();
        let found: HashMap<usize, &Json> = match (json.at(&at), how.size) {
            (Some(one @ Json::Object(_)), 1) => {
                items.iter().map(|item| (item.position, one)).collect()
            }
            (Some(Json::List(list)), size) if size > 1 => self.matched(items, list),
            _ => HashMap::new(),
        };
        // Nothing about the items in an answer that was not described: it is taken at its word, unless one can look.
        let described = how.size > 1 && how.results.is_some();
        let mut open = Vec::new();
        for item in items {
            let shows =
                |json: &&&Json| item.change.cells.iter().any(|column| self.lens.has(json, *column));
            match found.get(&item.position).filter(shows) {
                Some(json) => {
                    let verdict = self.shown(item, json);
                    self.verdicts.insert(item.position, verdict);
                }
                None => open.push(item),
            }
        }
        let config = &self.at.resource.config;
        let can_look = match kind {
            Deed::Create => config.find.is_some(),
            _ => config.get.is_some(),
        };
        if open.is_empty() {
            return Ok(None);
        }
        if !described && !can_look {
            for item in open {
                self.verdicts.insert(item.position, Verdict::Done);
            }
            return Ok(None);
        }
        let said = self.at.wire.said(&json);
        let seen = match look(self.at, self.lens, &open, self.plan.pages).await {
            Ok(seen) => seen,
            Err(error) => {
                let open: Vec<Item<'_>> = open.into_iter().cloned().collect();
                return Err(self.ambiguous(&open, &error.to_string()));
            }
        };
        for (item, seen) in open.into_iter().zip(seen) {
            let verdict = match &seen {
                Seen::One(now, _) if self.is_as_wanted(item, now) => Verdict::Done,
                _ if described => {
                    Verdict::Refused(format!("the API did not take it: {said}"), None)
                }
                Seen::One(now, _) => self.shown(item, now),
                Seen::Absent => {
                    Verdict::Refused("the API accepted it, and does not have it".into(), None)
                }
                Seen::Many(count) => Verdict::Not(format!("{count} items have this key")),
            };
            self.verdicts.insert(item.position, verdict);
        }
        Ok(None)
    }

    /// Returns what an answer that shows the item says of it: an API may take a value and keep another.
    fn shown(&self, item: &Item<'_>, json: &Json) -> Verdict {
        let Some(after) = &item.change.after else { return Verdict::Done };
        let cells = item.change.cells.iter().copied();
        let shown = cells.filter(|column| self.lens.sends(*column) && self.lens.has(json, *column));
        match self.lens.difference(json, after, shown) {
            None => Verdict::Done,
            Some((column, value)) => {
                let holds = self.holds(column, &value);
                let why = format!("the API accepted it, and keeps another value: {holds}");
                Verdict::Refused(why, Some(self.lens.name(column).to_owned()))
            }
        }
    }

    /// Returns for each item its part of an answer, by id, or by key where it has none yet; never by order.
    fn matched<'j>(&self, items: &[Item<'_>], list: &'j [Json]) -> HashMap<usize, &'j Json> {
        let mut found = HashMap::new();
        for json in list {
            let id = self.at.resource.id(json);
            let same = |item: &&Item<'_>| match &item.id {
                Some(own) => id.as_ref() == Some(own),
                None => self.lens.key(json) == item.change.key,
            };
            if let Some(item) = items.iter().find(same) {
                found.insert(item.position, json);
            }
        }
        found
    }

    fn refuse(&mut self, items: &[Item<'_>], why: &str) {
        for item in items {
            self.verdicts.insert(item.position, Verdict::Refused(why.to_owned(), None));
        }
    }

    fn refused(&mut self, kind: Deed, items: &[Item<'_>], status: u16, why: &str) {
        match (status, kind) {
            (404 | 410, Deed::Delete) => {
                for item in items {
                    self.verdicts.insert(item.position, Verdict::Done);
                }
            }
            (412, _) => {
                for item in items {
                    let why = format!("it changed since it was read ({why})");
                    self.verdicts.insert(item.position, Verdict::Not(why));
                }
            }
            // Said with its kind: who denies access is at fault, and not the row.
            (403, _) => {
                self.refuse(items, &format!("{}: {why}", Kind::PermissionDenied.as_str()));
            }
            _ => self.refuse(items, why),
        }
    }

    /// Looks at items whose write may or may not have had its effect; returns those that are as before.
    async fn unknown(&mut self, items: Vec<Item<'a>>, why: &str) -> Result<Vec<Item<'a>>> {
        let asked: Vec<&Item<'_>> = items.iter().collect();
        let seen = match look(self.at, self.lens, &asked, self.plan.pages).await {
            Ok(seen) => seen,
            Err(error) if error.retry() == Retry::Ambiguous => return Err(error),
            Err(error) => {
                let what = error.to_string();
                let first = what.lines().next().unwrap_or_default();
                return Err(self.ambiguous(&items, &format!("{why}; and looking failed: {first}")));
            }
        };
        let mut again = Vec::new();
        for (mut item, seen) in items.into_iter().zip(seen) {
            let not = |what: String| Verdict::Not(format!("{why}; {what}"));
            let verdict = match (&seen, item.deed()) {
                (Seen::Absent, Deed::Create) => None,
                (Seen::Absent, Deed::Delete) => Some(Verdict::Done),
                (Seen::Absent, Deed::Update) => Some(not("it is not there any more".into())),
                (Seen::Many(count), _) => Some(not(format!("{count} items have this key"))),
                (Seen::One(now, _), _) if self.is_as_wanted(&item, now) => Some(Verdict::Done),
                (Seen::One(..), Deed::Create) => {
                    Some(not("an item with this key is there, with other values".into()))
                }
                (Seen::One(now, etag), _) => {
                    let before = item.change.before.as_ref();
                    let cells: Columns = match item.deed() {
                        Deed::Delete => (0..self.lens.fields.len()).collect(),
                        _ => item.change.cells.clone(),
                    };
                    let other = before
                        .and_then(|row| self.lens.difference(now, row, cells.iter().copied()));
                    if other.is_none() {
                        // The tag of an unchanged item may be a new one all the same.
                        let tag = match &self.at.resource.config.etag {
                            Some(super::config::Etag::Item(pointer)) => {
                                now.at(pointer).and_then(Json::scalar)
                            }
                            Some(super::config::Etag::Header) => etag.clone(),
                            None => None,
                        };
                        item.etag = tag.or(item.etag);
                        item.now = Some(now.clone());
                    }
                    other.map(|(column, value)| not(self.holds(column, &value)))
                }
            };
            match verdict {
                Some(verdict) => {
                    self.verdicts.insert(item.position, verdict);
                }
                None => again.push(item),
            }
        }
        Ok(again)
    }
}

fn plain(line: &Line, fill: &dyn Fill) -> Result<String, String> {
    line.render(fill, |text| Ok(text.to_owned()))
}

/// Returns an entity tag as a header has it; versions that items carry come without quotes.
fn tag(etag: &str) -> String {
    match etag.starts_with('"') || etag.starts_with("W/") {
        true => etag.to_owned(),
        false => format!("\"{etag}\""),
    }
}
