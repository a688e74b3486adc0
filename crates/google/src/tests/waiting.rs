//! Counters by scope, and the notice of a wait.

use std::time::Duration;

use super::stub::{Answer, Stub};
use crate::{Config, Google, Quota, WaitReason};

#[tokio::test]
async fn a_scope_counts_its_own_calls_and_its_parent_all() {
    let stub = Stub::always("{}").await;
    let google = stub.google();
    let (a, b) = (google.scoped(), google.scoped());
    a.spreadsheet("id").await.unwrap();
    a.clone().spreadsheet("id").await.unwrap();
    b.trash("id").await.unwrap();
    assert_eq!((a.calls().reads, a.calls().writes), (2, 0));
    assert_eq!((b.calls().reads, b.calls().writes), (0, 1));
    assert_eq!((google.calls().reads, google.calls().writes), (2, 1));
}

#[tokio::test]
async fn a_wait_for_quota_is_told_while_it_lasts() {
    let stub = Stub::always("{}").await;
    let quota = Quota::PerMinute { reads: 1, writes: 1 };
    let google = Google::new(Config { quota, ..stub.config() }).unwrap().scoped();
    google.spreadsheet("id").await.unwrap();
    let mut notices = google.waiting();
    let waiting = google.clone();
    let held = tokio::spawn(async move { waiting.spreadsheet("id").await });
    notices.wait_for(Option::is_some).await.unwrap();
    let wait = notices.borrow().unwrap();
    assert_eq!(wait.reason, WaitReason::Quota);
    assert!(wait.duration > Duration::from_secs(50), "{wait:?}");
    // Writes have a gate of their own.
    google.batch_update("id", &[crate::Request::DeleteSheet { sheet: 1 }], &[]).await.unwrap();
    // A caller that gives up takes its notice with it, and the time it waited is counted.
    held.abort();
    notices.wait_for(Option::is_none).await.unwrap();
    assert!(google.calls().waited > Duration::ZERO);
    assert_eq!(google.calls().reads, 1);
}

#[tokio::test]
async fn a_pause_before_a_retry_is_told() {
    let stub = Stub::start(|_, n| {
        let header = "retry-after: 1\r\n".to_owned();
        match n {
            0 => Answer::Raw(503, "text/plain", header, "busy".into()),
            _ => Answer::Json(200, "{}".into()),
        }
    })
    .await;
    let google = stub.google();
    let mut notices = google.waiting();
    let call = google.spreadsheet("id");
    let notice = notices.wait_for(Option::is_some);
    let (done, seen) = tokio::join!(call, async { notice.await.unwrap().unwrap() });
    done.unwrap();
    assert_eq!((seen.reason, seen.duration), (WaitReason::Retry, Duration::from_secs(1)));
}
