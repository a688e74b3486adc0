//! `lockstep backup` and `lockstep restore`: the store as one file.

use std::{path::PathBuf, process::ExitCode};

use super::{Operator, print};
use crate::{app::store_path, error::Result, store};

/// The arguments of `lockstep backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; it must not be there yet.
    file: PathBuf,
}

/// The arguments of `lockstep restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The backup.
    file: PathBuf,
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
    let path = store_path(&operator.config()?)?;
    store::restore(&args.file, &path, args.force).await?;
    print(&format!("{} is in the place of {}", args.file.display(), path.display()))?;
    Ok(ExitCode::SUCCESS)
}
