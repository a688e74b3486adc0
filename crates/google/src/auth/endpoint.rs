//! Talks to token endpoints: exchange of a code, refreshing, revoking (RFC 6749, 7009).

use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, StatusCode, header};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Failed, query};
use crate::connect::Plain;
use crate::{Kind, Retry, Secret};

/// The longest answer of a token endpoint that is read, in bytes.
const LONGEST: usize = 256 * 1024;

/// What a token endpoint gave.
pub(crate) struct Given {
    pub(crate) access: Secret,
    pub(crate) seconds: Option<u64>,
    pub(crate) refresh: Option<Secret>,
    /// The scopes, joined by spaces.
    pub(crate) scope: Option<String>,
}

/// The metadata server of Google's cloud.
const MACHINE: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
    scope: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Asks for tokens; `again` is what a person does when the grant is over.
pub(crate) async fn ask(
    client: &Plain,
    url: &str,
    fields: &[(&str, &str)],
    again: &str,
) -> Result<Given, Failed> {
    let (status, body) = post(client, url, fields).await?;
    given(url, status, &body, again)
}

/// Asks the metadata server for a token of what this machine runs as.
///
/// Not with `yup-oauth2`: it prefers whatever `GOOGLE_APPLICATION_CREDENTIALS` names.
pub(crate) async fn machine(
    client: &Plain,
    url: Option<&str>,
    scopes: &[String],
    again: &str,
) -> Result<Given, Failed> {
    let place = url.unwrap_or(MACHINE);
    let request =
        Request::get(format!("{place}?{}", query::write(&[("scopes", &scopes.join(","))])))
            .header("Metadata-Flavor", "Google")
            .body(String::new());
    let (status, body) = send(client, place, request).await?;
    given(place, status, &body, again)
}

fn given(url: &str, status: StatusCode, body: &[u8], again: &str) -> Result<Given, Failed> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| unclear(url, status))?;
    if let Some(code) = answer.error {
        return Err(refused(&code, answer.error_description.as_deref(), again));
    }
    let access = answer.access_token.filter(|token| !token.is_empty() && status.is_success());
    Ok(Given {
        access: Secret::new(access.ok_or_else(|| unclear(url, status))?),
        seconds: answer.expires_in,
        refresh: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        scope: answer.scope,
    })
}

/// Takes a token back; one that is not known any more is as good as taken back.
pub(crate) async fn revoke(client: &Plain, token_uri: &str, token: &str) -> Result<(), Failed> {
    // Google's revocation endpoint lies beside its token endpoint.
    let folder = token_uri.rsplit_once('/').map_or(token_uri, |(folder, _)| folder);
    let url = format!("{folder}/revoke");
    let (status, body) = post(client, &url, &[("token", token)]).await?;
    let known = !String::from_utf8_lossy(&body).contains("invalid_token");
    if status.is_success() || (status == StatusCode::BAD_REQUEST && !known) {
        return Ok(());
    }
    Err(unclear(&url, status))
}

async fn post(
    client: &Plain,
    url: &str,
    fields: &[(&str, &str)],
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Failed> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(query::write(fields));
    send(client, url, request).await
}

async fn send(
    client: &Plain,
    url: &str,
    request: hyper::http::Result<Request<String>>,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Failed> {
    let request = request.map_err(|_| Failed {
        kind: Kind::Setup,
        retry: Retry::Permanent,
        message: format!("the token endpoint {} is no address", place(url)),
    })?;
    let answer = client.request(request).await.map_err(|error| unreached(url, &error))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| unreached(url, error.as_ref()))?;
    Ok((status, Zeroizing::new(body.to_bytes().to_vec())))
}

/// The failure of an answer that no token endpoint gives: something in between, or a bad moment.
fn unclear(url: &str, status: StatusCode) -> Failed {
    Failed {
        kind: if status.is_server_error() { Kind::Unavailable } else { Kind::Garbled },
        retry: Retry::Temporary,
        message: format!(
            "the token endpoint {} gave no token (HTTP {})",
            place(url),
            status.as_u16()
        ),
    }
}

fn unreached(url: &str, error: &dyn std::error::Error) -> Failed {
    Failed {
        kind: Kind::Network,
        retry: Retry::Temporary,
        message: format!(
            "the token endpoint {} cannot be reached: {}",
            place(url),
            innermost(error)
        ),
    }
}

/// Returns the innermost cause: the outer ones only say that there is one.
pub(crate) fn innermost(mut error: &dyn std::error::Error) -> String {
    while let Some(next) = error.source() {
        error = next;
    }
    error.to_string()
}

/// Returns the failure of a refusal by its code (RFC 6749, 5.2).
pub(crate) fn refused(code: &str, description: Option<&str>, again: &str) -> Failed {
    let said = match description.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{code}: {text}"),
        None => code.to_owned(),
    };
    let (kind, retry, message) = match code {
        "temporarily_unavailable" | "server_error" | "internal_failure" => (
            Kind::Unavailable,
            Retry::Temporary,
            format!("the token endpoint cannot serve now ({said})"),
        ),
        "invalid_grant" => (
            Kind::Unauthenticated,
            Retry::Permanent,
            format!("the credentials are no longer accepted ({said}); {again}"),
        ),
        "unauthorized_client" | "access_denied" => (
            Kind::Unauthenticated,
            Retry::Permanent,
            format!(
                "the credentials may not be used this way ({said}); of a service account with a subject, an administrator must allow its client id these scopes (domain-wide delegation)"
            ),
        ),
        _ => (
            Kind::Unauthenticated,
            Retry::Permanent,
            format!("no token was given ({said}); {again}"),
        ),
    };
    Failed { kind, retry, message }
}

/// Returns an address without its query.
fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
