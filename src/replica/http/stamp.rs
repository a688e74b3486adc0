//! What proves at a later scan that nothing changed, or from when to read on.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    config::{SinceConfig, TimeFormat},
    json::Json,
};

/// The most pages whose tags are kept: asking for each of them is a call, so that more than these prove nothing cheaply.
pub(super) const MAX_TAGS: usize = 64;

/// The stamp of a scan.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stamp {
    /// The description that it was made under.
    pub(super) made: String,
    /// The latest change that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latest: Option<Timestamp>,
    /// The address and the entity tag of every page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pages: Vec<(String, String)>,
}

impl Stamp {
    /// Reads a stamp; one of another description says nothing.
    pub(super) fn read(value: Option<&Value>, made: &str) -> Option<Self> {
        let stamp: Self = serde_json::from_value(value?.clone()).ok()?;
        (stamp.made == made).then_some(stamp)
    }

    /// Returns the JSON form, if there is something to say.
    pub(super) fn write(self) -> Option<Value> {
        let says = self.latest.is_some() || !self.pages.is_empty();
        says.then(|| serde_json::to_value(self).ok()).flatten()
    }
}

impl SinceConfig {
    /// Returns the parameter that asks for what changed since, a little earlier than the latest change.
    pub(super) fn parameter(&self, latest: Timestamp) -> (String, String) {
        let overlap = SignedDuration::from_secs(self.overlap_seconds.into());
        let from = latest.checked_sub(overlap).unwrap_or(latest);
        let text = match self.format {
            TimeFormat::Rfc3339 => from.to_string(),
            TimeFormat::EpochSeconds => from.as_second().to_string(),
            TimeFormat::EpochMillis => from.as_millisecond().to_string(),
        };
        (self.parameter.clone(), text)
    }

    /// Reads the time of an item's last change: a text of RFC 3339, or a number of the parameter's own format.
    pub(super) fn time(&self, value: &Json) -> Option<Timestamp> {
        match value {
            Json::Text(text) => text.parse().ok(),
            Json::Number(text) => {
                let number: i64 = text.parse().ok()?;
                match self.format {
                    TimeFormat::EpochMillis => Timestamp::from_millisecond(number).ok(),
                    _ => Timestamp::from_second(number).ok(),
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_asked_for_from_a_little_earlier() {
        let latest: Timestamp = "2024-01-15T10:00:00.5Z".parse().unwrap();
        for (format, text) in [
            (TimeFormat::Rfc3339, "2024-01-15T09:59:00.5Z"),
            (TimeFormat::EpochSeconds, "1705312740"),
            (TimeFormat::EpochMillis, "1705312740500"),
        ] {
            let since = SinceConfig { parameter: "since".into(), format, overlap_seconds: 60 };
            assert_eq!(since.parameter(latest), ("since".to_owned(), text.to_owned()));
        }
        let since = SinceConfig {
            parameter: "since".into(),
            format: TimeFormat::EpochMillis,
            overlap_seconds: 0,
        };
        assert_eq!(since.time(&Json::Number("1705312800500".into())), Some(latest));
        assert_eq!(since.time(&Json::Text("2024-01-15T11:00:00.5+01:00".into())), Some(latest));
        assert_eq!(since.time(&Json::Text("yesterday".into())), None);
    }

    #[test]
    fn a_stamp_of_another_description_says_nothing() {
        let pages = vec![("/a".to_owned(), "\"x\"".to_owned())];
        let value = Stamp { made: "one".into(), latest: None, pages }.write();
        assert!(Stamp::read(value.as_ref(), "one").is_some());
        assert_eq!(Stamp::read(value.as_ref(), "two"), None);
        assert_eq!(Stamp::read(Some(&Value::from(3)), "one"), None);
        assert_eq!(Stamp { made: "one".into(), latest: None, pages: Vec::new() }.write(), None);
    }
}
