//! `lockstep doctor`: looks at everything that Lockstep stands on, and says in one line each what is wrong and what to
//! do. Nothing is written but what the first start of any command makes.

mod google;
mod line;
mod replicas;

use std::process::ExitCode;

use lockstep_google::Google;

use self::line::Line;
use super::{Operator, print};
use crate::{
    app::{self, App, open_store, store_path},
    config::{Backend, Config},
    error::{Error, Result},
    redact,
    store::Store,
};

/// The arguments of `lockstep doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints the checks as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let lines = match operator.config() {
        Ok(config) => examine(operator, &config).await,
        Err(error) => vec![Line::wrong("config", &error)],
    };
    let well = !lines.iter().any(Line::is_wrong);
    let text = match args.json {
        true => serde_json::json!({ "ok": well, "checks": lines }).to_string(),
        false => lines.iter().map(Line::to_string).collect::<Vec<_>>().join("\n"),
    };
    print(&redact::clean(&text))?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(operator: &Operator, config: &Config) -> Vec<Line> {
    let mut lines = vec![Line::well("config", operator.named_config())];
    let path = match store_path(config) {
        Ok(path) => path,
        Err(error) => {
            lines.push(Line::wrong("store", &error));
            return lines;
        }
    };
    let store = match open_store(config).await {
        Ok(store) => {
            let place = match &config.store.url {
                Some(_) => "the PostgreSQL database of [store] url".to_owned(),
                None => path.display().to_string(),
            };
            lines.push(Line::well("store", place));
            Some(store)
        }
        Err(error) => {
            lines.push(Line::wrong("store", &error));
            None
        }
    };
    lines.push(match app::google::ring(config, &path) {
        Ok(ring) => Line::well("key", format!("{} seals, {} can open", ring.name(), ring.size())),
        Err(error) => Line::wrong("key", &error),
    });
    lines.extend(replicas::connections(config).await);
    match config.backend {
        Backend::Google => {
            let (more, client) = google::examine(config, &path, store.as_ref()).await;
            lines.extend(more);
            if let (Some(store), Some((client, email))) = (&store, client) {
                lines.extend(replicas::datasets(config, store, &client, email.as_deref()).await);
            }
        }
        Backend::Local => lines.extend(local(config, store.as_ref()).await),
    }
    if let Some(store) = store {
        store.close().await;
    }
    lines
}

/// Looks at the embedded workspace and what is in it.
async fn local(config: &Config, store: Option<&Store>) -> Vec<Line> {
    let app = match App::start(config).await {
        Ok(app) => app,
        Err(error) => return vec![Line::wrong("workspace", &error)],
    };
    let google: Google = app.context().google.clone();
    let mut lines = vec![match google.probe_sheets().await {
        Ok(()) => Line::well("workspace", "the embedded workspace answers; no account is needed"),
        Err(error) => Line::wrong("workspace", &Error::from(error)),
    }];
    if let Some(store) = store.filter(|_| !lines.iter().any(Line::is_wrong)) {
        lines.extend(replicas::datasets(config, store, &google, None).await);
    }
    app.stop().await;
    lines
}
