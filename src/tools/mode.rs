//! Plan first, then apply: what every tool asks that writes replicas.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result};

/// Plan only, or apply.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ModeArg {
    #[default]
    Plan,
    Apply,
}

/// What the arguments come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Whether to write.
    pub(super) apply: bool,
    /// How many changes to show.
    pub(super) sample: usize,
}

impl Asked {
    /// Checks the arguments against each other.
    ///
    /// # Errors
    /// A sample that is too large, and a plan that is named where none is applied.
    pub(super) fn of(
        mode: ModeArg,
        dry_run: bool,
        plan_id: Option<&str>,
        sample: Option<u32>,
    ) -> Result<Self> {
        let (apply, sample) = (mode == ModeArg::Apply && !dry_run, sample.unwrap_or(20));
        if sample > 200 {
            return Err(Error::invalid(format!("argument sample: {sample} is more than 200"))
                .next("ask for at most 200 changes"));
        }
        if plan_id.is_some() && !apply {
            return Err(Error::invalid(
                "argument planId: a plan is named, but mode is not \"apply\"",
            )
            .next("add mode: \"apply\" to apply the plan, or leave planId out to make a new one"));
        }
        Ok(Self { apply, sample: usize::try_from(sample).unwrap_or(20) })
    }
}
