use serde_json::json;

use super::*;
use crate::retry::Effect;

const READ: Call = Call::sheets("x", Effect::Read);
const ONCE: Call = Call::sheets("x", Effect::Once);

fn error(call: &Call, status: u16, body: Value) -> Error {
    let seen = Seen { sent: true, status: Some(status), retry_after: None };
    Refusal::from_json(&body).into_error(call, seen)
}

/// Forms recorded or documented in google-wire 2.9.
#[test]
fn every_form_of_a_refusal_is_understood() {
    let cases = [
        (
            403,
            json!({"error": {"code": 403, "message": "Request had insufficient authentication scopes.",
                "status": "PERMISSION_DENIED",
                "details": [{"@type": "t", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}),
            (Kind::Forbidden, Retry::Permanent, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        ),
        (
            404,
            json!({"error": {"errors": [{"domain": "global", "reason": "notFound",
                "message": "File not found: X."}], "code": 404, "message": "File not found: X."}}),
            (Kind::NotFound, Retry::Permanent, "notFound"),
        ),
        (
            403,
            json!({"error": {"errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}],
                "code": 403, "message": "Rate Limit Exceeded"}}),
            (Kind::Quota, Retry::Temporary, "rateLimitExceeded"),
        ),
        (
            403,
            json!({"error": {"errors": [{"domain": "usageLimits", "reason": "dailyLimitExceeded"}],
                "code": 403, "message": "Daily Limit Exceeded"}}),
            (Kind::Quota, Retry::Permanent, "dailyLimitExceeded"),
        ),
        (
            403,
            json!({"error": {"errors": [{"reason": "storageQuotaExceeded"}], "code": 403,
                "message": "The user's Drive storage quota has been exceeded."}}),
            (Kind::Forbidden, Retry::Permanent, "storageQuotaExceeded"),
        ),
        (
            400,
            json!({"error": "invalid_grant", "error_description": "Token has been revoked."}),
            (Kind::Invalid, Retry::Permanent, "invalid_grant"),
        ),
        (
            501,
            json!({"error": {"code": 501, "message": "x", "status": "UNIMPLEMENTED"}}),
            (Kind::Invalid, Retry::Permanent, "UNIMPLEMENTED"),
        ),
        (
            409,
            json!({"error": {"code": 409, "message": "x", "status": "ABORTED"}}),
            (Kind::Conflict, Retry::Permanent, "ABORTED"),
        ),
    ];
    for (status, body, (kind, retry, reason)) in cases {
        let error = error(&ONCE, status, body);
        assert_eq!((error.kind, error.retry), (kind, retry), "{error}");
        assert_eq!(error.reason.as_deref(), Some(reason));
        assert_eq!(error.status, Some(status));
    }
}

/// The body knows better than the status of whatever stands in between.
#[test]
fn the_body_decides_and_the_status_helps_out() {
    let body = json!({"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}});
    assert_eq!(error(&READ, 500, body).kind, Kind::Quota);
    let body = json!({"error": {"message": "x"}});
    assert_eq!(error(&READ, 503, body.clone()).kind, Kind::Unavailable);
    assert_eq!(error(&ONCE, 503, body.clone()).retry, Retry::Ambiguous);
    assert_eq!(error(&ONCE, 408, body).retry, Retry::Ambiguous);
    for body in [json!(null), json!([]), json!("x"), json!({"error": null}), json!({"error": {}})] {
        let error = error(&READ, 500, body);
        assert_eq!((error.kind, error.retry), (Kind::Unavailable, Retry::Temporary));
        assert!(!error.message.is_empty());
    }
}

#[test]
fn messages_are_bounded_and_say_what_the_details_say() {
    let echo = "\"x\", ".repeat(10_000);
    let body = json!({"error": {"code": 400, "message": echo, "status": "INVALID_ARGUMENT"}});
    assert!(error(&READ, 400, body).to_string().len() < 700);
    let body = json!({"error": {"code": 400, "message": "Request contains an invalid argument.",
        "status": "INVALID_ARGUMENT", "details": [{"@type": "t", "fieldViolations": [
            {"description": "Error expanding 'fields' parameter."}]}]}});
    let said = error(&READ, 400, body).message;
    assert_eq!(said, "Request contains an invalid argument. Error expanding 'fields' parameter.");
}

#[test]
fn html_is_reduced_to_its_title() {
    let page = "<!DOCTYPE html><html><head><title>Sorry...\n</title></head><body>long</body>";
    assert_eq!(gist(page), "Sorry...");
    assert_eq!(gist(" upstream \n timed out "), "upstream timed out");
    assert_eq!(Refusal::from_text("").message, "the service refused without a word");
}
