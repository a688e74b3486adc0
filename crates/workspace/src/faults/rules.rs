//! Which faults meet a request.

use axum::http::Method;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::plan::{Effect, Faults, When};
use super::quota::{Exceeded, Windows};
use crate::http::Call;

/// Is the faults in force, with their counts.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) faults: Faults,
    /// Of every rule, how many requests it met and how often it happened.
    pub(super) counts: Vec<(u64, u64)>,
    windows: Windows,
    pub(super) random: StdRng,
}

/// Is what is to happen to one request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Decision {
    pub(super) exceeded: Option<Exceeded>,
    pub(super) before: Vec<Effect>,
    pub(super) after: Vec<Effect>,
    /// The seed of the choices of editors.
    pub(super) seed: u64,
}

impl State {
    /// Returns the state in which nothing has happened yet.
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            counts: vec![(0, 0); faults.rules.len()],
            windows: Windows::default(),
            random: StdRng::seed_from_u64(faults.seed),
            faults,
        }
    }

    /// Decides what happens to a request.
    pub(super) fn decide(&mut self, call: &Call, user: &str, now_ms: i64) -> Decision {
        let mut decision = Decision::default();
        if let Some(quota) = &self.faults.quota
            && call.path().starts_with("/v4/")
        {
            decision.exceeded = self.windows.take(quota, is_write(call), user, now_ms);
            if decision.exceeded.is_some() {
                return decision;
            }
        }
        for (rule, count) in self.faults.rules.iter().zip(&mut self.counts) {
            let meets = rule
                .method
                .as_ref()
                .is_none_or(|method| call.method.as_str().eq_ignore_ascii_case(method))
                && rule.path.as_ref().is_none_or(|path| call.path().contains(path.as_str()));
            if !meets {
                continue;
            }
            let (met, happened) = count;
            *met += 1;
            let due = *met > rule.skip && rule.times.is_none_or(|times| *happened < times);
            if !due || !self.random.random_bool(rule.probability.clamp(0.0, 1.0)) {
                continue;
            }
            *happened += 1;
            let after = rule.when == When::After || rule.effect == Effect::Truncate;
            if after { &mut decision.after } else { &mut decision.before }
                .push(rule.effect.clone());
            let ends = !matches!(
                rule.effect,
                Effect::Latency { .. } | Effect::Editor { .. } | Effect::Requests { .. }
            );
            if ends {
                break;
            }
        }
        if !(decision.before.is_empty() && decision.after.is_empty()) {
            decision.seed = self.random.random();
        }
        decision
    }
}

/// Returns whether a Sheets call counts against the write quota: some reads are POSTs.
pub(super) fn is_write(call: &Call) -> bool {
    let path = call.path();
    let reads = [":getByDataFilter", ":batchGetByDataFilter", "/developerMetadata:search"];
    call.method != Method::GET && !reads.iter().any(|read| path.ends_with(read))
}
