//! HTTP: `/mcp` (Streamable HTTP, both revisions), the older pair `/sse` and `/messages`, and what operators ask for.
//!
//! The pages for people are in [`pages`].
//!
//! From the outside in, a request passes: the guard (`Host`, `Origin`), CORS, the count of requests,
//! the body limit, authentication, the binding of sessions to their owners, and the SDK.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any_service, get, post},
    serve::ListenerExt,
};
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
    session::{SessionManager, local::LocalSessionManager},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::{
    Server,
    auth::{Auth, Refusal},
};
use crate::{
    principal::{Principal, Role},
    watch::Hooks,
};

mod body;
mod guard;
mod hooks;
mod pages;
mod sessions;
mod sse;

use guard::Guard;
pub(crate) use guard::is_loopback;
use sessions::Sessions;

/// How the server is reached.
#[derive(Debug)]
pub struct Settings {
    /// Names beside loopback's under which it may be called.
    pub hosts: Vec<String>,
    /// Pages that may call it, as `scheme://host[:port]`.
    pub origins: Vec<String>,
    /// The largest request, in bytes.
    pub max_body: usize,
    /// Who may call; everybody on this machine if there is none.
    pub auth: Option<Auth>,
    /// What is taken at `/hooks/{dataset}`.
    pub hooks: Hooks,
}

/// What every request is served with.
#[derive(Clone, Debug)]
struct Http {
    server: Server,
    guard: Arc<Guard>,
    auth: Option<Arc<Auth>>,
    hooks: Arc<Hooks>,
    manager: Arc<LocalSessionManager>,
    sessions: Sessions,
    visits: pages::Visits,
    streams: sse::Streams,
    stop: CancellationToken,
}

/// How long requests in flight may go on after the operator asked to stop.
const DRAIN: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Serves on `listener` until `stop`.
///
/// # Errors
/// A listener that fails, and an address that others can reach without anybody being asked who they are.
pub async fn serve(
    server: Server,
    listener: TcpListener,
    settings: Settings,
    stop: CancellationToken,
) -> io::Result<()> {
    let address: SocketAddr = listener.local_addr()?;
    let loopback = address.ip().is_loopback();
    if !loopback && settings.auth.is_none() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{address} is reached by others, and no [auth] says who may call"),
        ));
    }
    let mut manager = LocalSessionManager::default();
    // The SDK's own limit ends streams of calls that are silent for long; see `Sessions`.
    manager.session_config.keep_alive = None;
    let secure = settings.auth.as_ref().is_some_and(|auth| auth.resource.starts_with("https://"));
    let key = server.context.key.of("lockstep 2026 forms of pages");
    let http = Http {
        server,
        guard: Arc::new(Guard::new(loopback, &settings.hosts, &settings.origins)),
        auth: settings.auth.map(Arc::new),
        hooks: Arc::new(settings.hooks),
        manager: Arc::new(manager),
        sessions: Sessions::default(),
        visits: pages::Visits::new(key, address.port(), secure),
        streams: sse::Streams::default(),
        stop: stop.clone(),
    };
    let sweeper = tokio::spawn(sweep(http.clone()));
    let router = router(&http, settings.max_body);
    // Without this, an event of a stream waits for the acknowledgement of the one before: 40 ms a call.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stopped = stop.clone();
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stopped.cancelled().await });
    let outcome = tokio::select! {
        outcome = async { serving.await } => outcome,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        } => Ok(()),
    };
    sweeper.abort();
    outcome
}

fn router(http: &Http, max_body: usize) -> Router {
    let factory = http.server.clone();
    let config = StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_max_request_body_bytes(max_body)
        .with_cancellation_token(http.stop.clone())
        // The guard checks them, here and on every other path.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let streamable = StreamableHttpService::new(
        move || Ok(factory.for_session(Principal::local())),
        Arc::clone(&http.manager),
        config,
    );
    let mcp = Router::new()
        .route_service("/mcp", any_service(streamable))
        .layer(from_fn_with_state(http.clone(), bind));
    let closed = Router::new()
        .route("/sse", get(sse::stream))
        .route("/messages", post(sse::message))
        .route("/metrics", get(metrics))
        .merge(mcp)
        .layer(DefaultBodyLimit::max(max_body))
        .layer(from_fn_with_state(http.clone(), authenticate));
    let cors_guard = Arc::clone(&http.guard);
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _| {
            origin.to_str().is_ok_and(|origin| cors_guard.knows_origin(origin))
        }))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([SESSION, header::WWW_AUTHENTICATE])
        .max_age(Duration::from_secs(600));
    // Each call proves by itself who makes it.
    let told = Router::new()
        .route("/hooks/drive", post(hooks::drive))
        .route("/hooks/{dataset}", post(hooks::call))
        .layer(DefaultBodyLimit::max(http.hooks.max_body));
    let guarded = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .merge(closed)
        .merge(told)
        .fallback(async || (StatusCode::NOT_FOUND, "nothing is here: MCP is at /mcp\n"))
        .layer(cors)
        // No other page may read these: they know of no CORS.
        .merge(pages::router())
        .layer(from_fn_with_state(http.clone(), watch));
    // The document that says where to get a token is for everybody (RFC 9728 section 3).
    let open = Router::new()
        .route("/.well-known/oauth-protected-resource", get(metadata))
        .route("/.well-known/oauth-protected-resource/{*path}", get(metadata))
        .layer(CorsLayer::permissive());
    Router::new().merge(guarded).merge(open).with_state(http.clone())
}

/// Refuses foreign pages, and counts what is answered.
async fn watch(State(http): State<Http>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        Some("/mcp") => "/mcp",
        Some("/sse") => "/sse",
        Some("/messages") => "/messages",
        Some("/metrics") => "/metrics",
        Some("/healthz") => "/healthz",
        Some("/readyz") => "/readyz",
        Some("/hooks/{dataset}" | "/hooks/drive") => "/hooks",
        Some(_) => "pages",
        _ => "other",
    };
    let response = match http.guard.objection(request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    http.server.shared.metrics.requested(route, response.status().as_u16());
    response
}

/// Finds out who calls, and takes the token off the request.
async fn authenticate(State(http): State<Http>, mut request: Request, next: Next) -> Response {
    let header = request.headers_mut().remove(header::AUTHORIZATION);
    let principal = match &http.auth {
        None => Principal::local(),
        Some(auth) => match auth.check(header.as_ref()).await {
            Ok(principal) => principal,
            Err(refusal) => {
                tracing::info!(?refusal, "a request was refused");
                return auth.refuse(&refusal);
            }
        },
    };
    if let (Some(auth), Some(role)) = (&http.auth, needed(&request))
        && principal.role < role
    {
        return auth.refuse(&Refusal::Scope(role));
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// Returns the role that a request needs beyond the least, as far as its head says: clients of revision 2026-07-28
/// name the tool there, and the SDK makes sure that the body names the same.
fn needed(request: &Request) -> Option<Role> {
    if request.uri().path() == "/metrics" {
        return Some(Role::Admin);
    }
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    (text(METHOD)? == "tools/call").then_some(())?;
    Server::role_of(text(NAME)?)
}

/// Lets requests of a session come from its owner alone, and notes who opens one.
async fn bind(
    State(http): State<Http>,
    Extension(principal): Extension<Principal>,
    request: Request,
    next: Next,
) -> Response {
    let named = request.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let ends = request.method() == Method::DELETE;
    let using = match &named {
        None if request.method() == Method::POST && !sessionless(&request) && full(&http).await => {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many sessions are open
",
            )
                .into_response();
        }
        None => None,
        Some(id) => match http.sessions.admit(id, &principal.subject) {
            sessions::Admission::Welcome(using) => Some(using),
            // The SDK says in its own words that it does not know the session.
            sessions::Admission::Unknown => None,
            sessions::Admission::Foreign => {
                tracing::warn!(subject = principal.subject, "a session of somebody else was named");
                return (StatusCode::NOT_FOUND, "there is no such session\n").into_response();
            }
        },
    };
    let response = next.run(request).await;
    let opened = response.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let using = match (&named, opened) {
        (None, Some(id)) => Some(http.sessions.opened(&id, &principal.subject)),
        _ => using,
    };
    if let (true, true, Some(id)) = (ends, response.status().is_success(), &named) {
        http.sessions.closed(id);
    }
    match using {
        None => response,
        Some(guard) => {
            let (head, body) = response.into_parts();
            Response::from_parts(head, axum::body::Body::new(body::Guarded { body, _guard: guard }))
        }
    }
}

/// Returns whether a request is of a revision without sessions, as its head says.
fn sessionless(request: &Request) -> bool {
    let version = request.headers().get(VERSION).and_then(|version| version.to_str().ok());
    // Revisions are dates, so that they compare as texts.
    version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28.as_str())
}

/// Returns whether no session can be opened, even after those that lie unused for a minute were closed.
async fn full(http: &Http) -> bool {
    if http.sessions.count() < sessions::MOST {
        return false;
    }
    close(http, MINUTE).await;
    http.sessions.count() >= sessions::MOST
}

/// Closes sessions that nobody uses any more.
async fn sweep(http: Http) {
    let mut minute = tokio::time::interval(MINUTE);
    loop {
        minute.tick().await;
        close(&http, sessions::IDLE).await;
    }
}

async fn close(http: &Http, idle: Duration) {
    for id in http.sessions.idle(idle) {
        http.sessions.closed(&id);
        if let Err(error) = http.manager.close_session(&id.into()).await {
            tracing::debug!(%error, "an idle session was gone already");
        }
    }
}

async fn ready(State(http): State<Http>) -> Response {
    match http.server.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

async fn metrics(State(http): State<Http>) -> Response {
    http.server.shared.metrics.sessions(http.sessions.count());
    match http.server.shared.metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn metadata(State(http): State<Http>) -> Response {
    match &http.auth {
        Some(auth) => Json(auth.metadata()).into_response(),
        None => (StatusCode::NOT_FOUND, "this server asks for no token\n").into_response(),
    }
}
