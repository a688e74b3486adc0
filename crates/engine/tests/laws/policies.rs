//! Every policy that can be said without columns of one's own.

use lockstep_engine::dataset::*;

pub(crate) fn mark(column: &str, value: &str) -> Deletes {
    Deletes::Mark { column: Some(column.into()), value: value.into() }
}

/// Every combination of direction, strategy, clash, granularity, drift and delete policy.
pub(crate) fn all() -> impl Iterator<Item = Policy> {
    let directions = [Direction::Both, Direction::LeftToRight, Direction::RightToLeft];
    directions.into_iter().flat_map(|direction| {
        // Drift exists only one way, a clash only both ways: the other settings of each would say the same again.
        let drifts: &[Drift] = match direction {
            Direction::Both => &[Drift::Overwrite],
            _ => &[Drift::Overwrite, Drift::Report, Drift::Keep],
        };
        let clashes: &[Clash] =
            if direction == Direction::Both { &Clash::ALL } else { &[Clash::Hold] };
        let strategies: &[Strategy] =
            if direction == Direction::Both { &Strategy::ALL } else { &[Strategy::ManualReview] };
        strategies.iter().flat_map(move |&strategy| {
            clashes.iter().flat_map(move |&clash| {
                drifts.iter().flat_map(move |&drift| {
                    [Granularity::Row, Granularity::Cell].into_iter().flat_map(move |granularity| {
                        deletes().into_iter().map(move |deletes| Policy {
                            direction,
                            strategy,
                            clash,
                            granularity,
                            drift,
                            deletes,
                            ..Policy::default()
                        })
                    })
                })
            })
        })
    })
}

pub(crate) fn deletes() -> [DeletePolicy; 5] {
    [
        DeletePolicy::both(Deletes::Delete),
        DeletePolicy::both(Deletes::Ignore),
        DeletePolicy::both(mark("status", "inactive")),
        DeletePolicy::both(mark("a", "2")),
        DeletePolicy::new(Deletes::Delete, mark("status", "inactive")),
    ]
}
