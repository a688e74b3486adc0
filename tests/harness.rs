//! An in-process Lockstep on temporary folders, for tests that call tools.

use std::path::{Path, PathBuf};

use lockstep::{
    app::App,
    config::Config,
    error::Error,
    tools::{self, Registered},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::store;

/// A running Lockstep: an embedded workspace of its own and a folder of its own.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    data: TempDir,
    pub(crate) app: App,
}

/// Returns the tool with this name.
pub(crate) fn tool(name: &str) -> &'static Registered {
    tools::find(name).unwrap_or_else(|| panic!("no tool {name}"))
}

/// Panics unless `value` is valid under `schema`.
pub(crate) fn assert_valid(schema: &serde_json::Map<String, Value>, value: &Value, what: &str) {
    let validator = jsonschema::validator_for(&Value::Object(schema.clone())).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{what} does not match its schema: {errors:?}\n{value:#}");
}

impl House {
    /// Starts with an empty workspace and an empty, writable folder.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with settings of the test's own.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (folder, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let mut config = Config::default();
        config.workspace.data = Some(data.path().to_owned());
        config.files.root = folder.path().to_owned();
        config.files.writable = true;
        config.store.url = store::url(data.path());
        change(&mut config);
        let app = App::start(&config).await.unwrap();
        Self { folder, data, app }
    }

    /// Returns the folder of the workspace and of the store.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Reads a resource that must be there, as a client would; returns its texts.
    pub(crate) async fn resource(&self, uri: &str) -> Vec<String> {
        let contents = lockstep::server::resources::read(&self.app.context(), uri).await.unwrap();
        let contents = contents.unwrap_or_else(|| panic!("there is no {uri}"));
        contents
            .iter()
            .map(|content| {
                serde_json::to_value(content).unwrap()["text"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Calls a tool as the server would, and checks the result against the tool's output schema.
    pub(crate) async fn call(&self, name: &str, arguments: Value) -> Result<Value, Error> {
        let tool = tool(name);
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let context = self.app.context().for_call(lockstep::progress::Progress::silent());
        let result = tool.call(&context, arguments).await?;
        assert_valid(&tool.output_schema, &result, name);
        Ok(result)
    }

    /// Calls a tool that must succeed.
    pub(crate) async fn ok(&self, name: &str, arguments: Value) -> Value {
        match self.call(name, arguments.clone()).await {
            Ok(result) => result,
            Err(error) => panic!("{name} {arguments} failed:\n{error}"),
        }
    }

    /// Calls a tool that must fail, and returns its text.
    pub(crate) async fn err(&self, name: &str, arguments: Value) -> String {
        match self.call(name, arguments.clone()).await {
            Ok(result) => panic!("{name} {arguments} did not fail:\n{result:#}"),
            Err(error) => error.to_string(),
        }
    }
}
