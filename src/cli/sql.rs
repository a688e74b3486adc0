//! `lockstep sql`: what an operator prepares in a database.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Operator, print};
use crate::{
    error::Result,
    replica::{connections::Connections, sql::trigger},
};

/// What is prepared.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prints the trigger with which a PostgreSQL table tells its listeners that it was changed.
    NotifyDdl(NotifyDdl),
}

/// Which table, and whether to install it.
#[derive(Debug, clap::Args)]
pub(super) struct NotifyDdl {
    /// The connection's name in lockstep.toml.
    connection: String,
    /// The table, `name` or `schema.name`.
    table: String,
    /// Installs the trigger instead of only printing it; the connection must be writable.
    #[arg(long)]
    install: bool,
}

/// Runs the command.
///
/// # Errors
/// A connection that is not there or is no PostgreSQL database, and whatever the database refuses.
pub(super) async fn run(operator: &Operator, command: Command) -> Result<ExitCode> {
    let Command::NotifyDdl(args) = command;
    let connections = Connections::new(&operator.config()?.connections)?;
    let database = connections.database(&args.connection)?;
    print(&trigger::definition(database, &args.table)?)?;
    if args.install {
        trigger::install(database, &args.table).await?;
        print(&format!(
            "-- installed: \"{}\" now tells the channel {}",
            args.table,
            trigger::CHANNEL
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
