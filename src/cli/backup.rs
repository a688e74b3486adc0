//! `lockstep backup` and `lockstep restore`: the store as one file.

use std::{path::PathBuf, process::ExitCode};

use super::{Operator, print};
use crate::{
    app::store_path,
    error::{Error, Result},
    store,
};

/// The arguments of `lockstep backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; it must not be there yet.
    file: PathBuf,
}

/// The arguments of `lockstep restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The backup; none for a store in PostgreSQL, after pg_restore.
    file: Option<PathBuf>,
    /// Replaces a store that is there; the old one is kept beside it.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let store = operator.store().await?;
    store.backup(&args.file).await?;
    print(&format!("{} is a whole copy of {}", args.file.display(), store.path().display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(operator: &Operator, args: RestoreArgs) -> Result<ExitCode> {
    let config = operator.config()?;
    let served = config.store.url.is_some();
    let Some(file) = args.file.filter(|_| !served) else {
        return settle(operator, served, args.force).await;
    };
    let path = store_path(&config)?;
    store::restore(&file, &path, args.force).await?;
    print(&format!("{} is in the place of {}", file.display(), path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Settles a store in PostgreSQL that was put back with PostgreSQL's own means.
async fn settle(operator: &Operator, served: bool, sure: bool) -> Result<ExitCode> {
    if !served {
        return Err(Error::invalid("lockstep restore needs the file of a backup")
            .next("name what `lockstep backup` wrote"));
    }
    if !sure {
        return Err(Error::invalid("the store is a PostgreSQL database; nothing was changed").next(
            "stop every Lockstep that uses it, put it back with pg_restore --clean -d URL FILE, then call \
             `lockstep restore --force`: it takes every lease back and forgets what was seen since the dump",
        ));
    }
    let store = operator.store().await?;
    store.settle_dump().await?;
    print(&format!("{} is settled: no lease of before holds", store.path().display()))?;
    Ok(ExitCode::SUCCESS)
}
