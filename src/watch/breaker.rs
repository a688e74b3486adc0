//! How long to wait for what: exponential with full jitter, by the kind of failure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{error::Kind, store::Breaker, sync::deliver::wait_of};

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// The row is to blame: without its batch it may be told which one.
    Row,
    /// What is there changed meanwhile: compare afresh.
    Look,
    /// The member cannot be reached for now: its events wait.
    Outage,
    /// The quota is used up: its events wait for the bucket.
    Bucket,
    /// The member refuses all alike, until somebody changes something: its events wait longer.
    Person,
}

impl Cure {
    /// Returns what a kind of error asks for.
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::InvalidArgument | Kind::TooLarge | Kind::Internal => Self::Row,
            Kind::Changed | Kind::StalePlan | Kind::Cancelled => Self::Look,
            Kind::Unavailable | Kind::Ambiguous => Self::Outage,
            Kind::QuotaExhausted => Self::Bucket,
            Kind::NotFound
            | Kind::PermissionDenied
            | Kind::Unauthenticated
            | Kind::ConfirmationNeeded => Self::Person,
        }
    }
}

/// The first wait for a row that was refused, and the longest.
const ROW: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// The first wait for a member that cannot be reached, and the longest.
const OUTAGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The first wait for a person, and the longest.
const PERSON: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(900));

/// Quotas are counted in minutes; the longest wait that is believed is a day.
const BUCKET: SignedDuration = SignedDuration::from_secs(60);
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Returns a random share of a bound that doubles with each failure up to the longest wait (full jitter, see
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
fn jittered((first, longest): (Duration, Duration), failures: u64, random: f64) -> SignedDuration {
    let doubled = first.as_secs_f64() * 2_f64.powi(i32::try_from(failures.min(30)).unwrap_or(30));
    let share = doubled.min(longest.as_secs_f64()) * random.clamp(0.0, 1.0);
    // Never at once: a bound of a tenth of a second keeps a round from spinning.
    SignedDuration::try_from_secs_f64(share.max(0.1)).unwrap_or(SignedDuration::from_secs(1))
}

/// Returns when a row that was refused so often is tried again.
pub(super) fn row_due(now: Timestamp, attempts: u64) -> Timestamp {
    later(now, jittered(ROW, attempts, fastrand::f64()))
}

/// Returns when what changed meanwhile is looked at again.
pub(super) fn soon(now: Timestamp) -> Timestamp {
    later(now, SignedDuration::from_millis(500))
}

/// Returns a time after another, or the other at the end of time.
pub(super) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(now)
}

/// Opens a breaker, or keeps one open for longer.
pub(super) fn trip(
    before: Option<&Breaker>,
    member: &str,
    cure: Cure,
    why: &str,
    now: Timestamp,
) -> Breaker {
    let failures = before.map_or(0, |before| before.failures);
    let random = fastrand::f64();
    let wait = match cure {
        // Where it says for how long, that long.
        Cure::Bucket => wait_of(why).map_or(BUCKET, |asked| asked.clamp(BUCKET, LONGEST)),
        Cure::Row | Cure::Person => jittered(PERSON, failures, random),
        Cure::Look | Cure::Outage => jittered(OUTAGE, failures, random),
    };
    Breaker {
        member: member.to_owned(),
        failures: failures + u64::from(cure != Cure::Bucket),
        since: before.map_or(now, |before| before.since),
        until: later(now, wait),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_a_share_of_a_bound_that_doubles(failures in 0_u64..100, random in 0.0..1.0_f64) {
            let wait = jittered(OUTAGE, failures, random).as_secs_f64();
            let bound = if failures < 9 { f64::from(1 << failures) } else { 300.0 };
            let share = (bound.clamp(0.1, 300.0) * random).max(0.1);
            prop_assert!((wait - share).abs() < 1e-6, "{wait} is not {share}");
        }
    }

    #[test]
    fn a_breaker_remembers_since_when_and_a_quota_is_no_failure() {
        let at = |second: i64| Timestamp::from_second(1_780_000_000 + second).unwrap();
        let first = trip(None, "right", Cure::Outage, "down", at(0));
        assert_eq!((first.failures, first.since), (1, at(0)));
        assert!(first.until <= at(1) && first.until > at(0));
        let second = trip(Some(&first), "right", Cure::Outage, "still down", at(5));
        assert_eq!((second.failures, second.since, second.why.as_str()), (2, at(0), "still down"));
        let quota = trip(None, "right", Cure::Bucket, "429", at(0));
        assert_eq!((quota.failures, quota.until), (0, at(60)));
        let told = |why: &str| trip(None, "right", Cure::Bucket, why, at(0)).until;
        assert_eq!(told("quota\nRetry: after 5 s."), at(60), "no sooner than quotas are counted");
        assert_eq!(told("quota\nRetry: after 600 s."), at(600));
        assert_eq!(told("quota\nRetry: after 9999999 s."), at(86_400));
    }

    #[test]
    fn each_kind_asks_for_its_own_cure() {
        assert_eq!(Cure::of(Kind::InvalidArgument), Cure::Row);
        assert_eq!(Cure::of(Kind::Unavailable), Cure::Outage);
        assert_eq!(Cure::of(Kind::QuotaExhausted), Cure::Bucket);
        assert_eq!(Cure::of(Kind::Unauthenticated), Cure::Person);
        assert_eq!(Cure::of(Kind::Changed), Cure::Look);
    }
}
