//! `lockstep.toml`, the environment and the command line, as typed settings.
//!
//! Without a file the default is the embedded workspace, files under the current
//! directory readable, and no network. Only `app` and `cli` see this module.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

mod access;
mod alerts;
mod hooks;
mod http;
mod secrets;

pub use access::{AccessConfig, LimitsConfig};
pub use alerts::AlertsConfig;
pub use hooks::{HookConfig, HooksConfig, SchemeConfig};
pub use http::{AuthConfig, HttpConfig, ScopesConfig, TokenConfig};
pub use secrets::SecretsConfig;

use crate::{
    error::{Error, Result},
    replica::connections::ConnectionConfig,
    secrets::Secret,
};

/// Where spreadsheets live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Backend {
    /// The embedded workspace: no account, no network.
    #[default]
    Local,
    /// Google's own service.
    Google,
}

/// The settings of a server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where spreadsheets live.
    pub backend: Backend,
    /// The embedded workspace.
    pub workspace: WorkspaceConfig,
    /// Who Google is asked as, and where.
    pub google: GoogleConfig,
    /// What may be touched at all.
    pub access: AccessConfig,
    /// The key that seals tokens.
    pub secrets: SecretsConfig,
    /// The folder that file replicas may use.
    pub files: FilesConfig,
    /// Where bases, plans, journal and audit are kept.
    pub store: StoreConfig,
    /// Databases and APIs by name.
    pub connections: BTreeMap<String, ConnectionConfig>,
    /// How `lockstep serve --http` is reached.
    pub http: HttpConfig,
    /// Calls that go on after their request was answered.
    pub tasks: TasksConfig,
    /// Who may call over HTTP.
    pub auth: Option<AuthConfig>,
    /// Who may tell over HTTP that a dataset changed.
    pub hooks: HooksConfig,
    /// Whom to tell when a dataset's health needs people.
    pub alerts: Option<AlertsConfig>,
    /// Datasets by name, each as the arguments of syncDataset.
    pub datasets: BTreeMap<String, serde_json::Value>,
}

/// The settings of the store.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The SQLite file; `lockstep.db` in the user's data folder by default.
    pub path: Option<PathBuf>,
    /// Instead of a file a PostgreSQL database, for servers on more than one machine: `postgres://user@host/database`.
    pub url: Option<String>,
    /// Whether values and keys are sealed in the store, with the key of `[secrets]` or of the file beside it.
    pub encrypt: bool,
    /// How many days the images of closed runs and earlier bases are kept, for rollback; 90 by default.
    pub keep_days: Option<u16>,
}

/// Calls that go on after their request was answered, for clients that know the tasks extension.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TasksConfig {
    /// How long a sync may keep its request waiting before it becomes a task; 2000 by default.
    pub after_ms: Option<u64>,
    /// How many hours the report of a task is kept; 24 by default.
    pub keep_hours: Option<u16>,
}

/// The settings of the embedded workspace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WorkspaceConfig {
    /// The folder of its database; the user's data folder by default.
    pub data: Option<PathBuf>,
    /// The address of one that runs already (`lockstep workspace`), instead of an own.
    pub url: Option<String>,
}

/// The settings of the Google client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GoogleConfig {
    /// The root of the Sheets API, where it is not Google's own.
    pub sheets_url: Option<String>,
    /// The root of the Drive API, where it is not Google's own.
    pub drive_url: Option<String>,
    /// The environment variable that holds an access token.
    pub token_env: Option<String>,
    /// An access token.
    pub token: Option<Secret>,
    /// Credentials as Google's tools write them (a JSON text): a service account's key, `authorized_user` or
    /// `external_account`.
    pub credentials: Option<Secret>,
    /// The person of the domain whom a service account acts for.
    pub subject: Option<String>,
    /// The OAuth client (a JSON text) that `lockstep login` signs people in with.
    pub client: Option<Secret>,
    /// Whether the metadata server of Google's cloud is asked for tokens.
    pub metadata_server: bool,
    /// The scopes that are asked for; `spreadsheets` and `drive.file` by default.
    pub scopes: Option<Vec<String>>,
    /// How many reads, and how many writes, of the account's quota may be used in a minute; all 60 by default.
    pub calls_per_minute: Option<u32>,
}

/// The folder that file replicas may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FilesConfig {
    /// The folder; nothing outside it can be reached.
    pub root: PathBuf,
    /// Whether files may be written.
    pub writable: bool,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { root: PathBuf::from("."), writable: false }
    }
}

/// The file that is read when no other is named and it exists.
pub const DEFAULT_FILE: &str = "lockstep.toml";

impl Config {
    /// Loads `file`, or `lockstep.toml` of the current directory if there is one, or the defaults.
    ///
    /// # Errors
    /// A named file that is not there, or a file that does not parse (with its line).
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => secrets::check(path, &text).and_then(|()| Self::parse(&text, path)),
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(Error::not_found(format!(
                "the configuration {} cannot be read: {error}",
                path.display()
            ))
            .next("name an existing file with --config")),
        }
    }

    /// Reads the text of a configuration that lies at `path`.
    ///
    /// # Errors
    /// A text that is none, with its line.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = line_of_key(text, error.message());
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            Error::invalid(format!("{place}{}", said(&error).trim_end()))
                .context(path.display().to_string())
                .next("correct the file; the README lists its keys")
        })
    }
}

/// Returns what is wrong with a file; the line itself is not repeated where it may hold a secret.
fn said(error: &toml::de::Error) -> String {
    let whole = error.to_string();
    let quoted = whole.lines().any(|line| {
        let line = line.to_lowercase();
        line.contains('|')
            && [
                "secret",
                "token",
                "password",
                "key",
                "url",
                "credentials",
                "client",
                "webhook",
                "value",
            ]
            .iter()
            .any(|word| line.contains(word))
    });
    match quoted {
        true => {
            let place = whole.lines().next().unwrap_or_default().to_owned();
            format!("{place}\n{}", error.message())
        }
        false => whole,
    }
}

/// Returns the line of the key that an error about a connection names by its path, from 1.
///
/// A connection is read by its kind, which stands anywhere in it: by then its values do not know their lines any more.
fn line_of_key(text: &str, message: &str) -> Option<usize> {
    let (path, _) = message.split_once(": ")?;
    let document = toml::de::DeTable::parse(text).ok()?;
    let (_, connections) =
        document.get_ref().iter().find(|(name, _)| name.get_ref() == "connections")?;
    let found = connections.get_ref().as_table()?.iter().filter_map(|(_, connection)| {
        let (mut table, mut start) = (connection.get_ref().as_table()?, None);
        for step in path.split('.') {
            let (key, value) = table.iter().find(|(name, _)| name.get_ref() == step)?;
            start = Some(key.span().start);
            match value.get_ref().as_table() {
                Some(inner) => table = inner,
                None => break,
            }
        }
        start
    });
    let start = found.into_iter().next()?;
    Some(text.get(..start)?.matches('\n').count() + 1)
}

/// Returns the folder for the user's own data: `$LOCKSTEP_HOME`, or the platform's place.
///
/// # Errors
/// A machine without a home folder and without `LOCKSTEP_HOME`.
pub fn data_dir() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("LOCKSTEP_HOME").filter(|home| !home.is_empty()) {
        return Ok(PathBuf::from(home));
    }
    directories::ProjectDirs::from("", "", "lockstep")
        .map(|dirs| dirs.data_dir().to_owned())
        .ok_or_else(|| {
            Error::invalid("this machine names no home folder")
                .next("set LOCKSTEP_HOME to a folder that Lockstep may write to")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lockstep.toml");
        std::fs::write(&path, "backend = \"local\"\n[files]\nwriteable = true\n").unwrap();
        let error = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("writeable") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn an_unknown_key_of_a_connection_is_refused_with_its_path_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lockstep.toml");
        let text = "[connections.crm]\nbaseUrl = \"https://x\"\nkind = \"http\"\n\
            [connections.crm.resources.a.list]\npath = \"/a\"\n[connections.crm.resources.a]\n\
            fields = { x = \"/x\" }\npagging = 1\n";
        std::fs::write(&path, text).unwrap();
        let error = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("resources.a.pagging: unknown field"), "{error}");
        assert!(error.contains("line 8"), "{error}");
    }

    #[test]
    fn the_default_is_the_embedded_workspace_and_read_only_files() {
        let config = Config::default();
        assert_eq!(config.backend, Backend::Local);
        assert!(!config.files.writable);
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = Config::load(Some(Path::new("/nonexistent/x.toml"))).unwrap_err();
        assert!(error.to_string().contains("--config"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_settings_or_an_error_that_names_the_file(
            lines in proptest::collection::vec(proptest::sample::select(vec![
                "[access]", "[access.roles.reader]", "[files]", "[store]", "[google]", "[auth]", "[[auth.tokens]]",
                "[connections.a]", "[connections.a.resources.b]", "[alerts]", "[hooks.datasets.x]", "[datasets.x]",
                "maxRows = 0", "maxRows = 5", "readOnly = true", "root = \".\"", "kind = \"http\"", "kind = \"sqlite\"",
                "url = \"${A}\"", "token = \"t", "files = [\"x\"", "key = 1", "\u{feff}", "a.b.c = {}", "= 1", "list.path = \"/a\"",
            ]), 0..10),
            rest in "\\PC{0,40}",
        ) {
            for text in [lines.join("\n"), format!("{}\n{rest}", lines.join("\n")), rest.clone()] {
                if let Err(error) = Config::parse(&text, Path::new("lockstep.toml")) {
                    proptest::prop_assert!(error.to_string().contains("lockstep.toml"), "{text}: {error}");
                }
            }
        }
    }
}
