//! Tells clients when what they follow changes: `resources/subscribe`, and `subscriptions/listen`.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{ResourceUpdatedNotificationParam, SubscriptionFilter},
    service::SubscriptionContext,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::changes::{Change, Changes};

/// How many resources one client may follow.
const MOST: usize = 1000;

/// The longest URI that is remembered, in bytes: those of ours are far shorter.
const LONGEST: usize = 2000;

/// What a client of a session follows.
#[derive(Debug, Default)]
pub(super) struct Followed {
    uris: Arc<Mutex<HashSet<String>>>,
    /// Ends the teller when the session does.
    teller: Mutex<Option<DropGuard>>,
    /// Cancelled when the client has no more to say, though it may still wait for answers.
    pub(super) silent: CancellationToken,
}

impl Followed {
    /// Follows a resource.
    pub(super) fn add(&self, uri: String) -> Result<(), ErrorData> {
        if uri.len() > LONGEST {
            let why = format!("the URI has {} bytes; resources have at most {LONGEST}", uri.len());
            return Err(ErrorData::invalid_params(why, None));
        }
        let mut uris = self.uris.lock().unwrap_or_else(PoisonError::into_inner);
        if uris.len() >= MOST {
            let why = format!("a session follows at most {MOST} resources; unsubscribe from some");
            return Err(ErrorData::invalid_params(why, None));
        }
        uris.insert(uri);
        Ok(())
    }

    /// Follows a resource no longer.
    pub(super) fn remove(&self, uri: &str) {
        self.uris.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
    }

    /// Starts to tell a session what changes, once.
    pub(super) fn start(&self, changes: &Changes, peer: Peer<RoleServer>) {
        let mut teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        if teller.is_some() {
            return;
        }
        let stop = CancellationToken::new();
        let (changes, uris) = (changes.follow(), Arc::clone(&self.uris));
        tokio::spawn(tell(changes, uris, peer, stop.clone()));
        *teller = Some(stop.drop_guard());
    }
}

async fn tell(
    mut changes: Receiver<Change>,
    uris: Arc<Mutex<HashSet<String>>>,
    peer: Peer<RoleServer>,
    stop: CancellationToken,
) {
    let follows = |uri: &str| uris.lock().unwrap_or_else(PoisonError::into_inner).contains(uri);
    while let Some(change) = next(&mut changes, &stop).await {
        let told = match change {
            Change::List => peer.notify_resource_list_changed().await,
            Change::Resource(uri) if follows(&uri) => {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await
            }
            Change::Resource(_) => Ok(()),
        };
        if told.is_err() {
            return;
        }
    }
}

/// Returns the next change; one that was missed is passed over, as the next read shows it too.
async fn next(changes: &mut Receiver<Change>, stop: &CancellationToken) -> Option<Change> {
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => return Some(change),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
            () = stop.cancelled() => return None,
        }
    }
}

/// Returns what of a requested filter is served: the list of resources, and single ones.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::new();
    accepted.resources_list_changed = requested.resources_list_changed;
    accepted.resource_subscriptions = requested
        .resource_subscriptions
        .as_ref()
        .map(|uris| uris.iter().filter(|uri| uri.len() <= LONGEST).take(MOST).cloned().collect());
    accepted
}

/// Serves `subscriptions/listen` until it ends, or until the client has no more to say: rmcp would wait for it.
pub(super) async fn listen(
    changes: &Changes,
    followed: &Followed,
    subscription: SubscriptionContext,
) -> Result<(), ErrorData> {
    let mut changes = changes.follow();
    let stop = subscription.request_context().ct.clone();
    let accepted = subscription.accepted().clone();
    let uris = accepted.resource_subscriptions.unwrap_or_default();
    let serve = async {
        while let Some(change) = next(&mut changes, &stop).await {
            let sink = subscription.sink();
            let sent = match change {
                Change::List if accepted.resources_list_changed == Some(true) => {
                    sink.notify_resource_list_changed().await
                }
                Change::Resource(uri) if uris.contains(&uri) => {
                    sink.notify_resource_updated(uri).await
                }
                _ => Ok(()),
            };
            if sent.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = serve => {}
        () = followed.silent.cancelled() => {}
    }
    Ok(())
}
