//! Looks at items again: right before they are written, and after a write whose outcome is not known.

use std::collections::HashMap;

use super::{
    call::Ask,
    config::{Content, LookConfig},
    field::Lens,
    fill::{Deed, Item, One},
    json::Json,
    list::{At, Lister},
    origin,
};
use crate::error::{Error, Kind, Result};

/// What is there of an item.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Absent,
    /// One item, and the tag that its answer carried.
    One(Json, Option<String>),
    /// Several have its key.
    Many(usize),
}

/// Returns how a single item is looked at, if it can be.
fn single<'a>(at: At<'a>, item: &Item<'_>) -> Option<&'a LookConfig> {
    let config = &at.resource.config;
    match (item.deed(), &item.id) {
        (Deed::Create, _) => config.find.as_ref(),
        (_, Some(_)) => config.get.as_ref().or(config.find.as_ref()),
        (_, None) => config.find.as_ref(),
    }
}

/// Looks at items: each by itself where that is described and takes fewer calls, else by reading the list.
///
/// # Errors
/// An API that cannot be read.
pub(super) async fn look(
    at: At<'_>,
    lens: &Lens<'_>,
    items: &[&Item<'_>],
    pages: u32,
) -> Result<Vec<Seen>> {
    let few = items.len() <= usize::try_from(pages).unwrap_or(usize::MAX).max(3);
    if few && items.iter().all(|item| single(at, item).is_some()) {
        let mut seen = Vec::with_capacity(items.len());
        for item in items {
            let Some(how) = single(at, item) else { continue };
            seen.push(one(at, lens, item, how).await?);
        }
        return Ok(seen);
    }
    from_list(at, lens, items).await
}

async fn one(at: At<'_>, lens: &Lens<'_>, item: &Item<'_>, how: &LookConfig) -> Result<Seen> {
    let At { wire, resource, progress } = at;
    let fill = One { lens, item, content: Content::Changed };
    let place = |error: Error| error.context(format!("looking at {} again", item.change.key));
    let unfilled = |what: String| place(wire.error(Kind::InvalidArgument, what));
    let path = how.path.render(&fill, origin::segment).map_err(unfilled)?;
    let mut query = Vec::new();
    for (name, value) in &how.query {
        let value = value.render(&fill, |text| Ok(text.to_owned())).map_err(unfilled)?;
        query.push((name.clone(), value));
    }
    let body = how.body.as_ref().map(|body| body.render(&fill)).transpose().map_err(unfilled)?;
    let url = wire.origin.join(&path, &query)?;
    let ask = Ask::new(how.method.method(), url, body.map(|body| body.to_string()));
    let (answer, mut json) = wire.read(&ask, progress).await.map_err(place)?;
    if answer.status == 404 {
        return Ok(Seen::Absent);
    }
    let etag = answer.etag();
    let Some(items) = &how.items else {
        return Ok(match json.take(&how.item.clone().unwrap_or_default()) {
            Some(found @ Json::Object(_)) => Seen::One(found, etag),
            None | Some(Json::Null) => Seen::Absent,
            Some(other) => {
                let what = format!("the item is {}, and no object", other.kind());
                return Err(place(wire.error(Kind::Internal, what).next("correct get or find")));
            }
        });
    };
    let Some(Json::List(found)) = json.take(items) else {
        let what = format!("at {items} of the answer is no list");
        return Err(place(wire.error(Kind::Internal, what).next("correct items of get or find")));
    };
    // What the API takes for a match may be another item: a search is rarely exact.
    let same = |found: &Json| match &item.id {
        Some(id) => resource.id(found).as_ref() == Some(id),
        None => lens.key(found) == item.change.key,
    };
    let mut found: Vec<Json> = found.into_iter().filter(same).collect();
    Ok(match (found.pop(), found.len()) {
        (None, _) => Seen::Absent,
        (Some(one), 0) => Seen::One(one, None),
        (Some(_), more) => Seen::Many(more + 1),
    })
}

/// Reads the list, and keeps of it only what is looked for.
async fn from_list(at: At<'_>, lens: &Lens<'_>, items: &[&Item<'_>]) -> Result<Vec<Seen>> {
    let mut seen = vec![Seen::Absent; items.len()];
    let mut by_id = HashMap::new();
    let mut by_key = HashMap::new();
    for (position, item) in items.iter().enumerate() {
        match (&item.id, item.deed()) {
            (Some(id), Deed::Update | Deed::Delete) => {
                by_id.insert(id.to_string(), position);
            }
            _ => {
                by_key.insert(item.change.key.clone(), position);
            }
        }
    }
    let mut lister = Lister::new(at, None);
    while let Some(page) = lister.next().await? {
        for found in page.items {
            let own = at.resource.id(&found).and_then(|id| by_id.get(&id.to_string()));
            let key = || if by_key.is_empty() { None } else { by_key.get(&lens.key(&found)) };
            let Some(slot) = own.or_else(key).and_then(|position| seen.get_mut(*position)) else {
                continue;
            };
            *slot = match slot {
                Seen::Absent => Seen::One(found, None),
                // A page that moved while it was read may show one item twice.
                Seen::One(known, _) if at.resource.id(known) == at.resource.id(&found) => continue,
                Seen::One(..) => Seen::Many(2),
                Seen::Many(count) => Seen::Many(*count + 1),
            };
        }
    }
    Ok(seen)
}
