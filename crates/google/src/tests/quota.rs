//! Many datasets at once under the service's quota: over real HTTP, against the workspace that
//! counts by the windows of its own clock and answers the recorded 429.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep_workspace::{Faults, Options, Workspace};
use tokio::time::Instant;

use crate::{
    CellFields, CellValue, CellWrite, Config, Google, Kind, Limits, NewSpreadsheet, Quota, Render,
    Request,
};

/// Google's limits of a user, reads and writes each.
const LIMIT: u32 = 60;

/// How many datasets are kept in step at once.
const DATASETS: u32 = 20;

/// How many reads and as many writes each of them needs.
const ROUNDS: u32 = 12;

/// Starts a workspace with the real limits in windows of some seconds, and a client of it.
async fn world(seconds: u32, limits: Limits) -> Google {
    let quota = lockstep_workspace::Quota {
        read_per_user: LIMIT,
        write_per_user: LIMIT,
        window_seconds: seconds,
        ..lockstep_workspace::Quota::default()
    };
    let faults = Faults { quota: Some(quota), ..Faults::default() };
    let workspace = Workspace::in_memory_with(Options::new().faults(faults)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    let window = Duration::from_secs(seconds.into());
    let quota = Quota { limits, window, shared: None };
    Google::new(Config { quota, ..Config::local(&url) }).unwrap()
}

/// When reads and writes were answered.
#[derive(Default)]
struct Answered {
    reads: Mutex<Vec<Instant>>,
    writes: Mutex<Vec<Instant>>,
}

impl Answered {
    fn note(times: &Mutex<Vec<Instant>>) {
        times.lock().unwrap().push(Instant::now());
    }

    /// Returns how many of a kind were answered before a moment.
    fn before(times: &Mutex<Vec<Instant>>, end: Instant) -> u32 {
        let times = times.lock().unwrap();
        u32::try_from(times.iter().filter(|time| **time < end).count()).unwrap()
    }
}

/// Keeps a dataset in step: it writes a row a round, and reads all of them.
async fn dataset(google: Google, answered: Arc<Answered>) -> crate::Result<()> {
    let new = NewSpreadsheet { title: "Dataset".into(), ..NewSpreadsheet::default() };
    let book = google.create_spreadsheet(&new).await?;
    Answered::note(&answered.writes);
    let sheet = book.sheets[0].id;
    let column = [format!("'{}'!A:A", book.sheets[0].title)];
    let mut expected = Vec::new();
    for round in 1..=ROUNDS {
        let found = google.values(&book.id, &column, Render::Unformatted).await?;
        Answered::note(&answered.reads);
        assert_eq!(found[0].rows, expected);
        if round < ROUNDS {
            let rows = vec![vec![CellWrite::number(round.into())]];
            let fields = CellFields::Values;
            let write = Request::UpdateCells { sheet, row: round - 1, column: 0, rows, fields };
            google.batch_update(&book.id, &[write], &[]).await?;
            Answered::note(&answered.writes);
            expected.push(vec![CellValue::Number(round.into())]);
        }
    }
    Ok(())
}

/// Keeps all datasets in step at once, and returns the share of the allowed rate that was reached.
///
/// The first window's calls go out at once, and each later window's when it begins: the rate is what went in the windows
/// after the first, of what the limit allows in them. A machine that is late by less than a third of a window is not
/// taken for a slow scheduler; one that gives away a tenth of the places, or of the time, is.
async fn rate(google: &Google, seconds: u32, background: u32) -> f64 {
    let start = Instant::now();
    let answered = Arc::new(Answered::default());
    let runs: Vec<_> = (0..DATASETS)
        .map(|run| if run < background { google.background() } else { google.scoped() })
        .map(|google| tokio::spawn(dataset(google, Arc::clone(&answered))))
        .collect();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    let elapsed = start.elapsed().as_secs_f64();
    let calls = google.calls();
    let wanted = DATASETS * ROUNDS;
    assert_eq!((calls.reads + calls.writes - calls.retries), u64::from(wanted) * 2);
    let later = wanted / LIMIT - 1;
    let end = start + Duration::from_secs(seconds.into()).mul_f64(f64::from(later) + 0.33);
    let gone = [&answered.reads, &answered.writes].map(|times| Answered::before(times, end));
    let share = f64::from(gone[0].min(gone[1]) - LIMIT) / f64::from(later * LIMIT);
    println!(
        "{DATASETS} datasets at once ({background} in the background), {wanted} reads and {wanted} \
         writes under {LIMIT} + {LIMIT} in {seconds} s: all done in {elapsed:.1} s, {:.1} % of what is \
         allowed in the {later} windows after the first, 0 runs failed, {} answers were 429, {:.0} s \
         waited in all",
        share * 100.0,
        calls.retries,
        calls.waited.as_secs_f64()
    );
    share
}

const OWN: Limits = Limits::PerWindow { reads: LIMIT, writes: LIMIT };

#[tokio::test(flavor = "multi_thread")]
async fn twenty_datasets_at_once_use_the_allowed_rate_and_none_fails() {
    let google = world(3, OWN).await;
    assert!(rate(&google, 3, 0).await >= 0.90);
}

/// The real minute, with datasets that nobody waits for among the others.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes more than three minutes: tests/run --full"]
async fn twenty_datasets_at_once_under_the_real_minute() {
    let google = world(60, OWN).await;
    assert!(rate(&google, 60, 10).await >= 0.90);
}

/// Without a gate of our own the 429 of the service is what keeps the calls apart: slower, but no
/// run fails of it.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_datasets_at_once_finish_by_refusals_alone() {
    let google = world(3, Limits::Unlimited).await;
    rate(&google, 3, 0).await;
    assert!(google.calls().retries > 0, "the quota was not met");
}

/// A refusal that does not end is told in the end, and is not the fault of the request.
#[tokio::test]
async fn a_quota_that_others_use_up_is_an_error_in_the_end() {
    let quota = lockstep_workspace::Quota {
        read_per_user: 0,
        window_seconds: 1,
        ..lockstep_workspace::Quota::default()
    };
    let faults = Faults { quota: Some(quota), ..Faults::default() };
    let workspace = Workspace::in_memory_with(Options::new().faults(faults)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    let mut config = Config::local(&url);
    config.quota.window = Duration::from_secs(1);
    config.backoff.attempts = 2;
    let google = Google::new(config).unwrap();
    let error = google.spreadsheet("id").await.unwrap_err();
    assert_eq!((error.kind, google.calls().reads), (Kind::Quota, 2), "{error}");
}
