//! Reads a list page by page, in bounded memory.

use std::collections::HashSet;

use reqwest::{Url, header::IF_NONE_MATCH};

use super::{
    call::{Ask, Wire},
    json::Json,
    origin::Origin,
    page::{Pager, Step},
    resource::Resource,
    template::{Fill, Slot},
};
use crate::{
    error::{Error, Kind, Result},
    progress::Progress,
};

/// One resource of one API, for one call.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) wire: &'a Wire,
    pub(super) resource: &'a Resource,
    pub(super) progress: &'a Progress,
}

/// A list's own templates have no slots.
pub(super) struct Nothing;

impl Fill for Nothing {
    fn fill(&self, _slot: &Slot) -> Option<Json> {
        None
    }
}

/// One page of a list.
pub(super) struct Page {
    pub(super) items: Vec<Json>,
    /// What the page was asked for with, without the origin.
    pub(super) address: String,
    pub(super) etag: Option<String>,
}

/// Walks over a list.
pub(super) struct Lister<'a> {
    at: At<'a>,
    pager: Pager<'a>,
    extra: Option<(String, String)>,
    step: Option<Step>,
    from: Option<Url>,
    seen: HashSet<blake3::Hash>,
    pub(super) items: u64,
    pub(super) pages: u32,
    /// How many items there are, as the API says.
    pub(super) total: Option<u64>,
}

impl<'a> Lister<'a> {
    /// Starts a list, with a parameter beside its own.
    pub(super) fn new(at: At<'a>, extra: Option<(String, String)>) -> Self {
        let list = &at.resource.config.list;
        let pager = Pager::new(&list.pagination, list.max_pages);
        let step = Some(pager.first());
        let seen = HashSet::new();
        Self { at, pager, extra, step, from: None, seen, items: 0, pages: 0, total: None }
    }

    /// Returns the next page; `None` after the last.
    ///
    /// # Errors
    /// An API that refuses, is not understood, or does not end: the list counts as not read.
    pub(super) async fn next(&mut self) -> Result<Option<Page>> {
        let Some(step) = self.step.take() else { return Ok(None) };
        let At { wire, resource, progress } = self.at;
        progress.check()?;
        let list = &resource.config.list;
        let ask = self.ask(&step)?;
        let (answer, mut json) =
            wire.read(&ask, progress).await.map_err(|error| self.place(error))?;
        if !answer.is_success() {
            return Err(self.place(wire.refusal(&answer)));
        }
        self.pages += 1;
        let items = match json.take(&list.items) {
            Some(Json::List(items)) => items,
            // "No content" is what some APIs answer for none.
            _ if answer.status == 204 => Vec::new(),
            found => {
                let there = found.map_or("nothing", |found| found.kind());
                let what = format!("at {} of the answer is {there}, and no list", list.items);
                return Err(self.place(
                    wire.error(Kind::Internal, what)
                        .next("correct list.items; nothing was written"),
                ));
            }
        };
        self.items += items.len() as u64;
        if self.items > list.max_items {
            let what = format!("it has more than {} items", list.max_items);
            return Err(self.place(
                wire.error(Kind::TooLarge, what).next("raise list.maxItems, or narrow list.query"),
            ));
        }
        if !items.is_empty() && !self.seen.insert(blake3::hash(answer.body.as_bytes())) {
            let what = "the list does not end: it gives the same page again";
            return Err(self.place(wire.error(Kind::Internal, what).next(
                "correct list.pagination; the list counts as not read, and nothing was written",
            )));
        }
        if let Some(total) = list.total.as_ref().and_then(|pointer| json.at(pointer)) {
            self.total = total.scalar().and_then(|text| text.parse().ok());
        }
        let next = self.pager.after(&json, items.len(), answer.link().as_deref());
        self.step = next.map_err(|error| self.place(error))?;
        let read = format!("read {} items of \"{}\"", self.items, resource.name);
        progress.step(self.items, self.total, read);
        let address = Origin::relative(&ask.url);
        let etag = answer.etag();
        self.from = Some(answer.url);
        Ok(Some(Page { items, address, etag }))
    }

    fn ask(&self, step: &Step) -> Result<Ask> {
        let At { wire, resource, .. } = self.at;
        let list = &resource.config.list;
        if let Some(address) = &step.address {
            let url = match &self.from {
                Some(from) => wire.origin.follow(from, address),
                None => wire.origin.absolute(address),
            };
            return Ok(Ask::new(
                list.method.method(),
                url.map_err(|error| self.place(error))?,
                None,
            ));
        }
        let plain = |text: &str| Ok(text.to_owned());
        let unfilled = |what: String| self.place(Error::internal(what));
        let path = list.path.render(&Nothing, plain).map_err(unfilled)?;
        let mut query = Vec::new();
        for (name, value) in &list.query {
            query.push((name.clone(), value.render(&Nothing, plain).map_err(unfilled)?));
        }
        for own in self.extra.iter().chain(&step.query) {
            query.retain(|(name, _)| *name != own.0);
            query.push(own.clone());
        }
        let body = list.body.as_ref().map(|body| body.render(&Nothing)).transpose();
        let mut body = body.map_err(unfilled)?;
        if let Some((pointer, value)) = &step.body {
            body.get_or_insert(Json::Null).set(pointer, value.clone());
        }
        let url = wire.origin.join(&path, &query)?;
        Ok(Ask::new(list.method.method(), url, body.map(|body| body.to_string())))
    }

    fn place(&self, error: Error) -> Error {
        let page = self.pages.max(1);
        error
            .context(format!("{} of \"{}\", page {page}", self.at.resource.name, self.at.wire.name))
    }
}

/// Returns whether every page is still as its tag says; stops asking at the first that is not.
///
/// # Errors
/// An API that cannot be asked.
pub(super) async fn unchanged(at: At<'_>, pages: &[(String, String)]) -> Result<bool> {
    for (address, etag) in pages {
        at.progress.check()?;
        let url = at.wire.origin.absolute(address)?;
        let ask = Ask::new(reqwest::Method::GET, url, None).header(IF_NONE_MATCH, etag);
        let (answer, _) = at.wire.read(&ask, at.progress).await?;
        if answer.status != 304 {
            return Ok(false);
        }
    }
    Ok(!pages.is_empty())
}
