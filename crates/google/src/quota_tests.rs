use std::sync::Arc;

use super::*;
use proptest::prelude::*;

async fn pass_times(gate: Arc<Gate>, calls: usize) -> Vec<Duration> {
    let scope = Scope::new(None);
    let start = Instant::now();
    let mut times = Vec::new();
    for _ in 0..calls {
        gate.pass(&scope).await;
        times.push(start.elapsed());
    }
    times
}

/// Wherever Google's minute begins, no minute has more calls than the limit; and nobody waits
/// longer than that takes.
#[tokio::test(start_paused = true)]
async fn no_minute_has_more_calls_than_the_limit() {
    let times = pass_times(Arc::new(Gate::new(Some(60))), 200).await;
    for (at, time) in times.iter().enumerate() {
        let minute = times[at..].iter().filter(|t| **t - *time <= Duration::from_secs(60));
        assert!(minute.count() <= 60);
    }
    assert_eq!(times[59], Duration::ZERO);
    let last = times[199].as_secs_f64();
    assert!((181.0..=183.0).contains(&last), "{last}");
}

#[tokio::test(start_paused = true)]
async fn callers_pass_in_the_order_they_came() {
    let gate = Arc::new(Gate::new(Some(1)));
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..5 {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            gate.pass(&Scope::new(None)).await;
            order.lock().unwrap().push(number);
        }));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_lets_nothing_pass_even_without_a_limit() {
    let gate = Arc::new(Gate::new(None));
    gate.close_for(Duration::from_secs(20));
    gate.close_for(Duration::from_secs(5));
    let times = pass_times(gate, 3).await;
    assert!(times[0] >= Duration::from_secs(20), "{times:?}");
    assert_eq!(times[0], times[2]);
}

#[test]
fn loopback_has_no_limit_unless_it_is_asked_for() {
    let limits = |quota, loopback| {
        let gates = Gates::new(quota, loopback);
        (gates.sheets_read.limit, gates.sheets_write.limit)
    };
    assert_eq!(limits(Quota::Auto, true), (None, None));
    assert_eq!(limits(Quota::Auto, false), (Some(60), Some(60)));
    assert_eq!(limits(Quota::Unlimited, false), (None, None));
    let own = Quota::PerMinute { reads: 300, writes: 0 };
    assert_eq!(limits(own, true), (Some(300), Some(1)));
}

proptest! {
    /// Callers that come at any times: never more than the limit in a minute.
    #[test]
    fn bursts_are_spread(gaps in prop::collection::vec(0u64..40_000, 1..60), limit in 1u32..8) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let times = runtime.block_on(async {
            let gate = Gate::new(Some(limit));
            let scope = Scope::new(None);
            let start = Instant::now();
            let mut times = Vec::new();
            for gap in gaps {
                tokio::time::sleep(Duration::from_millis(gap)).await;
                gate.pass(&scope).await;
                times.push(start.elapsed());
            }
            times
        });
        for window in times.windows(limit as usize + 1) {
            prop_assert!(window[limit as usize] - window[0] > Duration::from_secs(60));
        }
    }
}
