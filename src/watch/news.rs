//! What the watches of other processes came to, for those who follow them here.

use std::collections::BTreeMap;

use super::status::Status;
use crate::store::StoredWatch;

/// What is known of each watch.
#[derive(Debug, Default)]
pub(super) struct News(BTreeMap<String, Status>);

impl News {
    /// Returns the datasets to which something happened in another process since this was last asked, each with its last
    /// run; that somebody looked is no news.
    pub(super) fn of(
        &mut self,
        watches: &[StoredWatch],
        own: &str,
    ) -> Vec<(String, Option<String>)> {
        let mut news = Vec::new();
        for watch in watches {
            let now: Status = serde_json::from_value(watch.status.clone()).unwrap_or_default();
            let now = Status { looked: None, next: None, p95: None, ..now };
            let before = self.0.insert(watch.dataset.clone(), now.clone());
            if before.is_some_and(|before| before != now) && now.worker != own {
                news.push((watch.dataset.clone(), now.run));
            }
        }
        news
    }
}

#[cfg(test)]
#[test]
fn what_another_process_found_is_news_once() {
    let watch = |worker: &str, events: u64, looked: i64| StoredWatch {
        dataset: "stock".into(),
        settings: serde_json::Value::Null,
        running: true,
        changed: jiff::Timestamp::UNIX_EPOCH,
        status: serde_json::json!({"worker": worker, "events": events, "run": format!("r{events}"),
            "looked": jiff::Timestamp::from_second(looked).unwrap()}),
    };
    let mut news = News::default();
    let mut told = |worker, events, looked| news.of(&[watch(worker, events, looked)], "me");
    assert_eq!(told("other", 1, 1), [], "what was is not new");
    assert_eq!(told("other", 1, 2), [], "it only looked");
    assert_eq!(told("other", 2, 3), [("stock".to_owned(), Some("r2".to_owned()))]);
    assert_eq!(told("other", 2, 4), []);
    assert_eq!(told("me", 3, 5), [], "those who follow it heard of it");
}
