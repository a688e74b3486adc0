//! What can be asked for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::editor::Edit;
use super::quota::Quota;

/// Is a set of faults; the default is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Faults {
    /// The seed of every choice.
    pub seed: u64,
    /// Limits per minute, as the real service has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// What happens to requests; the first answer or cut that applies ends the list.
    pub rules: Vec<Rule>,
}

/// Is one thing that happens to some requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub effect: Effect,
    /// Whether it happens before or after the request took effect.
    #[serde(default)]
    pub when: When,
    /// Only requests of this method, as `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests whose path holds this text, as `:batchUpdate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many requests it lets pass first.
    #[serde(default)]
    pub skip: u64,
    /// How often it happens at most; without it there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How likely it happens, from 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
}

/// Says what happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// A pause.
    Latency {
        /// How long, in milliseconds.
        milliseconds: u64,
    },
    /// The recorded 429 of Sheets, or the 403 of Drive.
    RateLimit,
    /// A 500 with Google's JSON body.
    Internal,
    /// A 503 with Google's JSON body.
    Unavailable,
    /// A page of HTML instead of JSON.
    Html {
        /// The status, as 502.
        status: u16,
    },
    /// The answer breaks off in its middle, and the connection with it; always after the effect.
    Truncate,
    /// The connection is reset without an answer.
    Reset,
    /// Somebody else changes the spreadsheet that the request names.
    Editor {
        /// What they do.
        edit: Edit,
    },
    /// Somebody else sends requests of a `batchUpdate` to the spreadsheet that the request names.
    Requests {
        /// The requests.
        requests: Vec<Value>,
    },
}

/// Says when something happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// Before the request takes effect.
    #[default]
    Before,
    /// After it took effect, and is stored.
    After,
}

impl Rule {
    /// Returns a rule that happens to every request, before it takes effect.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            when: When::Before,
            method: None,
            path: None,
            skip: 0,
            times: None,
            probability: 1.0,
        }
    }

    /// Lets it happen after the effect.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.when = When::After;
        self
    }

    /// Limits it to requests whose path holds a text.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Limits how often it happens.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

impl Faults {
    /// Returns what is wrong with the numbers, or `None`.
    pub(super) fn problem(&self) -> Option<String> {
        for (number, rule) in self.rules.iter().enumerate() {
            if !(0.0..=1.0).contains(&rule.probability) {
                return Some(format!(
                    "rules[{number}].probability is {}, it should be from 0 to 1",
                    rule.probability
                ));
            }
            if let Effect::Html { status } = rule.effect
                && !(200..=599).contains(&status)
            {
                return Some(format!(
                    "rules[{number}].effect.html.status is {status}, it should be from 200 to 599"
                ));
            }
        }
        match &self.quota {
            Some(quota) if quota.window_seconds == 0 => {
                Some("quota.windowSeconds is 0, it should be at least 1".to_owned())
            }
            _ => None,
        }
    }
}

const fn always() -> f64 {
    1.0
}
