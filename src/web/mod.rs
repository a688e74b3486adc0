//! Pages for people: health, datasets, runs, conflicts, dead letters, sheets. Pure functions from data to HTML.
//!
//! A page asks the same functions as the tools do and never goes around them; what a page changes is a tool call that
//! `server` makes for it. Everything is escaped by the templates, everything is bounded, nothing needs JavaScript:
//! `assets/live.js` brings what is marked `data-live` up to date where it runs. [`apps`] holds the two views that MCP
//! hosts show by themselves.

use std::collections::BTreeMap;

use crate::{
    error::{Error, Result},
    principal::Role,
    tools::Context,
};

pub(crate) mod apps;
pub(crate) mod assets;
mod conflicts;
mod course;
mod dataset;
mod definition;
pub(crate) mod frame;
mod letters;
mod overview;
mod plot;
mod run;
mod runs;
mod sheets;
pub(crate) mod sign_in;
mod trouble;
mod words;

pub(crate) use trouble::trouble;

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    /// The name of the caller.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: Role,
    /// What their forms carry, so that no other site can send them.
    pub(crate) csrf: String,
    /// Whether they signed in, and so can sign out.
    pub(crate) signed_in: bool,
    /// Whether there are sheets to show: those of the embedded workspace.
    pub(crate) sheets: bool,
}

impl Viewer {
    fn decides(&self) -> bool {
        self.role >= Role::Operator
    }
}

/// What stands behind the `?` of an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(pub(crate) BTreeMap<String, String>);

impl Query {
    /// Returns what is said under a name; nothing and blank are the same.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Result<u64> {
        self.get(name).map_or(Ok(0), |text| {
            text.parse().map_err(|_| {
                Error::invalid(format!("\"{name}\" of the address is no number: \"{text}\""))
                    .next("follow a link of the page instead")
            })
        })
    }
}

/// Returns the page of a path, of which the parts are given; what stands there is hostile text.
///
/// # Errors
/// A path that leads nowhere, and whatever keeps the data from being read.
pub(crate) async fn show(
    context: &Context,
    viewer: &Viewer,
    parts: &[&str],
    query: &Query,
) -> Result<String> {
    match parts {
        [] => overview::show(context, viewer, query).await,
        ["datasets", name] => dataset::show(context, viewer, name, query).await,
        ["runs"] => runs::show(context, viewer, query).await,
        ["runs", id] => run::show(context, viewer, id, query).await,
        ["conflicts"] => conflicts::show(context, viewer, query).await,
        ["letters"] => letters::show(context, viewer, query).await,
        ["sheets"] if viewer.sheets => sheets::list(context, viewer, query).await,
        ["sheets", id] if viewer.sheets => sheets::grid(context, viewer, id, query).await,
        _ => Err(Error::not_found("there is no such page").next("begin at the overview")),
    }
}
