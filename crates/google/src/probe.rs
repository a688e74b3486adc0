//! Looks at the services without touching a file: for `lockstep doctor`.

use std::time::Duration;

use crate::connect;
use crate::{Error, Google, Kind, Result, Retry};

/// An id that no file has, but that could be one.
const NOBODY: &str = "lockstep-doctor-asks-for-a-file-that-nobody-has";

impl Google {
    /// Returns what the service says the time is, as its `Date` header (RFC 9110, 5.6.7); none
    /// where it says nothing. No token is sent.
    ///
    /// # Errors
    /// [`Kind::Network`] or [`Kind::Timeout`] when it cannot be reached.
    pub async fn service_date(&self) -> Result<Option<String>> {
        let root = &self.shared.sheets_base;
        let timeouts = &self.shared.timeouts;
        let client = connect::plain(root.starts_with("https:"), timeouts.connect)?;
        let failed = |kind, message: String| Error::new(kind, Retry::Temporary, "probe", message);
        let request = hyper::Request::head(root.as_str())
            .body(String::new())
            .map_err(|error| failed(Kind::Setup, error.to_string()))?;
        let limit = timeouts.connect + Duration::from_secs(5);
        let answer = tokio::time::timeout(limit, client.request(request)).await.map_err(|_| {
            failed(Kind::Timeout, format!("{root} does not answer within {} s", limit.as_secs()))
        })?;
        let answer = answer.map_err(|error| {
            let why = crate::auth::endpoint::innermost(&error);
            failed(Kind::Network, format!("{root} cannot be reached: {why}"))
        })?;
        let date = answer.headers().get(hyper::header::DATE);
        Ok(date.and_then(|date| date.to_str().ok()).map(str::to_owned))
    }

    /// Asks the Sheets service for a spreadsheet that is not there: that it is enabled, and that
    /// the credentials may read, shows in the answer.
    ///
    /// # Errors
    /// What the service says, unless it is that there is no such spreadsheet.
    pub async fn probe_sheets(&self) -> Result<()> {
        match self.described(NOBODY).await {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
