//! Plays recorded sessions of the real Sheets and Drive services against a fresh embedded
//! workspace and says how many answers agree: `cargo run --release --example replay -- DIR [-v]`.
//!
//! A recording is `{"interactions":[{"request":{"method","uri","body"},"response":{"status",
//! "contentType","body"}}]}`. Ids are mapped as they appear; status and JSON body are compared,
//! except for the fields of `player::VOLATILE`. Files that a recording reads but did not create belonged
//! to the account it was taken from: they are created before it is played.

mod player;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockstep_workspace::Workspace;
use serde_json::Value;
use tokio::net::TcpListener;

use self::player::{Player, made};

/// Is what every step of the replay gives.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "replay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let mut verbose = false;
    let mut folder = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "-v" | "--verbose" => verbose = true,
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let folder = folder.ok_or("say which folder of recordings to play: replay DIR [-v]")?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: no .json recording in it", folder.display()).into());
    }
    let mut out = std::io::stdout().lock();
    let (mut matched, mut total) = (0, 0);
    for file in &files {
        let played = play(file).await.map_err(|error| format!("{}: {error}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let good = played.iter().filter(|one| one.is_none()).count();
        writeln!(out, "{name}: {good} of {}", played.len())?;
        if verbose {
            for (index, reason) in played.iter().enumerate() {
                if let Some(reason) = reason {
                    writeln!(out, "    {index}: {reason}")?;
                }
            }
        }
        matched += good;
        total += played.len();
    }
    writeln!(out, "interactions matched: {matched} of {total}")?;
    Ok(())
}

/// Plays one file; for each interaction the reason why it differs, or `None`.
async fn play(path: &Path) -> Outcome<Vec<Option<String>>> {
    let recording: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let interactions = recording
        .get("interactions")
        .and_then(Value::as_array)
        .ok_or("no list of interactions in it")?;
    let workspace = Workspace::in_memory()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        workspace
            .serve(listener, async {
                let _ = stopped.await;
            })
            .await
    });
    let mut player = Player::new(address.to_string());
    let made = made(interactions);
    let mut results = Vec::with_capacity(interactions.len());
    for interaction in interactions {
        player.furnish(interaction, &made).await?;
        results.push(player.step(interaction).await?);
    }
    let _ = stop.send(());
    server.await??;
    Ok(results)
}
