//! `lockstep export`: prints all that the store holds on one record.

use std::process::ExitCode;

use super::{Operator, print, record::Record};
use crate::{
    error::{Error, Result},
    sync::held::held,
};

/// The arguments of `lockstep export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    record: Record,
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let store = operator.store().await?;
    let (dataset, key) = args.record.named();
    let found = held(&store, &dataset, &key).await?;
    let json = serde_json::to_string_pretty(&found)
        .map_err(|error| Error::internal("what is held has no JSON form").with_source(error))?;
    print(&json)?;
    Ok(ExitCode::SUCCESS)
}
