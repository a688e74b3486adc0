//! The embedded Google workspace: a real HTTP server on loopback that speaks the Sheets v4 and
//! Drive v3 wire, stored in one SQLite file.
//!
//! It is what a newcomer's first sync runs on and what the tests lean on, so it answers what the
//! real service was recorded to answer, and says an honest 400 for what it does not support.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let workspace = lockstep_workspace::Workspace::open("workspace.db".as_ref())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! workspace.serve(listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

mod app;
mod auth;
mod book;
mod drive;
mod entered;
mod error;
mod faults;
mod fields;
mod formula;
mod grid;
mod http;
mod locale;
mod number_format;
mod options;
mod render;
mod schema;
mod serial;
mod sheets;
mod store;
mod web;
mod workspace;

pub use auth::{AuthError, OAuthClient, ServiceAccount};
pub use error::Error;
pub use faults::{Edit, Effect, Faults, Quota, Rule, When};
pub use options::Options;
pub use workspace::Workspace;

/// Takes a text as a person types it, in every locale there is; for the fuzz targets.
#[cfg(fuzzing)]
pub fn fuzz_entered(text: &str) {
    let today = jiff::civil::date(2026, 1, 2);
    for tag in ["en_US", "de_DE", "fr_FR"] {
        let entered = entered::parse(text, locale::Locale::of(tag), today);
        let _ = entered::as_number(text, locale::Locale::of(tag), today);
        let _ = entered::link(text);
        drop(entered);
    }
}
