//! Files behind a network: S3 and what speaks it, SFTP, and folders of a web server, through OpenDAL.
//!
//! Only what the operator described can be reached: one bucket, one host, one origin, and no redirect leads off it. A
//! write is made on the condition that the object is the one that was read (`If-Match`, or `If-None-Match` for a new one)
//! where the service keeps such a promise; elsewhere the content is compared right before the write, and the report says
//! that the store cannot guard what lies between.

use std::{future::Future, path::Path, pin::Pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use opendal::{
    Configurator, ErrorKind, Metadata, Operator, layers::HttpClientLayer, raw::HttpClient,
};

use super::{
    folder::{MAX_FILE, Meta, aside_name},
    remote_config::RemoteConfig,
};
use crate::error::{Error, Kind, Result};

/// How long a service may take to answer, or to go on with an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a file may take to come or to go, within a run's lease of 5 minutes.
const LONGEST: Duration = Duration::from_secs(200);

/// How often a read is tried that fails for a passing reason.
const TRIES: u32 = 3;

/// A request on its way.
type Asking<T> = Pin<Box<dyn Future<Output = opendal::Result<T>> + Send>>;

/// A folder of a store behind a network.
#[derive(Clone)]
pub(crate) struct Remote {
    operator: Operator,
    name: Arc<str>,
    /// Service, host and folder in one.
    root: Arc<Path>,
    /// What it is, for people.
    what: &'static str,
    writable: bool,
    /// Whether the service keeps the conditions of a write.
    guards: bool,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A file as it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) bytes: Vec<u8>,
    pub(super) meta: Meta,
    /// The entity tag, as the service gives it.
    etag: Option<String>,
}

impl Remote {
    /// Describes a store; no network is touched.
    ///
    /// # Errors
    /// A secret that is not set, or options that do not fit.
    pub(crate) fn new(name: &str, config: &RemoteConfig) -> Result<Self> {
        let options = config.options()?;
        let built = match config {
            RemoteConfig::S3(_) => build(options, opendal::services::S3Config::from_iter),
            RemoteConfig::Sftp(_) => build(options, opendal::services::SftpConfig::from_iter),
            RemoteConfig::Web(_) => build(options, opendal::services::HttpConfig::from_iter),
        };
        let operator = built.map_err(|error| {
            Error::invalid(format!("the store cannot be described so: {error}"))
                .next("correct the connection in lockstep.toml")
        })?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(PATIENCE)
            .build()
            .map_err(|error| Error::internal("no HTTP client").with_source(error))?;
        let capability = operator.info().full_capability();
        Ok(Self {
            operator: operator.layer(HttpClientLayer::new(HttpClient::with(client))),
            name: name.into(),
            root: Path::new(&config.root()).into(),
            what: config.what(),
            writable: config.writable(),
            guards: config.conditional()
                && capability.write_with_if_match
                && capability.write_with_if_not_exists,
        })
    }

    /// Returns what tells this store from others.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns why a write cannot be guarded against somebody else's at the same moment, if so.
    pub(crate) fn unguarded(&self) -> Option<String> {
        (!self.guards).then(|| {
            format!(
                "{} cannot guard a write: the file is compared right before it, and what somebody else writes in between \
                 is overwritten",
                self.what
            )
        })
    }

    /// Checks that a file may be written, without writing.
    ///
    /// # Errors
    /// A store that is read-only, or a path out of it.
    pub(super) fn check_writable(&self, path: &str) -> Result<()> {
        self.path(path)?;
        if self.writable && self.operator.info().full_capability().write {
            return Ok(());
        }
        Err(Error::new(
            Kind::PermissionDenied,
            format!("the folder \"{}\" may only be read", self.name),
        )
        .next(format!(
            "the operator allows it with writable = true under [connections.{}]",
            self.name
        )))
    }

    /// Returns what is known of a file without reading it; `None` if it is not there.
    ///
    /// # Errors
    /// A store that cannot be reached, or refuses.
    pub(super) async fn meta(&self, path: &str) -> Result<Option<Meta>> {
        Ok(self.stat(&self.path(path)?).await?.map(|found| meta(&found)))
    }

    /// Reads a whole file with what is known of it; `None` if it is not there.
    ///
    /// # Errors
    /// A store that cannot be reached or refuses, a file that is too large or keeps changing while it is read.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Seen>> {
        let path = self.path(path)?;
        for _ in 0..TRIES {
            let Some(found) = self.stat(&path).await? else { return Ok(None) };
            if found.is_dir() {
                return Err(Error::invalid(format!("\"{path}\" is a folder, not a file"))
                    .next("name a file in it"));
            }
            if found.content_length() > MAX_FILE {
                return Err(Error::new(
                    Kind::TooLarge,
                    format!(
                        "\"{path}\" has {} bytes; at most {MAX_FILE} are read",
                        found.content_length()
                    ),
                )
                .next("split the file"));
            }
            let etag = found.etag().map(str::to_owned);
            let by_tag = self.operator.info().full_capability().read_with_if_match;
            let read = self.patient(|| {
                let (operator, path, etag) = (self.operator.clone(), path.clone(), etag.clone());
                Box::pin(async move {
                    let read = operator.read_with(&path);
                    match etag.filter(|_| by_tag) {
                        Some(etag) => read.if_match(&etag).await,
                        None => read.await,
                    }
                })
            });
            let bytes = match read.await {
                Ok(bytes) => bytes.to_vec(),
                Err(error) if error.kind() == ErrorKind::ConditionNotMatch => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(self.explain(&path, &error)),
            };
            // Without conditions the file may be another one by now.
            let (before, after) = (meta(&found), self.stat(&path).await?.as_ref().map(meta));
            if after.as_ref() == Some(&before) && bytes.len() as u64 == before.size {
                return Ok(Some(Seen { bytes, meta: before, etag }));
            }
        }
        Err(Error::new(Kind::Unavailable, format!("\"{path}\" changed each time it was read"))
            .context(self.place())
            .next("call again when nobody writes it"))
    }

    /// Replaces a file if its content still has this hash; returns whether it had.
    ///
    /// # Errors
    /// A store that cannot be reached or refuses; [`Kind::Ambiguous`] where it is not known whether it was written.
    pub(super) async fn replace_if(
        &self,
        path: &str,
        content: &[u8],
        run: &str,
        before: Option<blake3::Hash>,
    ) -> Result<bool> {
        self.check_writable(path)?;
        let seen = self.read(path).await?;
        if seen.as_ref().map(|seen| blake3::hash(&seen.bytes)) != before {
            return Ok(false);
        }
        let whole = self.path(path)?;
        let etag = seen.as_ref().and_then(|seen| seen.etag.clone());
        let bytes = content.to_vec();
        let capability = self.operator.info().full_capability();
        let written = async {
            match (&seen, &etag) {
                (None, _) if self.guards => {
                    self.operator.write_with(&whole, bytes).if_not_exists(true).await.map(drop)
                }
                (Some(_), Some(etag)) if self.guards => {
                    self.operator.write_with(&whole, bytes).if_match(etag).await.map(drop)
                }
                // Half a file must never stand under its name.
                _ if capability.rename => {
                    let aside = aside_name(&whole, run);
                    self.operator.write(&aside, bytes).await?;
                    self.operator.rename(&aside, &whole).await
                }
                _ => self.operator.write(&whole, bytes).await.map(drop),
            }
        };
        let written = match tokio::time::timeout(LONGEST, written).await {
            Ok(written) => written,
            Err(_) => Err(opendal::Error::new(ErrorKind::Unexpected, "no answer in time")),
        };
        let Err(error) = written else { return Ok(true) };
        match error.kind() {
            ErrorKind::ConditionNotMatch | ErrorKind::AlreadyExists if self.guards => {
                // An earlier try of the same request may have been the one that changed it.
                let now = self.read(path).await?.map(|seen| blake3::hash(&seen.bytes));
                Ok(now == Some(blake3::hash(content)))
            }
            ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::ConfigInvalid => {
                Err(self.explain(&whole, &error))
            }
            _ => match self.read(path).await {
                Ok(seen) if seen.as_ref().is_some_and(|seen| seen.bytes == content) => Ok(true),
                _ => Err(Error::new(
                    Kind::Ambiguous,
                    format!("whether \"{whole}\" was written is not known: {}", first_line(&error)),
                )
                .context(self.place())),
            },
        }
    }

    /// Removes what writers of a file that died had put aside for it.
    pub(super) async fn remove_asides(&self, path: &str) -> Result<()> {
        let whole = self.path(path)?;
        if !self.operator.info().full_capability().rename {
            return Ok(());
        }
        let (folder, prefix) = match aside_name(&whole, "").rsplit_once('/') {
            Some((folder, prefix)) => (format!("{folder}/"), prefix.to_owned()),
            None => ("/".to_owned(), aside_name(&whole, "")),
        };
        let listed = self
            .patient(|| {
                let (operator, folder) = (self.operator.clone(), folder.clone());
                Box::pin(async move { operator.list(&folder).await })
            })
            .await;
        let found = listed.map_err(|error| self.explain(&whole, &error))?;
        for entry in found.iter().filter(|entry| entry.name().starts_with(&prefix)) {
            let removed = self
                .patient(|| {
                    let (operator, path) = (self.operator.clone(), entry.path().to_owned());
                    Box::pin(async move { operator.delete(&path).await })
                })
                .await;
            removed.map_err(|error| self.explain(&whole, &error))?;
        }
        Ok(())
    }

    /// Returns the error of a file that is not there.
    pub(super) fn missing(&self, path: &str) -> Error {
        Error::not_found(format!("there is no file \"{path}\""))
            .context(self.place())
            .next("check the path; it is relative to the folder of the connection")
    }

    async fn stat(&self, path: &str) -> Result<Option<Metadata>> {
        let stat = self.patient(|| {
            let (operator, path) = (self.operator.clone(), path.to_owned());
            Box::pin(async move { operator.stat(&path).await })
        });
        match stat.await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.explain(path, &error)),
        }
    }

    /// Reads, again where it fails for a passing reason.
    async fn patient<T>(&self, read: impl Fn() -> Asking<T>) -> opendal::Result<T> {
        let mut tries = 1;
        loop {
            let error = match tokio::time::timeout(LONGEST, read()).await {
                Ok(Err(error)) => error,
                Ok(done) => return done,
                Err(_) => opendal::Error::new(ErrorKind::Unexpected, "no answer in time"),
            };
            if !error.is_temporary() || tries == TRIES {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(200 << tries)).await;
            tries += 1;
        }
    }

    /// Returns a path within the store.
    fn path(&self, path: &str) -> Result<String> {
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if path.starts_with('/') || path.contains('\\') || parts.contains(&"..") {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!("\"{path}\" is outside the folder \"{}\"", self.name),
            )
            .next("use a path relative to the folder of the connection, without \"..\""));
        }
        if parts.is_empty() || path.ends_with('/') {
            return Err(Error::invalid(format!("\"{path}\" names no file"))
                .next("give a path such as \"data/planes.csv\""));
        }
        Ok(parts.join("/"))
    }

    fn place(&self) -> String {
        format!("the folder \"{}\" ({})", self.name, self.what)
    }

    fn explain(&self, path: &str, error: &opendal::Error) -> Error {
        let said = first_line(error);
        let (kind, next) = match error.kind() {
            ErrorKind::NotFound => return self.missing(path),
            ErrorKind::PermissionDenied => (
                Kind::PermissionDenied,
                "check the credentials of the connection and what they may do there",
            ),
            ErrorKind::RateLimited => (Kind::Unavailable, "call again later"),
            ErrorKind::Unsupported | ErrorKind::ConfigInvalid => {
                (Kind::InvalidArgument, "check the connection in lockstep.toml")
            }
            _ => (Kind::Unavailable, "call again when the store can be reached"),
        };
        Error::new(kind, format!("\"{path}\": {said}")).context(self.place()).next(next)
    }
}

fn build<C: Configurator>(
    options: Vec<(String, String)>,
    read: impl Fn(Vec<(String, String)>) -> opendal::Result<C>,
) -> opendal::Result<Operator> {
    Ok(Operator::from_config(read(options)?)?.finish())
}

fn meta(found: &Metadata) -> Meta {
    let modified = found.last_modified().map(std::time::SystemTime::from);
    let etag = found.etag().filter(|etag| !etag.starts_with("W/"));
    Meta {
        size: found.content_length(),
        modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
        etag: etag.map(str::to_owned),
    }
}

/// Returns what an error says; its context names URLs and headers.
fn first_line(error: &opendal::Error) -> String {
    let text = error.message().lines().next().unwrap_or_default();
    let text: String = text.chars().take(300).collect();
    format!("{} ({text})", error.kind())
}
