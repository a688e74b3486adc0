//! Reads a resource: whole, or what changed, or not at all where nothing did.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{
    cell::Cell,
    schema::ColumnType,
    snapshot::{Snapshot, SnapshotBuilder},
};
use serde_json::Value;

use super::{
    Api,
    columns::FieldConfig,
    config::{Etag, Missing},
    json::Json,
    list::{At, Lister, unchanged},
    stamp::{MAX_TAGS, Stamp},
};
use crate::{
    error::{Error, Kind, Result},
    progress::Progress,
    replica::scan::{Extent, Role, Scan, Target},
};

/// What writing to a resource needs to know of the items that were read.
#[derive(Debug, Default)]
pub(crate) struct ApiTable {
    pub(super) connection: String,
    pub(super) resource: String,
    /// The id of each row as JSON; `None` for an item without one.
    pub(super) ids: Vec<Option<Box<str>>>,
    /// The tag of each row, where items carry one.
    pub(super) etags: Vec<Option<Box<str>>>,
    /// How many requests reading the list took.
    pub(super) pages: u32,
}

/// How often a list is read that changes while it is read.
const ATTEMPTS: u32 = 3;

/// Reads a resource.
///
/// # Errors
/// A resource that is not described or may not be written; an API that cannot be read completely.
pub(crate) async fn scan(
    api: &Api,
    resource: &str,
    role: Role,
    since: Option<&Value>,
    progress: &Progress,
) -> Result<Scan> {
    let resource = api.resource(resource)?;
    if role.writes() {
        api.check_writable()?;
    }
    let at = At { wire: api.wire(), resource, progress };
    let made = made(at);
    let stamp = Stamp::read(since, &made);
    if let Some(stamp) = stamp.as_ref().filter(|stamp| !stamp.pages.is_empty())
        && unchanged(at, &stamp.pages).await?
    {
        let gathered = Gathered::new(at);
        let scan = gathered.scan(at, role, Extent::Unchanged, 0);
        return Ok(Scan { stamp: since.cloned(), ..scan });
    }
    let latest = stamp.and_then(|stamp| stamp.latest);
    let changes = resource.config.list.since.as_ref().zip(latest);
    let (extent, extra) = match changes {
        Some((since, latest)) => (Extent::Since, Some(since.parameter(latest))),
        None => (Extent::Whole, None),
    };
    let mut torn = String::new();
    for _ in 0..ATTEMPTS {
        let mut gathered = Gathered::new(at);
        gathered.latest = latest;
        let mut lister = Lister::new(at, extra.clone());
        while let Some(page) = lister.next().await? {
            gathered.page(at, page)?;
        }
        match gathered.torn(&lister) {
            Some(what) => torn = what,
            None => return Ok(gathered.scan(at, role, extent, lister.pages)),
        }
        tracing::info!(api = api.wire().name, torn, "a list changed while it was read");
    }
    Err(Error::new(
        Kind::Unavailable,
        format!("the list was read {ATTEMPTS} times and was never whole: {torn}"),
    )
    .context(format!("{} of \"{}\"", resource.name, api.wire().name))
    .next("call again when fewer changes are made; a pagination by cursor cannot be torn"))
}

/// Names what is read: the API's address and the description of the resource.
fn made(at: At<'_>) -> String {
    let made = format!("{:?} {}", at.wire.origin, at.resource.fingerprint());
    blake3::hash(made.as_bytes()).to_hex().to_string()
}

/// What was read so far.
struct Gathered {
    builder: SnapshotBuilder,
    table: ApiTable,
    seen: HashSet<[u8; 16]>,
    twice: Option<String>,
    /// For each field, whether any item has it, whether as a list, and whether as anything else.
    shapes: Vec<[bool; 3]>,
    latest: Option<jiff::Timestamp>,
    /// Whether an item does not say when it was changed.
    timeless: bool,
    tags: Vec<(String, String)>,
    tagless: bool,
}

impl Gathered {
    fn new(at: At<'_>) -> Self {
        let fields = &at.resource.config.fields;
        Self {
            builder: SnapshotBuilder::new(fields.iter().map(|(name, _)| name.clone())),
            table: ApiTable {
                connection: at.wire.name.clone(),
                resource: at.resource.name.clone(),
                ..ApiTable::default()
            },
            seen: HashSet::new(),
            twice: None,
            shapes: vec![[false; 3]; fields.len()],
            latest: None,
            timeless: false,
            tags: Vec::new(),
            tagless: false,
        }
    }

    fn page(&mut self, at: At<'_>, page: super::list::Page) -> Result<()> {
        match page.etag {
            Some(etag) if self.tags.len() < MAX_TAGS => self.tags.push((page.address, etag)),
            _ => self.tagless = true,
        }
        for item in &page.items {
            self.item(at, item)?;
        }
        Ok(())
    }

    fn item(&mut self, at: At<'_>, item: &Json) -> Result<()> {
        let config = &at.resource.config;
        let number = self.table.ids.len() + 1;
        let id = at.resource.id(item).map(|id| id.to_string());
        if let Some(id) = &id {
            let digest = blake3::hash(id.as_bytes());
            let short = digest.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
            if !self.seen.insert(short) {
                self.twice = Some(format!("the item with id {id} came twice"));
                return Ok(());
            }
        }
        let mut held = Vec::with_capacity(config.fields.len());
        for ((name, field), shape) in config.fields.iter().zip(&mut self.shapes) {
            held.push(field.read(item).map_err(|what| {
                let which = id.clone().map_or_else(String::new, |id| format!(" (id {id})"));
                at.wire
                    .error(Kind::InvalidArgument, format!("item {number}{which}: {what}"))
                    .context(format!("resources.{}.fields.{name}", at.resource.name))
                    .next("correct the field's pointer, or leave the field out")
            })?);
            note(shape, field, item);
        }
        self.builder.push(held.iter().map(super::field::Held::cell));
        if let (Some(since), Some(pointer)) = (&config.list.since, &config.modified_at) {
            match item.at(pointer).and_then(|value| since.time(value)) {
                Some(time) => self.latest = self.latest.max(Some(time)),
                None => self.timeless = true,
            }
        }
        let etag = match &config.etag {
            Some(Etag::Item(pointer)) => item.at(pointer).and_then(Json::scalar),
            _ => None,
        };
        self.table.ids.push(id.map(Into::into));
        self.table.etags.push(etag.map(Into::into));
        Ok(())
    }

    /// Returns why what was read is not the whole list.
    fn torn(&self, lister: &Lister<'_>) -> Option<String> {
        let fewer = lister.total.filter(|total| *total != lister.items);
        let counted = fewer.map(|total| format!("it says {total} items and gave {}", lister.items));
        self.twice.clone().or(counted)
    }

    fn scan(mut self, at: At<'_>, role: Role, extent: Extent, pages: u32) -> Scan {
        let config = &at.resource.config;
        self.table.pages = pages;
        let mut types = HashMap::new();
        for ((name, field), [_, lists, others]) in config.fields.iter().zip(&self.shapes) {
            let ty = match (field.declared(), lists, others) {
                (Some(ty), ..) => ty,
                (None, true, false) => ColumnType::List,
                _ => continue,
            };
            types.insert(name.clone(), ty);
        }
        // A column that flows from here alone: nothing is ever written to it.
        let fixed = config.fields.iter().filter(|(_, field)| !field.writable);
        let formulas = match role {
            Role::Both { .. } => fixed.map(|(name, _)| name.clone()).collect(),
            Role::Source | Role::Target => HashSet::new(),
        };
        let stamp = Stamp {
            made: made(at),
            latest: self.latest.filter(|_| config.list.since.is_some() && !self.timeless),
            pages: match config.list.conditional && !self.tagless {
                true => self.tags,
                false => Vec::new(),
            },
        };
        let gone: Vec<bool> = self.shapes.iter().map(|[there, ..]| !there).collect();
        let whole = extent == Extent::Whole && config.missing == Missing::Gone;
        let snapshot = self.builder.finish();
        let snapshot = match whole && !snapshot.is_empty() && gone.contains(&true) {
            true => without(&snapshot, &gone),
            false => snapshot,
        };
        let target = match role.writes() {
            true => Target::Api(Box::new(self.table)),
            false => Target::ReadOnly,
        };
        Scan { types, formulas, extent, stamp: stamp.write(), ..Scan::whole(snapshot, target) }
    }
}

fn note(shape: &mut [bool; 3], field: &FieldConfig, item: &Json) {
    let [there, lists, others] = shape;
    match item.at(&field.pointer) {
        None => {}
        Some(Json::Null) => *there = true,
        Some(Json::List(_)) => (*there, *lists) = (true, true),
        Some(_) => (*there, *others) = (true, true),
    }
}

/// Returns a snapshot without the columns that no item has: they are gone, not blank.
fn without(snapshot: &Snapshot, gone: &[bool]) -> Snapshot {
    let kept = |column: &usize| gone.get(*column) == Some(&false);
    let columns: Vec<usize> = (0..snapshot.headers().len()).filter(kept).collect();
    let headers = columns.iter().filter_map(|column| snapshot.headers().get(*column).cloned());
    let mut builder = SnapshotBuilder::new(headers);
    for row in 0..snapshot.len() {
        let cells: Vec<Cell<'_>> =
            columns.iter().map(|column| snapshot.cell(row, *column)).collect();
        builder.push(cells);
    }
    builder.finish()
}
