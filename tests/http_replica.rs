//! APIs as replicas: the ready-made descriptions of `examples/connections`, each against a stub of its API's documented
//! shape, through the real binary; and a bad day.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{api::Stub, lockstep};

mod airtable;
mod generic;
mod hubspot;
mod shopify;
mod statuses;
mod storm;

/// What the examples take from the environment.
const SECRETS: &[(&str, &str)] = &[
    ("HUBSPOT_TOKEN", "hubspot-secret"),
    ("SHOPIFY_TOKEN", "shopify-secret"),
    ("SHOPIFY_SHOP", "shop"),
    ("AIRTABLE_TOKEN", "airtable-secret"),
    ("AIRTABLE_BASE", "appBASE"),
    ("CRM_TOKEN", "generic-secret"),
];

/// A Lockstep in processes of its own, with one ready-made description whose host is the stub.
pub(crate) struct Desk {
    data: TempDir,
    folder: TempDir,
    config: PathBuf,
    connection: Value,
}

impl Desk {
    /// Takes `examples/connections/NAME.toml`; nothing but the host is replaced.
    pub(crate) fn new(example: &str, connection: &str, resource: &str, stub: &Stub) -> Self {
        let path = format!("{}/examples/connections/{example}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(Path::new(&path)).unwrap();
        let line = text.lines().find(|line| line.starts_with("baseUrl")).unwrap();
        let address = line.split('"').nth(1).unwrap();
        let host = address.split('/').take(3).collect::<Vec<_>>().join("/");
        assert!(host.starts_with("https://"), "{host}");
        let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let config = data.path().join("api.toml");
        std::fs::write(&config, text.replace(&host, &stub.url)).unwrap();
        let connection = json!({"connection": connection, "resource": resource});
        Self { data, folder, config, connection }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("rows.csv")
    }

    /// Returns the rows of the file by column name.
    pub(crate) fn rows(&self) -> Vec<std::collections::BTreeMap<String, String>> {
        let mut reader = ::csv::Reader::from_path(self.path()).unwrap();
        reader.deserialize().map(Result::unwrap).collect()
    }

    /// Changes the file: each row is kept, changed or (false) removed; `more` are added.
    pub(crate) fn edit(
        &self,
        mut change: impl FnMut(&mut std::collections::BTreeMap<String, String>) -> bool,
        more: &[&[(&str, &str)]],
    ) {
        let mut rows = self.rows();
        let headers: Vec<String> = rows[0].keys().cloned().collect();
        rows.retain_mut(|row| change(row));
        for pairs in more {
            rows.push(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        }
        let mut writer = ::csv::Writer::from_path(self.path()).unwrap();
        writer.write_record(&headers).unwrap();
        let blank = String::new();
        for row in rows {
            writer
                .write_record(headers.iter().map(|name| row.get(name).unwrap_or(&blank)))
                .unwrap();
        }
        writer.flush().unwrap();
    }

    /// Keeps the file and the API in step, both ways; returns the report, or what was said of a failure.
    pub(crate) async fn sync(&self, more: Value) -> Result<Value, String> {
        let mut arguments = json!({
            "name": "desk", "left": {"file": "rows.csv"}, "right": self.connection,
            "direction": "both", "mode": "apply", "deletes": "delete", "maxDeletePercent": 100,
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut command = lockstep(self.data.path());
        command.arg("--config").arg(&self.config).arg("--root").arg(self.folder.path());
        command.args(["--allow-write", "call", "syncDataset"]).arg(arguments.to_string());
        command.envs(SECRETS.iter().copied()).env("LOCKSTEP_LOG", "debug");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        for (name, secret) in SECRETS.iter().filter(|(name, _)| name.ends_with("TOKEN")) {
            assert!(!out.contains(secret) && !err.contains(secret), "{name} is shown:\n{out}{err}");
        }
        match output.status.success() {
            true => Ok(serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{err}"))),
            false => Err(format!("{out}{err}")),
        }
    }

    pub(crate) async fn ok(&self, more: Value) -> Value {
        self.sync(more).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_set_is_named_at_start() {
    let folder = TempDir::new().unwrap();
    let text = include_str!("../examples/connections/hubspot-contacts.toml");
    let config = folder.path().join("api.toml");
    std::fs::write(&config, text).unwrap();
    let mut command = lockstep(folder.path());
    command.arg("--config").arg(&config).args(["call", "findFiles", "{}"]);
    command.env_remove("HUBSPOT_TOKEN");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(err.contains("connections.hubspot") && err.contains("auth.token"), "{err}");
    assert!(err.contains("HUBSPOT_TOKEN is not set"), "{err}");
}
