//! `healthReport`: how well the datasets are kept in step, in numbers.

use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Context, Tool, named::named};
use crate::{
    error::{Error, Result},
    health::{
        dashboard,
        metrics::Window,
        report::{Ask, HealthReport, report},
    },
};

/// See [`Tool`].
pub(crate) struct HealthReportTool;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Args {
    /// Default all.
    dataset: Option<String>,
    #[serde(default)]
    window: Window,
    /// Measure now; default true for one dataset, false for all.
    measure: Option<bool>,
    /// Keys to draw; default 1000.
    #[schemars(range(min = 1, max = 100_000))]
    sample: Option<u32>,
    seed: Option<u64>,
    /// All datasets, deductions, intervals.
    #[serde(default)]
    detail: bool,
    /// Writes the dashboard of all datasets, a spreadsheet.
    #[serde(default)]
    dashboard: bool,
    /// Where, instead: id or URL.
    spreadsheet_id: Option<String>,
}

impl Tool for HealthReportTool {
    const NAME: &'static str = "healthReport";
    const TITLE: &'static str = "Health of the datasets";
    const DESCRIPTION: &'static str = "Scores with every deduction and the call that removes it, run metrics, data quality \
of a sample.";
    const VIEW: Option<&'static str> = Some("ui://lockstep/health");
    type Args = Args;
    type Output = HealthReport;

    fn annotations() -> ToolAnnotations {
        // The dashboard's three sheets are overwritten, also in a spreadsheet that the caller names.
        ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(true)
    }

    async fn call(context: &Context, args: Args) -> Result<HealthReport> {
        if args.sample == Some(0) || args.sample.is_some_and(|sample| sample > 100_000) {
            return Err(Error::invalid("argument sample: it is not between 1 and 100000")
                .next("leave it out for 1000"));
        }
        let dashboard = args.dashboard || args.spreadsheet_id.is_some();
        if dashboard && args.dataset.is_some() {
            return Err(Error::invalid("argument dataset: the dashboard is of all datasets").next(
                "leave dataset out (measure: true measures them all), or ask without dashboard",
            ));
        }
        let shell = context.shell(Self::NAME);
        let mut measure = Vec::new();
        if args.measure.unwrap_or(args.dataset.is_some()) {
            let names = match &args.dataset {
                Some(name) => vec![name.clone()],
                None => {
                    let saved = context.store.datasets(None, 1_000).await?;
                    saved.into_iter().map(|dataset| dataset.name).collect()
                }
            };
            for name in names {
                match named(context, &name).await {
                    Ok(definition) => measure.push(definition),
                    // Rows that came with a call are gone: there is nothing to measure.
                    Err(_) if args.dataset.is_none() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let ask = Ask {
            window: args.window,
            measure,
            sample: args.sample.unwrap_or(1_000) as usize,
            seed: args.seed.unwrap_or(1),
            detail: args.detail,
            look_only: args.window != Window::default(),
            told_below: context.told_below,
            dataset: args.dataset,
        };
        match dashboard {
            true => dashboard::write(&shell, &ask, args.spreadsheet_id.as_deref()).await,
            false => report(&shell, &ask).await,
        }
    }
}
