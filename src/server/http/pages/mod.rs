//! The pages for people: who looks, what they may do, and what their forms do.
//!
//! A page has no power of its own. Looking needs what a reading tool needs; a form calls the tool that an assistant would
//! call, with the role that the tool needs. [`visit`] says who it is, [`act`] carries forms out.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::Http;
use crate::{
    error::{Error, Kind},
    progress::Progress,
    uri,
    web::{self, Query, Viewer},
};

mod act;
mod forms;
mod visit;

pub(super) use visit::Visits;
use visit::{Visit, Who};

/// The largest form, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// The most of an address that is read.
const MAX_QUERY: usize = 8 * 1024;

/// Nothing loads from elsewhere, nothing runs that is not a file of ours, and no other page frames these.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The paths that people look at.
const SHOWN: [&str; 8] = [
    "/",
    "/datasets/{name}",
    "/runs",
    "/runs/{id}",
    "/conflicts",
    "/letters",
    "/sheets",
    "/sheets/{id}",
];

/// Returns the routes.
pub(super) fn router() -> Router<Http> {
    let shown = SHOWN.iter().fold(Router::new(), |router, path| router.route(path, get(show)));
    shown
        .route("/sign-in", get(forms::ask).post(forms::sign_in))
        .route("/sign-out", post(forms::sign_out))
        .route("/conflicts/decide", post(act::decide))
        .route("/conflicts/reopen", post(act::reopen))
        .route("/letters/retry", post(act::retry))
        .route("/letters/drop", post(act::drop))
        .route("/datasets/{name}/measure", post(act::measure))
        .route("/assets/{file}", get(asset))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

/// Shows a page.
async fn show(State(http): State<Http>, request: Request) -> Response {
    let visit = match visit::who(&http, request.headers()).await {
        Who::Known(visit) => visit,
        Who::Stranger(_) => return forms::to_sign_in(request.uri()),
        Who::Unsure(why) => return unsure(&why),
    };
    let path = request.uri().path().to_owned();
    let parts: Vec<String> =
        path.split('/').filter(|part| !part.is_empty()).map(uri::decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let viewer = viewer(&http, &visit);
    let context = http.server.scoped(&visit.principal).for_call(Progress::silent());
    let shown = match query(request.uri().query()) {
        Ok(query) => web::show(&context, &viewer, &parts, &query).await,
        Err(error) => Err(error),
    };
    match shown {
        Ok(text) => visit.door.dress(&http, page(StatusCode::OK, text)),
        Err(error) => failed(&http, &visit, &error),
    }
}

/// Reads what stands behind the `?` of an address.
fn query(text: Option<&str>) -> Result<Query, Error> {
    let text = text.unwrap_or_default();
    if text.len() > MAX_QUERY {
        return Err(Error::new(Kind::TooLarge, "the address is too long"));
    }
    let decode = |part: &str| uri::decode(&part.replace('+', " "));
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let pairs: BTreeMap<String, String> =
        pairs.map(|(name, value)| (decode(name), decode(value))).collect();
    Ok(Query(pairs))
}

fn viewer(http: &Http, visit: &Visit) -> Viewer {
    Viewer {
        name: visit.principal.subject.clone(),
        role: visit.principal.role,
        csrf: http.visits.csrf(&visit.door.id),
        signed_in: visit.signed_in,
        sheets: http.server.context.embedded,
    }
}

/// Returns the page of a failure, with the status that programs understand.
fn failed(http: &Http, visit: &Visit, error: &Error) -> Response {
    let status = match error.kind() {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::InvalidArgument => StatusCode::BAD_REQUEST,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Changed | Kind::StalePlan | Kind::ConfirmationNeeded => StatusCode::CONFLICT,
        Kind::PermissionDenied => StatusCode::FORBIDDEN,
        Kind::Unavailable | Kind::QuotaExhausted => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = web::trouble(Some(&viewer(http, visit)), error);
    visit.door.dress(http, page(status, text))
}

/// Returns the page of an issuer that cannot be asked: nobody is signed out for that.
fn unsure(why: &str) -> Response {
    let error = Error::new(Kind::Unavailable, format!("who you are cannot be checked now: {why}"));
    page(StatusCode::SERVICE_UNAVAILABLE, web::trouble(None, &error))
}

/// Returns a page with the headers that every page has.
fn page(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not "no-referrer": with it, browsers send forms with an unknown origin.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (OPENER, "same-origin"),
        (RESOURCE, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn asset(Path(file): Path<String>) -> Response {
    let Some((kind, text)) = web::assets::file(&file) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let mut response = text.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "max-age=300"),
        (RESOURCE, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_bounded() {
        let read = query(Some("a=1%262&b=x+y&c&d=&a=3&%C3=%FF")).unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.get("d")), (Some("3"), Some("x y"), None));
        assert!(query(Some(&"a".repeat(MAX_QUERY + 1))).is_err());
        assert!(query(None).unwrap().get("a").is_none());
    }
}
