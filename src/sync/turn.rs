//! A run's turn: the lease that makes it the only one for its dataset, on every process of the store.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use tracing::Instrument;

use super::{
    Shell,
    recover::{Recovered, recover},
};
use crate::{
    error::{Error, Kind, Result},
    store::{Acquired, Lease},
};

/// How long a lease holds without being renewed: longer than any single call to a service takes.
const TTL: SignedDuration = SignedDuration::from_mins(5);

/// How long a run waits for another one of its own process, such as the settling at the start of a server.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the turn of a dataset; from a process that is proven to be gone at once.
///
/// # Errors
/// [`Kind::Unavailable`] while another run has it; says who and until when.
pub(super) async fn take(shell: &Shell, dataset: &str) -> Result<Lease> {
    let (store, own) = (&shell.store, shell.holder.name());
    let asked = Instant::now();
    loop {
        let now = shell.reach.clock.now();
        let (holder, until) = match store.acquire(dataset, own, now, TTL).await? {
            Acquired::Held(lease) => return Ok(lease),
            Acquired::Busy { holder, until } => (holder, until),
        };
        if shell.holder.is_gone(&holder) {
            // To the store this is the moment at which the dead process's lease has run out.
            if let Acquired::Held(lease) = store.acquire(dataset, own, until, TTL).await? {
                return store.renew(&lease, now, TTL).await;
            }
            continue;
        }
        if holder == own && asked.elapsed() < PATIENCE {
            shell.reach.progress.check()?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        return Err(Error::new(
            Kind::Unavailable,
            format!(
                "the dataset \"{dataset}\" is being synced by {holder}; its lease lasts until {until:.0}, and ends \
                 earlier when it is done"
            ),
        )
        .next("wait for it and call again; nothing was written"));
    }
}

/// Keeps the turn; called before each batch.
///
/// # Errors
/// [`Kind::Changed`] when it expired and another run took it.
pub(super) async fn keep(shell: &Shell, lease: &mut Lease) -> Result<()> {
    *lease = shell.store.renew(lease, shell.reach.clock.now(), TTL).await?;
    Ok(())
}

/// Runs something as the only one for its dataset, after finishing what an earlier run left open.
///
/// # Errors
/// See [`take`]; else the work's own.
pub(crate) async fn with<T>(
    shell: &Shell,
    dataset: &str,
    work: impl AsyncFnOnce(&mut Lease, Recovered) -> Result<T>,
) -> Result<T> {
    let mut lease = take(shell, dataset).await?;
    let (span, started) =
        (tracing::info_span!("run", dataset, error.type = tracing::field::Empty), Instant::now());
    let done = async {
        let recovered = recover(shell, &lease).await?;
        work(&mut lease, recovered).await
    }
    .instrument(span.clone())
    .await;
    let outcome = done.as_ref().err().map_or("ok", |error| error.kind().as_str());
    if done.is_err() {
        span.record("error.type", outcome);
    }
    tracing::trace!(
        target: "lockstep::numbers",
        {
            monotonic_counter.lockstep.runs = 1_u64,
            histogram.lockstep.run.seconds = started.elapsed().as_secs_f64(),
            dataset,
            outcome,
        },
        "counted"
    );
    if let Err(error) = shell.store.release(&lease).await {
        // It expires by itself; the outcome of the work is what the caller needs to know.
        tracing::warn!(%error, dataset, "the lease was not released");
    }
    done
}
