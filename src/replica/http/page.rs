//! From one page of a list to the next, and when to stop.

use std::collections::HashSet;

use serde::Deserialize;

use super::{
    json::{Json, Pointer},
    link,
};
use crate::error::{Error, Kind, Result};

/// How an API cuts a list into pages.
///
/// A page with fewer items than were asked for proves nothing (a server may cap its pages), so pages are numbered on
/// until one is blank, or until `more` says that there are none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Pagination {
    /// One answer holds all.
    #[default]
    None,
    /// Pages are numbered.
    Page {
        parameter: String,
        #[serde(default = "first")]
        first: u64,
        /// Where an answer says whether there are more.
        more: Option<Pointer>,
    },
    /// Items are counted.
    Offset { parameter: String, more: Option<Pointer> },
    /// An answer holds what to ask for next; `parameter` names the query parameter, or, with a `/`, a place in the body.
    Cursor { parameter: String, next: Pointer, more: Option<Pointer> },
    /// An answer holds the address of the next page.
    Next { next: Pointer },
    /// A `Link` header with `rel="next"` (RFC 8288).
    Link,
}

fn first() -> u64 {
    1
}

/// What makes a request the one for a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Step {
    /// A parameter beside the list's own.
    pub(super) query: Option<(String, String)>,
    /// A value in the list's body.
    pub(super) body: Option<(Pointer, Json)>,
    /// An address that stands for the whole request.
    pub(super) address: Option<String>,
}

/// Walks over the pages of one list.
pub(super) struct Pager<'a> {
    how: &'a Pagination,
    max_pages: u32,
    pages: u32,
    items: u64,
    seen: HashSet<blake3::Hash>,
}

impl<'a> Pager<'a> {
    pub(super) fn new(how: &'a Pagination, max_pages: u32) -> Self {
        Self { how, max_pages, pages: 0, items: 0, seen: HashSet::new() }
    }

    /// Returns the first step.
    pub(super) fn first(&self) -> Step {
        match self.how {
            Pagination::Page { parameter, first, .. } => {
                Step { query: Some((parameter.clone(), first.to_string())), ..Step::default() }
            }
            Pagination::Offset { parameter, .. } => {
                Step { query: Some((parameter.clone(), "0".into())), ..Step::default() }
            }
            _ => Step::default(),
        }
    }

    /// Returns the step after a page that held so many items; `None` after the last.
    ///
    /// # Errors
    /// A list that repeats itself or does not end: it counts as not read.
    pub(super) fn after(
        &mut self,
        page: &Json,
        items: usize,
        header: Option<&str>,
    ) -> Result<Option<Step>> {
        self.pages += 1;
        self.items += items as u64;
        let Some(step) = self.next(page, items, header)? else { return Ok(None) };
        if self.pages >= self.max_pages {
            return Err(endless(format!("it has more than {} pages", self.max_pages))
                .next("raise list.maxPages if the list is that long; nothing was written"));
        }
        Ok(Some(step))
    }

    fn next(&mut self, page: &Json, items: usize, header: Option<&str>) -> Result<Option<Step>> {
        let done = |more: &Option<Pointer>| match more {
            Some(pointer) => page.at(pointer) == Some(&Json::Bool(false)),
            None => false,
        };
        let counted = |parameter: &String, number: u64| {
            Some(Step { query: Some((parameter.clone(), number.to_string())), ..Step::default() })
        };
        Ok(match self.how {
            Pagination::None => None,
            Pagination::Page { more, .. } | Pagination::Offset { more, .. }
                if items == 0 || done(more) =>
            {
                None
            }
            Pagination::Page { parameter, first, .. } => {
                counted(parameter, first + u64::from(self.pages))
            }
            Pagination::Offset { parameter, .. } => counted(parameter, self.items),
            Pagination::Cursor { more, .. } if done(more) => None,
            Pagination::Cursor { parameter, next, .. } => match page.at(next) {
                None | Some(Json::Null) => None,
                Some(Json::Text(text)) if text.is_empty() => None,
                Some(value) => {
                    self.once(&value.to_string(), "cursor")?;
                    let text = value.scalar().ok_or_else(|| odd(next, value))?;
                    Some(match Pointer::try_from(parameter.clone()) {
                        Ok(place) => Step { body: Some((place, value.clone())), ..Step::default() },
                        Err(_) => {
                            Step { query: Some((parameter.clone(), text)), ..Step::default() }
                        }
                    })
                }
            },
            Pagination::Next { next } => match page.at(next) {
                None | Some(Json::Null) => None,
                Some(Json::Text(text)) if text.is_empty() => None,
                Some(Json::Text(address)) => Some(self.address(address)?),
                Some(value) => return Err(odd(next, value)),
            },
            Pagination::Link => match header.and_then(link::next) {
                None => None,
                Some(address) => Some(self.address(&address)?),
            },
        })
    }

    fn address(&mut self, address: &str) -> Result<Step> {
        self.once(address, "next page")?;
        Ok(Step { address: Some(address.to_owned()), ..Step::default() })
    }

    /// Refuses what was named before: the list would go round for ever.
    fn once(&mut self, what: &str, name: &str) -> Result<()> {
        if self.seen.insert(blake3::hash(what.as_bytes())) {
            return Ok(());
        }
        Err(endless(format!("after page {} it named the same {name} again", self.pages)))
    }
}

fn endless(what: String) -> Error {
    Error::new(Kind::Internal, format!("the list does not end: {what}"))
        .next("correct list.pagination; the list counts as not read, and nothing was written")
}

fn odd(next: &Pointer, value: &Json) -> Error {
    Error::internal(format!("what leads to the next page, at {next}, is {}", value.kind()))
        .next("correct list.pagination")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how(toml: &str) -> Pagination {
        toml::from_str(toml).unwrap()
    }

    /// Feeds pages (their JSON, how many items each has, its Link header) and returns what was asked for.
    fn walk(how: &Pagination, pages: &[(&str, usize, Option<&str>)]) -> Vec<String> {
        let mut pager = Pager::new(how, 5);
        let say = |step: &Step| match (&step.query, &step.body, &step.address) {
            (Some((name, value)), ..) => format!("{name}={value}"),
            (_, Some((place, value)), _) => format!("{place}:{value}"),
            (.., Some(address)) => address.clone(),
            _ => "plain".to_owned(),
        };
        let mut asked = vec![say(&pager.first())];
        for (json, items, header) in pages {
            match pager.after(&Json::parse(json).unwrap(), *items, *header) {
                Ok(Some(step)) => asked.push(say(&step)),
                Ok(None) => asked.push("end".into()),
                Err(error) => asked.push(error.to_string().lines().next().unwrap().to_owned()),
            }
        }
        asked
    }

    #[test]
    fn pages_follow_each_other() {
        let one = how("kind = \"none\"");
        assert_eq!(walk(&one, &[("{}", 9, None)]), ["plain", "end"]);
        let page = how("kind = \"page\"\nparameter = \"page\"\nmore = \"/more\"");
        let pages = [("{\"more\":true}", 3, None), ("{}", 2, None), ("{}", 0, None)];
        assert_eq!(walk(&page, &pages), ["page=1", "page=2", "page=3", "end"]);
        assert_eq!(walk(&page, &[("{\"more\":false}", 3, None)]), ["page=1", "end"]);
        let offset = how("kind = \"offset\"\nparameter = \"skip\"");
        let pages = [("{}", 100, None), ("{}", 50, None), ("{}", 0, None)];
        assert_eq!(walk(&offset, &pages), ["skip=0", "skip=100", "skip=150", "end"]);
        let cursor = how("kind = \"cursor\"\nparameter = \"after\"\nnext = \"/paging/after\"");
        let pages = [("{\"paging\":{\"after\":\"x1\"}}", 0, None), ("{\"paging\":null}", 3, None)];
        assert_eq!(walk(&cursor, &pages), ["plain", "after=x1", "end"]);
        let body = how("kind = \"cursor\"\nparameter = \"/after\"\nnext = \"/after\"");
        assert_eq!(
            walk(&body, &[("{\"after\":20}", 1, None), ("{\"after\":\"\"}", 1, None)]),
            ["plain", "/after:20", "end"]
        );
        let link = how("kind = \"link\"");
        let header = "<https://x/a?page_info=p0>; rel=\"previous\", </a?page_info=p2>; rel=next";
        assert_eq!(
            walk(&link, &[("[]", 1, Some(header)), ("[]", 1, None)]),
            ["plain", "/a?page_info=p2", "end"]
        );
        let next = how("kind = \"next\"\nnext = \"/next\"");
        assert_eq!(
            walk(&next, &[("{\"next\":\"/a?p=2\"}", 1, None), ("{\"next\":null}", 1, None)]),
            ["plain", "/a?p=2", "end"]
        );
    }

    #[test]
    fn what_goes_round_or_on_for_ever_is_stopped() {
        let cursor = how("kind = \"cursor\"\nparameter = \"after\"\nnext = \"/after\"");
        let same = ("{\"after\":\"x\"}", 1, None);
        let asked = walk(&cursor, &[same, same]);
        assert!(asked[2].contains("same cursor again"), "{asked:?}");
        let page = how("kind = \"page\"\nparameter = \"p\"\nfirst = 0");
        let asked = walk(&page, &[("{}", 1, None); 5]);
        assert!(asked[5].contains("more than 5 pages"), "{asked:?}");
        let asked = walk(&cursor, &[("{\"after\":[1]}", 1, None)]);
        assert!(asked[1].contains("a list"), "{asked:?}");
    }
}
