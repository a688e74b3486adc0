//! The quota of one Google account, counted in the store by all processes that share it.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use lockstep_google::{Ledger, LedgerFuture};

use crate::{clock::Clock, store::Store};

/// Counts calls in a store.
#[derive(Clone, Debug)]
pub struct StoreLedger {
    /// Where.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

impl Ledger for StoreLedger {
    fn claim<'a>(
        &'a self,
        bucket: &'a str,
        limit: u32,
        window: Duration,
    ) -> LedgerFuture<'a, Option<Duration>> {
        Box::pin(async move {
            let window = SignedDuration::try_from(window)?;
            let wait = self.store.quota_claim(bucket, limit, window, self.clock.now()).await?;
            Ok(wait.map(|wait| Duration::try_from(wait).unwrap_or_default()))
        })
    }

    fn close<'a>(&'a self, bucket: &'a str, until: SystemTime) -> LedgerFuture<'a, ()> {
        Box::pin(
            async move { Ok(self.store.quota_close(bucket, Timestamp::try_from(until)?).await?) },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_processes_share_one_window_and_one_closing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lockstep.db");
        let now = Timestamp::from_second(1_000_000).unwrap();
        let ledger = async |at: Timestamp| StoreLedger {
            store: Store::open(&path).await.unwrap(),
            clock: Clock::Fixed(at),
        };
        let (one, two) = (ledger(now).await, ledger(now).await);
        let minute = Duration::from_secs(60);
        assert_eq!(one.claim("a", 2, minute).await.unwrap(), None);
        assert_eq!(two.claim("a", 2, minute).await.unwrap(), None);
        assert_eq!(one.claim("a", 2, minute).await.unwrap(), Some(minute));
        assert_eq!(
            two.claim("b", 2, minute).await.unwrap(),
            None,
            "another account is another quota"
        );
        let until = SystemTime::from(now + SignedDuration::from_secs(30));
        one.close("b", until).await.unwrap();
        assert_eq!(two.claim("b", 2, minute).await.unwrap(), Some(Duration::from_secs(30)));
    }
}
