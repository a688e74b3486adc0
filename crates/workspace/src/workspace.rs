//! The workspace itself: open, route, serve.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::net::TcpListener;

use crate::app::App;
use crate::auth;
use crate::error::Error;
use crate::faults::{self, Cut, CutListener};
use crate::http;
use crate::options::Options;
use crate::store::Store;

/// Is an embedded Google workspace over one SQLite file.
///
/// Cloning gives another handle to the same open file. Several processes may open one file at the
/// same time.
#[derive(Clone)]
pub struct Workspace {
    app: App,
}

impl Workspace {
    /// Opens the workspace file at a path, creating it and its folder when absent.
    ///
    /// Every acknowledged request is on disk before its answer is sent.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be created, is not a workspace, or is of a later format.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, Options::default())
    }

    /// Opens the workspace file at a path with options.
    ///
    /// # Errors
    /// As [`Workspace::open`].
    pub fn open_with(path: &Path, options: Options) -> Result<Self, Error> {
        Ok(Self::over(Store::open(path)?, options))
    }

    /// Opens an empty workspace that is gone when its last handle is dropped.
    ///
    /// # Errors
    /// [`Error`] when SQLite cannot create its temporary file.
    pub fn in_memory() -> Result<Self, Error> {
        Self::in_memory_with(Options::default())
    }

    /// Opens an empty temporary workspace with options.
    ///
    /// # Errors
    /// As [`Workspace::in_memory`].
    pub fn in_memory_with(options: Options) -> Result<Self, Error> {
        Ok(Self::over(Store::temporary()?, options))
    }

    fn over(store: Store, options: Options) -> Self {
        store.fix_clock(options.now_ms);
        let faults = Arc::new(Mutex::new(faults::State::new(options.faults.clone())));
        let auth = auth::State::new(options.accounts.clone(), options.clients.clone());
        let auth = Arc::new(Mutex::new(auth));
        Self { app: App { store, options: Arc::new(options), push: Arc::default(), auth, faults } }
    }

    /// Returns the routes: `/v4/` (Sheets), `/drive/v3/` and `/upload/` (Drive), `/token`,
    /// `/_lockstep/` (admin) and `/` (a page for people).
    pub fn router(&self) -> Router {
        http::router(self.app.clone())
    }

    /// Serves the workspace on a listener until `shutdown` completes; open requests are answered.
    ///
    /// # Errors
    /// [`io::Error`] when the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let service = self.router().into_make_service_with_connect_info::<Cut>();
        axum::serve(CutListener(listener), service).with_graceful_shutdown(shutdown).await
    }
}
