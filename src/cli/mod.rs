//! The command line: one file for each command.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    app::{App, open_store},
    config::{Config, DEFAULT_FILE},
    error::{Error, Kind, Result},
    store::Store,
};

mod audit;
mod backup;
mod call;
mod demo;
mod diff;
mod doctor;
mod export;
mod forget;
mod install;
mod login;
mod merge;
mod record;
mod rekey;
mod serve;
mod sql;
mod token;
mod workspace;

/// Keeps datasets in step between Google Sheets and files, for AI assistants (MCP) and for scripts.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    command: Command,
}

/// What the operator allows; every command that calls tools takes it.
#[derive(Debug, clap::Args)]
struct Operator {
    /// The configuration (default: lockstep.toml in the current folder, if there is one).
    #[arg(long, global = true, value_name = "FILE", env = "LOCKSTEP_CONFIG")]
    config: Option<PathBuf>,
    /// The folder that files are read from (default: the current folder).
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Lets tools write files under the folder.
    #[arg(long, global = true)]
    allow_write: bool,
    /// The folder of the embedded workspace's database.
    #[arg(long, global = true, value_name = "DIR", env = "LOCKSTEP_DATA")]
    data: Option<PathBuf>,
    /// The PostgreSQL database that is the store, in place of the file: postgres://user:password@host/database.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LOCKSTEP_STORE_URL",
        hide_env_values = true
    )]
    store_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves MCP on stdin and stdout, or over HTTP.
    Serve(serve::Args),
    /// Writes this server into an MCP client's configuration, with a backup.
    Install(install::Args),
    /// Calls one tool, as a client would, and prints its result.
    Call(call::Args),
    /// Runs the main job on real data: a first sync, a plan, an apply, and a run that has nothing to do.
    Demo(demo::Args),
    /// Shows what changed between two CSV or TSV files, by key and cell; exit codes like diff(1).
    Diff(diff::Args),
    /// Merges two changed CSV or TSV files with the one they come from, by key and cell.
    Merge(merge::Args),
    /// Proves that the audit of everything written was not changed afterwards, or prints it.
    Audit(audit::Args),
    /// Copies the store (bases, journal, audit) to a file, while it is in use.
    Backup(backup::Args),
    /// Puts a backup in the place of the store.
    Restore(backup::RestoreArgs),
    /// Prints all that the store holds on one record, as JSON, sensitive columns too.
    Export(export::Args),
    /// Erases one record's data from the store, in every run and base.
    Forget(forget::Args),
    /// Prepares a database that lockstep.toml names.
    #[command(subcommand)]
    Sql(sql::Command),
    /// Looks at configuration, store, credentials, network and every connection, and says what to do.
    Doctor(doctor::Args),
    /// Signs a person in at Google, in the browser, and keeps the sign-in sealed.
    Login(login::Args),
    /// Takes the sign-in of `login` back, and deletes it.
    Logout,
    /// Seals the sign-in with a new key, and drops the earlier ones.
    Rekey,
    /// Makes a token for callers over HTTP, and prints what the configuration keeps of it.
    Token(token::Args),
    /// Serves the embedded Google workspace alone (Sheets v4 and Drive v3, with a web page).
    Workspace(workspace::Args),
}

impl Operator {
    /// Returns the settings: the file's, overridden by the command line's.
    fn config(&self) -> Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(root) = &self.root {
            config.files.root.clone_from(root);
        }
        config.files.writable |= self.allow_write;
        if let Some(data) = &self.data {
            config.workspace.data = Some(data.clone());
        }
        if let Some(url) = self.store_url.as_ref().filter(|url| !url.is_empty()) {
            config.store.url = Some(url.clone());
            config.store.path = None;
        }
        config.keep_to_access();
        Ok(config)
    }

    /// Returns which configuration is used, in words.
    fn named_config(&self) -> String {
        match &self.config {
            Some(path) => path.display().to_string(),
            None if std::path::Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.to_owned(),
            None => "none: the defaults (embedded workspace, files of this folder can be read)"
                .to_owned(),
        }
    }

    /// Opens the store alone, for commands that need no replica.
    async fn store(&self) -> Result<Store> {
        open_store(&self.config()?).await
    }

    async fn app(&self) -> Result<App> {
        App::start(&self.config()?).await
    }
}

/// Parses the command line and runs the command; the exit code tells how it went.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Error::internal(format!("no runtime: {error}"))),
    };
    let code = match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => report(&error),
    };
    // A blocked read of stdin must not keep the process alive.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(&cli.operator, args).await,
        Command::Install(args) => install::run(&cli.operator, &args),
        Command::Call(args) => call::run(&cli.operator, args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Diff(args) => Ok(diff::run(&args)),
        Command::Merge(args) => Ok(merge::run(&args)),
        Command::Audit(args) => audit::run(&cli.operator, args).await,
        Command::Backup(args) => backup::run(&cli.operator, args).await,
        Command::Restore(args) => backup::restore(&cli.operator, args).await,
        Command::Export(args) => export::run(&cli.operator, args).await,
        Command::Forget(args) => forget::run(&cli.operator, args).await,
        Command::Sql(command) => sql::run(&cli.operator, command).await,
        Command::Doctor(args) => doctor::run(&cli.operator, args).await,
        Command::Login(args) => login::run(&cli.operator, args).await,
        Command::Logout => login::logout(&cli.operator).await,
        Command::Rekey => rekey::run(&cli.operator).await,
        Command::Token(args) => token::run(&args),
        Command::Workspace(args) => workspace::run(&cli.operator, args).await,
    }
}

fn report(error: &Error) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "lockstep: {error}");
    ExitCode::from(if error.kind() == Kind::InvalidArgument { 2 } else { 1 })
}

/// Prints to stdout; a reader that went away ends the command without a complaint.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::internal(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Returns a future that ends when the operator asks the process to stop (Ctrl-C or SIGTERM).
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut hangup)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
