//! The laws of reconciliation (the design's list of sixteen), over a small domain completely and over random tables.

mod check;
mod exhaustive;
mod hub;
mod policies;
mod tables;
mod world;

/// 10,000 cases of each property, or as many as `PROPTEST_CASES` says.
fn cases() -> proptest::test_runner::Config {
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000);
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}
