//! Notification channels: Drive tells an address when a file changes.

use google_drive3::api;

use crate::retry::{Call, Effect};
use crate::{Google, Result};

// A second channel with the same id is refused, so that a lost answer leaves at most one, which ends by itself.
const WATCH: Call = Call::drive("drive.files.watch", Effect::Repeatable);
const STOP: Call = Call::drive("drive.channels.stop", Effect::Repeatable);

/// A channel that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What is watched; needed to stop the channel.
    pub resource: String,
    /// When it ends, in milliseconds since 1970, where Drive says so.
    pub expires: Option<i64>,
}

impl Google {
    /// Asks Drive to tell `address` when a file changes, until `ends` (milliseconds since 1970) at the latest.
    ///
    /// The first message, with the state `sync`, may arrive before this returns. `token` comes back with each.
    pub async fn watch_file(
        &self,
        file: &str,
        id: &str,
        address: &str,
        token: &str,
        ends: i64,
    ) -> Result<Channel> {
        self.may(WATCH.operation, file).await?;
        let wanted = &api::Channel {
            id: Some(id.to_owned()),
            address: Some(address.to_owned()),
            token: Some(token.to_owned()),
            type_: Some("web_hook".to_owned()),
            expiration: Some(ends),
            ..api::Channel::default()
        };
        let opened = self
            .run(WATCH, |mut witness| async move {
                scoped!(self.shared.drive.files().watch(wanted.clone(), file))
                    .supports_all_drives(true)
                    .delegate(&mut witness)
                    .doit()
                    .await
            })
            .await?;
        let channel = opened.1;
        Ok(Channel {
            resource: channel.resource_id.unwrap_or_default(),
            expires: channel.expiration,
        })
    }

    /// Ends a channel. [`NotFound`](crate::Kind::NotFound) means that it had ended.
    pub async fn stop_channel(&self, id: &str, resource: &str) -> Result<()> {
        let channel = &api::Channel {
            id: Some(id.to_owned()),
            resource_id: Some(resource.to_owned()),
            ..api::Channel::default()
        };
        self.run(STOP, |mut witness| async move {
            scoped!(self.shared.drive.channels().stop(channel.clone()))
                .delegate(&mut witness)
                .doit()
                .await
        })
        .await?;
        Ok(())
    }
}
