//! `[secrets]`: the key that seals, and the check that a file with secrets in it is not everybody's to read.

use std::path::Path;

use serde::Deserialize;

use crate::{
    error::{Error, Kind, Result},
    secrets::{Secret, literal, private},
};

/// The key that seals tokens, and the store where that is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SecretsConfig {
    /// 32 bytes as base64; without it a file beside the store holds a key.
    pub key: Option<Secret>,
    /// Keys that sealed before, for what was not sealed again yet.
    pub previous_keys: Vec<Secret>,
}

/// Refuses a configuration that holds a secret itself and that everybody on this machine can read.
///
/// # Errors
/// Such a file, with the keys that hold secrets and what to do.
pub(super) fn check(path: &Path, text: &str) -> Result<()> {
    let Ok(table) = text.parse::<toml::Table>() else { return Ok(()) };
    let mut found = Vec::new();
    look(&toml::Value::Table(table), &mut Vec::new(), &mut found);
    if found.is_empty() || private(path).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        Kind::PermissionDenied,
        format!(
            "{} holds secrets ({}), and everybody on this machine can read it",
            path.display(),
            found.join(", ")
        ),
    )
    .next(format!(
        "chmod 600 {}, or keep them elsewhere: ${{NAME}} (the environment), ${{file:PATH}}, ${{keyring:NAME}}",
        path.display()
    )))
}

/// Collects the keys whose values are secrets.
fn look(value: &toml::Value, path: &mut Vec<String>, found: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                path.push(key.clone());
                look(value, path, found);
                path.pop();
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| look(item, path, found)),
        toml::Value::String(text) if is_secret(path, text) => found.push(path.join(".")),
        _ => {}
    }
}

fn is_secret(path: &[String], text: &str) -> bool {
    if !literal(text) || text.trim().is_empty() {
        return false;
    }
    let key = path.last().map(String::as_str).unwrap_or_default();
    let of = |room: &str| path.first().is_some_and(|first| first == room);
    let within = |part: &str| path.iter().any(|step| step == part);
    if of("connections") {
        return match key {
            "url" | "baseUrl" => has_password(text),
            "token" | "password" | "value" | "clientSecret" => within("auth") || path.len() == 3,
            "secretAccessKey" | "sessionToken" => true,
            _ if within("headers") => {
                let name = key.to_lowercase();
                ["auth", "token", "key", "secret", "cookie"].iter().any(|word| name.contains(word))
            }
            _ => false,
        };
    }
    match key {
        "token" | "credentials" | "client" => of("google"),
        "key" | "previousKeys" => of("secrets"),
        "webhook" => of("alerts"),
        "secret" => of("hooks"),
        "url" => of("store") && has_password(text),
        _ => false,
    }
}

/// Returns whether an address holds a password.
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        look(&toml::Value::Table(text.parse().unwrap()), &mut Vec::new(), &mut found);
        found
    }

    #[test]
    fn secrets_are_found_wherever_they_may_stand_and_references_are_none() {
        let text = r#"
            [google]
            token = "ya29.x"
            credentials = "${file:robot.json}"
            [secrets]
            previousKeys = ["AAAA"]
            [alerts]
            webhook = "https://hooks.example/T/1"
            [hooks.datasets.stock]
            secret = "sssssssssssssssss"
            key = ["/id"]
            [connections.shop]
            kind = "postgres"
            url = "postgres://u:p@h/d"
            [connections.open]
            kind = "postgres"
            url = "postgres://u:${P}@h/d"
            [connections.lone]
            kind = "postgres"
            url = "postgres://u@h/d?x=a:b@c"
            [connections.crm]
            kind = "http"
            baseUrl = "https://api.example"
            auth = { kind = "basic", user = "u", password = "pw" }
            headers = { Accept = "application/json", "X-Api-Key" = "k" }
            [connections.crm.resources.a]
            key = ["id"]
            fields = { token = "/token" }
            [connections.s3]
            kind = "s3"
            secretAccessKey = "x"
        "#;
        assert_eq!(
            found(text),
            [
                "google.token",
                "secrets.previousKeys",
                "alerts.webhook",
                "hooks.datasets.stock.secret",
                "connections.shop.url",
                "connections.crm.auth.password",
                "connections.crm.headers.X-Api-Key",
                "connections.s3.secretAccessKey",
            ]
        );
    }

    #[test]
    fn a_file_with_secrets_that_everybody_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lockstep.toml");
        let text = "[google]\ntoken = \"ya29.plain\"\n";
        std::fs::write(&path, text).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o644);
        let error = check(&path, text).unwrap_err().to_string();
        assert!(error.contains("google.token") && error.contains("chmod 600"), "{error}");
        assert!(!error.contains("ya29.plain"), "{error}");
        check(&path, "[google]\ntoken = \"${TOKEN}\"\n").unwrap();
        mode(0o600);
        check(&path, text).unwrap();
    }
}
