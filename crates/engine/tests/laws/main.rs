//! The laws of reconciliation (the design's list of sixteen), over a small domain completely and over random tables.

#[cfg(test)]
mod check;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod halves;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod marks;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod spokes;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod views;
#[cfg(test)]
mod voices;
#[cfg(test)]
mod world;

/// 10,000 cases of each property, or as many as `PROPTEST_CASES` says; other ones at every run.
///
/// The seed is printed, which a test that fails shows: `PROPTEST_RNG_SEED` plays the same cases again.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    use std::hash::{BuildHasher, RandomState};

    let of = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = of("PROPTEST_RNG_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("PROPTEST_RNG_SEED={seed}");
    proptest::test_runner::Config {
        cases: of("PROPTEST_CASES").and_then(|cases| cases.try_into().ok()).unwrap_or(10_000),
        rng_seed: proptest::test_runner::RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Default::default()
    }
}
