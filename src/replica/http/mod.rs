//! JSON APIs over HTTP as replicas, described by the operator.
//!
//! A foreign API keeps no marker of ours and has no transactions, so nothing here relies on either. Every write is
//! guarded by `If-Match` or by reading the item again right before; a write whose outcome is not known is looked up
//! before it is sent again; and a batch of a run that died is settled by comparing the rows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use lockstep_google::Backoff;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};

use self::{
    auth::Auth,
    call::{Ask, Attempt, Wire},
    config::AuthConfig,
    origin::Origin,
    pace::Pace,
    resource::Resource,
    secret::Redactor,
};
use crate::{
    error::{Error, Kind, Result, did_you_mean},
    progress::Progress,
};

mod answer;
mod auth;
mod call;
mod check;
mod columns;
mod config;
mod deliver;
mod exchange;
mod field;
mod fill;
mod json;
mod link;
mod list;
mod look;
mod origin;
mod pace;
mod page;
mod plan;
mod resource;
mod scan;
pub(in crate::replica) mod secret;
mod send;
mod stamp;
mod template;

#[cfg(test)]
mod tests;

pub use self::check::Checked;
pub use self::config::HttpConfig;
pub(crate) use self::{
    plan::{ApiPlan, settle},
    scan::{ApiTable, scan},
    send::send,
};

/// An API that the operator named.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

struct Inner {
    wire: Wire,
    writable: bool,
    idempotency: HeaderName,
    resources: BTreeMap<String, Resource>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("name", &self.0.wire.name).finish_non_exhaustive()
    }
}

impl Api {
    /// Takes the operator's word and looks up its secrets; nothing is called yet.
    ///
    /// # Errors
    /// A secret that is not set, an address that cannot be understood, a description that contradicts itself: each with
    /// the path of its key.
    pub(crate) fn new(name: &str, config: &HttpConfig) -> Result<Self> {
        let mut redactor = Redactor::default();
        let origin = Origin::new(config.base_url.resolve("baseUrl")?.reveal())?;
        let open = !origin.is_https() && !origin.is_loopback() && !config.plain_http;
        if open && !matches!(config.auth, AuthConfig::None) {
            return Err(Error::invalid("secrets would travel unencrypted over http")
                .context("baseUrl")
                .next("use https, or say plainHttp = true if the network is your own"));
        }
        let auth = Auth::new(&config.auth, &mut redactor, config.plain_http)?;
        let headers = headers(config, &auth, &mut redactor)?;
        let limits = &config.limits;
        for (key, zero) in [
            ("timeoutSeconds", config.timeout_seconds == 0),
            ("maxBodyBytes", config.max_body_bytes == 0),
            ("limits.perSecond", limits.per_second == Some(0)),
            ("limits.perMinute", limits.per_minute == Some(0)),
            ("limits.attempts", limits.attempts == 0),
        ] {
            if zero {
                return Err(Error::invalid("it is at least 1").context(key).next("raise it"));
            }
        }
        let resources: BTreeMap<String, Resource> = config
            .resources
            .iter()
            .map(|(name, resource)| Ok((name.clone(), Resource::new(name, resource)?)))
            .collect::<Result<_>>()?;
        if resources.is_empty() {
            return Err(Error::invalid("there are none")
                .context("resources")
                .next("describe at least one under [connections.NAME.resources.NAME]"));
        }
        let writes = |resource: &Resource| {
            let config = &resource.config;
            config.create.is_some() || config.update.is_some() || config.delete.is_some()
        };
        if config.writable && !resources.values().any(writes) {
            return Err(Error::invalid("no resource says how to create, update or delete")
                .context("writable")
                .next("describe one of them, or say writable = false"));
        }
        let base = match origin.is_loopback() {
            // Nobody else waits for a server on this machine: a second try need not be late.
            true => Duration::from_millis(20),
            false => Duration::from_millis(500),
        };
        let wire = Wire {
            name: name.to_owned(),
            origin,
            auth,
            pace: Pace::new(limits),
            limits: limits.clone(),
            backoff: Backoff { base, ..Backoff::default() },
            headers,
            timeout: Duration::from_secs(config.timeout_seconds),
            max_body: config.max_body_bytes,
            redactor: Mutex::new(redactor),
            client: OnceLock::new(),
        };
        let idempotency = auth::name(&config.idempotency_header, "idempotencyHeader")?;
        Ok(Self(Arc::new(Inner { wire, writable: config.writable, idempotency, resources })))
    }

    /// Asks for the address itself with the credentials; any answer will do but one that refuses them.
    ///
    /// # Errors
    /// A server that does not answer, and credentials that it refuses.
    pub(crate) async fn reached(&self) -> Result<u16> {
        let wire = self.wire();
        let ask = Ask::new(reqwest::Method::GET, wire.origin.join("", &[])?, None);
        let mut used = None;
        let place = || format!("the API \"{}\"", wire.name);
        match wire.once(&ask, &Progress::silent(), &mut used).await? {
            Attempt::Answer(answer) if answer.status == 401 => {
                Err(Error::new(Kind::Unauthenticated, "it refuses the credentials (HTTP 401)")
                    .context(place())
                    .next("correct auth of the connection"))
            }
            Attempt::Answer(answer) => Ok(answer.status),
            Attempt::TooLarge => Ok(200),
            Attempt::Unsent(why) | Attempt::Lost(why) => {
                Err(Error::new(Kind::Unavailable, why).context(place()))
            }
            Attempt::Astray(error) => Err(error),
        }
    }

    fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// Returns a resource.
    ///
    /// # Errors
    /// A name that is not described; near ones are offered.
    fn resource(&self, name: &str) -> Result<&Resource> {
        self.0.resources.get(name).ok_or_else(|| {
            let names = || self.0.resources.keys().map(String::as_str);
            let near = did_you_mean(name, names());
            Error::new(
                Kind::NotFound,
                format!("the API \"{}\" has no resource \"{name}\".{near}", self.0.wire.name),
            )
            .next(format!("its resources are {}", super::header::list(names())))
        })
    }

    fn check_writable(&self) -> Result<()> {
        if self.0.writable {
            return Ok(());
        }
        Err(Error::new(
            Kind::PermissionDenied,
            format!("the API \"{}\" may only be read", self.0.wire.name),
        )
        .next("the operator allows writing with writable = true in lockstep.toml"))
    }
}

/// Returns the headers of every request.
fn headers(config: &HttpConfig, auth: &Auth, redactor: &mut Redactor) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (key, value) in &config.headers {
        let place = format!("headers.{key}");
        let name = auth::name(key, &place)?;
        let own = match auth {
            Auth::None => false,
            Auth::Fixed(used, _) => *used == name,
            Auth::Tokens(_) => name == AUTHORIZATION,
        };
        let fixed = ["host", "content-length", "content-type", "accept", "transfer-encoding"];
        if own || fixed.contains(&name.as_str()) {
            let what = if own { "auth sets it already" } else { "it is set for each request" };
            return Err(Error::invalid(what).context(place).next("remove it"));
        }
        let value = value.resolve(&place)?;
        // A header that takes a variable may be a secret; a fixed one like a version is not.
        if value.reveal().len() >= 16 {
            redactor.add(value.reveal());
        }
        headers.insert(name, auth::header(value.reveal(), &place)?);
    }
    Ok(headers)
}
