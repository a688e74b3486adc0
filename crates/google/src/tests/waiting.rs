//! Counters by scope, and the notice of a wait.

use std::sync::Arc;
use std::time::Duration;

use super::stub::{Answer, Stub};
use crate::calls::{Priority, Scope};
use crate::{Config, Google, Limits, Quota, WaitReason};

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
    let limits = Limits::PerWindow { reads: 1, writes: 1 };
    let quota = Quota { limits, ..Quota::default() };
    let google = Google::new(Config { quota, ..stub.config() }).unwrap().scoped();
    google.spreadsheet("id").await.unwrap();
    let mut notices = google.waiting();
    let waiting = google.clone();
    let held = tokio::spawn(async move { waiting.spreadsheet("id").await });
    notices.wait_for(Option::is_some).await.unwrap();
    let wait = notices.borrow().unwrap();
    assert!(wait.remaining() > Duration::from_secs(50), "{wait:?}");
    assert!(wait.to_string().ends_with(" s for Google's quota of 1 reads a minute"), "{wait}");
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
    assert_eq!(seen.reason, WaitReason::Retry);
    assert!(google.calls().waited >= Duration::from_secs(1));
}

/// Of several waits of a handle the longest is told, until the last one is over.
#[tokio::test(start_paused = true)]
async fn waits_at_the_same_time_do_not_hide_each_other() {
    let scope = Scope::new(Priority::Interactive, None);
    let inner = Scope::new(Priority::Interactive, Some(Arc::clone(&scope)));
    let told = || scope.waiting().borrow().map(|wait| wait.remaining().as_secs());
    let pause = |seconds| {
        let (inner, pause) = (Arc::clone(&inner), Duration::from_secs(seconds));
        tokio::spawn(async move { inner.wait(pause, WaitReason::Retry).await })
    };
    let pauses = [pause(10), pause(30), pause(20)];
    tokio::task::yield_now().await;
    assert_eq!(told(), Some(30));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(told(), Some(25));
    pauses[1].abort();
    tokio::task::yield_now().await;
    assert_eq!(told(), Some(15));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(told(), Some(5));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(told(), None);
    assert_eq!(scope.calls().waited, Duration::from_secs(10 + 5 + 20));
}
