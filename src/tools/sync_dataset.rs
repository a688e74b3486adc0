//! `syncDataset`: makes one replica agree with another, by plan and apply.

use std::collections::BTreeSet;

use lockstep_engine::{
    dataset::{Direction, Safety},
    expect::Expectation,
    safety::HaltReason,
};
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Context, Tool,
    dataset::{AnyObject, ColumnArg, DirectionArg, PolicyArg, SideArg},
    mode::{Asked, ModeArg},
    named::named,
    review::ReviewArg,
    spoke::{self, SpokeArg},
};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::{Source, apply::Guard},
    sync::{
        definition::{Definition, Disappeared, FULL_EVERY, Members, Targets},
        report::Report,
        run,
    },
};

/// See [`Tool`].
pub(crate) struct SyncDataset;

/// What happens to rows that are only on the right.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeletesArg {
    #[default]
    Mark,
    Delete,
    Ignore,
}

/// How rows that others move during the write are found.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum GuardArg {
    #[default]
    Auto,
    ReadBack,
    Anchor,
}

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Saves the dataset; a saved one needs only it.
    pub(super) name: Option<String>,
    /// The source: one of file, spreadsheetId, connection, records.
    left: Option<SideArg>,
    /// The target; shaped as left.
    #[schemars(with = "Option<AnyObject>")]
    right: Option<SideArg>,
    /// Instead of left and right, with spokes: like left.
    #[schemars(with = "Option<AnyObject>")]
    hub: Option<SideArg>,
    /// [{name, like left, direction: in, out or both (default), columns: [{name, header}] (default: those it has),
    /// deletes, markColumn, markValue}].
    #[schemars(with = "Option<Vec<AnyObject>>")]
    spokes: Option<Vec<SpokeArg>>,
    /// Columns that identify a row.
    #[serde(default)]
    key: Vec<String>,
    /// Default all of left, by header; others are left alone.
    columns: Option<Vec<ColumnArg>>,
    /// Default leftToRight.
    direction: Option<DirectionArg>,
    policy: Option<PolicyArg>,
    /// Texts that mean blank, e.g. "NA".
    #[serde(default)]
    nulls: Vec<String>,
    /// For rows whose partner is gone: mark (default) sets markColumn.
    #[serde(default)]
    deletes: DeletesArg,
    /// Default "status".
    mark_column: Option<String>,
    /// Default "inactive".
    mark_value: Option<String>,
    /// Against rows moved meanwhile: auto (default), anchor (surest), readBack (1 call less; repairs).
    guard: Option<GuardArg>,
    /// {spreadsheetId, sheet}: a tab in which people decide conflicts.
    #[schemars(with = "Option<AnyObject>")]
    review_sheet: Option<ReviewArg>,
    /// [{column, notNull, unique, ofType, min, max, matchRegex, acceptedValues, relationships: {to, field}, freshness: "24h",
    /// mostly, severity: warn (default) or block}].
    #[serde(default)]
    #[schemars(with = "Vec<AnyObject>")]
    expectations: Vec<Expectation>,
    /// {within: "24h", systemOfRecord: side}, for healthReport.
    #[serde(default)]
    #[schemars(with = "Option<AnyObject>")]
    health: Targets,
    /// Only these, as reports show them.
    keys: Option<Vec<String>>,
    /// With keys: writes again what a run wrote there and is gone.
    #[serde(default)]
    rewrite_lost: bool,
    /// Default plan.
    #[serde(default)]
    mode: ModeArg,
    /// Applies exactly that plan, or refuses.
    plan_id: Option<String>,
    /// All rows are read every so many runs (default 20): finds deletions a cursor or API hides.
    #[schemars(range(min = 1))]
    full_every: Option<u32>,
    /// Names of halts to pass, from halted.
    #[serde(default, rename = "override")]
    overrides: Vec<String>,
    /// Halts above; default 25.
    #[schemars(range(max = 100))]
    max_delete_percent: Option<u8>,
    /// Halts above; default none.
    #[schemars(range(max = 100))]
    max_change_percent: Option<u8>,
    /// Changes shown; default at most 20.
    #[schemars(range(max = 200))]
    sample: Option<u32>,
    /// Same as mode plan.
    #[serde(default)]
    dry_run: bool,
}

impl Args {
    /// Returns the dataset that the arguments define in full.
    ///
    /// # Errors
    /// Arguments that contradict each other, or are not enough.
    pub(crate) fn definition(self) -> Result<Definition> {
        let deletes = self.deletes.disappeared(self.mark_column, self.mark_value)?;
        let direction = self.direction.unwrap_or_default();
        let members = match (self.left, self.right, self.hub, self.spokes) {
            (Some(left), Some(right), None, None) => pair(left, right, direction)?,
            (None, None, Some(hub), Some(spokes)) if self.direction.is_none() => {
                let hub = hub.source("hub")?;
                let spokes = spoke::definitions(spokes, &hub, &deletes)?;
                Members::Hub { hub, spokes }
            }
            (None, None, Some(_), Some(_)) => {
                return Err(Error::invalid("argument direction: each spoke has its own")
                    .next("give direction (in, out or both) in spokes"));
            }
            _ => {
                return Err(Error::invalid(
                    "arguments left and right, or hub and spokes: both are needed",
                )
                .next(
                    "give both sides, or a hub and its spokes, or only the name of a saved dataset",
                ));
            }
        };
        let writes_hub = match &members {
            Members::Hub { spokes, .. } => {
                spokes.iter().any(|spoke| spoke.direction != Direction::LeftToRight)
            }
            Members::Pair { .. } => false,
        };
        if let Members::Hub { hub: Source::Records { .. }, .. } = &members
            && writes_hub
        {
            return Err(Error::invalid("argument hub: records can only be read")
                .next("name a place to write to, or let every spoke's direction be \"out\""));
        }
        // What a hub and its spokes are kept in step by goes both ways; each spoke has its direction.
        let is_hub = matches!(members, Members::Hub { .. });
        let direction = if is_hub { DirectionArg::Both } else { direction };
        let columns = self.columns.unwrap_or_default();
        check_expectations(&self.expectations, &columns)?;
        check_targets(&self.health, &members)?;
        let mut policy = self.policy.unwrap_or_default().policy(direction, &columns);
        policy.safety.max_change_percent = self.max_change_percent;
        policy.safety.max_delete_percent =
            self.max_delete_percent.unwrap_or(Safety::default().max_delete_percent);
        let name = match self.name {
            Some(name) => name,
            None => Definition::default_name(&members, &self.key)?,
        };
        let review = self.review_sheet.map(|review| review.sheet(&members, &name)).transpose()?;
        Ok(Definition {
            name,
            members,
            key: self.key,
            columns: (!columns.is_empty())
                .then(|| columns.into_iter().map(ColumnArg::definition).collect()),
            nulls: self.nulls,
            deletes,
            policy,
            review,
            guard: match self.guard.unwrap_or_default() {
                GuardArg::Auto => Guard::Auto,
                GuardArg::ReadBack => Guard::ReadBack,
                GuardArg::Anchor => Guard::Anchor,
            },
            expectations: self.expectations,
            health: self.health,
            only: None,
            rewrite_lost: false,
            full_every: self.full_every.unwrap_or(FULL_EVERY).max(1),
            overrides: self.overrides,
        })
    }
}

/// Checks expectations as far as no row is needed for it.
fn check_expectations(expected: &[Expectation], columns: &[ColumnArg]) -> Result<()> {
    for one in expected {
        one.check().map_err(|error| {
            Error::invalid(format!("argument expectations: {error}"))
                .next("correct it; nothing was read or written")
        })?;
        let names = || columns.iter().map(ColumnArg::name);
        if !columns.is_empty() && !names().any(|name| name == one.column) {
            return Err(Error::not_found(format!(
                "argument expectations: columns has no \"{}\".{}",
                one.column,
                did_you_mean(&one.column, names())
            ))
            .next("expect something of a column that is kept in step"));
        }
    }
    Ok(())
}

/// Checks that the system of record is a member.
fn check_targets(health: &Targets, members: &Members) -> Result<()> {
    let names: Vec<&str> = match members {
        Members::Pair { .. } => vec!["left", "right"],
        Members::Hub { spokes, .. } => {
            std::iter::once("hub").chain(spokes.iter().map(|spoke| spoke.name.as_str())).collect()
        }
    };
    match &health.system_of_record {
        Some(name) if !names.contains(&name.as_str()) => {
            Err(Error::invalid(format!("argument health: systemOfRecord \"{name}\" is no side"))
                .next(format!("the sides are {}", names.join(", "))))
        }
        _ => Ok(()),
    }
}

/// Returns the two sides.
fn pair(left: SideArg, right: SideArg, direction: DirectionArg) -> Result<Members> {
    let (left, right) = (left.source("left")?, right.source("right")?);
    if direction == DirectionArg::RightToLeft {
        return Err(Error::invalid("argument direction: a dataset flows leftToRight or both ways")
            .next(
                "call the source left and the target right; single columns may flow rightToLeft",
            ));
    }
    let two_way = direction != DirectionArg::LeftToRight;
    for (name, source, written) in [("left", &left, two_way), ("right", &right, true)] {
        if written && matches!(source, Source::Records { .. }) {
            return Err(Error::invalid(format!("argument {name}: records can only be read"))
                .next("name a spreadsheetId or a file to write to"));
        }
    }
    Ok(Members::Pair { left, right })
}

impl DeletesArg {
    /// Returns what happens to rows that are gone elsewhere.
    ///
    /// # Errors
    /// A mark where nothing is marked.
    pub(super) fn disappeared(
        self,
        column: Option<String>,
        value: Option<String>,
    ) -> Result<Disappeared> {
        if !matches!(self, Self::Mark) && (column.is_some() || value.is_some()) {
            return Err(Error::invalid("markColumn and markValue go with deletes: \"mark\"")
                .next("leave them out, or set deletes to \"mark\""));
        }
        Ok(match self {
            Self::Mark => Disappeared::Mark {
                column: column.unwrap_or_else(|| "status".into()),
                value: value.unwrap_or_else(|| "inactive".into()),
            },
            Self::Delete => Disappeared::Delete,
            Self::Ignore => Disappeared::Ignore,
        })
    }
}

/// Checks that each override names a halt.
fn check_overrides(overrides: &[String]) -> Result<()> {
    let known = || HaltReason::ALL.iter().map(|reason| reason.as_str());
    match overrides.iter().find(|name| !known().any(|known| known == **name)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!(
            "argument override: there is no halt \"{name}\".{}",
            did_you_mean(name, known())
        ))
        .next(format!("the halts are {}", known().collect::<Vec<_>>().join(", ")))),
    }
}

impl Tool for SyncDataset {
    const NAME: &'static str = "syncDataset";
    const TITLE: &'static str = "Sync a dataset";
    const DESCRIPTION: &'static str = "Makes two sides, or a hub and spokes, agree by key, one-way or both ways: sheets, files, databases, APIs, records. No rows pass through you. First \
without mode: a plan (counts, sample, planId), nothing written. Then the same arguments with mode \"apply\" and planId. \
Safe to repeat. For a few cells use updateCells.";
    const ASKS: bool = true;
    const LASTS: bool = true;
    type Args = Args;
    type Output = Report;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Report> {
        let plan_id = args.plan_id.clone();
        let Asked { apply, sample } =
            Asked::of(args.mode, args.dry_run, plan_id.as_deref(), args.sample)?;
        check_overrides(&args.overrides)?;
        let only = args.keys.clone().map(|keys| keys.into_iter().collect::<BTreeSet<_>>());
        if only.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(Error::invalid("argument keys: there are none")
                .next("name the keys to sync, or leave keys out for all rows"));
        }
        if args.rewrite_lost && only.is_none() {
            return Err(Error::invalid("argument rewriteLost: it goes with keys")
                .next("name the keys that verifyDataset found with cause writeLost"));
        }
        let rewrite_lost = args.rewrite_lost;
        let short = args.sample.is_none();
        let definition = Definition { only, rewrite_lost, ..definition(context, args).await? };
        let shell = context.shell(Self::NAME);
        let report = if apply {
            run::apply(&shell, &definition, plan_id.as_deref(), sample).await?
        } else {
            run::plan(&shell, &definition, sample).await?
        };
        Ok(if short { report.shortened() } else { report })
    }
}

/// Returns the dataset that the arguments define, or the saved one that they name.
async fn definition(context: &Context, args: Args) -> Result<Definition> {
    let sides = args.left.is_some() || args.right.is_some();
    let sides = sides || args.hub.is_some() || args.spokes.is_some();
    let known = args.name.clone().filter(|_| !sides);
    let Some(name) = known else { return args.definition() };
    if !args.key.is_empty()
        || args.columns.is_some()
        || args.direction.is_some()
        || args.policy.is_some()
        || args.review_sheet.is_some()
        || !args.expectations.is_empty()
        || args.health != Targets::default()
        || args.full_every.is_some()
    {
        return Err(Error::invalid(
            "a saved dataset is named, and parts of a definition are given beside it",
        )
        .next("give only name (with mode, planId, override, sample), or the sides and all of the rest"));
    }
    let overrides = args.overrides;
    Ok(Definition { overrides, ..named(context, &name).await? })
}
