//! How runs ended, rolled up, and what people are told.

use serde_json::json;

use super::*;
use crate::store::{EndState, Histogram, RunEnd};

fn end(second: i64, state: EndState) -> RunEnd {
    RunEnd {
        dataset: "d".into(),
        at: at(second),
        state,
        error: (state == EndState::Failed).then(|| ("unavailable".into(), "gone".into())),
        millis: 1_500,
        rows: 3,
        reads: 2,
        writes: 1,
        retries: 0,
        conflicts: Some(0),
        lags: Histogram::default(),
        whole: true,
    }
}

#[tokio::test]
async fn hours_and_days_add_up_whatever_the_window() {
    let (_folder, store) = fresh().await;
    // One run every half hour for three days.
    for half in 0..144 {
        let state = if half % 10 == 0 { EndState::Failed } else { EndState::Applied };
        store.record_end(&end(half * 1_800, state)).await.unwrap();
    }
    let runs = async |from: i64, to: i64| {
        let found = store.window((at(from), at(to)), None).await.unwrap();
        found.get("d").map_or(0, |all| all.runs())
    };
    let hour = 3_600;
    // The begin of a window is that of its hour: at(0) is 40 minutes past one.
    let past = at(0).as_second().rem_euclid(hour);
    assert_eq!(runs(0, 999 * hour).await, 144);
    for (from, to) in [(10, 20), (3, 60), (0, 71), (30, 54)] {
        let begin = from * hour - past;
        let inside =
            (0..144).filter(|half| (begin..to * hour - past).contains(&(half * 1_800))).count();
        assert_eq!(
            runs(from * hour - past, to * hour - past).await,
            inside as u64,
            "{from} to {to}"
        );
    }
    let all = store.window((at(0), at(999 * hour)), Some("d")).await.unwrap().remove("d").unwrap();
    assert_eq!((all.failed, all.applied, all.rows, all.errors["unavailable"]), (15, 129, 432, 15));
    assert_eq!(store.window((at(0), at(hour)), Some("other")).await.unwrap().len(), 0);
}

#[tokio::test]
async fn facts_follow_the_last_run() {
    let (_folder, store) = fresh().await;
    let waiting = RunEnd { conflicts: Some(2), ..end(0, EndState::Applied) };
    store.record_end(&waiting).await.unwrap();
    store.learn("d", |facts| facts.unexplained = 4).await.unwrap();
    let failed = RunEnd { conflicts: None, ..end(60, EndState::Failed) };
    store.record_end(&failed).await.unwrap();
    let facts = store.facts("d").await.unwrap();
    assert_eq!(facts.last_state, Some(EndState::Failed));
    assert_eq!(facts.last_success, Some(at(0).as_microsecond()));
    assert_eq!((facts.conflicts, facts.conflicts_since), (2, Some(at(0).as_microsecond())));
    assert_eq!(facts.unexplained, 4, "a failed run mends nothing");
    store.record_end(&end(120, EndState::InStep)).await.unwrap();
    let facts = store.facts("d").await.unwrap();
    assert_eq!((facts.conflicts, facts.conflicts_since, facts.unexplained), (0, None, 0));
    let some = RunEnd { whole: false, ..end(180, EndState::Applied) };
    store.record_end(&some).await.unwrap();
    let facts = store.facts("d").await.unwrap();
    assert_eq!(
        facts.last_success,
        Some(at(120).as_microsecond()),
        "a run about some keys proves nothing of all"
    );
    let all = store.window((at(0), at(9_999)), None).await.unwrap();
    assert_eq!((all["d"].conflicts_opened, all["d"].conflicts_closed), (2, 2));
}

#[tokio::test]
async fn scores_are_kept_once_an_hour() {
    let (_folder, store) = fresh().await;
    for (second, score) in [(0, 90.0), (60, 80.0), (7_200, 70.0)] {
        store.keep_scores(at(second), &[("d", score), ("", score)]).await.unwrap();
    }
    let kept = store.scores("d", at(-9_999)).await.unwrap();
    let scores: Vec<f64> = kept.iter().map(|(_, score)| *score).collect();
    assert_eq!(scores, [80.0, 70.0]);
}

#[tokio::test]
async fn messages_are_on_their_way_until_they_are_delivered() {
    let (_folder, store) = fresh().await;
    let body = json!({"text": "x"});
    let channels = ["webhook", "sheet"];
    store.open_incident("d", "halted", "why", at(0), &channels, &body).await.unwrap();
    let again = store.open_incident("d", "halted", "why", at(1), &channels, &body).await;
    assert!(again.is_err(), "one incident of a kind at a time");
    let due = store.due_deliveries(at(0), 20).await.unwrap();
    assert_eq!(due.len(), 2);
    store.tried(due[0].id, at(1), at(60), None).await.unwrap();
    store.tried(due[1].id, at(1), at(60), Some("down")).await.unwrap();
    assert_eq!(store.due_deliveries(at(59), 20).await.unwrap().len(), 0);
    let left = store.due_deliveries(at(60), 20).await.unwrap();
    assert_eq!((left.len(), left[0].attempts), (1, 1));
    assert_eq!(store.due_deliveries(at(60), 1).await.unwrap().len(), 0, "given up");
    assert_eq!(store.alert_counts().await.unwrap(), (1, 1));
    assert_eq!(store.stuck_deliveries(2, &["sheet"]).await.unwrap(), None);
    let stuck = store.stuck_deliveries(1, &["sheet", "webhook"]).await.unwrap();
    assert_eq!(stuck, Some(("sheet".into(), "down".into())));
    assert_eq!(store.stuck_deliveries(1, &["webhook"]).await.unwrap(), None);
    let incident = store.incidents().await.unwrap().remove(0);
    store.tell(incident.id, true, at(99), &channels, &body).await.unwrap();
    let due = store.due_deliveries(at(99), 20).await.unwrap();
    assert_eq!(due.len(), 1, "only who heard of it is told that it is over");
    assert_eq!((due[0].channel.as_str(), store.incidents().await.unwrap().len()), ("webhook", 0));
}
