//! Headless Chromium, driven by Playwright: what a person sees and does.

use std::{path::PathBuf, time::Duration};

use super::site::Site;
use crate::support::programs;

/// How long a whole visit may take; the scripts bound every single step themselves.
pub(super) const LIMIT: Duration = Duration::from_secs(240);

/// Returns the folder of screenshots, for people to look at.
pub(super) fn shots() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The door: a wrong token, a good one, what a reader is offered, and a page that notices that its session has ended.
#[tokio::test]
async fn a_person_signs_in_and_out() {
    let Some(mut browser) = programs::browser("web_door.py") else { return };
    let (site, reader, _) = super::doors::guarded().await;
    browser.arg(&site.server.listening.url).arg(shots()).env("TOKEN", reader);
    print!("{}", crate::support::bounded::succeed(browser, LIMIT));
}

/// Every page in both themes without a word in the console; a conflict by clicks, one by keys, both written by the next run.
#[tokio::test]
async fn a_person_finds_their_way_and_settles_conflicts_by_clicks_and_by_keys() {
    let Some(mut browser) = programs::browser("web_pages.py") else { return };
    let site = Site::new("", None).await;
    site.dispute().await;
    site.more().await;
    site.past();
    browser.arg(&site.server.listening.url).arg(shots()).arg(&site.sheet);
    print!("{}", crate::support::bounded::succeed(browser, LIMIT));
    let run = site.run().await;
    assert!(run["counts"].get("conflicts").is_none(), "{run:#}");
    assert!(site.left().contains("A,Apple,12"), "the right won by a click: {}", site.left());
    assert!(site.left().contains("B,\"Bete\",20"), "the right won by keys: {}", site.left());
    // The letter was dropped by its button.
    site.letters(0).await;
}
