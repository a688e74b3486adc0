//! `lockstep://plans/{id}`: a plan as a page and as a table.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};

use super::{Contents, Done, Shelf, for_people, link, template, text};
use crate::{
    error::Result,
    store::PlanLookup,
    sync::{hidden::hidden, plans::fits, render},
    tools::Context,
};

const PLANS: &str = "lockstep://plans/";

/// Plans, until they expire.
pub(super) struct Plans;

impl Shelf for Plans {
    fn template(&self) -> ResourceTemplate {
        let title = "A plan: a page to read, and a CSV with every change";
        template("lockstep://plans/{id}", "plan", title, "text/markdown")
    }

    fn read<'a>(&'a self, context: &'a Context, uri: &'a str) -> BoxFuture<'a, Contents> {
        async move {
            match uri.strip_prefix(PLANS) {
                Some(id) => plan(context, uri, id).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn links(&self, done: &Done<'_>) -> Vec<Resource> {
        let plan = |id| link(format!("{PLANS}{id}"), format!("plan {id}"), "text/markdown");
        done.said("planId").map(plan).into_iter().collect()
    }
}

async fn plan(context: &Context, uri: &str, id: &str) -> Contents {
    let (id, for_people) = for_people(id);
    let (id, csv_only) = match id.strip_suffix(".csv") {
        Some(id) => (id, true),
        None => (id, false),
    };
    let PlanLookup::Found(stored) = context.store.plan(id, context.clock.now()).await? else {
        return Ok(None);
    };
    let dataset = &stored.plan.body().basis.dataset;
    let hidden = hidden(&context.store, dataset).await?.keyed(&context.key, dataset);
    let next = "read the plan's page, which shows its first rows";
    let fits = fits(context.limits, &stored.plan, next);
    let beside = format!("{PLANS}{id}.csv");
    let csv = || -> Result<ResourceContents> {
        let rows = render::csv(&stored.plan, &hidden, for_people)?;
        Ok(text(if csv_only { uri } else { &beside }, "text/csv", rows))
    };
    if csv_only {
        return fits.and_then(|()| Ok(Some(vec![csv()?])));
    }
    let page = render::markdown(&stored.plan, &hidden, context.limits);
    let page = text(uri, "text/markdown", page);
    // What is more than the caller may have is left out: the page says how much there is.
    let csv = fits.is_ok().then(csv).transpose()?;
    Ok(Some(std::iter::once(page).chain(csv).collect()))
}
