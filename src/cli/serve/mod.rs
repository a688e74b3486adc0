//! `lockstep serve`: the MCP server, on stdio or over HTTP.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Operator, print, stop_signal};
use crate::{
    error::{Error, Kind, Result},
    server::{Server, http, stdio},
};

mod settings;

/// How many days the images of closed runs are kept where the configuration does not say.
const KEEP_DAYS: u16 = 90;

/// How often it is looked for what is older than it has to be kept.
const RETAIN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a watch may go on after the operator asked to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// The arguments of `lockstep serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Serves over HTTP instead: /mcp, /sse with /messages for older clients, and pages for people at /.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:8463")]
    http: Option<SocketAddr>,
    /// Only watches the datasets that watchDataset started, as a service: no client on stdin is served.
    #[arg(long)]
    watch_only: bool,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let config = operator.config()?;
    // Whatever is wrong with the settings is said before anything is opened.
    let over_http = match args.http {
        Some(address) => {
            let listener = bind(address).await?;
            let address = local(&listener)?;
            Some((settings::settings(&config, address)?, listener, address))
        }
        None => None,
    };
    let tasks = settings::tasks(&config)?;
    let app = operator.app().await?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping: calls in flight are cancelled between batches");
        signalled.cancel();
    });
    // In the background: a replica that cannot be reached must not keep clients waiting.
    let keep = config.store.keep_days.unwrap_or(KEEP_DAYS);
    let settling = app.context();
    // Beside everything else: a channel that is down delays nothing.
    let telling = app.alerts().map(|alerts| tokio::spawn(alerts.run()));
    let server = Server::new(app.context(), tasks);
    let (ending, settler) = (server.clone(), server.clone());
    let settling = tokio::spawn(async move {
        settling.tidy(keep).await;
        settler.settle_tasks().await;
        settling.retain_every(RETAIN_EVERY, keep).await;
    });
    let worker = app.context().worker().reached_at(config.hooks.public_url.clone());
    let watching = tokio::spawn(worker.run(stop.clone()));
    let outcome = match over_http {
        None if args.watch_only => {
            print(
                "the datasets that were started with watchDataset are watched (Ctrl-C stops it)",
            )?;
            stop.cancelled().await;
            Ok(())
        }
        Some((settings, listener, address)) => {
            print(&format!(
                "MCP is served at http://{address}/mcp, pages for people at http://{address}/ (Ctrl-C stops it)"
            ))?;
            http::serve(server, listener, settings, stop.clone()).await
        }
        None => stdio::serve(server, stop.clone()).await,
    };
    settling.abort();
    if let Some(telling) = telling {
        telling.abort();
    }
    // A run that is under way ends its batch, so that nothing is left to be settled.
    stop.cancel();
    let _ = tokio::time::timeout(DRAIN, watching).await;
    ending.stop_tasks().await;
    app.stop().await;
    outcome.map_err(|error| Error::internal(format!("serving failed: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::new(Kind::Unavailable, format!("{address} cannot be bound: {error}"))
            .next("name a free port with --http 127.0.0.1:0")
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|error| Error::internal(format!("the listener has no address: {error}")))
}
