//! What is to be written to an API, cut into small batches.

use std::collections::HashMap;

use lockstep_engine::{dataset::SideName, reconcile::Change};

use super::{Api, config::WriteConfig, fill::Deed, json::Json, resource::Resource, scan::ApiTable};
use crate::{
    error::{Error, Kind, Result, did_you_mean},
    replica::{
        apply::{Place, Settled, Writes},
        connections::Connections,
        header,
    },
};

/// The most items of a batch: what a crash leaves in doubt is looked at item by item.
const BATCH: usize = 100;

/// How long a batch may take at the pace that the operator allows, in seconds; well within a run's lease.
const BATCH_SECONDS: u64 = 60;

/// The writes to one resource.
#[derive(Debug)]
pub(crate) struct ApiPlan {
    pub(super) api: Api,
    pub(super) resource: String,
    pub(super) run: String,
    pub(super) side: SideName,
    pub(super) origins: HashMap<usize, Origin>,
    pub(super) pages: u32,
    /// What kept an earlier batch from being finished.
    pub(super) stopped: Option<(Kind, String)>,
    /// The positions of the changes of each batch.
    pub(crate) batches: Vec<Vec<usize>>,
}

/// What is known of the item that a change is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) id: Option<Json>,
    pub(super) etag: Option<String>,
}

impl ApiPlan {
    /// Checks that the API can do what the changes ask, and cuts them into batches; nothing is called.
    ///
    /// # Errors
    /// A kind of change that the resource does not describe, a field that it does not have or that cannot be written.
    pub(crate) fn new(
        connections: &Connections,
        table: &ApiTable,
        writes: &Writes<'_>,
        run: &str,
        side: SideName,
    ) -> Result<Self> {
        let api = connections.api(&table.connection)?;
        api.check_writable()?;
        let resource = api.resource(&table.resource)?;
        let place =
            |error: Error| error.context(format!("{} of \"{}\"", table.resource, table.connection));
        for kind in [Deed::Create, Deed::Update, Deed::Delete] {
            let rows = writes.changes.iter().filter(|change| Deed::of(change.kind) == kind).count();
            if rows > 0 && resource.write(kind).is_none() {
                return Err(place(unable(kind, rows)));
            }
        }
        check_fields(resource, writes).map_err(place)?;
        // Only a whole scan numbers its rows as the snapshot does.
        let numbered = table.ids.len() == writes.snapshot.len();
        let origin = |change: &Change| {
            let at = change.row.filter(|_| numbered);
            let text = |all: &[Option<Box<str>>]| all.get(at?)?.as_deref().map(str::to_owned);
            Origin {
                id: text(&table.ids).and_then(|id| Json::parse(&id).ok()),
                etag: text(&table.etags),
            }
        };
        let origins = writes.changes.iter().map(|change| origin(change)).enumerate().collect();
        // Each item takes up to two calls: one that looks, one that writes.
        let paced = api.wire().pace.within(BATCH_SECONDS).map_or(BATCH, |calls| calls / 2);
        let size = paced.clamp(1, BATCH);
        let all: Vec<usize> = (0..writes.changes.len()).collect();
        Ok(Self {
            api: api.clone(),
            resource: table.resource.clone(),
            run: run.to_owned(),
            side,
            origins,
            pages: table.pages,
            stopped: None,
            batches: all.chunks(size).map(<[usize]>::to_vec).collect(),
        })
    }

    /// Returns what settling needs.
    pub(crate) fn place(&self, batch: usize) -> Place {
        let positions = self.batches.get(batch).map(Vec::as_slice).unwrap_or_default();
        let id = |position: &usize| {
            self.origins.get(position).and_then(|origin| origin.id.as_ref()).map(Json::to_string)
        };
        Place::Api {
            connection: self.api.wire().name.clone(),
            resource: self.resource.clone(),
            ids: positions.iter().map(id).collect(),
            idempotency: self.idempotency(batch, &[]),
        }
    }

    /// Returns the idempotency key of a request: the same for the same items of the same batch of the same run.
    pub(super) fn idempotency(&self, batch: usize, positions: &[usize]) -> String {
        let named = format!("{} {} {batch} {positions:?}", self.run, self.side);
        blake3::hash(named.as_bytes()).to_hex().chars().take(32).collect()
    }
}

impl Resource {
    /// Returns how a kind of change is written.
    pub(super) fn write(&self, kind: Deed) -> Option<&WriteConfig> {
        match kind {
            Deed::Create => self.config.create.as_ref(),
            Deed::Update => self.config.update.as_ref(),
            Deed::Delete => self.config.delete.as_ref(),
        }
    }
}

fn unable(kind: Deed, rows: usize) -> Error {
    let (doing, key, instead) = match kind {
        Deed::Create => ("created", "create", "keep such rows out of the other side"),
        Deed::Update => ("updated", "update", "let the columns flow from this side only"),
        Deed::Delete => ("deleted", "delete", "set deletes to \"ignore\" or a mark"),
    };
    Error::new(
        Kind::PermissionDenied,
        format!("{rows} items would have to be {doing}, and the operator did not describe how"),
    )
    .next(format!("add {key} to the resource in lockstep.toml, or {instead}; nothing was written"))
}

/// Refuses columns that the API does not have or does not let anyone write.
fn check_fields(resource: &Resource, writes: &Writes<'_>) -> Result<()> {
    for change in writes.changes.iter().filter(|change| Deed::of(change.kind) != Deed::Delete) {
        for column in change.cells.iter() {
            let blank =
                change.after.as_ref().and_then(|row| row.get(*column)).is_none_or(|v| v.is_null());
            let Some(name) = writes.headers.get(*column).and_then(Option::as_deref) else {
                continue;
            };
            match resource.field(name) {
                Some(field) if field.writable => {}
                _ if blank && Deed::of(change.kind) == Deed::Create => {}
                Some(_) => {
                    return Err(Error::new(
                        Kind::PermissionDenied,
                        format!("the field \"{name}\" can only be read, and {} would change it", change.key),
                    )
                    .next("leave the column out, or let it flow from this side only; nothing was written"));
                }
                None => {
                    let names = || resource.config.fields.iter().map(|(name, _)| name.as_str());
                    let near = did_you_mean(name, names());
                    return Err(Error::not_found(format!("there is no field \"{name}\".{near}"))
                        .next(format!(
                            "the fields are {}; the operator describes them in lockstep.toml",
                            header::list(names())
                        )));
                }
            }
        }
    }
    Ok(())
}

/// Settles a batch of a run that died: only the items themselves can tell.
///
/// # Errors
/// A connection or resource that is not described any more.
pub(crate) fn settle(
    connections: &Connections,
    connection: &str,
    resource: &str,
) -> Result<Settled> {
    connections.api(connection)?.resource(resource)?;
    Ok(Settled::Changed)
}
