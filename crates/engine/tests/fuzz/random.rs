//! Randomness for mutators, and the loop that spends it.

use std::time::{Duration, Instant};

/// SplitMix64: enough randomness for a mutator, and a seed that can be typed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// Repeats a test with one stream of randomness for as long as the environment says.
pub(crate) fn run(mut once: impl FnMut(&mut Random)) {
    let seconds =
        std::env::var("LOCKSTEP_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let clock = || {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
            as u64
    };
    let seed = std::env::var("LOCKSTEP_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(clock);
    println!("seed {seed}");
    let (start, mut random, mut rounds) = (Instant::now(), Random(seed), 0u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        once(&mut random);
        rounds += 1;
    }
    println!("{rounds} rounds");
}
