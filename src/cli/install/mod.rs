//! `lockstep install`: writes this server into a client's configuration, or shows what it would write.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::ValueEnum;
use directories::BaseDirs;

use super::{Operator, print};
use crate::{
    config::DEFAULT_FILE,
    error::{Error, Kind, Result},
};

mod edit;

/// The arguments of `lockstep install`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The client.
    client: Client,
    /// The name that the client shows.
    #[arg(long, default_value = "lockstep")]
    name: String,
    /// Shows what would be written, and writes nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A client that can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    /// The desktop app: its own file.
    ClaudeDesktop,
    /// The project's .mcp.json in the current folder.
    ClaudeCode,
    /// ~/.cursor/mcp.json.
    Cursor,
    /// .vscode/mcp.json in the current folder.
    Vscode,
    /// ~/.codex/config.toml.
    Codex,
    /// ~/.gemini/settings.json.
    Gemini,
}

/// How a client starts the server.
#[derive(Debug, PartialEq, Eq)]
struct Launch {
    command: String,
    args: Vec<String>,
}

pub(super) fn run(operator: &Operator, args: &Args) -> Result<ExitCode> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if args.name.is_empty() || !args.name.chars().all(plain) {
        return Err(Error::invalid(format!("--name: \"{}\" is no plain name", args.name))
            .next("use letters, digits, - and _"));
    }
    let file = file(args.client)?;
    let launch = launch(operator)?;
    let before = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&file, &error)),
    };
    let (entry, after) = edit::edit(args.client, before.as_deref(), &args.name, &launch)
        .map_err(|error| error.context(file.display().to_string()))?;
    if before.as_deref() == Some(after.as_str()) {
        print(&format!("{} has it already:\n\n{entry}", file.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.dry_run {
        print(&format!(
            "{} would get this entry; nothing was written:\n\n{entry}",
            file.display()
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let backup = match &before {
        Some(text) => Some(back_up(&file, text)?),
        None => None,
    };
    write(&file, &after)?;
    let mut said = format!("{} has this entry now:\n\n{entry}\n\n", file.display());
    if let Some(backup) = backup {
        said.push_str(&format!("What was there before is in {}. ", backup.display()));
    }
    said.push_str("Restart the client to load it.");
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::PermissionDenied, format!("{} cannot be read: {error}", file.display()))
        .next("make it readable, or print the entry with --dry-run elsewhere")
}

/// Returns the client's own file.
fn file(client: Client) -> Result<PathBuf> {
    let dirs = BaseDirs::new()
        .ok_or_else(|| Error::invalid("this machine names no home folder").next("set HOME"))?;
    let home = dirs.home_dir();
    Ok(match client {
        Client::ClaudeDesktop => {
            dirs.config_dir().join("Claude").join("claude_desktop_config.json")
        }
        Client::ClaudeCode => absolute(Path::new(".mcp.json"))?,
        Client::Cursor => home.join(".cursor").join("mcp.json"),
        Client::Vscode => absolute(&Path::new(".vscode").join("mcp.json"))?,
        Client::Codex => home.join(".codex").join("config.toml"),
        Client::Gemini => home.join(".gemini").join("settings.json"),
    })
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        Error::invalid(format!("the current folder cannot be used: {error}"))
            .next("change to a folder that exists")
    })
}

/// Returns how the server is started as it would be here: clients start it in a folder of their own.
fn launch(operator: &Operator) -> Result<Launch> {
    let program = std::env::current_exe().map_err(|error| {
        Error::internal(format!("the program does not know its own path: {error}"))
    })?;
    let mut args = vec!["serve".to_owned()];
    let mut add = |flag: &str, path: &Path| -> Result<()> {
        args.extend([flag.to_owned(), absolute(path)?.display().to_string()]);
        Ok(())
    };
    match &operator.config {
        Some(config) => add("--config", config)?,
        None if Path::new(DEFAULT_FILE).exists() => add("--config", Path::new(DEFAULT_FILE))?,
        None => {}
    }
    // The configuration's own settings are checked now rather than at the client's first start.
    let config = operator.config()?;
    add("--root", &config.files.root)?;
    if let Some(data) = &operator.data {
        add("--data", data)?;
    }
    if operator.allow_write {
        args.push("--allow-write".into());
    }
    Ok(Launch { command: program.display().to_string(), args })
}

/// Copies what was there beside it, under a name that is free.
fn back_up(file: &Path, text: &str) -> Result<PathBuf> {
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for number in 0..100 {
        let suffix = if number == 0 { String::new() } else { format!("-{number}") };
        let backup = file.with_file_name(format!("{name}.{now}{suffix}.backup"));
        match fs::OpenOptions::new().write(true).create_new(true).open(&backup) {
            Ok(mut copy) => {
                copy.write_all(text.as_bytes()).map_err(|error| unwritable(&backup, &error))?;
                return Ok(backup);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&backup, &error)),
        }
    }
    Err(Error::internal(format!("{} has too many backups", file.display())))
}

/// Writes the file at once: nobody ever sees a half of it.
fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let failed = |error: std::io::Error| unwritable(file, &error);
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    aside.write_all(text.as_bytes()).map_err(failed)?;
    aside.as_file().sync_all().map_err(failed)?;
    if let Ok(before) = fs::metadata(file) {
        fs::set_permissions(aside.path(), before.permissions()).map_err(failed)?;
    }
    aside.persist(file).map_err(|error| unwritable(file, &error.error))?;
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::PermissionDenied, format!("{} cannot be written: {error}", path.display()))
        .next("make it writable, or add the entry by hand: --dry-run prints it")
}
