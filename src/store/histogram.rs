//! Counts of sizes on a scale of equal ratios: small, and two of them add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How much a bin is wider than the one before: a quantile is off by at most half of this, in the ratio.
const RATIO: f64 = 1.1;

/// Counts of amounts from 1 up; smaller ones count as 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Histogram(BTreeMap<i16, u64>);

impl Histogram {
    /// Counts an amount.
    pub(crate) fn add(&mut self, amount: f64) {
        // A finite amount has a bin far below 2^15; what is no number counts as the least.
        let bin = amount.max(1.0).ln() / RATIO.ln();
        *self.0.entry(bin.floor() as i16).or_default() += 1;
    }

    /// Adds the counts of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.0 {
            *self.0.entry(*bin).or_default() += count;
        }
    }

    /// Returns how many amounts were counted.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns the amount below which a share of all lies, to within 5 %; nothing of nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.count() as f64).ceil().max(1.0);
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen as f64 >= rank
        });
        found.map(|(bin, _)| middle(*bin))
    }

    /// Returns the mean of a function of the amounts; nothing of nothing.
    pub(crate) fn mean(&self, of: impl Fn(f64) -> f64) -> Option<f64> {
        let count = self.count();
        let sum: f64 = self.0.iter().map(|(bin, count)| of(middle(*bin)) * *count as f64).sum();
        (count > 0).then(|| sum / count as f64)
    }
}

/// Returns the geometric middle of a bin.
fn middle(bin: i16) -> f64 {
    RATIO.powf(f64::from(bin) + 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_five_percent() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|amount| histogram.add(f64::from(amount)));
        for (share, exact) in [(0.5, 500.0), (0.95, 950.0), (1.0, 1000.0)] {
            let found = histogram.quantile(share).unwrap();
            assert!((found / exact - 1.0).abs() < 0.06, "{share}: {found}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!((histogram.count(), histogram.mean(|_| 2.0)), (1000, Some(2.0)));
    }

    #[test]
    fn two_add_up_and_read_back() {
        let (mut one, mut two) = (Histogram::default(), Histogram::default());
        [0.0, 3.0, f64::NAN].iter().for_each(|amount| one.add(*amount));
        two.add(3.0);
        one.merge(&two);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#"{"0":2,"11":2}"#);
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), one);
    }
}
