//! `verifyDataset`: where the sides of a dataset do not agree, and why.

use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Context, Tool, named::named};
use crate::{
    error::{Error, Result},
    sync::verify::{Ask, Verification, verify},
};

/// See [`Tool`].
pub(crate) struct VerifyDataset;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Of a saved or declared dataset.
    name: String,
    /// Keys to draw; default all.
    #[schemars(range(min = 1, max = 100_000))]
    sample: Option<u32>,
    /// Of the draw; default 1.
    seed: Option<u64>,
    /// Disagreements shown; default 5.
    #[schemars(range(max = 200))]
    limit: Option<u32>,
}

impl Tool for VerifyDataset {
    const NAME: &'static str = "verifyDataset";
    const TITLE: &'static str = "Verify a dataset";
    const DESCRIPTION: &'static str = "Compares the sides now, writes nothing: drift by kind, column and cause, with the \
syncDataset calls that mend it.";
    type Args = Args;
    type Output = Verification;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Verification> {
        let limit = args.limit.unwrap_or(5);
        if limit > 200 {
            return Err(Error::invalid(format!("argument limit: {limit} is above 200"))
                .next("ask for at most 200"));
        }
        if args.sample == Some(0) || args.sample.is_some_and(|sample| sample > 100_000) {
            return Err(Error::invalid("argument sample: it is not between 1 and 100000")
                .next("leave it out to compare all rows"));
        }
        let definition = named(context, &args.name).await?;
        let ask = Ask {
            sample: args.sample.map(|sample| sample as usize),
            seed: args.seed.unwrap_or(1),
            limit: context.limits.page(limit) as usize,
        };
        verify(&context.shell(Self::NAME), &definition, ask).await
    }
}
