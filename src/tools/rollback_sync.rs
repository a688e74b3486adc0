//! `rollbackSync`: takes a run back, by plan and apply.

use std::collections::BTreeSet;

use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Context, Tool,
    mode::{Asked, ModeArg},
};
use crate::{
    error::{Error, Result},
    sync::{
        report::Report,
        rollback::{self, Undo},
    },
};

/// See [`Tool`].
pub(crate) struct RollbackSync;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// From a report or syncHistory.
    run_id: String,
    /// Only these, as reports show them; default all.
    keys: Option<Vec<String>>,
    /// Default plan.
    #[serde(default)]
    mode: ModeArg,
    /// Apply exactly that plan.
    plan_id: Option<String>,
    /// Changes shown; default 20.
    #[schemars(range(max = 200))]
    sample: Option<u32>,
    /// Same as mode plan.
    #[serde(default)]
    dry_run: bool,
}

impl Tool for RollbackSync {
    const NAME: &'static str = "rollbackSync";
    const TITLE: &'static str = "Take a sync back";
    const DESCRIPTION: &'static str = "Undoes a run: rows it wrote get their earlier values, added ones go, deleted ones return. What people changed since \
stays (conflicts). First without mode for a plan, then mode \"apply\" with its planId.";
    const ASKS: bool = true;
    const LASTS: bool = true;
    // As syncDataset's.
    const SHAPE_IS_KNOWN: bool = true;
    type Args = Args;
    type Output = Report;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Report> {
        let plan_id = args.plan_id.as_deref();
        let Asked { apply, sample } = Asked::of(args.mode, args.dry_run, plan_id, args.sample)?;
        let keys = args.keys.map(|keys| keys.into_iter().collect::<BTreeSet<_>>());
        if keys.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(Error::invalid("argument keys: there are none")
                .next("name the keys to take back, or leave keys out for the whole run"));
        }
        let undo = Undo { run: args.run_id, keys };
        let shell = context.shell(Self::NAME);
        let report = if apply {
            rollback::apply(&shell, &undo, plan_id, sample).await?
        } else {
            rollback::plan(&shell, &undo, sample).await?
        };
        Ok(if args.sample.is_none() { report.shortened() } else { report })
    }
}
