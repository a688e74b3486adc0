//! Alerts: once per incident, again while it lasts, once when it is over; a channel that fails is tried again and
//! delays nothing.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use lockstep::{config::AlertsConfig, secrets::Secret};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

use crate::harness::House;

mod again;

/// What a webhook does with a message.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Takes,
    Refuses,
    /// Accepts the connection and never answers.
    Sleeps,
    /// Says that all is well, and that much more is to come, which never comes.
    Lies,
    /// Says that all is well, and breaks off before it said all that it announced.
    Breaks,
    /// Answers with a success whose text is a refusal, as Slack's API does.
    Denies,
    /// Sends the message on to somebody else.
    Redirects,
}

/// A webhook that keeps what it was sent.
struct Hook {
    url: String,
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    serving: JoinHandle<()>,
}

impl Hook {
    async fn new(manner: Manner) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), manner).await
    }

    /// Starts one at an address.
    async fn at(address: SocketAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (manner, seen) = (Arc::new(Mutex::new(manner)), Arc::new(Mutex::new(Vec::new())));
        let (how, kept) = (manner.clone(), seen.clone());
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (how, kept) = (how.clone(), kept.clone());
                tokio::spawn(async move {
                    let mut text = Vec::new();
                    let body = loop {
                        let mut piece = [0; 4096];
                        let read = stream.read(&mut piece).await.unwrap_or(0);
                        text.extend_from_slice(&piece[..read]);
                        let all = String::from_utf8_lossy(&text).into_owned();
                        let whole = all.split_once("\r\n\r\n").and_then(|(head, body)| {
                            let value = serde_json::from_str(body).ok()?;
                            Some((head.to_lowercase(), value))
                        });
                        if read == 0 || whole.is_some() {
                            break whole;
                        }
                    };
                    kept.lock().unwrap().extend(body);
                    let manner = *how.lock().unwrap();
                    let answer = match manner {
                        Manner::Takes => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                        Manner::Refuses => "HTTP/1.1 500 No\r\ncontent-length: 6\r\n\r\nbroken",
                        Manner::Redirects => {
                            "HTTP/1.1 307 Go\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
                        }
                        Manner::Lies => {
                            "HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\nall is well"
                        }
                        Manner::Breaks => "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok",
                        Manner::Denies => {
                            "HTTP/1.1 200 OK\r\ncontent-length: 33\r\n\r\n{\"ok\":false,\"error\":\"no_service\"}"
                        }
                        Manner::Sleeps => "",
                    };
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if matches!(manner, Manner::Sleeps | Manner::Lies) {
                        tokio::time::sleep(Duration::from_secs(120)).await;
                    }
                });
            }
        });
        Self { url, address, manner, seen, serving }
    }

    /// Closes its door, where it is to be down; returns where it was.
    async fn stop(&mut self, down: bool) -> Option<SocketAddr> {
        if !down {
            return None;
        }
        self.serving.abort();
        let _ = (&mut self.serving).await;
        Some(self.address)
    }

    fn be(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn texts(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(_, body)| body["text"].as_str().unwrap().to_owned()).collect()
    }
}

async fn house(alerts: AlertsConfig) -> House {
    let house = House::with(|config| config.alerts = Some(alerts)).await;
    house.write("a.csv", "id,name\n1,a\n2,b\n3,c\n4,d\n");
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"], "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    house
}

/// Halts the dataset: its source lost nearly all rows.
async fn halt(house: &House) {
    house.write("a.csv", "id,name\n1,a\n");
    assert_eq!(
        house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await["state"],
        "halted"
    );
}

async fn mend(house: &House) {
    house.write("a.csv", "id,name\n1,a\n2,b\n3,c\n4,d\n");
    for _ in 0..8 {
        house.ok("syncDataset", json!({"name": "d", "mode": "apply"})).await;
    }
}

fn webhook(hook: &Hook) -> AlertsConfig {
    AlertsConfig { webhook: Some(Secret::new(hook.url.clone())), ..AlertsConfig::default() }
}

async fn look(house: &House, now: Timestamp) {
    house.app.alerts().unwrap().look(now).await.unwrap();
}

fn after(now: Timestamp, minutes: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

#[tokio::test]
async fn an_incident_is_told_once_again_when_it_lasts_and_when_it_is_over() {
    let hook = Hook::new(Manner::Takes).await;
    let house = house(webhook(&hook)).await;
    let now = Timestamp::now();
    look(&house, now).await;
    assert_eq!(hook.texts(), [""; 0], "all is well");
    halt(&house).await;
    for minute in 1..5 {
        look(&house, after(now, minute)).await;
    }
    let told = hook.texts();
    assert_eq!(told.len(), 2, "the halt and the score, once each: {told:?}");
    assert!(
        told.iter().any(|text| text.starts_with("Lockstep: d: halted: a safety bound")),
        "{told:?}"
    );
    assert!(told.iter().any(|text| text.contains("the score is 20")), "{told:?}");
    {
        let seen = hook.seen.lock().unwrap();
        let (head, body) = &seen[0];
        assert!(head.contains("idempotency-key: lockstep-alert-"), "{head}");
        assert_eq!(body["blocks"][0]["type"], "section");
    }
    look(&house, after(now, 23 * 60)).await;
    assert_eq!(hook.texts().len(), 2);
    mend(&house).await;
    look(&house, after(now, 23 * 60 + 1)).await;
    let told = hook.texts();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[2..].iter().all(|text| text.contains("no longer")), "{told:?}");
    look(&house, after(now, 23 * 60 + 2)).await;
    assert_eq!(hook.texts().len(), 4);
}

#[tokio::test]
async fn what_lasts_is_told_again_after_a_day() {
    let hook = Hook::new(Manner::Takes).await;
    let house = house(webhook(&hook)).await;
    halt(&house).await;
    let now = Timestamp::now();
    look(&house, now).await;
    look(&house, after(now, 24 * 60)).await;
    let told = hook.texts();
    let again = told.iter().filter(|text| text.contains("still halted after 24 hours"));
    assert_eq!(again.count(), 1, "{told:?}");
}

#[tokio::test]
async fn a_webhook_that_fails_is_tried_again_and_reported() {
    for manner in [Manner::Refuses, Manner::Redirects, Manner::Breaks, Manner::Denies] {
        let hook = Hook::new(manner).await;
        let house = house(webhook(&hook)).await;
        halt(&house).await;
        let now = Timestamp::now();
        // The first message is tried at 0, 1, 3 and 7 minutes.
        for minute in 0..8 {
            look(&house, after(now, minute)).await;
        }
        let tries = hook.texts().len();
        assert!((4..=8).contains(&tries), "{tries}");
        let report = house.ok("healthReport", json!({})).await;
        assert!(report["metrics"]["alertsUndelivered"].as_f64().unwrap() >= 1.0, "{report:#}");
        hook.be(Manner::Takes);
        for hour in 1..10 {
            look(&house, after(now, hour * 60)).await;
        }
        let report = house.ok("healthReport", json!({})).await;
        assert_eq!(report["metrics"]["alertsUndelivered"], 0.0, "{report:#}");
        assert!(
            hook.texts().iter().any(|text| text.contains("does not take messages")),
            "{:?}",
            hook.texts()
        );
    }
}

#[tokio::test]
async fn a_webhook_that_sleeps_or_lies_delays_no_sync() {
    for manner in [Manner::Sleeps, Manner::Lies] {
        let hook = Hook::new(manner).await;
        let house = house(webhook(&hook)).await;
        halt(&house).await;
        let telling = tokio::spawn(house.app.alerts().unwrap().run());
        while hook.texts().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let begun = Instant::now();
        mend(&house).await;
        house.ok("healthReport", json!({"dataset": "d"})).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        telling.abort();
    }
}

#[tokio::test]
async fn nothing_is_sent_in_quiet_hours_and_nothing_at_all_of_what_was_over_by_then() {
    let hook = Hook::new(Manner::Takes).await;
    // Whatever the hour is now, quiet is from soon on: in UTC it begins an hour before `night` and ends eight hours after.
    let (night, hour) = soon();
    let alerts = AlertsConfig {
        quiet: Some(format!("{:02}:00-{:02}:00", hour, (hour + 9) % 24)),
        utc_offset: Some("+01:00".into()),
        ..webhook(&hook)
    };
    let house = house(alerts).await;
    halt(&house).await;
    look(&house, night).await;
    look(&house, after(night, 60)).await;
    assert_eq!(hook.texts().len(), 0);
    let dawn = after(night, 8 * 60);
    look(&house, dawn).await;
    assert_eq!(hook.texts().len(), 2, "told after the quiet hours");

    mend(&house).await;
    look(&house, after(dawn, 1)).await;
    let told = hook.texts().len();
    halt(&house).await;
    look(&house, after(night, 24 * 60)).await;
    mend(&house).await;
    look(&house, after(night, 24 * 60 + 60)).await;
    look(&house, after(night, 24 * 60 + 9 * 60)).await;
    assert_eq!(hook.texts().len(), told, "it began and ended at night: {:?}", hook.texts());
}

/// Returns the next full hour but one, and which it is in UTC.
fn soon() -> (Timestamp, i64) {
    let hours = Timestamp::now().as_second() / 3_600 + 2;
    (Timestamp::from_second(hours * 3_600).unwrap(), hours % 24)
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_gets_the_message_on_its_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told.jsonl");
    let script = format!("cat >> '{0}'; echo >> '{0}'", file.display());
    let command = vec!["sh".to_owned(), "-c".to_owned(), script];
    let house = house(AlertsConfig { command, ..AlertsConfig::default() }).await;
    halt(&house).await;
    look(&house, Timestamp::now()).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines.iter().any(|line| line["lockstep"]["kind"] == "halted"), "{text}");
    assert!(lines.iter().all(|line| line["lockstep"]["occasion"] == "opened"), "{text}");
}

#[tokio::test]
async fn a_sheet_gets_a_row_for_each_message() {
    let data = tempfile::tempdir().unwrap();
    let first = House::with(|config| config.workspace.data = Some(data.path().to_owned())).await;
    let made = first.ok("createFile", json!({"type": "spreadsheet", "name": "Alerts"})).await;
    let id = made["id"].as_str().unwrap().to_owned();
    first.app.stop().await;
    let house = House::with(|config| {
        config.workspace.data = Some(data.path().to_owned());
        config.alerts =
            Some(AlertsConfig { spreadsheet_id: Some(id.clone()), ..AlertsConfig::default() });
    })
    .await;
    house.write("a.csv", "id,name\n1,a\n2,b\n3,c\n4,d\n");
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"], "mode": "apply"});
    house.ok("syncDataset", arguments).await;
    halt(&house).await;
    let now = Timestamp::now();
    look(&house, now).await;
    look(&house, after(now, 1)).await;
    let page = house.ok("readSheet", json!({"spreadsheetId": id, "sheet": "Alerts"})).await;
    let text = page.to_string();
    assert_eq!(page["rows"].as_array().unwrap().len(), 2, "{page:#}");
    assert!(text.contains("belowThreshold") && text.contains("a safety bound stopped"), "{page:#}");
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_said_at_the_start() {
    let cases = [
        (AlertsConfig::default(), "names no channel"),
        (
            AlertsConfig { webhook: Some(Secret::new("mailto:me")), ..AlertsConfig::default() },
            "no address",
        ),
        (
            AlertsConfig {
                webhook: Some(Secret::new("${NOT_SET_ANYWHERE}")),
                ..AlertsConfig::default()
            },
            "is not set",
        ),
        (
            AlertsConfig {
                command: vec!["x".into()],
                quiet: Some("night".into()),
                ..AlertsConfig::default()
            },
            "no span of hours",
        ),
    ];
    for (alerts, part) in cases {
        let mut config = lockstep::config::Config::default();
        let data = tempfile::tempdir().unwrap();
        config.workspace.data = Some(data.path().to_owned());
        config.alerts = Some(alerts);
        let error = lockstep::app::App::start(&config).await.unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}
