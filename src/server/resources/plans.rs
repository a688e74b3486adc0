//! `lockstep://plans/{id}`: a plan as a page and as a table.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::model::{Resource, ResourceTemplate};

use super::{Contents, Done, Shelf, link, template, text};
use crate::{store::PlanLookup, sync::render, tools::Context};

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
    let (id, csv_only) = match id.strip_suffix(".csv") {
        Some(id) => (id, true),
        None => (id, false),
    };
    let PlanLookup::Found(stored) = context.store.plan(id, context.clock.now()).await? else {
        return Ok(None);
    };
    let csv = text(&format!("{PLANS}{id}.csv"), "text/csv", render::csv(&stored.plan)?);
    if csv_only {
        return Ok(Some(vec![csv]));
    }
    let page = text(uri, "text/markdown", render::markdown(&stored.plan));
    Ok(Some(vec![page, csv]))
}
