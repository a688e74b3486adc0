//! The one HTTP client of both hubs.

use std::sync::Arc;
use std::time::Duration;

use google_sheets4::common;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Builder, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::{Error, Kind, Result, Retry};

/// The one connector type: each further one would compile every hub call again.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// Shorter than the idle time-outs of servers: a connection that the server closes just as a
/// write goes out makes the outcome of that write ambiguous.
const IDLE: Duration = Duration::from_secs(30);

/// A client whose requests are short texts: for token endpoints.
pub(crate) type Plain = hyper_util::client::legacy::Client<Connector, String>;

/// Builds the client of the hubs.
pub(crate) fn client(tls: bool, connect: Duration) -> Result<common::Client<Connector>> {
    Ok(builder().build(connector(tls, connect)?))
}

/// Builds the client of token endpoints.
pub(crate) fn plain(tls: bool, connect: Duration) -> Result<Plain> {
    Ok(builder().build(connector(tls, connect)?))
}

fn builder() -> Builder {
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    builder
}

/// Builds the connector. The system's certificates are loaded only if `tls`, so that a machine
/// without any can use the embedded workspace.
fn connector(tls: bool, connect: Duration) -> Result<Connector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(connect));
    // The provider is named: the process-wide default is undecided when two crates bring two.
    let provider = ring::default_provider();
    if tls {
        return Ok(HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| setup("the system has no usable CA certificates", error))?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http));
    }
    let trust_none = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup("TLS cannot be set up", error))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(trust_none)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http))
}

fn setup(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = error.into();
    let message = format!("{what}: {error}");
    Error::new(Kind::Setup, Retry::Permanent, "connect", message).with_source(error)
}
