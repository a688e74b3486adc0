//! `[http]` and `[auth]` as the server takes them.

use std::{net::SocketAddr, time::Duration};

use jiff::SignedDuration;

use crate::{
    config::{AuthConfig, Config, TokenConfig},
    error::{Error, Kind, Result},
    server::{
        auth::{Auth, Issuer, Keys, Scopes, StaticToken, jwks::Place},
        http::{Settings, is_loopback},
        tasks,
    },
};

mod hooks;

/// The largest request where the configuration does not say, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Returns how long a call may take before it becomes a task, and how long that is kept.
///
/// # Errors
/// A time to keep of nothing.
pub(super) fn tasks(config: &Config) -> Result<tasks::Settings> {
    let keep = config.tasks.keep_hours.unwrap_or(24);
    if keep == 0 {
        return Err(Error::invalid("[tasks] keepHours = 0 would drop every report at once")
            .next("give at least 1, or leave it out for 24"));
    }
    Ok(tasks::Settings {
        after: Duration::from_millis(config.tasks.after_ms.unwrap_or(2_000)),
        keep: SignedDuration::from_hours(i64::from(keep)),
    })
}

/// Returns how the server is reached at `address`.
///
/// # Errors
/// An address that others can reach without `[auth]`, and settings that contradict each other.
pub(super) fn settings(config: &Config, address: SocketAddr) -> Result<Settings> {
    if !address.ip().is_loopback() && config.auth.is_none() {
        return Err(Error::new(
            Kind::PermissionDenied,
            format!("{address} is reached by others, and no [auth] says who may call"),
        )
        .next("bind 127.0.0.1, or add a token (`lockstep token NAME`) or an issuer to [auth]"));
    }
    let auth = match &config.auth {
        Some(auth) => Some(read(auth, address).map_err(|error| error.context("[auth]"))?),
        None => None,
    };
    let mut hosts = config.http.hosts.clone();
    if let Some(resource) = config.auth.as_ref().and_then(|auth| auth.resource.as_deref()) {
        hosts.extend(authority(resource).map(str::to_owned));
    }
    if !address.ip().is_loopback() && hosts.is_empty() {
        return Err(Error::invalid("nothing says under which name clients reach this server")
            .next("add [http] hosts = [\"sync.example.com\"], or [auth] resource"));
    }
    let max_body = config.http.max_body_bytes.unwrap_or(MAX_BODY);
    let hooks = hooks::hooks(&config.hooks).map_err(|error| error.context("[hooks]"))?;
    if let Some(url) = &config.hooks.public_url {
        let Some(authority) = authority(url) else {
            return Err(Error::invalid(format!("publicUrl: {url} is no http or https address"))
                .context("[hooks]")
                .next("give the address under which Drive reaches this server"));
        };
        hosts.push(authority.to_owned());
    }
    Ok(Settings { hosts, origins: config.http.origins.clone(), max_body, auth, hooks })
}

fn read(config: &AuthConfig, address: SocketAddr) -> Result<Auth> {
    let resource = match &config.resource {
        Some(url) if authority(url).is_some() => url.clone(),
        Some(url) => {
            return Err(Error::invalid(format!("resource: {url} is no http or https address"))
                .next("give the URL of the MCP endpoint, e.g. https://sync.example.com/mcp"));
        }
        None => format!("http://{address}/mcp"),
    };
    let issuer = match &config.issuer {
        Some(issuer) => Some(read_issuer(config, issuer, &resource)?),
        None if config.jwks_url.is_some()
            || config.jwks_file.is_some()
            || !config.audience.is_empty() =>
        {
            return Err(Error::invalid("jwksUrl, jwksFile and audience belong to an issuer")
                .next("add issuer, or leave them out"));
        }
        None => None,
    };
    let tokens = config.tokens.iter().map(token).collect::<Result<Vec<_>>>()?;
    if issuer.is_none() && tokens.is_empty() {
        return Err(Error::invalid("neither an issuer nor a token is named: nobody could call")
            .next("add issuer and jwksUrl, or a token (`lockstep token NAME` prints one)"));
    }
    let default = Scopes::default();
    let scopes = Scopes {
        reader: config.scopes.reader.clone().unwrap_or(default.reader),
        operator: config.scopes.operator.clone().unwrap_or(default.operator),
        admin: config.scopes.admin.clone().unwrap_or(default.admin),
    };
    Ok(Auth { resource, issuer, tokens, scopes })
}

fn read_issuer(config: &AuthConfig, issuer: &str, resource: &str) -> Result<Issuer> {
    if config.resource.is_none() && config.audience.is_empty() {
        return Err(Error::invalid("an issuer is named, but not for whom its tokens are")
            .next("add resource (the URL of the MCP endpoint) or audience"));
    }
    let place = match (&config.jwks_url, &config.jwks_file) {
        (Some(url), None) => {
            let host = authority(url).and_then(|authority| {
                authority.parse::<axum::http::uri::Authority>().ok().map(|a| a.host().to_owned())
            });
            let private = host.as_deref().is_some_and(is_loopback);
            if !(url.starts_with("https://") && host.is_some() || private) {
                return Err(Error::invalid(format!("jwksUrl: {url} is no https address"))
                    .next("keys that travel in the clear prove nothing: give an https address"));
            }
            Place::Url(url.clone())
        }
        (None, Some(file)) => Place::File(file.clone()),
        _ => {
            return Err(Error::invalid("an issuer needs jwksUrl or jwksFile, one of them")
                .next("the issuer's metadata names the address of its keys as jwks_uri"));
        }
    };
    let audiences = if config.audience.is_empty() {
        vec![resource.to_owned()]
    } else {
        config.audience.clone()
    };
    let keys = Keys::new(place)
        .map_err(|why| Error::internal(format!("no client for the issuer's keys: {why}")))?;
    Ok(Issuer { issuer: issuer.to_owned(), audiences, keys })
}

fn token(config: &TokenConfig) -> Result<StaticToken> {
    let hash = config
        .hash
        .strip_prefix("blake3:")
        .and_then(|hex| blake3::Hash::from_hex(hex).ok())
        .ok_or_else(|| {
            Error::invalid(format!(
                "tokens: the hash of {} is not one of `lockstep token`",
                config.name
            ))
            .next("`lockstep token NAME` makes a token and prints its hash")
        })?;
    Ok(StaticToken { name: config.name.clone(), hash, role: config.role })
}

/// Returns the authority of an http or https address.
fn authority(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    (!authority.is_empty() && !authority.contains('@')).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str, address: &str) -> Result<Settings> {
        settings(&toml::from_str::<Config>(toml).unwrap(), address.parse().unwrap())
    }

    fn refused(toml: &str, address: &str) -> String {
        read(toml, address).map(|_| ()).unwrap_err().to_string()
    }

    const HASH: &str =
        "hash = \"blake3:0000000000000000000000000000000000000000000000000000000000000000\"";

    #[test]
    fn an_address_that_others_reach_needs_auth_and_a_name() {
        assert!(refused("", "0.0.0.0:80").contains("lockstep token"));
        let token = format!("[[auth.tokens]]\nname = \"ci\"\n{HASH}\nrole = \"reader\"\n");
        assert!(refused(&token, "0.0.0.0:80").contains("hosts"));
        let named = format!("[http]\nhosts = [\"sync.example\"]\n{token}");
        assert!(read(&named, "0.0.0.0:80").is_ok());
        assert!(read("", "127.0.0.1:0").unwrap().auth.is_none());
    }

    #[test]
    fn auth_that_lets_nobody_in_or_everybody_is_refused() {
        for (auth, word) in [
            ("resource = \"https://a.example/mcp\"", "nobody could call"),
            ("issuer = \"https://i.example\"\njwksUrl = \"https://i.example/k\"", "for whom"),
            ("issuer = \"https://i.example\"\nresource = \"https://a.example/mcp\"", "jwksUrl"),
            (
                "issuer = \"i\"\nresource = \"https://a.example/mcp\"\njwksUrl = \"http://i.example/k\"",
                "in the clear",
            ),
            ("jwksUrl = \"https://i.example/k\"", "belong to an issuer"),
            ("resource = \"ftp://a.example\"", "no http"),
            ("tokens = [{name = \"a\", hash = \"secret\", role = \"admin\"}]", "not one of"),
        ] {
            let error = refused(&format!("[auth]\n{auth}\n"), "127.0.0.1:1");
            assert!(error.contains(word) && error.contains("Next:"), "{auth}: {error}");
        }
    }

    #[test]
    fn the_resource_is_a_host_and_the_audience() {
        let toml = "[auth]\nissuer = \"https://i.example\"\nresource = \"https://a.example/mcp\"\n\
                    jwksUrl = \"https://i.example/keys\"\n";
        let settings = read(toml, "0.0.0.0:80").unwrap();
        assert_eq!(settings.hosts, ["a.example"]);
        let issuer = settings.auth.unwrap().issuer.unwrap();
        assert_eq!(issuer.audiences, ["https://a.example/mcp"]);
    }
}
