//! The composition root: settings in, a ready [`Context`] out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lockstep_google::{Backoff, Google};
use lockstep_workspace::Workspace;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub mod google;

use crate::{
    alerts::{
        settings::{Settings, Written},
        watch::Alerts,
    },
    changes::Changes,
    clock::Clock,
    config::{AlertsConfig, Backend, Config, data_dir},
    consent::{Consent, Key},
    error::{Error, Result},
    principal::Role,
    progress::Progress,
    replica::{connections::Connections, file::folder::Files},
    secrets,
    store::{Keys, Store},
    sync::{definition::Definition, holder::Holder},
    tools::{Context, named},
    watch::Pokes,
};

/// A running Lockstep: what tools need, and the embedded workspace if it is used.
#[derive(Debug)]
pub struct App {
    context: Context,
    alerts: Option<Settings>,
    workspace: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl App {
    /// Builds everything that tools need; nothing is read from the network yet.
    ///
    /// # Errors
    /// Settings that cannot be carried out.
    pub async fn start(config: &Config) -> Result<Self> {
        let mut config = config.clone();
        config.keep_to_access();
        let config = &config;
        let alerts = config.alerts.clone().map(alert_settings).transpose()?;
        let files = Files::open(&config.files.root, config.files.writable)?;
        let path = store_path(config)?;
        let store = open_store(config).await?;
        let (google, workspace) = match config.backend {
            Backend::Local => {
                let (url, handle) = match &config.workspace.url {
                    Some(url) => (url.clone(), None),
                    None => {
                        let (url, handle) = start_workspace(config).await?;
                        (url, Some(handle))
                    }
                };
                // Nobody else waits for a server on this machine: a second try need not be late.
                let backoff = Backoff { base: Duration::from_millis(20), ..Backoff::default() };
                let access = config.access.of_google()?;
                let local = lockstep_google::Config {
                    backoff,
                    access,
                    ..lockstep_google::Config::local(&url)
                };
                (client(local)?, handle)
            }
            Backend::Google => (client(google::real(config, &path, &store)?)?, None),
        };
        // Servers on several machines answer alternately, so what one asked another can hear.
        let key = match store.shared_key().await? {
            Some(key) => Key::from(key),
            None => Key::load(&path.with_extension("key"))?,
        };
        let holder = Holder::announce(&path.with_extension("processes"))?;
        let bounds = config.access.bounds();
        let context = Context {
            google,
            embedded: config.backend == Backend::Local,
            files,
            connections: Connections::new(&config.connections)?,
            store,
            holder,
            declared: Arc::new(declared(config)?),
            pokes: Pokes::default(),
            clock: Clock::System,
            progress: Progress::silent(),
            consent: Consent::given(),
            changes: Changes::default(),
            key,
            task: None,
            subject: None,
            limits: bounds.of(Role::Admin),
            bounds: Arc::new(bounds),
            told_below: alerts.as_ref().map(Settings::threshold),
        };
        Ok(Self { context, alerts, workspace })
    }

    /// Returns what tools need.
    #[must_use]
    pub fn context(&self) -> Context {
        self.context.clone()
    }

    /// Returns who tells people of what is wrong, where the operator named somebody to tell.
    #[must_use]
    pub fn alerts(&self) -> Option<Alerts> {
        let settings = self.alerts.clone()?;
        Some(Alerts::new(self.context.shell("alerts"), settings))
    }

    /// Closes the store, and stops the embedded workspace, if it runs.
    pub async fn stop(self) {
        self.context.store.close().await;
        if let Some((stop, task)) = self.workspace {
            let _ = stop.send(());
            // Idle keep-alive connections of our own client must not hold the exit up.
            let _ = tokio::time::timeout(Duration::from_millis(500), task).await;
        }
    }
}

/// Checks what the configuration says of alerts.
fn alert_settings(config: AlertsConfig) -> Result<Settings> {
    Settings::new(Written {
        threshold: config.threshold,
        webhook: config.webhook,
        command: config.command,
        spreadsheet: config.spreadsheet_id,
        remind_hours: config.remind_hours,
        quiet: config.quiet,
        utc_offset: config.utc_offset,
        every_seconds: config.every_seconds,
    })
}

/// Returns the datasets that the configuration declares.
fn declared(config: &Config) -> Result<BTreeMap<String, Definition>> {
    let read = |(name, value): (&String, &serde_json::Value)| {
        let definition = named::declared(name, value.clone())
            .map_err(|error| error.context(format!("datasets.{name} of the configuration")))?;
        Ok((name.clone(), definition))
    };
    config.datasets.iter().map(read).collect()
}

/// Opens the store: the PostgreSQL database of `[store] url`, else the file.
///
/// # Errors
/// A store that cannot be opened, and settings that name both.
pub async fn open_store(config: &Config) -> Result<Store> {
    let keys = store_keys(config)?;
    match (&config.store.url, &config.store.path) {
        (Some(_), Some(_)) => Err(Error::invalid("[store] has both a path and a url")
            .next("keep path for a file, or url for a PostgreSQL database")),
        (Some(url), None) => {
            let filled = secrets::address(url, secrets::value);
            let filled = filled.map_err(|error| error.context("[store] url"))?;
            Store::connect_with(&filled, keys).await
        }
        (None, _) => Store::open_with(&store_path(config)?, keys).await,
    }
}

/// Returns the keys of an encrypted store; `None` where it is not to be one.
fn store_keys(config: &Config) -> Result<Option<Keys>> {
    if !config.store.encrypt {
        return Ok(None);
    }
    let path = store_path(config)?;
    if config.store.url.is_some() && config.secrets.key.is_none() && !google::keys(&path).exists() {
        return Err(Error::invalid("[store] encrypt needs a key that all servers of the database have")
            .next("make one with `openssl rand -base64 32` and name it on each: [secrets] key = \"${LOCKSTEP_KEY}\""));
    }
    // A key that is named is read once: who rotates it starts the server again.
    let (ring, again) = (google::ring(config, &path)?, config.clone());
    let own = config.secrets.key.is_none();
    Ok(Some(Keys::new(ring, own.then_some(move || google::ring(&again, &path)))))
}

/// Returns where the store lies: `[store] path`, or `lockstep.db` beside the embedded workspace's database.
///
/// # Errors
/// A folder that cannot be created.
pub fn store_path(config: &Config) -> Result<PathBuf> {
    let path = match (&config.store.path, &config.workspace.data) {
        (Some(path), _) => path.clone(),
        (None, Some(folder)) => folder.join("lockstep.db"),
        (None, None) => data_dir()?.join("lockstep.db"),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::invalid(format!(
            "the store's folder {} cannot be created: {error}",
            folder.display()
        ))
        .next("name a file that can be written with [store] path, or a folder with LOCKSTEP_HOME")
    })?;
    Ok(path)
}

fn client(config: lockstep_google::Config) -> Result<Google> {
    Google::new(config).map_err(Error::from)
}

/// Opens the embedded workspace's database, and returns where it lies.
///
/// # Errors
/// A folder that cannot be created, or a database that cannot be opened.
pub fn open_workspace(config: &Config) -> Result<(PathBuf, Workspace)> {
    let folder = match &config.workspace.data {
        Some(folder) => folder.clone(),
        None => data_dir()?,
    };
    let path = folder.join("workspace.db");
    let unusable = |error: &dyn std::fmt::Display| {
        Error::invalid(format!(
            "the embedded workspace {} cannot be opened: {error}",
            path.display()
        ))
        .next("name a folder that can be written with --data")
    };
    std::fs::create_dir_all(&folder).map_err(|error| unusable(&error))?;
    let workspace = Workspace::open(&path).map_err(|error| unusable(&error))?;
    Ok((path, workspace))
}

async fn start_workspace(
    config: &Config,
) -> Result<(String, (oneshot::Sender<()>, JoinHandle<()>))> {
    let (_, workspace) = open_workspace(config)?;
    let no_port = |error: std::io::Error| {
        Error::internal(format!("the embedded workspace finds no port on 127.0.0.1: {error}"))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
    let url = format!("http://{}/", listener.local_addr().map_err(no_port)?);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let shutdown = async move {
            let _ = stopped.await;
        };
        if let Err(error) = workspace.serve(listener, shutdown).await {
            tracing::error!(%error, "the embedded workspace stopped");
        }
    });
    Ok((url, (stop, task)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::{Task, TaskState};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_too_old_is_dropped_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.workspace.data = Some(folder.path().to_owned());
        config.files.root = folder.path().to_owned();
        let app = App::start(&config).await.unwrap();
        let context = app.context();
        let store = context.store.clone();
        let dropping =
            tokio::spawn(async move { context.retain_every(Duration::from_millis(20), 90).await });
        for id in ["first", "second"] {
            let task = Task {
                id: id.to_owned(),
                subject: "ann".to_owned(),
                tool: "syncDataset".to_owned(),
                state: TaskState::Completed,
                message: None,
                holder: "me".to_owned(),
                created: Timestamp::UNIX_EPOCH,
                updated: Timestamp::UNIX_EPOCH,
                expires: Timestamp::UNIX_EPOCH,
                cancel: false,
                question: None,
                answer: None,
                outcome: None,
            };
            store.add_task(&task).await.unwrap();
            let gone = async {
                while store.task(id).await.unwrap().is_some() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
        }
        dropping.abort();
        app.stop().await;
    }
}
