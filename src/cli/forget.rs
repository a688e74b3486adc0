//! `lockstep forget`: erases one record's data from the store.

use std::process::ExitCode;

use super::{Operator, print};
use crate::{error::Result, sync::history};

/// The arguments of `lockstep forget`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The dataset.
    dataset: String,
    /// The record's key, one value for each key column.
    #[arg(required = true)]
    key: Vec<String>,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let store = operator.store().await?;
    let key = history::key_of(&store, &args.dataset, &args.key).await?;
    let gone = store.forget(&args.dataset, &key).await?;
    print(&format!(
        "erased the record {key} of {}: {} bases, {} changes, {} plans, {} tombstones, {} conflicts, {} audit contents. The replicas \
         themselves were not touched: delete it there too, or the next sync learns it again",
        args.dataset,
        gone.bases,
        gone.actions,
        gone.plans,
        gone.tombstones,
        gone.conflicts,
        gone.audit_payloads
    ))?;
    Ok(ExitCode::SUCCESS)
}
