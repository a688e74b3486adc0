//! A run's turn: the lease that makes it the only one for its dataset, on every process of the store.

use jiff::SignedDuration;

use super::{Shell, recover::recover};
use crate::{
    error::{Error, Kind, Result},
    store::{Acquired, Lease},
};

/// How long a lease holds without being renewed: longer than any single call to a service takes.
const TTL: SignedDuration = SignedDuration::from_mins(5);

/// Takes the turn of a dataset; from a process that is proven to be gone at once.
///
/// # Errors
/// [`Kind::Unavailable`] while another run has it; says who and until when.
pub(super) async fn take(shell: &Shell, dataset: &str) -> Result<Lease> {
    let (store, holder) = (&shell.store, shell.holder.name());
    let now = shell.clock.now();
    let mut acquired = store.acquire(dataset, holder, now, TTL).await?;
    if let Acquired::Busy { holder: other, until } = &acquired
        && shell.holder.is_gone(other)
    {
        // To the store this is the moment at which the dead process's lease has run out.
        acquired = store.acquire(dataset, holder, *until, TTL).await?;
    }
    match acquired {
        Acquired::Held(lease) => Ok(lease),
        Acquired::Busy { holder, until } => Err(Error::new(
            Kind::Unavailable,
            format!(
                "the dataset \"{dataset}\" is being synced by {holder}; its lease lasts until {until:.0}, and ends \
                 earlier when it is done"
            ),
        )
        .next("wait for it and call again; nothing was written")),
    }
}

/// Keeps the turn; called before each batch.
///
/// # Errors
/// [`Kind::Changed`] when it expired and another run took it.
pub(super) async fn keep(shell: &Shell, lease: &mut Lease) -> Result<()> {
    *lease = shell.store.renew(lease, shell.clock.now(), TTL).await?;
    Ok(())
}

/// Runs something as the only one for its dataset, after finishing what an earlier run left open.
///
/// # Errors
/// See [`take`]; else the work's own.
pub(super) async fn with<T>(
    shell: &Shell,
    dataset: &str,
    work: impl AsyncFnOnce(&mut Lease, u32) -> Result<T>,
) -> Result<T> {
    let mut lease = take(shell, dataset).await?;
    let done = match recover(shell, &lease).await {
        Ok(recovered) => work(&mut lease, recovered).await,
        Err(error) => Err(error),
    };
    if let Err(error) = shell.store.release(&lease).await {
        // It expires by itself; the outcome of the work is what the caller needs to know.
        tracing::warn!(%error, dataset, "the lease was not released");
    }
    done
}
