//! A town of servers: one workspace that misbehaves, the same one for people, and any number of Locksteps over it.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use lockstep::{app::App, config::Config, error::Error, progress::Progress};
use lockstep_google::{Google, NewSheet, NewSpreadsheet};
use lockstep_workspace::{Faults, Options, Workspace};
use serde_json::Value;
use tempfile::TempDir;

use crate::{harness::tool, support::wire};

/// A workspace on real HTTP, reached once with faults and once without, over one database.
pub(crate) struct Town {
    folder: TempDir,
    url: String,
    calm: String,
    /// The people's way to the same spreadsheets: it never fails.
    pub(crate) people: Google,
}

/// Returns a new folder, in memory where the machine has such a place: thousands of worlds need no disk.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

async fn serve(workspace: Workspace) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    url
}

impl Town {
    pub(crate) async fn new(faults: Faults) -> Self {
        let folder = folder();
        let database = folder.path().join("workspace.db");
        let calm = Workspace::open(&database).unwrap();
        let wild = Workspace::open_with(&database, Options::new().faults(faults)).unwrap();
        let (calm, wild) = (serve(calm).await, serve(wild).await);
        std::fs::create_dir(folder.path().join("files")).unwrap();
        let people = Google::new(lockstep_google::Config::local(&calm)).unwrap();
        Self { folder, url: wild, calm, people }
    }

    /// Posts JSON to the people's workspace as any client does, as somebody else than the owner where a name is given.
    pub(crate) async fn post(
        &self,
        path: &str,
        user: Option<&str>,
        body: &Value,
    ) -> Result<Value, String> {
        wire::send("POST", &self.calm, path, user, body).await
    }

    /// Returns where servers reach the workspace.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns where people reach the workspace.
    pub(crate) fn calm(&self) -> &str {
        &self.calm
    }

    /// Sets the faults that servers meet.
    pub(crate) async fn faults(&self, rules: Value) {
        wire::set_faults(&self.url, rules).await;
    }

    /// Returns how often each of the faults in force has struck a server.
    pub(crate) async fn struck(&self) -> Vec<u64> {
        wire::happened(&self.url).await
    }

    /// Starts a Lockstep on the town's store and files.
    pub(crate) async fn server(&self) -> App {
        self.server_with(|_| {}).await
    }

    /// Starts a Lockstep on the town's store and files with settings of the test's own.
    pub(crate) async fn server_with(&self, change: impl FnOnce(&mut Config)) -> App {
        let mut config = Config::default();
        config.workspace.url = Some(self.url.clone());
        config.workspace.data = Some(self.folder.path().to_owned());
        config.files.root = self.files();
        config.files.writable = true;
        config.store.url = crate::support::store::url(self.folder.path());
        change(&mut config);
        App::start(&config).await.unwrap()
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// Makes a spreadsheet with one sheet, and returns the ids of both.
    pub(crate) async fn spreadsheet(&self, sheet: &str) -> (String, i32) {
        let new = NewSpreadsheet {
            title: sheet.to_owned(),
            sheets: vec![NewSheet { title: sheet.to_owned(), ..NewSheet::default() }],
            ..NewSpreadsheet::default()
        };
        let made = self.people.create_spreadsheet(&new).await.unwrap();
        (made.id, made.sheets[0].id)
    }
}

/// Calls a tool as the server would.
pub(crate) async fn call(app: &App, name: &str, arguments: Value) -> Result<Value, Error> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let context = app.context().for_call(Progress::silent());
    tool(name).call(&context, arguments).await
}

/// A future that dies after so many polls, wherever it is by then.
pub(crate) struct Doomed<F> {
    inner: Option<Pin<Box<F>>>,
    polls: u32,
}

impl<F: Future> Doomed<F> {
    pub(crate) fn new(inner: F, polls: u32) -> Self {
        Self { inner: Some(Box::pin(inner)), polls }
    }
}

impl<F: Future> Future for Doomed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.polls == 0 {
            this.inner = None;
        }
        this.polls = this.polls.saturating_sub(1);
        match &mut this.inner {
            None => Poll::Ready(None),
            Some(inner) => inner.as_mut().poll(context).map(Some),
        }
    }
}
