//! Who Google is asked as: from the configuration, a sign-in that is kept sealed, or what Google's tools left.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use lockstep_google::{Auth, Credentials, LEAST_SCOPES, Limits, SharedQuota};
use zeroize::Zeroizing;

use crate::{
    clock::Clock,
    config::Config,
    error::{Error, Kind, Result},
    redact,
    replica::ledger::StoreLedger,
    secrets::{self, Ring, Secret},
    store::Store,
};

/// What a sign-in is sealed for.
const PURPOSE: &str = "google sign-in";

/// The variable that Google's tools look for.
const DEFAULT_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Returns the settings of a client of Google's own service.
///
/// # Errors
/// Credentials that are not there or not usable.
pub(super) fn real(
    config: &Config,
    store_path: &Path,
    store: &Store,
) -> Result<lockstep_google::Config> {
    let found = find(config, store_path)?;
    let account = found.account();
    let ledger = Arc::new(StoreLedger { store: store.clone(), clock: Clock::System });
    let mut real = settings(config, found.auth)?;
    real.quota.shared = Some(SharedQuota { ledger, account });
    if let Some(calls) = config.google.calls_per_minute {
        real.quota.limits = Limits::PerWindow { reads: calls, writes: calls };
    }
    Ok(real)
}

/// Returns the settings of a client that counts its calls alone.
///
/// # Errors
/// An `[access]` that cannot be read.
pub fn settings(config: &Config, auth: Auth) -> Result<lockstep_google::Config> {
    let mut real = lockstep_google::Config::google(auth);
    real.secrets = redact::note;
    real.access = config.access.of_google()?;
    if let Some(url) = &config.google.sheets_url {
        real.sheets_url.clone_from(url);
    }
    if let Some(url) = &config.google.drive_url {
        real.drive_url.clone_from(url);
    }
    Ok(real)
}

/// Credentials, and where they were found.
#[derive(Debug)]
pub struct Found {
    /// What the client takes.
    pub auth: Auth,
    /// Where they came from, in words.
    pub origin: String,
    /// The file that Google's tools left, if it is one.
    pub file: Option<PathBuf>,
    /// The same for the same user; it may be a secret.
    identity: Zeroizing<String>,
}

impl Found {
    /// Returns the name of the account's quota: a part of a hash, which tells nobody who it is.
    pub(crate) fn account(&self) -> String {
        blake3::hash(self.identity.as_bytes()).to_hex().chars().take(16).collect()
    }
}

/// Finds the credentials: those that the configuration names, else `LOCKSTEP_GOOGLE_TOKEN`, else the sign-in of
/// `lockstep login`, else application default credentials.
///
/// # Errors
/// None of them, more than one named, or one that cannot be used.
pub fn find(config: &Config, store_path: &Path) -> Result<Found> {
    let google = &config.google;
    let named: Vec<&str> = [
        ("token", google.token.is_some()),
        ("tokenEnv", google.token_env.is_some()),
        ("credentials", google.credentials.is_some()),
        ("metadataServer", google.metadata_server),
    ]
    .into_iter()
    .filter_map(|(name, is)| is.then_some(name))
    .collect();
    if named.len() > 1 {
        return Err(Error::invalid(format!(
            "[google] names several credentials: {}",
            named.join(", ")
        ))
        .next("keep one of them"));
    }
    if let Some(secret) = &google.token {
        return Ok(token(secret.resolve("google.token")?.reveal(), "google.token"));
    }
    if let Some(variable) = &google.token_env {
        let secret = Secret::new(format!("${{{variable}}}")).resolve("google.tokenEnv")?;
        return Ok(token(secret.reveal(), variable));
    }
    if let Some(secret) = &google.credentials {
        let json = secret.resolve("google.credentials")?;
        return read(config, json.reveal(), "google.credentials");
    }
    if google.metadata_server {
        return of(config, machine(), "the metadata server");
    }
    if let Ok(text) = std::env::var("LOCKSTEP_GOOGLE_TOKEN") {
        redact::note(&text);
        return Ok(token(&text, "LOCKSTEP_GOOGLE_TOKEN"));
    }
    if let Some(json) = signed_in(config, store_path)? {
        return read(config, &json, "lockstep login");
    }
    if let Some((json, file)) = application_default()? {
        let found = read(config, &json, &file.display().to_string())?;
        return Ok(Found { file: Some(file), ..found });
    }
    if std::env::var_os("GCE_METADATA_HOST").is_some() {
        return of(config, machine(), "the metadata server");
    }
    Err(Error::new(Kind::Unauthenticated, "backend = \"google\" needs credentials, and there are none").next(
        "sign in with `lockstep login`, or name a service account's key: [google] credentials = \"${file:robot.json}\"; \
         or use the embedded workspace (backend = \"local\")",
    ))
}

fn token(text: &str, origin: &str) -> Found {
    Found {
        auth: Auth::Token(lockstep_google::Secret::new(text)),
        origin: origin.to_owned(),
        file: None,
        identity: Zeroizing::new(text.to_owned()),
    }
}

fn read(config: &Config, json: &str, origin: &str) -> Result<Found> {
    let read = Credentials::from_json(json)
        .map_err(|error| Error::from(error).context(origin.to_owned()))?;
    of(config, read, origin)
}

fn of(config: &Config, credentials: Credentials, origin: &str) -> Result<Found> {
    let credentials = match &config.google.subject {
        Some(subject) => {
            let acting = credentials.for_subject(subject);
            acting.map_err(|error| Error::from(error).context("google.subject"))?
        }
        None => credentials,
    };
    let identity = Zeroizing::new(credentials.identity());
    Ok(Found {
        auth: Auth::Credentials(credentials, scopes(config)),
        origin: origin.to_owned(),
        file: None,
        identity,
    })
}

/// Returns the scopes that are asked for.
#[must_use]
pub fn scopes(config: &Config) -> Vec<String> {
    match &config.google.scopes {
        Some(scopes) => scopes.clone(),
        None => LEAST_SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
    }
}

fn machine() -> Credentials {
    let host = std::env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
    Credentials::metadata(host.map(|host| {
        format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token")
    }))
}

/// Reads what `GOOGLE_APPLICATION_CREDENTIALS` names, or the file of `gcloud auth application-default login`.
fn application_default() -> Result<Option<(Zeroizing<String>, PathBuf)>> {
    let named = std::env::var_os(DEFAULT_FILE).filter(|path| !path.is_empty());
    let path = match &named {
        Some(path) => Some(PathBuf::from(path)),
        None => gcloud().map(|folder| folder.join("application_default_credentials.json")),
    };
    let Some(path) = path else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((Zeroizing::new(text), path))),
        Err(_) if named.is_none() => Ok(None),
        Err(error) => Err(Error::new(
            Kind::Unauthenticated,
            format!("{DEFAULT_FILE} names {}, which cannot be read: {error}", path.display()),
        )
        .next("correct the variable, or unset it")),
    }
}

/// Returns the folder of gcloud's settings.
fn gcloud() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("CLOUDSDK_CONFIG").filter(|folder| !folder.is_empty()) {
        return Some(PathBuf::from(folder));
    }
    let dirs = directories::BaseDirs::new()?;
    Some(match cfg!(windows) {
        true => dirs.config_dir().join("gcloud"),
        false => dirs.home_dir().join(".config").join("gcloud"),
    })
}

/// Returns the keys of this installation.
///
/// # Errors
/// Keys that are named and not there, or a file that can neither be read nor made.
pub fn ring(config: &Config, store_path: &Path) -> Result<Ring> {
    let secrets = &config.secrets;
    secrets::load(secrets.key.as_ref(), &secrets.previous_keys, &keys(store_path))
}

/// Returns where the keys lie that the operator names none instead of.
#[must_use]
pub fn keys(store_path: &Path) -> PathBuf {
    store_path.with_extension("keys")
}

/// Returns where the sealed sign-in lies.
#[must_use]
pub fn place(store_path: &Path) -> PathBuf {
    store_path.with_extension("signin")
}

/// Returns the sign-in that `lockstep login` kept, opened; none where nobody is signed in.
///
/// # Errors
/// A file that cannot be read, or that the keys do not open.
pub fn signed_in(config: &Config, store_path: &Path) -> Result<Option<Zeroizing<String>>> {
    let path = place(store_path);
    let failed = |error: Error| {
        error
            .context(format!("the sign-in {}", path.display()))
            .next("sign in again: `lockstep login`")
    };
    let sealed = match fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(Error::new(Kind::Unauthenticated, error.to_string()))),
    };
    let opened = ring(config, store_path)?.open(PURPOSE, &sealed).map_err(failed)?;
    match std::str::from_utf8(&opened) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(failed(Error::internal("it is no text"))),
    }
}

/// Keeps a sign-in, sealed, for its owner alone.
///
/// # Errors
/// A folder that cannot be written.
pub fn keep(config: &Config, store_path: &Path, json: &str) -> Result<()> {
    let path = place(store_path);
    let sealed = ring(config, store_path)?.seal(PURPOSE, json.as_bytes())?;
    let write = || -> io::Result<()> {
        // Appears whole or not at all, and is made with the owner's permissions alone.
        let mut aside = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        aside.write_all(&sealed)?;
        aside.as_file().sync_all()?;
        aside.persist(&path).map(|_| ()).map_err(|error| error.error)
    };
    write().map_err(|error| {
        Error::new(
            Kind::PermissionDenied,
            format!("the sign-in cannot be kept in {}: {error}", path.display()),
        )
        .next("make its folder writable, or name another with LOCKSTEP_HOME")
    })
}

/// Deletes the sign-in; returns whether there was one.
///
/// # Errors
/// A file that cannot be deleted.
pub fn drop_sign_in(store_path: &Path) -> Result<bool> {
    let path = place(store_path);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::new(
            Kind::PermissionDenied,
            format!("the sign-in {} cannot be deleted: {error}", path.display()),
        )
        .next("delete the file")),
    }
}
