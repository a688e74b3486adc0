//! What an API answered, and what it says in words.

use std::time::{Duration, SystemTime};

use reqwest::{
    Url,
    header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LINK, LOCATION, RETRY_AFTER},
};

use super::json::{Json, Pointer};

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The address that answered, after redirects.
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns a header as text.
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn etag(&self) -> Option<String> {
        self.header(&ETAG).map(str::to_owned)
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.header(&LOCATION)
    }

    /// Returns the `Link` headers in one.
    pub(super) fn link(&self) -> Option<String> {
        let all = self.headers.get_all(LINK);
        let texts: Vec<&str> = all.iter().filter_map(|value| value.to_str().ok()).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    /// Returns how long the API asks to wait: seconds, or until a date (RFC 9110, 10.2.3).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let text = self.header(&RETRY_AFTER)?.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Some(SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Returns the JSON of the body; null for a blank one.
    ///
    /// # Errors
    /// A body that is no JSON, in words.
    pub(super) fn json(&self) -> Result<Json, String> {
        if self.body.trim().is_empty() {
            return Ok(Json::Null);
        }
        Json::parse(&self.body).map_err(|error| match self.is_html() {
            true => format!("it answered with an HTML page{}", self.title()),
            false => format!("its answer is no JSON: {error}"),
        })
    }

    /// Returns what the API says about a failure, in its own words.
    pub(super) fn words(&self) -> String {
        let said = match Json::parse(&self.body) {
            Ok(json) => words(&json),
            Err(_) if self.is_html() => format!("an HTML page{}", self.title()),
            Err(_) => self.body.clone(),
        };
        match said.trim().is_empty() {
            true => format!("status {}", self.status),
            false => format!("status {}: {said}", self.status),
        }
    }

    fn is_html(&self) -> bool {
        let html = self.header(&CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
        html || self.body.trim_start().starts_with('<')
    }

    fn title(&self) -> String {
        let title = self.body.split_once("<title>").and_then(|(_, rest)| rest.split_once('<'));
        title.map(|(title, _)| format!(" titled \"{}\"", title.trim())).unwrap_or_default()
    }
}

/// Where APIs put the words of an error: the usual places, the plainest first.
const PLACES: &[&str] = &[
    "/message",
    "/error/message",
    "/error_description",
    "/errors/0/message",
    "/errors/0/detail",
    "/detail",
    "/error",
    "/errors",
    "/title",
];

/// Returns the words of an error; the whole where none of the usual places has any.
pub(super) fn words(json: &Json) -> String {
    let at = |place: &&str| {
        let pointer = Pointer::try_from((*place).to_owned()).ok()?;
        match json.at(&pointer)? {
            Json::Text(text) if !text.is_empty() => Some(text.clone()),
            found @ (Json::Object(_) | Json::List(_)) => Some(found.to_string()),
            _ => None,
        }
    };
    PLACES.iter().find_map(at).unwrap_or_else(|| match json {
        Json::Null => String::new(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str, headers: &[(&'static str, &str)]) -> Answer {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let url = Url::parse("http://x/").unwrap();
        Answer { status: 422, url, headers: pairs.collect(), body: body.into() }
    }

    #[test]
    fn the_words_of_the_known_apis_are_found() {
        for (body, wanted) in [
            (
                r#"{"status":"error","message":"Property email was not valid","category":"X"}"#,
                "Property email was not valid",
            ),
            (r#"{"error":{"type":"INVALID","message":"Unknown field"}}"#, "Unknown field"),
            (r#"{"error":"NOT_FOUND"}"#, "NOT_FOUND"),
            (r#"{"errors":{"base":["not stocked"]}}"#, r#"{"base":["not stocked"]}"#),
            (r#"{"errors":[{"detail":"too long"}]}"#, "too long"),
            (r#"{"code":7}"#, r#"{"code":7}"#),
            ("<html><title> Bad gateway </title>", "an HTML page titled \"Bad gateway\""),
            ("plain", "plain"),
        ] {
            assert_eq!(answer(body, &[]).words(), format!("status 422: {wanted}"));
        }
        assert_eq!(answer("", &[]).words(), "status 422");
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        let wait = |text: &str| answer("", &[("retry-after", text)]).retry_after();
        assert_eq!(wait("12"), Some(Duration::from_secs(12)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Fri, 31 Dec 2100 23:59:59 GMT").unwrap() > Duration::from_secs(1_000_000));
        assert_eq!((wait("soon"), wait("-1"), wait("1e300")), (None, None, None));
    }

    #[test]
    fn an_html_page_is_no_json() {
        let page = answer("<!doctype html>", &[("content-type", "text/html")]);
        assert!(page.json().unwrap_err().contains("HTML page"));
        assert_eq!(answer(" ", &[]).json(), Ok(Json::Null));
        assert!(answer("{\"a\":", &[]).json().unwrap_err().contains("no JSON"));
    }
}
