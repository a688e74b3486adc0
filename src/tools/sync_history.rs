//! `syncHistory`: the runs, a run's changes, the life of one record.

use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Context, Tool};
use crate::{
    error::{Error, Result},
    sync::history::{self, History},
};

/// See [`Tool`].
pub(crate) struct SyncHistory;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Only its runs.
    dataset: Option<String>,
    /// The changes of this run.
    run_id: Option<String>,
    /// With dataset: one value per key column.
    key: Option<Vec<String>>,
    /// Default 20; of a run's changes 5.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The cursor before.
    cursor: Option<String>,
}

impl Tool for SyncHistory {
    const NAME: &'static str = "syncHistory";
    const TITLE: &'static str = "History of syncs";
    const DESCRIPTION: &'static str = "Lists runs, newest first; with runId its changes by cell; with dataset and key one record's life.";
    type Args = Args;
    type Output = History;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false)
    }

    async fn call(context: &Context, args: Args) -> Result<History> {
        let limit = args.limit.unwrap_or(if args.run_id.is_some() { 5 } else { 20 });
        if !(1..=200).contains(&limit) {
            return Err(Error::invalid(format!(
                "argument limit: {limit} is not between 1 and 200"
            ))
            .next("ask for at most 200"));
        }
        let shell = context.shell(Self::NAME);
        let cursor = args.cursor.as_deref();
        match (&args.run_id, &args.dataset, &args.key) {
            (Some(run), None, None) => history::changes(&shell, run, cursor, limit).await,
            (None, Some(dataset), Some(key)) => history::life(&shell, dataset, key, limit).await,
            (None, dataset, None) => history::runs(&shell, dataset.as_deref(), cursor, limit).await,
            (None, None, Some(_)) => Err(Error::invalid("argument key: it goes with dataset")
                .next("name the dataset whose record it is")),
            (Some(_), _, _) => Err(Error::invalid("argument runId: it stands alone")
                .next("leave dataset and key out, or runId")),
        }
    }
}
