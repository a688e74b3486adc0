//! Whom to tell, and when.

use super::quiet::Quiet;
use crate::{
    error::{Error, Result},
    secrets::Secret,
};

/// What the operator says of alerts, checked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Scores below this are told.
    pub(super) threshold: f64,
    /// Where messages are posted, as Slack's incoming webhooks take them.
    pub(super) webhook: Option<String>,
    /// A program that gets each message as JSON.
    pub(super) command: Vec<String>,
    /// A spreadsheet that gets each message as a row of its sheet Alerts.
    pub(super) spreadsheet: Option<String>,
    /// After how many hours an incident that lasts is told again; never at 0.
    pub(super) remind_hours: u32,
    /// When nothing is sent.
    pub(super) quiet: Option<Quiet>,
    /// How many seconds lie between two looks.
    pub(super) every: u32,
}

/// What the operator writes.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Scores below this are told; 70 by default.
    pub threshold: Option<u8>,
    /// An address; `${NAME}` is the environment's.
    pub webhook: Option<Secret>,
    /// A program and its arguments.
    pub command: Vec<String>,
    /// A spreadsheet's id or URL.
    pub spreadsheet: Option<String>,
    /// Hours between reminders; 24 by default, 0 for none.
    pub remind_hours: Option<u32>,
    /// Hours in which nothing is sent, e.g. `22:00-07:00`, in the offset.
    pub quiet: Option<String>,
    /// Offset of these hours from UTC, e.g. `+01:00`; UTC by default.
    pub utc_offset: Option<String>,
    /// Seconds between two looks; 60 by default.
    pub every_seconds: Option<u32>,
}

impl Settings {
    /// Returns below which score people are told.
    pub(crate) fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Checks what the operator wrote.
    ///
    /// # Errors
    /// No channel, an address that is none, hours that are none, a variable that is not set.
    pub fn new(written: Written) -> Result<Self> {
        let wrong =
            |what: &str, next: &str| Err(Error::invalid(format!("[alerts] {what}")).next(next));
        if written.webhook.is_none() && written.command.is_empty() && written.spreadsheet.is_none()
        {
            return wrong("names no channel", "give webhook, command or spreadsheetId");
        }
        if written.command.first().is_some_and(|program| program.trim().is_empty()) {
            return wrong(
                "command: the program is blank",
                "name a program, e.g. [\"notify-send\"]",
            );
        }
        let place = "[alerts] webhook";
        let webhook = written.webhook.map(|secret| secret.resolve(place)).transpose()?;
        let webhook = webhook.map(|secret| secret.reveal().to_owned());
        if let Some(url) = &webhook {
            let parsed = reqwest::Url::parse(url).ok();
            if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            {
                return wrong("webhook: it is no address", "give an https:// address");
            }
        }
        let spreadsheet = match written.spreadsheet {
            Some(text) => Some(lockstep_google::parse_id(&text).map_err(Error::from)?),
            None => None,
        };
        let quiet = match &written.quiet {
            Some(text) => Some(Quiet::read(text, written.utc_offset.as_deref())?),
            None => None,
        };
        Ok(Self {
            threshold: f64::from(written.threshold.unwrap_or(70).min(100)),
            webhook,
            command: written.command,
            spreadsheet,
            remind_hours: written.remind_hours.unwrap_or(24),
            quiet,
            every: written.every_seconds.unwrap_or(60).clamp(1, 86_400),
        })
    }
}
