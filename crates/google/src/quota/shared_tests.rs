//! Gates of several processes over one ledger.

use std::collections::HashMap;
use std::time::SystemTime;

use proptest::prelude::*;

use super::quota_tests::{allowed, most_in_a_minute};
use super::*;
use crate::quota::ledger::{Ledger, LedgerFuture, SharedQuota};

/// What a ledger does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Fails,
    Hangs,
    /// Answers after so long.
    Slow(Duration),
}

/// A ledger in memory, with moods.
#[derive(Debug)]
struct Memory {
    mood: Mutex<Mood>,
    asked: Mutex<u32>,
    counted: Mutex<HashMap<String, Vec<Instant>>>,
    closed: Mutex<HashMap<String, Instant>>,
}

impl Memory {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(Mood::Well),
            asked: Mutex::default(),
            counted: Mutex::default(),
            closed: Mutex::default(),
        })
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }

    async fn answer<T>(&self, answer: T) -> Result<T, ledger::LedgerError> {
        *self.asked.lock().unwrap() += 1;
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well => {
                // A database is never there at once.
                sleep(Duration::from_millis(3)).await;
                Ok(answer)
            }
            Mood::Fails => Err("disk full".into()),
            Mood::Hangs => std::future::pending().await,
            Mood::Slow(pause) => {
                sleep(pause).await;
                Ok(answer)
            }
        }
    }

    fn claim_now(&self, bucket: &str, limit: u32, window: Duration) -> Option<Duration> {
        let now = Instant::now();
        if let Some(closed) = self.closed.lock().unwrap().get(bucket).filter(|at| **at > now) {
            return Some(*closed - now);
        }
        let mut counted = self.counted.lock().unwrap();
        let counted = counted.entry(bucket.to_owned()).or_default();
        let inside: Vec<Instant> =
            counted.iter().copied().filter(|at| *at + window > now).collect();
        if inside.len() >= limit as usize {
            return inside.first().map(|oldest| *oldest + window - now);
        }
        counted.push(now);
        None
    }
}

impl Ledger for Memory {
    fn claim<'a>(
        &'a self,
        bucket: &'a str,
        limit: u32,
        window: Duration,
    ) -> LedgerFuture<'a, Option<Duration>> {
        Box::pin(async move {
            let answer = self.claim_now(bucket, limit, window);
            self.answer(answer).await
        })
    }

    fn close<'a>(&'a self, bucket: &'a str, until: SystemTime) -> LedgerFuture<'a, ()> {
        Box::pin(async move {
            let pause = until.duration_since(SystemTime::now()).unwrap();
            self.closed.lock().unwrap().insert(bucket.to_owned(), Instant::now() + pause);
            self.answer(()).await
        })
    }
}

/// The gate and the book of one process.
fn process(ledger: &Arc<Memory>, calls: Option<u32>) -> (Arc<Gate>, Arc<Book>) {
    let ledger: Arc<dyn Ledger> = Arc::<Memory>::clone(ledger);
    let book = Arc::new(Book::new(SharedQuota { ledger, account: "me".into() }));
    (Gate::new("test", allowed(calls), Some(Arc::clone(&book))), book)
}

async fn times(gate: Arc<Gate>, priority: Priority, calls: usize) -> Vec<Instant> {
    let scope = Scope::new(priority, None);
    let mut times = Vec::new();
    for _ in 0..calls {
        gate.pass(&scope, false).await;
        times.push(Instant::now());
    }
    times
}

/// Runs callers of several processes, and returns when all their calls went.
async fn together(callers: Vec<(Arc<Gate>, Priority, usize)>) -> Vec<Instant> {
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|(gate, priority, calls)| tokio::spawn(times(gate, priority, calls)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

#[tokio::test(start_paused = true)]
async fn processes_share_the_limit_and_use_all_of_it() {
    let ledger = Memory::new();
    let start = Instant::now();
    let mut callers = Vec::new();
    for _ in 0..4 {
        let (gate, _) = process(&ledger, Some(60));
        for _ in 0..5 {
            callers.push((Arc::clone(&gate), Priority::Interactive, 30));
        }
    }
    let mut all = together(callers).await;
    assert!(most_in_a_minute(&mut all) <= 60);
    let reached = (600.0 - 60.0) / (all[599] - start).as_secs_f64();
    println!("4 processes, 20 datasets, 600 calls: {:.1} % of the rate", reached * 100.0);
    assert!(reached >= 0.95, "{reached}");
    assert!(ledger.counted.lock().unwrap().contains_key("me/test"));
    // Waiting is not asking: one question for a call, and few for the waits in between.
    assert!(ledger.asked() < 1_000, "{} questions for 600 calls", ledger.asked());
}

#[tokio::test(start_paused = true)]
async fn a_person_does_not_wait_for_the_background_work_of_another_process() {
    let ledger = Memory::new();
    let (busy, _) = process(&ledger, Some(60));
    let (other, _) = process(&ledger, Some(60));
    let work = tokio::spawn(times(busy, Priority::Background, 200));
    sleep(Duration::from_secs(10)).await;
    let start = Instant::now();
    times(other, Priority::Interactive, 3).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    work.abort();
}

#[tokio::test(start_paused = true)]
async fn background_work_goes_on_while_another_process_wants_everything() {
    let ledger = Memory::new();
    let (busy, _) = process(&ledger, Some(60));
    let (other, _) = process(&ledger, Some(60));
    let people: Vec<_> = (0..5)
        .map(|_| tokio::spawn(times(Arc::clone(&busy), Priority::Interactive, 1000)))
        .collect();
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    times(other, Priority::Background, 5).await;
    assert!(start.elapsed() < Duration::from_secs(12 * 60), "{:?}", start.elapsed());
    people.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_closes_the_bucket_for_every_process() {
    for calls in [Some(60), None] {
        let ledger = Memory::new();
        let (met, _) = process(&ledger, calls);
        let (other, _) = process(&ledger, calls);
        let start = Instant::now();
        met.close_for(Duration::from_secs(20)).await;
        let scope = Scope::new(Priority::Interactive, None);
        let mut notices = scope.waiting();
        let held = tokio::spawn(async move { other.pass(&scope, false).await });
        let told = notices.wait_for(Option::is_some).await.unwrap().unwrap();
        assert!((19..=20).contains(&told.remaining().as_secs()), "{told}");
        held.await.unwrap();
        assert!((start.elapsed().as_secs_f64() - 20.0).abs() < 0.5, "{:?}", start.elapsed());
    }
}

/// Each kind of failure: calls go on under half of the limit, it is told, and it ends.
#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_is_done_without_for_a_while() {
    let slow = Mood::Slow(Duration::from_secs(1));
    for (mood, said) in [
        (Mood::Fails, "disk full"),
        (Mood::Hangs, "no answer within 15 s"),
        (slow, "it takes longer than 500 ms to answer"),
    ] {
        let ledger = Memory::new();
        let (gate, book) = process(&ledger, Some(60));
        ledger.set(mood);
        let mut all = times(Arc::clone(&gate), Priority::Interactive, 90).await;
        assert_eq!(book.failure().as_deref(), Some(said));
        assert_eq!(most_in_a_minute(&mut all), 30, "{mood:?}");
        assert!(ledger.asked() <= 20, "{mood:?}: {} questions", ledger.asked());
        ledger.set(Mood::Well);
        sleep(Duration::from_secs(200)).await;
        let mut all = times(gate, Priority::Interactive, 60).await;
        assert_eq!(book.failure(), None);
        assert_eq!(most_in_a_minute(&mut all), 60);
    }
}

/// A refusal counts in this process even if the ledger cannot pass it on.
#[tokio::test(start_paused = true)]
async fn a_refusal_holds_without_the_ledger() {
    let ledger = Memory::new();
    let (gate, book) = process(&ledger, Some(60));
    ledger.set(Mood::Fails);
    let start = Instant::now();
    gate.close_for(Duration::from_secs(20)).await;
    assert!(book.failure().is_some());
    times(gate, Priority::Interactive, 1).await;
    assert_eq!(start.elapsed().as_secs(), 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the processes do, no minute has more calls than the limit.
    #[test]
    fn no_minute_has_more_calls_than_the_limit_over_all_processes(
        calls in prop::collection::vec((0usize..3, 0u64..150_000, any::<bool>()), 1..60),
        limit in 1u32..30,
        slow in 0u64..400,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut all = runtime.block_on(async {
            let ledger = Memory::new();
            ledger.set(Mood::Slow(Duration::from_millis(slow)));
            let gates: Vec<_> = (0..3).map(|_| process(&ledger, Some(limit)).0).collect();
            let mut tasks = Vec::new();
            for (gate, at, background) in &calls {
                let (gate, at) = (Arc::clone(&gates[*gate]), Duration::from_millis(*at));
                let priority =
                    if *background { Priority::Background } else { Priority::Interactive };
                tasks.push(tokio::spawn(async move {
                    sleep(at).await;
                    times(gate, priority, 1).await[0]
                }));
            }
            let mut all = Vec::new();
            for task in tasks {
                all.push(task.await.unwrap());
            }
            all
        });
        prop_assert!(most_in_a_minute(&mut all) <= limit as usize);
    }
}
