//! What the operator says of a folder behind a network.

use serde::Deserialize;

#[cfg(feature = "remote-files")]
use crate::error::Result;
use crate::replica::http::secret::Secret;

/// A folder behind a network, by the kind of its service.
#[derive(Clone, Debug)]
pub enum RemoteConfig {
    /// A bucket of S3, or of a service that speaks it.
    S3(S3Config),
    /// A folder of a machine that is reached by SSH.
    Sftp(SftpConfig),
    /// A folder of a web server; it can only be read.
    Web(WebConfig),
}

impl RemoteConfig {
    /// Takes the leave to write.
    pub(crate) fn only_read(&mut self) {
        match self {
            Self::S3(config) => config.writable = false,
            Self::Sftp(config) => config.writable = false,
            Self::Web(_) => {}
        }
    }
}

/// A bucket.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(
    not(feature = "remote-files"),
    allow(dead_code, reason = "only a build with the feature reads what is described")
)]
pub struct S3Config {
    bucket: String,
    /// The prefix that is the folder; the whole bucket if not named.
    #[serde(default)]
    root: Option<String>,
    /// The service's address, where it is not Amazon's.
    #[serde(default)]
    endpoint: Option<String>,
    region: String,
    access_key_id: Secret,
    secret_access_key: Secret,
    #[serde(default)]
    session_token: Option<Secret>,
    /// Whether the bucket is a part of the host's name.
    #[serde(default)]
    virtual_host: bool,
    /// Whether the service keeps If-Match and If-None-Match of a write, as Amazon's does.
    #[serde(default = "yes")]
    conditional_writes: bool,
    #[serde(default)]
    writable: bool,
}

/// A folder of another machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(
    not(feature = "remote-files"),
    allow(dead_code, reason = "only a build with the feature reads what is described")
)]
pub struct SftpConfig {
    /// `ssh://host:port`.
    endpoint: String,
    user: String,
    /// The file of the private key.
    key: String,
    /// The folder there.
    root: String,
    /// What happens to a host that the user's known_hosts does not name: it is refused, or added at the first time.
    #[serde(default)]
    known_hosts: KnownHosts,
    #[serde(default)]
    writable: bool,
}

/// How hosts are known.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KnownHosts {
    /// Only hosts of known_hosts.
    #[default]
    Strict,
    /// A new host is added; a changed key is refused.
    Add,
}

/// A folder of a web server.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(
    not(feature = "remote-files"),
    allow(dead_code, reason = "only a build with the feature reads what is described")
)]
pub struct WebConfig {
    /// The folder's address.
    url: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<Secret>,
    #[serde(default)]
    token: Option<Secret>,
}

const fn yes() -> bool {
    true
}

#[cfg(feature = "remote-files")]
impl RemoteConfig {
    /// Returns the options as OpenDAL names them.
    ///
    /// # Errors
    /// A secret that is not set, or an address that is none.
    pub(super) fn options(&self) -> Result<Vec<(String, String)>> {
        let mut options = Vec::new();
        let mut put = |name: &str, value: String| options.push((name.to_owned(), value));
        match self {
            Self::S3(config) => {
                put("bucket", config.bucket.clone());
                put("region", config.region.clone());
                put("access_key_id", config.access_key_id.resolve("accessKeyId")?.reveal().into());
                let secret = config.secret_access_key.resolve("secretAccessKey")?;
                put("secret_access_key", secret.reveal().into());
                if let Some(token) = &config.session_token {
                    put("session_token", token.resolve("sessionToken")?.reveal().into());
                }
                if let Some(endpoint) = &config.endpoint {
                    put("endpoint", endpoint.clone());
                }
                put("root", config.root.clone().unwrap_or_else(|| "/".into()));
                // Nothing is looked for in the environment, in files or in a cloud's metadata service.
                put("disable_config_load", "true".into());
                put("disable_ec2_metadata", "true".into());
                put("enable_virtual_host_style", config.virtual_host.to_string());
            }
            Self::Sftp(config) => {
                put("endpoint", config.endpoint.clone());
                put("user", config.user.clone());
                put("key", config.key.clone());
                put("root", config.root.clone());
                let strategy = match config.known_hosts {
                    KnownHosts::Strict => "strict",
                    KnownHosts::Add => "add",
                };
                put("known_hosts_strategy", strategy.into());
            }
            Self::Web(config) => {
                let url = reqwest::Url::parse(&config.url).map_err(|error| {
                    crate::error::Error::invalid(format!("url: {error}"))
                        .next("give the folder's address, such as https://example.com/data/")
                })?;
                put("endpoint", url.origin().ascii_serialization());
                put("root", url.path().to_owned());
                if let Some(username) = &config.username {
                    put("username", username.clone());
                }
                if let Some(password) = &config.password {
                    put("password", password.resolve("password")?.reveal().into());
                }
                if let Some(token) = &config.token {
                    put("token", token.resolve("token")?.reveal().into());
                }
            }
        }
        Ok(options)
    }

    /// Returns what tells this store from others: service, host and folder.
    pub(super) fn root(&self) -> String {
        match self {
            Self::S3(S3Config { endpoint, bucket, root, .. }) => {
                let (endpoint, root) = (endpoint.as_deref(), root.as_deref());
                format!("s3:{}/{bucket}/{}", endpoint.unwrap_or_default(), root.unwrap_or_default())
            }
            Self::Sftp(SftpConfig { endpoint, user, root, .. }) => {
                format!("sftp:{user}@{endpoint}/{root}")
            }
            Self::Web(config) => format!("web:{}", config.url),
        }
    }

    /// Returns what it is, for people.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::S3(_) => "an S3 bucket",
            Self::Sftp(_) => "an SFTP server",
            Self::Web(_) => "a web server",
        }
    }

    /// Returns whether the service keeps the conditions of a write.
    pub(super) fn conditional(&self) -> bool {
        match self {
            Self::S3(config) => config.conditional_writes,
            Self::Sftp(_) | Self::Web(_) => false,
        }
    }

    /// Returns whether its files may be written.
    pub(super) fn writable(&self) -> bool {
        match self {
            Self::S3(config) => config.writable,
            Self::Sftp(config) => config.writable,
            Self::Web(_) => false,
        }
    }
}
