//! `[hooks]` as the server takes it.

use jiff::SignedDuration;

use crate::{
    config::{HookConfig, HooksConfig, SchemeConfig},
    error::{Error, Result},
    secrets::Secret,
    watch::{HookRule, Hooks, Proof},
};

/// The largest body where the configuration does not say, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The replay window where the configuration does not say, in seconds.
const WINDOW: u32 = 300;

/// The least length of a secret: shorter ones can be tried out.
const SECRET: usize = 16;

/// Reads the rules, with their secrets from the environment.
///
/// # Errors
/// A secret that is not there or too short, and parts that do not go together.
pub(super) fn hooks(config: &HooksConfig) -> Result<Hooks> {
    let read = |(dataset, config): (&String, &HookConfig)| {
        let rule =
            rule(dataset, config).map_err(|error| error.context(format!("datasets.{dataset}")))?;
        Ok((dataset.clone(), rule))
    };
    let rules = config.datasets.iter().map(read).collect::<Result<_>>()?;
    Ok(Hooks { rules, max_body: config.max_body_bytes.unwrap_or(MAX_BODY) })
}

fn rule(dataset: &str, config: &HookConfig) -> Result<HookRule> {
    if dataset == "drive" {
        return Err(Error::invalid("the name is taken: Drive tells at /hooks/drive")
            .next("give the dataset another name"));
    }
    let named = match (&config.secret, &config.secret_env) {
        (Some(secret), None) => secret.clone(),
        (None, Some(variable)) => Secret::new(format!("${{{variable}}}")),
        _ => {
            return Err(Error::invalid(
                "secretEnv or secret says what the caller knows: one of the two",
            )
            .next("add secretEnv = \"NAME\", or secret = \"${file:PATH}\""));
        }
    };
    let secret = named.resolve("secret")?.reveal().to_owned();
    if secret.len() < SECRET {
        return Err(Error::invalid(format!(
            "the secret has {} characters; fewer than {SECRET} can be tried out",
            secret.len()
        ))
        .next("`openssl rand -hex 32` makes a good one"));
    }
    if config.header.is_some() && config.scheme != SchemeConfig::Plain {
        return Err(Error::invalid("header goes with scheme = \"plain\"")
            .next("leave header out, or name the scheme"));
    }
    let pointers = config.items.iter().chain(&config.key);
    if let Some(wrong) = pointers.into_iter().find(|one| !one.is_empty() && !one.starts_with('/')) {
        return Err(Error::invalid(format!("\"{wrong}\" is no JSON pointer"))
            .next("write it as /order/id (RFC 6901)"));
    }
    if config.items.is_some() && config.key.is_empty() {
        return Err(Error::invalid("items are named, but not the key of an item")
            .next("add key = [\"/id\"]"));
    }
    let header = config.header.clone().unwrap_or_else(|| "X-Hub-Signature-256".into());
    Ok(HookRule {
        proof: match config.scheme {
            SchemeConfig::Stamped => Proof::Stamped(secret),
            SchemeConfig::Plain => Proof::Plain { secret, header: header.to_lowercase() },
            SchemeConfig::Token => Proof::Token(secret),
        },
        window: SignedDuration::from_secs(i64::from(config.window_seconds.unwrap_or(WINDOW))),
        items: config.items.clone(),
        key: config.key.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn refused(toml: &str) -> String {
        let config: Config = toml::from_str(&format!("[hooks.datasets.stock]\n{toml}")).unwrap();
        hooks(&config.hooks).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_rule_without_a_good_secret_or_with_parts_that_do_not_fit_is_refused() {
        assert!(hooks(&HooksConfig::default()).unwrap().rules.is_empty());
        assert!(refused("secretEnv = \"NOT_SET_ANYWHERE\"").contains("NOT_SET_ANYWHERE"));
        let short = refused("secret = \"fifteen letters\"");
        assert!(short.contains("15 characters; fewer than 16"), "{short}");
        let long: HookConfig = toml::from_str("secret = \"sixteen letters!\"").unwrap();
        assert!(rule("stock", &long).is_ok());
        // Every environment has a PATH, and it is long enough.
        let path = "secretEnv = \"PATH\"\n";
        for (rest, word) in [
            ("header = \"X-A\"", "scheme"),
            ("key = [\"id\"]", "pointer"),
            ("items = \"/a\"", "key"),
        ] {
            let error = refused(&format!("{path}{rest}"));
            assert!(error.contains(word) && error.contains("Next:"), "{error}");
        }
    }
}
