//! The laws of reconciliation (the design's list of sixteen), over a small domain completely and over random tables.

#[cfg(test)]
mod check;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod spokes;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod views;
#[cfg(test)]
mod world;

/// 10,000 cases of each property, or as many as `PROPTEST_CASES` says.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000);
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}
