//! Anchors: a batch that is carried out only if the rows and columns that it names are where they were seen.
//!
//! The service knows no precondition. But a batch is all or nothing, metadata of a row follow it wherever people move it,
//! and ids of metadata are unique in a spreadsheet. So rows and columns are tagged, and looked at in the same call; and
//! the batch that writes begins, for each tag, with "take it away if it is on this row" and "attach it to this row, with
//! its id". A tag whose row is elsewhere by then is still there: its id is taken, the second request is refused, and with
//! it the whole batch. That taken ids are refused is what markers rest on, too; that a search by exact place is one is
//! documented. Should a service do otherwise, the answer shows it, and what was written is read back and repaired.
//!
//! A row that somebody deletes takes its tag with it, which refuses nothing. The tags of its neighbours and of the last
//! row do, as those have moved up; and the answer names the tags that were found.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lockstep_google::{Google, MetadataPlace, MetadataQuery, Reply, Request};

use super::marker;
use crate::error::Result;

/// The most tags of one batch.
///
/// Google allows 30,000 characters of metadata on a sheet, those of other programs included; a tag of ours has about 18.
const MAX_TAGS: usize = 1_000;

/// How many rows are tagged of those that are too many for each to be.
const SAMPLE: usize = 250;

/// The most columns that are tagged.
const MAX_COLUMNS: usize = 100;

/// The most rows of which each can be tagged.
pub(crate) const MAX_ROWS: usize = MAX_TAGS - MAX_COLUMNS;

/// The key of every tag of Lockstep.
pub(crate) const KEY: &str = "ls";

/// After how many minutes the tags of a run that died are removed by another.
const KEEP: i64 = 60;

/// Returns what the tags of a run say: when they were made, in minutes, and by which run.
pub(crate) fn tags(run: &str, side: &str, now: Timestamp) -> String {
    format!("{:x}.{:x}", now.as_second() / 60, marker::id(&[run, side]))
}

/// Returns the request that removes the tags of a run.
pub(crate) fn untag(tags: &str) -> Request {
    Request::DeleteMetadata(MetadataQuery {
        key: Some(KEY.into()),
        value: Some(tags.to_owned()),
        ..MetadataQuery::default()
    })
}

/// Returns the requests that remove the tags that runs which died have left; one read call.
pub(crate) async fn sweep(
    google: &Google,
    spreadsheet: &str,
    now: Timestamp,
) -> Result<Vec<Request>> {
    let query = MetadataQuery { key: Some(KEY.into()), ..MetadataQuery::default() };
    let found = google.search_metadata(spreadsheet, &query).await?;
    let made = |value: &str| {
        value.split_once('.').and_then(|(at, _)| i64::from_str_radix(at, 16).ok()).unwrap_or(0)
    };
    let old: BTreeSet<String> = found
        .into_iter()
        .map(|found| found.value)
        .filter(|value| made(value).saturating_add(KEEP) < now.as_second() / 60)
        .collect();
    Ok(old.iter().map(|value| untag(value)).collect())
}

/// Which tags of a batch were in their places when it was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Whether all were.
    pub(crate) all: bool,
    /// The rows that were proven to be where they were seen.
    pub(crate) rows: BTreeSet<u32>,
}

/// The tags of one batch, each with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchors {
    value: String,
    places: Vec<MetadataPlace>,
}

impl Anchors {
    /// Chooses the tags for rows and columns of a sheet: these, and, if there is room, their neighbours and the last row.
    ///
    /// `end` is the row after the last that can be tagged. Of more than [`MAX_ROWS`] rows some are taken, spread evenly.
    pub(crate) fn new(
        value: &str,
        sheet: i32,
        rows: &BTreeSet<u32>,
        columns: impl IntoIterator<Item = u32>,
        end: u32,
    ) -> Self {
        let columns: BTreeSet<u32> = columns.into_iter().take(MAX_COLUMNS).collect();
        let room = MAX_TAGS - columns.len();
        let rows: BTreeSet<u32> = rows.iter().copied().filter(|row| *row < end).collect();
        let near = |row: &u32| [row.saturating_sub(1), *row, row.saturating_add(1)];
        let mut near: BTreeSet<u32> = rows.iter().flat_map(near).collect();
        near.extend(end.checked_sub(1));
        near.retain(|row| *row < end);
        let chosen: Vec<u32> = if near.len() <= room {
            near.into_iter().collect()
        } else if rows.len() <= room {
            rows.into_iter().collect()
        } else {
            rows.iter().copied().step_by(rows.len().div_ceil(SAMPLE)).collect()
        };
        let rows = chosen.into_iter().map(|index| MetadataPlace::Row { sheet, index });
        let columns = columns.into_iter().map(|index| MetadataPlace::Column { sheet, index });
        Self { value: value.to_owned(), places: rows.chain(columns).collect() }
    }

    /// Returns the requests that attach the tags, those from an earlier try gone.
    pub(crate) fn lay(&self) -> Vec<Request> {
        std::iter::once(untag(&self.value)).chain(self.attach()).collect()
    }

    /// Returns the requests that are refused, with all others of their batch, unless every tag is in its place.
    pub(crate) fn hold(&self) -> Vec<Request> {
        let take = self.tags().map(|(id, place)| {
            Request::DeleteMetadata(MetadataQuery {
                id: Some(id),
                place: Some(place),
                ..MetadataQuery::default()
            })
        });
        take.chain(self.attach()).collect()
    }

    /// Returns whether each of these rows has a tag.
    pub(crate) fn cover<'r>(&self, mut rows: impl Iterator<Item = &'r u32>) -> bool {
        let has = |row: &u32| {
            let own = |place: &MetadataPlace| matches!(place, MetadataPlace::Row { index, .. } if index == row);
            self.places.iter().any(own)
        };
        rows.all(has)
    }

    /// Returns which tags were found, by the replies to [`hold`](Self::hold); none if the answer was lost.
    pub(crate) fn held(&self, replies: &[Reply]) -> Held {
        let mut held = Held { all: replies.len() >= self.places.len(), rows: BTreeSet::new() };
        for (place, reply) in self.places.iter().zip(replies) {
            let found = matches!(reply, Reply::MetadataDeleted(gone) if gone.len() == 1);
            match place {
                MetadataPlace::Row { index, .. } if found => drop(held.rows.insert(*index)),
                _ => held.all &= found,
            }
        }
        held
    }

    /// Returns the bytes that the requests of [`hold`](Self::hold) take for `rows` rows, at most.
    pub(crate) fn size(rows: usize) -> usize {
        const PAIR: usize = 540;
        let tags = match rows {
            0..=MAX_ROWS => rows.saturating_mul(3).saturating_add(1).min(MAX_ROWS),
            _ => SAMPLE,
        };
        tags.saturating_add(MAX_COLUMNS).saturating_mul(PAIR)
    }

    fn attach(&self) -> impl Iterator<Item = Request> {
        self.tags().map(|(id, place)| Request::CreateMetadata {
            id: Some(id),
            key: KEY.into(),
            value: self.value.clone(),
            place,
        })
    }

    /// Returns the tags with their ids.
    ///
    /// The ids are the same at every try of a run: a late twin of an earlier try is refused where rows have moved.
    fn tags(&self) -> impl Iterator<Item = (i32, MetadataPlace)> {
        let first = marker::id(&[&self.value, "tags"]) & 0x7fff_f000;
        (first.max(1)..).zip(self.places.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(anchors: &Anchors) -> Vec<u32> {
        let row = |place: &MetadataPlace| match place {
            MetadataPlace::Row { index, .. } => Some(*index),
            _ => None,
        };
        anchors.places.iter().filter_map(row).collect()
    }

    #[test]
    fn neighbours_and_the_last_row_are_tagged_while_there_is_room() {
        let of =
            |rows: &[u32], end| Anchors::new("v", 0, &rows.iter().copied().collect(), [0, 3], end);
        assert_eq!(rows(&of(&[4, 5, 9], 20)), [3, 4, 5, 6, 8, 9, 10, 19]);
        assert_eq!(rows(&of(&[0, 9], 10)), [0, 1, 8, 9]);
        assert_eq!(of(&[4], 9).places.len(), 6);
        let many: BTreeSet<u32> = (0..900).map(|n| n * 2).collect();
        assert_eq!(rows(&Anchors::new("v", 0, &many, 0..100, 5_000)).len(), 900);
        let more: BTreeSet<u32> = (0..10_000).collect();
        let chosen = rows(&Anchors::new("v", 0, &more, 0..200, 10_000));
        assert!((200..=250).contains(&chosen.len()), "{}", chosen.len());
        assert!(chosen.windows(2).all(|pair| pair[1] - pair[0] <= 40));
    }

    #[test]
    fn what_the_tags_take_in_a_batch_is_known_before() {
        for count in [1_u32, 10, 300, 900, 901, 5_000] {
            let wanted: BTreeSet<u32> = (0..count).map(|n| 1_000_000 + n * 3).collect();
            let value = tags("r", "right", Timestamp::from_second(4_000_000_000).unwrap());
            assert!(KEY.len() + value.len() <= 19, "{value}");
            let anchors = Anchors::new(&value, i32::MAX, &wanted, 0..100, u32::MAX);
            let size: usize = anchors.hold().iter().map(|request| request.wire_size() + 1).sum();
            assert!(size <= Anchors::size(wanted.len()), "{count}: {size}");
        }
    }
}
