//! `[alerts]`: whom to tell when a dataset's health needs people, and when.

use serde::Deserialize;

use crate::secrets::Secret;

/// Whom to tell, and when; nobody is told without it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// Scores below this are told; 70 by default.
    pub threshold: Option<u8>,
    /// An address that takes Slack's JSON; it is a secret.
    pub webhook: Option<Secret>,
    /// A program and its arguments; it gets each message as JSON on its standard input.
    pub command: Vec<String>,
    /// A spreadsheet, whose sheet Alerts gets each message as a row.
    pub spreadsheet_id: Option<String>,
    /// Hours between reminders of what lasts; 24 by default, 0 for none.
    pub remind_hours: Option<u32>,
    /// Hours in which nothing is sent, e.g. `22:00-07:00`.
    pub quiet: Option<String>,
    /// The offset of these hours from UTC, e.g. `+01:00`.
    pub utc_offset: Option<String>,
    /// Seconds between two looks at the health; 60 by default.
    pub every_seconds: Option<u32>,
}
