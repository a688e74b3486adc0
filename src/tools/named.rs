//! Datasets that have a name already: those of the configuration, and those that calls saved.

use super::{
    Context, Tool,
    sync_dataset::{Args, SyncDataset},
};
use crate::{
    error::{Error, Result, did_you_mean},
    sync::{definition::Definition, saved},
};

/// The arguments that say what one call does; none of them defines a dataset.
const OF_A_CALL: [&str; 7] =
    ["keys", "rewriteLost", "mode", "planId", "override", "sample", "dryRun"];

/// Reads a dataset of the configuration, which is written like the arguments.
///
/// # Errors
/// What is wrong with it, with its path.
pub(crate) fn declared(name: &str, value: serde_json::Value) -> Result<Definition> {
    let serde_json::Value::Object(arguments) = value else {
        return Err(Error::invalid("it is no table")
            .next("give left, right and key, or hub, spokes and key"));
    };
    if let Some(of_a_call) = OF_A_CALL.iter().find(|name| arguments.contains_key(**name)) {
        return Err(Error::invalid(format!(
            "{of_a_call} belongs to a call, not to a dataset.{}",
            did_you_mean(of_a_call, ["key"])
        ))
        .next("leave it out here, and give it with the call"));
    }
    let mut args: Args = super::parse(arguments)?;
    args.name = Some(name.to_owned());
    args.definition()
}

/// Returns the declared or saved dataset of a name.
///
/// # Errors
/// A name that no dataset has.
pub(crate) async fn named(context: &Context, name: &str) -> Result<Definition> {
    match context.declared.get(name) {
        Some(declared) => Ok(declared.clone()),
        None => saved::definition(&context.shell(SyncDataset::NAME), name).await,
    }
}
