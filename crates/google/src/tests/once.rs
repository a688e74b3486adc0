//! Exactly once, against a stub that keeps a marker and a count of applied batches.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::stub::{Answer, Asked, Stub};
use crate::{CellFields, CellValue, CellWrite, Kind, Marker, Request, Result, Retry};

/// What happens to one send of the batch.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Applied,
    /// Applied, but the answer is lost.
    AnswerLost,
    /// Lost on the way.
    Lost,
    /// Lost for now: it is applied just before the next send arrives.
    Late,
    /// Refused for a reason of its own.
    Refused,
    /// Refused for want of quota.
    NoQuota,
}

#[derive(Default)]
struct World {
    marker: Option<(i64, String)>,
    applied: usize,
    sends: usize,
    lookups: usize,
    late: Option<(i64, String)>,
    lookups_fail: bool,
}

impl World {
    fn apply(&mut self, marker: (i64, String)) -> bool {
        let taken = self.marker.as_ref().is_some_and(|(id, _)| *id == marker.0);
        if !taken {
            self.applied += 1;
            self.marker = Some(marker);
        }
        !taken
    }

    fn send(&mut self, asked: &Asked, fates: &[Fate]) -> Answer {
        let requests = asked.json();
        let requests = requests["requests"].as_array().unwrap();
        assert_eq!(requests.len(), 2);
        let marker = &requests[1]["createDeveloperMetadata"]["developerMetadata"];
        assert_eq!(marker["location"], json!({"spreadsheet": true}));
        let marker = (
            marker["metadataId"].as_i64().unwrap(),
            marker["metadataValue"].as_str().unwrap().to_owned(),
        );
        if let Some(late) = self.late.take() {
            self.apply(late);
        }
        let fate = fates.get(self.sends).copied().unwrap_or(Fate::Lost);
        self.sends += 1;
        match fate {
            Fate::Applied | Fate::AnswerLost => {
                if !self.apply(marker) {
                    let body = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT",
                        "message": "Invalid requests[1].createDeveloperMetadata: taken"}});
                    return Answer::Json(400, body.to_string());
                }
                if fate == Fate::AnswerLost {
                    return Answer::Truncated(r#"{"replies":[{},{}]}"#.into());
                }
                let body = json!({"replies": [{}, {"createDeveloperMetadata": {"developerMetadata": {}}}]});
                Answer::Json(200, body.to_string())
            }
            Fate::Lost => Answer::Reset,
            Fate::Late => {
                self.late = Some(marker);
                Answer::Reset
            }
            Fate::NoQuota => Answer::Json(429, r#"{"error":{"code":429,"message":"q"}}"#.into()),
            Fate::Refused => {
                let body = r#"{"error":{"code":400,"message":"No grid with id: 0","status":"INVALID_ARGUMENT"}}"#;
                Answer::Json(400, body.into())
            }
        }
    }

    fn look_up(&mut self, asked: &Asked) -> Answer {
        self.lookups += 1;
        if self.lookups_fail {
            return Answer::Json(503, "{}".into());
        }
        let filter = &asked.json()["dataFilters"][0]["developerMetadataLookup"];
        let wanted = filter["metadataId"].as_i64().unwrap();
        let found = self.marker.iter().filter(|(id, _)| *id == wanted).map(|(id, value)| {
            json!({"developerMetadata": {"metadataId": id, "metadataKey": "lockstep",
                "metadataValue": value, "location": {"spreadsheet": true}}})
        });
        let found: Vec<_> = found.collect();
        let body =
            if found.is_empty() { json!({}) } else { json!({"matchedDeveloperMetadata": found}) };
        Answer::Json(200, body.to_string())
    }
}

struct Case {
    result: Result<crate::BatchReply>,
    world: Arc<Mutex<World>>,
}

async fn run(fates: &'static [Fate], world: World, read_back: &[String]) -> Case {
    let world = Arc::new(Mutex::new(world));
    let shared = Arc::clone(&world);
    let stub = Stub::start(move |asked, _| {
        let mut world = shared.lock().unwrap();
        if asked.path().ends_with(":batchUpdate") {
            world.send(asked, fates)
        } else if asked.path().ends_with("/developerMetadata:search") {
            world.look_up(asked)
        } else {
            Answer::Json(
                200,
                r#"{"sheets":[{"data":[{"rowData":[{"values":[{"effectiveValue":{"numberValue":3}}]}]}]}]}"#.into(),
            )
        }
    })
    .await;
    let requests = [Request::UpdateCells {
        sheet: 0,
        row: 0,
        column: 0,
        rows: vec![vec![CellWrite::number(3.0)]],
        fields: CellFields::Values,
    }];
    let marker = Marker { metadata_id: 99, key: "lockstep".into(), value: "plan 1/0".into() };
    let google = stub.google();
    let result = google.batch_update_once("id", &requests, &marker, read_back).await;
    Case { result, world }
}

#[tokio::test]
async fn whatever_is_lost_the_batch_is_applied_once() {
    use Fate::{AnswerLost, Applied, Late, Lost, NoQuota};
    let cases: [(&'static [Fate], bool, usize, usize); 9] = [
        // fates, found by marker, sends, lookups
        (&[Applied], false, 1, 0),
        (&[AnswerLost], true, 1, 1),
        (&[Lost, Applied], false, 2, 1),
        (&[Lost, Lost, Lost, Applied], false, 4, 3),
        (&[Lost, AnswerLost], true, 2, 2),
        // The twin lands between the lookup and the second send, which then fails as a whole.
        (&[Late, Applied], true, 2, 2),
        (&[Late, Lost], true, 2, 2),
        // Three tries without quota are one send that surely had no effect: the first may have.
        (&[Late, NoQuota, NoQuota, NoQuota], true, 4, 2),
        (&[Lost, NoQuota, NoQuota, NoQuota, Applied], false, 5, 2),
    ];
    for (fates, found, sends, lookups) in cases {
        let case = run(fates, World::default(), &[]).await;
        let reply = case.result.unwrap();
        let world = case.world.lock().unwrap();
        assert_eq!(reply.found_applied, found);
        assert_eq!(reply.replies.len(), usize::from(!found));
        assert_eq!((world.applied, world.sends, world.lookups), (1, sends, lookups));
    }
}

#[tokio::test]
async fn a_read_back_survives_a_lost_answer() {
    let case = run(&[Fate::AnswerLost], World::default(), &["S!A1".to_owned()]).await;
    let reply = case.result.unwrap();
    assert_eq!(reply.read_back[0].rows[0][0].value, CellValue::Number(3.0));
}

#[tokio::test]
async fn what_cannot_be_settled_stays_ambiguous_and_bounded() {
    let case = run(&[], World::default(), &[]).await;
    let error = case.result.unwrap_err();
    assert_eq!(error.retry, Retry::Ambiguous);
    assert!(error.message.contains("marker 99"), "{error}");
    assert_eq!(case.world.lock().unwrap().sends, 4);

    let world = World { lookups_fail: true, ..World::default() };
    let case = run(&[Fate::AnswerLost], world, &[]).await;
    let error = case.result.unwrap_err();
    assert_eq!(error.retry, Retry::Ambiguous);
    assert_eq!(case.world.lock().unwrap().sends, 1);
}

/// A late try may still arrive: that the last one had no effect proves nothing.
#[tokio::test]
async fn a_lost_try_is_not_forgotten_over_a_refusal_for_now() {
    const FATES: [Fate; 20] = {
        let mut fates = [Fate::NoQuota; 20];
        fates[0] = Fate::Lost;
        fates
    };
    let case = run(&FATES, World::default(), &[]).await;
    let error = case.result.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Quota, Retry::Ambiguous));
    // Without a lost try before it, it is what it is.
    let case = run(&FATES[1..], World::default(), &[]).await;
    let error = case.result.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Quota, Retry::Temporary));
}

#[tokio::test]
async fn a_refusal_is_passed_on_without_a_lookup() {
    let case = run(&[Fate::Refused], World::default(), &[]).await;
    let error = case.result.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Invalid, Retry::Permanent));
    assert_eq!(case.world.lock().unwrap().lookups, 0);
    // After a lost send the refusal may be its doing, and is looked into.
    let case = run(&[Fate::Lost, Fate::Refused], World::default(), &[]).await;
    assert_eq!(case.result.unwrap_err().kind, Kind::Invalid);
    assert_eq!(case.world.lock().unwrap().lookups, 2);
}

/// A second call after a crash finds the batch applied; another batch's marker is a conflict.
#[tokio::test]
async fn a_marker_that_is_there_already_is_recognised() {
    let there = |value: &str| World { marker: Some((99, value.to_owned())), ..World::default() };
    let case = run(&[Fate::Applied], there("plan 1/0"), &[]).await;
    assert!(case.result.unwrap().found_applied);
    assert_eq!(case.world.lock().unwrap().applied, 0);
    let case = run(&[Fate::Applied], there("plan 7/3"), &[]).await;
    let error = case.result.unwrap_err();
    assert_eq!((error.kind, error.retry), (Kind::Conflict, Retry::Permanent));
}
