//! `lockstep export`: prints all that the store holds on one record.

use std::process::ExitCode;

use super::{Operator, print};
use crate::{
    error::{Error, Result},
    sync::held::held,
};

/// The arguments of `lockstep export`.
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
    let found = held(&store, &args.dataset, &args.key).await?;
    let json = serde_json::to_string_pretty(&found)
        .map_err(|error| Error::internal("what is held has no JSON form").with_source(error))?;
    print(&json)?;
    Ok(ExitCode::SUCCESS)
}
