//! Who the client acts as, and what its Drive can hold.

use crate::retry::{Call, Effect};
use crate::{Google, Result};

const GET: Call = Call::drive("drive.about.get", Effect::Read);

/// Who the client acts as.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The e-mail address.
    pub email: Option<String>,
    /// How many bytes its Drive can hold; none where there is no limit.
    pub limit: Option<u64>,
    /// How many bytes are used.
    pub used: u64,
}

impl Google {
    /// Returns who the client acts as.
    pub async fn about(&self) -> Result<About> {
        let found = self
            .run(GET, |mut witness| async move {
                scoped!(self.shared.drive.about().get())
                    .param("fields", "user(emailAddress),storageQuota(limit,usage)")
                    .delegate(&mut witness)
                    .doit()
                    .await
            })
            .await?
            .1;
        let quota = found.storage_quota.unwrap_or_default();
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        Ok(About {
            email: found.user.and_then(|user| user.email_address),
            limit: bytes(quota.limit),
            used: bytes(quota.usage).unwrap_or(0),
        })
    }
}
