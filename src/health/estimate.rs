//! Shares estimated from a sample, with the interval in which the true share lies 95 times of 100.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The normal quantile of 97.5 %.
const Z: f64 = 1.959_963_984_540_054;

/// What one drawn unit (a key with its rows and cells) brings to a share.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Unit {
    /// Of how many cells it tells.
    pub(super) of: f64,
    /// How many of them are good.
    pub(super) good: f64,
}

/// A share, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    /// The 95 % interval.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) numerator: f64,
    pub(crate) denominator: f64,
}

/// A share that is the weighted mean of others, from units drawn without replacement out of `population`.
///
/// Each part has one unit for each drawn key. Cells of one row are not independent, so the interval is Wilson's with the
/// effective size p(1 − p) / variance, the variance being that of a ratio of cluster totals (Cochran, Sampling
/// Techniques, section 6.3 and 9A), with the finite population correction 1 − n/N. A part whose denominator is empty is
/// left out and the weights of the others are scaled up; of nothing there is no estimate.
pub(super) fn estimate(parts: &[(f64, Vec<Unit>)], population: u64) -> Option<Estimate> {
    let measured = parts.iter().filter(|(_, units)| units.iter().any(|unit| unit.of > 0.0));
    let measured: Vec<&(f64, Vec<Unit>)> = measured.collect();
    let weights: f64 = measured.iter().map(|(weight, _)| weight).sum();
    if weights <= 0.0 {
        return None;
    }
    let count = measured.iter().map(|(_, units)| units.len()).max()?;
    let (mut value, mut numerator, mut denominator) = (0.0, 0.0, 0.0);
    let mut residuals = vec![0.0; count];
    for (weight, units) in measured {
        let weight = weight / weights;
        let of: f64 = units.iter().map(|unit| unit.of).sum();
        let good: f64 = units.iter().map(|unit| unit.good).sum();
        let share = good / of;
        value += weight * share;
        numerator += good;
        denominator += of;
        let mean = of / count as f64;
        for (residual, unit) in residuals.iter_mut().zip(units) {
            *residual += weight * (unit.good - share * unit.of) / mean;
        }
    }
    let n = count as f64;
    let missed = (1.0 - n / (population.max(1) as f64).max(n)).max(0.0);
    let spread: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let variance = spread / (n * (n - 1.0).max(1.0)) * missed;
    let (low, high) = match missed > 0.0 {
        false => (value, value),
        true => wilson(value, effective(value, variance, n, missed)),
    };
    Some(Estimate { value, low, high, numerator, denominator })
}

/// Returns how many independent draws tell as much.
fn effective(value: f64, variance: f64, n: f64, missed: f64) -> f64 {
    let binomial = value * (1.0 - value);
    match variance > 0.0 && binomial > 0.0 {
        true => binomial / variance,
        // All alike: the rows say no more than that many draws would.
        false => n / missed,
    }
}

/// Returns Wilson's score interval of a share seen in `n` draws.
fn wilson(share: f64, n: f64) -> (f64, f64) {
    let z2 = Z * Z;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

    use super::*;

    fn units(pairs: &[(f64, f64)]) -> Vec<Unit> {
        pairs.iter().map(|(good, of)| Unit { of: *of, good: *good }).collect()
    }

    #[test]
    fn wilson_by_hand() {
        // Newcombe 1998, table I: 81 of 263 is 0.2553 to 0.3662, 0 of 20 is 0 to 0.1611, 1 of 29 is 0.0061 to 0.1718.
        for (good, n, low, high) in
            [(81.0, 263.0, 0.2553, 0.3662), (0.0, 20.0, 0.0, 0.1611), (1.0, 29.0, 0.0061, 0.1718)]
        {
            let (found_low, found_high) = wilson(good / n, n);
            assert!(
                (found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5,
                "{good}/{n}"
            );
        }
    }

    #[test]
    fn a_whole_population_is_certain_and_nothing_is_no_estimate() {
        let all = estimate(&[(1.0, units(&[(1.0, 2.0), (2.0, 2.0)]))], 2).unwrap();
        assert_eq!((all.value, all.low, all.high), (0.75, 0.75, 0.75));
        assert_eq!((all.numerator, all.denominator), (3.0, 4.0));
        assert_eq!(estimate(&[(1.0, units(&[(0.0, 0.0)]))], 9), None);
        assert_eq!(estimate(&[], 9), None);
    }

    #[test]
    fn parts_without_a_denominator_hand_their_weight_on() {
        let part = |good| units(&[(good, 4.0), (good, 4.0)]);
        let both = estimate(&[(0.5, part(4.0)), (0.5, part(2.0))], 2).unwrap();
        assert_eq!(both.value, 0.75);
        let one = estimate(&[(0.5, units(&[(0.0, 0.0)])), (0.5, part(2.0))], 2).unwrap();
        assert_eq!(one.value, 0.5);
    }

    #[test]
    fn the_effective_size_of_plain_draws_is_their_number() {
        // 30 of 100 single cells out of a large population: the variance is p(1 − p)/(n − 1).
        let sample: Vec<(f64, f64)> =
            (0..100).map(|at| (f64::from(u8::from(at < 30)), 1.0)).collect();
        let found = estimate(&[(1.0, units(&sample))], 1_000_000_000).unwrap();
        let (low, high) = wilson(0.3, 99.0);
        assert!((found.low - low).abs() < 1e-6 && (found.high - high).abs() < 1e-6, "{found:?}");
    }

    /// Two thousand datasets of many sizes, in which cells of a row fail together more or less often.
    #[test]
    fn intervals_cover_the_truth_in_93_to_97_of_100() {
        let mut random = StdRng::seed_from_u64(20_260_201);
        let (mut covered, mut all) = ([0u32; 2], 0u32);
        while all < 2_000 {
            let keys = random.random_range(300..8_000usize);
            let (bad, together) =
                (random.random_range(0.03..0.5f64), random.random_range(0.0..0.8f64));
            let columns = random.random_range(1..8u32);
            let unit = |random: &mut StdRng, columns: u32| {
                let row = random.random_bool(bad);
                let cell = |random: &mut StdRng| match random.random_bool(together) {
                    true => !row,
                    false => !random.random_bool(bad),
                };
                let good = (0..columns).filter(|_| cell(random)).count();
                Unit { of: f64::from(columns), good: good as f64 }
            };
            let cells: Vec<Unit> = (0..keys).map(|_| unit(&mut random, columns)).collect();
            // A second share beside it, some of whose rows have nothing to tell.
            let other: Vec<Unit> = (0..keys)
                .map(|_| {
                    let some = random.random_range(0..3);
                    unit(&mut random, some)
                })
                .collect();
            let mut drawn: Vec<usize> = (0..keys).collect();
            drawn.shuffle(&mut random);
            drawn.truncate(random.random_range(100..1_000).min(keys * 9 / 10));
            let pick = |from: &[Unit]| drawn.iter().map(|at| from[*at]).collect::<Vec<_>>();
            let share = |from: &[Unit]| {
                let sum = |of: fn(&Unit) -> f64| from.iter().map(of).sum::<f64>();
                sum(|unit| unit.good) / sum(|unit| unit.of)
            };
            let truth = [share(&cells), 0.5 * share(&cells) + 0.5 * share(&other)];
            let found = [
                estimate(&[(1.0, pick(&cells))], keys as u64).unwrap(),
                estimate(&[(0.5, pick(&cells)), (0.5, pick(&other))], keys as u64).unwrap(),
            ];
            for ((hits, truth), found) in covered.iter_mut().zip(truth).zip(found) {
                *hits += u32::from(found.low <= truth && truth <= found.high);
            }
            all += 1;
        }
        for hits in covered {
            let percent = f64::from(hits) / f64::from(all) * 100.0;
            println!("covered {percent:.1} %");
            assert!((93.0..=97.0).contains(&percent), "{percent} %");
        }
    }
}
