//! `lockstep workspace`: the embedded Google workspace, alone.

use std::{net::SocketAddr, process::ExitCode};

use super::{Operator, print, stop_signal};
use crate::{
    app,
    error::{Error, Kind, Result},
};

/// The arguments of `lockstep workspace`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The address to listen on; only loopback addresses are served.
    #[arg(long, default_value = "127.0.0.1:8462")]
    listen: SocketAddr,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    if !args.listen.ip().is_loopback() {
        return Err(Error::new(
            Kind::PermissionDenied,
            format!(
                "{} is no loopback address; the embedded workspace asks nobody who they are",
                args.listen
            ),
        )
        .next("listen on 127.0.0.1 or [::1]"));
    }
    let config = operator.config()?;
    let (path, workspace) = app::open_workspace(&config)?;
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| {
        Error::new(Kind::Unavailable, format!("{} cannot be bound: {error}", args.listen))
            .next("name a free port with --listen 127.0.0.1:0")
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal(format!("the listener has no address: {error}")))?;
    print(&format!(
        "The workspace of {} is at http://{address}/\n\
         Sheets API http://{address}/v4/  Drive API http://{address}/drive/v3/  (Ctrl-C stops it)",
        path.display()
    ))?;
    workspace
        .serve(listener, stop_signal())
        .await
        .map_err(|error| Error::internal(format!("the workspace stopped: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
