//! Signing in and out, and what every form must prove.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    super::{Http, Refusal},
    failed, page, query, unsure,
    visit::{self, Visit, Who},
};
use crate::{
    error::{Error, Kind},
    web::{frame, sign_in},
};

/// The fields of a form.
pub(super) type Fields = BTreeMap<String, String>;

/// Returns a field; a missing one is blank.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// Returns the way to the page at which a token is given, and from there back.
pub(super) fn to_sign_in(from: &Uri) -> Response {
    let back = from.path_and_query().map_or("/", |path| path.as_str());
    Redirect::to(&frame::address("/sign-in", &[("next", back)])).into_response()
}

/// Returns where to go after signing in: a path of this server, whatever was asked for.
fn own_path(wanted: &str) -> &str {
    let mut bytes = wanted.bytes();
    let begins = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let plain = wanted.bytes().all(|c| c.is_ascii_graphic() && c != b'\\');
    if begins && plain && wanted.len() < 2_000 { wanted } else { "/" }
}

/// Shows the page at which a token is given.
pub(super) async fn ask(State(http): State<Http>, request: Request) -> Response {
    let next = query(request.uri().query()).unwrap_or_default();
    let next = own_path(next.get("next").unwrap_or("/")).to_owned();
    match visit::who(&http, request.headers()).await {
        Who::Known(_) => Redirect::to(&next).into_response(),
        Who::Stranger(door) => {
            let text = sign_in::sign_in(&http.visits.csrf(&door.id), &next, None);
            door.dress(&http, page(StatusCode::OK, text))
        }
        Who::Unsure(why) => unsure(&why),
    }
}

/// Takes a token.
pub(super) async fn sign_in(
    State(http): State<Http>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let door = match visit::who(&http, &headers).await {
        Who::Stranger(door) => door,
        Who::Known(_) => return Redirect::to("/").into_response(),
        Who::Unsure(why) => return unsure(&why),
    };
    let next = own_path(field(&fields, "next"));
    let again = |status: StatusCode, why: &str| {
        let text = sign_in::sign_in(&http.visits.csrf(&door.id), next, Some(why));
        door.dress(&http, page(status, text))
    };
    if let Err(why) = made_here(&http, &headers, &door.id, &fields) {
        return again(StatusCode::FORBIDDEN, why);
    }
    let given = format!("Bearer {}", field(&fields, "token").trim());
    let (Some(auth), Ok(mut token)) = (&http.auth, HeaderValue::from_str(&given)) else {
        return again(StatusCode::UNAUTHORIZED, "This is no token.");
    };
    token.set_sensitive(true);
    match auth.check(Some(&token)).await {
        Ok(principal) => {
            tracing::info!(subject = principal.subject, "signed in at the pages");
            let id = http.visits.open(token);
            let mut response = Redirect::to(next).into_response();
            if let Some(cookie) = http.visits.set(Some(&id)) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(Refusal::Unknown(why)) => unsure(&why),
        Err(refusal) => {
            tracing::info!(?refusal, "a sign-in was refused");
            again(StatusCode::UNAUTHORIZED, "The token is not known here, or not good any more.")
        }
    }
}

/// Ends the session.
pub(super) async fn sign_out(
    State(http): State<Http>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    match admitted(&http, &headers, &fields).await {
        Err(response) => *response,
        Ok(visit) => {
            http.visits.close(&visit.door.id);
            let mut response = Redirect::to("/sign-in").into_response();
            if let Some(cookie) = http.visits.set(None) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
    }
}

/// Returns who sends a form, or the answer to one that is not of theirs.
pub(super) async fn admitted(
    http: &Http,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<Visit, Box<Response>> {
    let visit = match visit::who(http, headers).await {
        Who::Known(visit) => visit,
        Who::Stranger(_) => return Err(Box::new(Redirect::to("/sign-in").into_response())),
        Who::Unsure(why) => return Err(Box::new(unsure(&why))),
    };
    match made_here(http, headers, &visit.door.id, fields) {
        Ok(()) => Ok(visit),
        Err(why) => {
            tracing::warn!(subject = visit.principal.subject, why, "a form was refused");
            let error = Error::new(Kind::PermissionDenied, why)
                .next("open the page again, and press the button there; nothing was done");
            Err(Box::new(failed(http, &visit, &error)))
        }
    }
}

/// Checks that a form was made by a page of this server, for this browser.
fn made_here(
    http: &Http,
    headers: &HeaderMap,
    id: &str,
    fields: &Fields,
) -> Result<(), &'static str> {
    if !same_origin(headers) {
        return Err("the form comes from another page");
    }
    match http.visits.made_for(id, field(fields, "csrf")) {
        true => Ok(()),
        false => Err("the form was not made for this browser, or its session has ended"),
    }
}

/// Returns whether a browser says that a page of this very server sends the request; programs say nothing.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = text("origin") else { return true };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.zip(text("host")).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for own in ["/", "/runs", "/datasets/a%20b?window=7d"] {
            assert_eq!(own_path(own), own);
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "x",
            "/a b",
            "/a\r\nb",
            "/\t/evil",
        ] {
            assert_eq!(own_path(other), "/", "{other:?}");
        }
    }

    #[test]
    fn a_page_of_another_server_on_this_machine_is_another_page() {
        let says = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            same_origin(&headers.collect())
        };
        assert!(says(&[("host", "localhost:1")]), "no browser");
        assert!(says(&[("host", "localhost:1"), ("origin", "http://LOCALHOST:1")]));
        assert!(!says(&[("host", "localhost:1"), ("origin", "http://localhost:2")]));
        assert!(!says(&[("host", "localhost:1"), ("origin", "null")]));
        for (site, good) in
            [("same-origin", true), ("same-site", false), ("cross-site", false), ("none", false)]
        {
            let host = ("host", "localhost:1");
            assert_eq!(
                says(&[host, ("origin", "http://localhost:1"), ("sec-fetch-site", site)]),
                good
            );
        }
    }
}
