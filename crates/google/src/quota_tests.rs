use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn allowed(calls: Option<u32>) -> Allowance {
    Allowance { of: "reads", calls, window: MINUTE }
}

fn gate(calls: u32) -> Arc<Gate> {
    Gate::new("test", allowed(Some(calls)), None)
}

fn person() -> Arc<Scope> {
    Scope::new(Priority::Interactive, None)
}

fn worker() -> Arc<Scope> {
    Scope::new(Priority::Background, None)
}

/// How long a call takes.
const CALL: Duration = Duration::from_millis(100);

/// Sends calls of one scope one after the other, and returns when each went.
fn caller(
    gate: &Arc<Gate>,
    scope: Arc<Scope>,
    calls: usize,
) -> impl Future<Output = Vec<Instant>> + Send + 'static {
    let gate = Arc::clone(gate);
    async move {
        let mut times = Vec::new();
        for _ in 0..calls {
            gate.pass(&scope, false).await;
            times.push(Instant::now());
            sleep(CALL).await;
        }
        times
    }
}

pub(super) fn most_in_a_minute(times: &mut [Instant]) -> usize {
    times.sort_unstable();
    let minute =
        |start: &Instant| times.iter().filter(|t| **t >= *start && **t <= *start + MINUTE).count();
    times.iter().map(minute).max().unwrap_or(0)
}

/// Wherever Google's minute begins, no minute has more calls than the limit; and nobody waits
/// longer than that takes.
#[tokio::test(start_paused = true)]
async fn no_minute_has_more_calls_than_the_limit() {
    let start = Instant::now();
    let mut times = caller(&gate(60), person(), 200).await;
    assert_eq!(most_in_a_minute(&mut times), 60);
    assert_eq!(times[59], start + CALL * 59);
    assert_eq!(times[199], start + (MINUTE + Duration::from_millis(500)) * 3 + CALL * 19);
}

/// The figure of the real limits, in a time that does not pass: 20 datasets against a service that
/// counts by the minute of its own clock.
#[tokio::test(start_paused = true)]
async fn twenty_datasets_share_the_rate_and_take_turns() {
    for scope in [person, worker] {
        let gate = gate(60);
        let start = Instant::now();
        let runs: Vec<_> = (0..20).map(|_| tokio::spawn(caller(&gate, scope(), 45))).collect();
        let mut by_run = Vec::new();
        for run in runs {
            by_run.push(run.await.unwrap());
        }
        let mut times: Vec<Instant> = by_run.iter().flatten().copied().collect();
        assert!(most_in_a_minute(&mut times) <= 60);
        // The first window's calls go at once; the rate is that of all the others.
        let seconds = (times[899] - start).as_secs_f64();
        let reached = (900.0 - 60.0) / seconds;
        let share = person().priority() == scope().priority();
        println!(
            "20 datasets, 900 calls, {}: {:.1} calls a minute of 60 ({:.1} %)",
            if share { "interactive" } else { "background" },
            reached * 60.0,
            reached * 100.0
        );
        assert!(reached >= 0.90, "{reached}");
        // Each had its n-th place before any had its n-and-second.
        for n in 0..43 {
            let slowest = by_run.iter().map(|times| times[n]).max();
            let fastest = by_run.iter().map(|times| times[n + 2]).min();
            assert!(slowest <= fastest, "{n}");
        }
    }
}

/// A window full of background work still has a place for a person, and the first one after that.
#[tokio::test(start_paused = true)]
async fn a_person_does_not_wait_for_background_work() {
    let gate = gate(60);
    let start = Instant::now();
    let work: Vec<_> = (0..20).map(|_| tokio::spawn(caller(&gate, worker(), 20))).collect();
    sleep(Duration::from_secs(10)).await;
    let times = caller(&gate, person(), 4).await;
    let waited: Vec<u64> = times.iter().map(|time| (*time - start).as_secs()).collect();
    assert_eq!(waited, [10, 10, 10, 60]);
    let mut all = times;
    for run in work {
        all.extend(run.await.unwrap());
    }
    assert_eq!(all.len(), 404);
    assert!(most_in_a_minute(&mut all) <= 60);
}

#[tokio::test(start_paused = true)]
async fn background_work_gets_a_tenth_when_people_want_everything() {
    let gate = gate(60);
    let people: Vec<_> = (0..100).map(|_| tokio::spawn(caller(&gate, person(), 1000))).collect();
    sleep(Duration::from_secs(1)).await;
    let (start, scope) = (Instant::now(), worker());
    let work: Vec<_> =
        (0..60).map(|_| tokio::spawn(caller(&gate, Arc::clone(&scope), 1))).collect();
    let mut last = start;
    for call in work {
        last = last.max(call.await.unwrap()[0]);
    }
    // A tenth of 60 calls a minute are 6; without its share it would get none.
    let minutes = (last - start).as_secs_f64() / 60.0;
    assert!((9.0..=10.5).contains(&minutes), "{minutes}");
    people.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_sent_before_goes_first() {
    let gate = gate(1);
    gate.pass(&person(), false).await;
    let new = tokio::spawn(caller(&gate, person(), 1));
    tokio::task::yield_now().await;
    let start = Instant::now();
    gate.pass(&person(), true).await;
    assert!(start.elapsed() < Duration::from_secs(61));
    assert!(new.await.unwrap()[0] - start > Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_lets_nothing_pass_even_without_a_limit() {
    let gate = Gate::new("test", allowed(None), None);
    let start = Instant::now();
    gate.close_for(Duration::from_secs(20)).await;
    gate.close_for(Duration::from_secs(5)).await;
    let times = caller(&gate, person(), 3).await;
    assert!(times[0] - start >= Duration::from_secs(20), "{times:?}");
    assert_eq!(times[2] - times[0], CALL * 2);
}

/// Callers that give up, or are not polled, neither hold up the others nor take their places.
#[tokio::test(start_paused = true)]
async fn who_does_not_come_is_not_waited_for() {
    let gate = gate(2);
    let start = Instant::now();
    let gone: Vec<_> = (0..50).map(|_| tokio::spawn(caller(&gate, person(), 3))).collect();
    sleep(Duration::from_secs(1)).await;
    let scope = person();
    let mut idle = Box::pin(gate.pass(&scope, false));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(idle.as_mut().poll(cx)));
    assert!(polled.await.is_pending());
    gone.iter().for_each(JoinHandle::abort);
    let times = caller(&gate, person(), 1).await;
    assert_eq!((times[0] - start).as_secs(), 60);
    drop(idle);
    sleep(Duration::from_secs(300)).await;
    let state = gate.state();
    assert!(state.line.is_empty() && state.doorman.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_is_told_is_the_wait_that_comes() {
    let gate = gate(2);
    let scope = person();
    caller(&gate, person(), 2).await;
    let before = tokio::spawn(caller(&gate, person(), 1));
    let before_too = tokio::spawn(caller(&gate, person(), 1));
    tokio::task::yield_now().await;
    let mut notices = scope.waiting();
    let held = tokio::spawn(caller(&gate, Arc::clone(&scope), 1));
    let told = notices.wait_for(Option::is_some).await.unwrap().unwrap();
    let words = "waiting 121 s for Google's quota of 2 reads a minute";
    assert_eq!(told.to_string(), words);
    let gone = held.await.unwrap()[0];
    assert_eq!(gone, told.until);
    assert_eq!(*scope.waiting().borrow(), None);
    assert_eq!(scope.calls().waited, Duration::from_millis(120_800));
    // A refusal makes it longer, and that is told too.
    let held = tokio::spawn(caller(&gate, Arc::clone(&scope), 2));
    sleep(Duration::from_secs(5)).await;
    gate.close_for(Duration::from_secs(200)).await;
    sleep(Duration::from_secs(3)).await;
    let told = scope.waiting().borrow().unwrap();
    assert_eq!(told.remaining().as_secs(), 197);
    assert_eq!(held.await.unwrap()[1], told.until);
    for other in [before, before_too] {
        other.await.unwrap();
    }
}

/// The client may outlive the runtime that served the line.
#[test]
fn a_gate_works_in_the_next_runtime() {
    let (gate, passed) = (gate(1), Arc::new(AtomicU32::new(0)));
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let waits = caller(&gate, person(), 5);
            tokio::spawn(waits);
            tokio::task::yield_now().await;
            gate.pass(&person(), false).await;
            passed.fetch_add(1, Ordering::Relaxed);
        });
    }
    assert_eq!(passed.load(Ordering::Relaxed), 3);
}

#[test]
fn loopback_has_no_limit_unless_it_is_asked_for() {
    let limits = |limits, loopback| {
        let gates = Gates::new(&Quota { limits, ..Quota::default() }, loopback);
        (gates.sheets_read.allowance.calls, gates.sheets_write.allowance.calls)
    };
    assert_eq!(limits(Limits::Auto, true), (None, None));
    assert_eq!(limits(Limits::Auto, false), (Some(60), Some(60)));
    assert_eq!(limits(Limits::Unlimited, false), (None, None));
    let own = Limits::PerWindow { reads: 300, writes: 0 };
    assert_eq!(limits(own, true), (Some(300), Some(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Callers that come at any times: never more than the limit in a minute.
    #[test]
    fn bursts_are_spread(
        calls in prop::collection::vec((0u64..200_000, any::<bool>()), 1..60), limit in 1u32..8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut times = runtime.block_on(async {
            let gate = gate(limit);
            let mut tasks = Vec::new();
            for (at, background) in &calls {
                let at = Duration::from_millis(*at);
                let scope = if *background { worker() } else { person() };
                let call = caller(&gate, scope, 1);
                tasks.push(tokio::spawn(async move {
                    sleep(at).await;
                    call.await[0]
                }));
            }
            let mut times = Vec::new();
            for task in tasks {
                times.push(task.await.unwrap());
            }
            times
        });
        prop_assert!(most_in_a_minute(&mut times) <= limit as usize);
    }
}
