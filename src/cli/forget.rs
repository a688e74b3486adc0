//! `lockstep forget`: erases one record's data from the store.

use std::process::ExitCode;

use super::{Operator, print, record::Record};
use crate::{error::Result, sync::history};

/// The arguments of `lockstep forget`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    record: Record,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let store = operator.store().await?;
    let (dataset, key) = args.record.named();
    let key = history::key_of(&store, &dataset, &key).await?;
    let gone = store.forget(&dataset, &key).await?;
    print(&format!(
        "erased the record {key} of {dataset}: {} bases, {} changes, {} plans, {} tombstones, {} conflicts, {} audit contents. The replicas \
         themselves were not touched: delete it there too, or the next sync learns it again",
        gone.bases, gone.actions, gone.plans, gone.tombstones, gone.conflicts, gone.audit_payloads
    ))?;
    Ok(ExitCode::SUCCESS)
}
