//! `resolveConflicts`: lists what waits for a decision, previews decisions, and keeps them.

use jiff::SignedDuration;
use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{
    Context, Tool,
    cell::CellOut as Cell,
    dataset::{AnyObject, policy_instead},
    named::named,
};
use crate::{
    error::{Error, Result},
    store::conflicts::{Filter, Kind, State},
    sync::{
        conflicts::{
            answer::Answer,
            choose::Wish,
            desk::{self, Wanted},
        },
        definition::Definition,
        hidden::Hidden,
    },
};

/// See [`Tool`].
pub(crate) struct ResolveConflicts;

/// What to do.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ActionArg {
    #[default]
    List,
    Preview,
    Decide,
    Reopen,
    Note,
}

/// When to write what was decided.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ApplyArg {
    #[default]
    NextRun,
    Now,
}

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Default list. decide without winner, value or policy asks the person.
    #[serde(default)]
    action: ActionArg,
    dataset: Option<String>,
    /// Instead of a filter.
    #[serde(default)]
    ids: Vec<String>,
    /// Filter; "(row)" for deleteEdit and editDelete.
    column: Option<String>,
    /// edit, create, deleteEdit or editDelete.
    #[schemars(with = "Option<String>")]
    kind: Option<Kind>,
    key: Option<String>,
    /// Default open and decided; applied, closed, stale.
    #[schemars(with = "Option<String>")]
    state: Option<State>,
    older_than_hours: Option<u32>,
    /// left, right, hub, a spoke or base.
    winner: Option<String>,
    /// null for a blank.
    #[serde(default, deserialize_with = "said")]
    #[schemars(with = "Option<Cell>")]
    value: Option<Value>,
    /// Decides by this, shaped as in syncDataset.
    #[schemars(with = "Option<AnyObject>")]
    policy: Option<Map<String, Value>>,
    /// Default nextRun.
    #[serde(default)]
    apply: ApplyArg,
    /// Filter; with note sets it.
    assignee: Option<String>,
    note: Option<String>,
    /// Shows the row's other cells.
    #[serde(default)]
    row: bool,
    /// Shown; default 5.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    cursor: Option<String>,
    /// Same as preview.
    #[serde(default)]
    dry_run: bool,
}

/// Reads an argument that may be null, which is then told from one that was not given: `value: null` is a blank cell.
fn said<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Returns how many ways to decide are given.
fn given(arguments: &Args) -> usize {
    [arguments.winner.is_some(), arguments.value.is_some(), arguments.policy.is_some()]
        .into_iter()
        .filter(|given| *given)
        .count()
}

impl Args {
    fn filter(&self, context: &Context) -> Result<Filter> {
        let before = match self.older_than_hours {
            None => None,
            Some(hours) => {
                let age = SignedDuration::from_hours(i64::from(hours));
                Some(context.clock.now().checked_sub(age).map_err(|_| {
                    Error::invalid(format!("argument olderThanHours: {hours} is too much"))
                })?)
            }
        };
        let noting = self.action == ActionArg::Note;
        Ok(Filter {
            dataset: self.dataset.clone(),
            ids: self.ids.clone(),
            column: self
                .column
                .clone()
                .map(|name| if name == "(row)" { String::new() } else { name }),
            kind: self.kind,
            key: self.key.clone(),
            states: self.state.into_iter().collect(),
            before,
            assignee: self.assignee.clone().filter(|_| !noting),
        })
    }

    /// Returns how to decide, if it is said.
    fn wish(&self, definition: &Definition) -> Result<Option<Wish>> {
        if given(self) > 1 {
            return Err(Error::invalid(
                "arguments winner, value and policy: more than one is given",
            )
            .next("decide in one way at a time; nothing was decided"));
        }
        Ok(match (&self.winner, &self.value, &self.policy) {
            (Some(winner), ..) => Some(Wish::Winner(winner.clone())),
            (_, Some(value), _) => Some(Wish::Value(value.clone())),
            (_, _, Some(said)) => {
                let (policy, alone) = policy_instead(&definition.policy, said.clone())?;
                Some(Wish::Policy { policy: Box::new(policy), alone })
            }
            _ => None,
        })
    }

    fn limit(&self) -> Result<u32> {
        match self.limit.unwrap_or(5) {
            limit @ 1..=100 => Ok(limit),
            limit => {
                Err(Error::invalid(format!("argument limit: {limit} is not between 1 and 100"))
                    .next("ask for at most 100"))
            }
        }
    }

    fn skip(&self) -> Result<u64> {
        let Some(cursor) = &self.cursor else { return Ok(0) };
        cursor.parse().map_err(|_| {
            Error::invalid(format!("argument cursor: \"{cursor}\" is not the cursor of a list"))
                .next("pass on the cursor of the answer before, or leave it out")
        })
    }
}

impl Tool for ResolveConflicts {
    const NAME: &'static str = "resolveConflicts";
    const TITLE: &'static str = "Resolve conflicts";
    const DESCRIPTION: &'static str = "Settles what two-way syncs left undecided (both sides keep theirs meanwhile): \
lists with counts, previews a decision for a filter, decides, by winner, value or policy. The next run writes it.";
    const ASKS: bool = true;
    const VIEW: Option<&'static str> = Some("ui://lockstep/conflicts");
    type Args = Args;
    type Output = Answer;

    fn annotations() -> ToolAnnotations {
        ToolAnnotations::new().read_only(false).destructive(true).idempotent(false).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<Answer> {
        let short = args.limit.is_none().then(|| args.skip()).transpose()?;
        let answer = answer(context, args).await?;
        Ok(match short {
            Some(skip) => answer.shortened(skip),
            None => answer,
        })
    }
}

async fn answer(context: &Context, args: Args) -> Result<Answer> {
    let shell = context.shell(ResolveConflicts::NAME);
    let filter = args.filter(context)?;
    let (limit, skip) = (args.limit()?, args.skip()?);
    let wanted = |filter: Filter| Wanted { filter, limit, skip, whole: args.row };
    if let Some(dataset) = &args.dataset {
        // A name that no dataset has is told apart from one without conflicts.
        named(context, dataset).await?;
    }
    if args.action == ActionArg::List {
        if given(&args) > 0 || args.apply == ApplyArg::Now {
            return Err(Error::invalid(
                "winner, value, policy and apply go with preview or decide",
            )
            .next("add action: \"preview\", or \"decide\""));
        }
        let waiting = || vec![State::Open, State::Decided];
        let named = !filter.ids.is_empty() || !filter.states.is_empty();
        let states = if named { filter.states.clone() } else { waiting() };
        return desk::list(&shell, &wanted(Filter { states, ..filter })).await;
    }
    if args.action == ActionArg::Note {
        if args.assignee.is_none() && args.note.is_none() {
            return Err(Error::invalid("action note: neither assignee nor note is given")
                .next("give one of them, and ids or a filter"));
        }
        let (assignee, note) = (args.assignee.as_deref(), args.note.as_deref());
        return desk::annotate(&shell, &filter, assignee, note).await;
    }
    let filter = match args.action {
        ActionArg::Reopen if filter.ids.is_empty() => {
            Filter { states: vec![State::Decided], ..filter }
        }
        _ => filter,
    };
    if filter.dataset.is_none() && filter.ids.is_empty() {
        return Err(Error::invalid("argument dataset: it is needed to decide by a filter")
            .next("name the dataset, or the ids of conflicts"));
    }
    let conflicts = desk::wanted(&shell, &filter).await?;
    let mut datasets: Vec<&str> = conflicts.iter().map(|one| one.dataset.as_str()).collect();
    datasets.sort_unstable();
    datasets.dedup();
    let [dataset] = datasets.as_slice() else {
        return Err(Error::invalid("argument ids: they are of several datasets")
            .next("decide about one dataset at a time; nothing was decided"));
    };
    let definition = named(context, dataset).await?;
    if args.action == ActionArg::Reopen {
        return desk::reopen(&shell, &conflicts).await;
    }
    let dry = args.action == ActionArg::Preview || args.dry_run;
    let wish = match args.wish(&definition)? {
        Some(wish) => wish,
        // What the dataset's own policy would decide now: it may have been changed since.
        None if dry => Wish::Policy { policy: Box::new(definition.policy.clone()), alone: false },
        None => match desk::ask(&shell, &Hidden::of(&definition), &conflicts)? {
            Some(wish) => wish,
            None => {
                let open = Filter { states: vec![State::Open], ..filter };
                let listed = desk::list(&shell, &wanted(open)).await?;
                let next =
                    "Nothing was decided: say winner, value or policy; ask the person first.";
                return Ok(Answer { next: next.into(), ..listed });
            }
        },
    };
    if dry {
        return desk::preview(&shell, &definition, conflicts, &wish, limit).await;
    }
    let (note, named) = (args.note.as_deref(), !args.ids.is_empty());
    let mut answer = desk::decide(&shell, &definition, conflicts, &wish, note, named).await?;
    if args.apply == ApplyArg::Now {
        let run = desk::apply(&shell, &definition).await?;
        answer.next = run.next.clone();
        answer.run = Some(run);
    }
    Ok(answer)
}
