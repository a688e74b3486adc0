//! The words of a message, as JSON that Slack's incoming webhooks take.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Why people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Opened,
    Reminder,
    Recovered,
}

impl Occasion {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reminder => "reminder",
            Self::Recovered => "recovered",
        }
    }
}

/// Returns a message: `text` and `blocks` are Slack's, the rest is for programs and sheets.
pub(super) fn message(
    occasion: Occasion,
    dataset: &str,
    kind: &str,
    detail: &str,
    opened: Timestamp,
    at: Timestamp,
) -> Value {
    let of = if dataset.is_empty() { "alerts" } else { dataset };
    let minutes = at.duration_since(opened).as_secs() / 60;
    let text = match occasion {
        Occasion::Opened => format!("Lockstep: {of}: {}: {detail}", words(kind)),
        Occasion::Reminder => {
            format!("Lockstep: {of}: still {} after {} hours: {detail}", words(kind), minutes / 60)
        }
        Occasion::Recovered => {
            format!("Lockstep: {of}: no longer {} (it lasted {minutes} minutes)", words(kind))
        }
    };
    // Slack refuses sections of more than 3000 characters, and reads <, > and & as its own marks.
    let text: String = text.chars().take(2_500).collect();
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({
        "text": plain,
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": plain}}],
        "lockstep": {"occasion": occasion.as_str(), "dataset": dataset, "kind": kind, "detail": detail,
            "opened": opened.to_string(), "at": at.to_string()}
    })
}

fn words(kind: &str) -> &str {
    match kind {
        "belowThreshold" => "below its health threshold",
        "halted" => "halted",
        "deadLetters" => "holding dead letters",
        "credential" => "refused for its credential",
        "alerts" => "not delivered",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_and_for_how_long() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let text = |occasion, minute| {
            let made = message(occasion, "stock", "halted", "why <b> & co", at(0), at(minute));
            assert_eq!(made["text"], made["blocks"][0]["text"]["text"]);
            made["text"].as_str().unwrap().to_owned()
        };
        assert_eq!(text(Occasion::Opened, 0), "Lockstep: stock: halted: why &lt;b&gt; &amp; co");
        assert_eq!(
            text(Occasion::Reminder, 1500),
            "Lockstep: stock: still halted after 25 hours: why &lt;b&gt; &amp; co"
        );
        assert_eq!(
            text(Occasion::Recovered, 90),
            "Lockstep: stock: no longer halted (it lasted 90 minutes)"
        );
        let long = message(Occasion::Opened, "d", "halted", &"x".repeat(9_000), at(0), at(0));
        assert!(long["text"].as_str().unwrap().len() <= 2_500);
    }
}
