//! Measures a three-way reconciliation with base in memory: `threeway BASE LEFT RIGHT KEY`, three delimited files.
//!
//! Base is read before the clock starts, as a server that keeps it has it. On the clock are: left and right parsed,
//! the types of all columns inferred, every key of all three joined and decided, the result put in order. Prints one
//! JSON object with the seconds of CPU (of all threads) and of wall time, and the counts that show what was done.
//! `benches/diff/run.py` runs it beside its floor, the same two files parsed by the csv crate.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use lockstep_engine::csv::CsvOptions;
use lockstep_engine::dataset::{DeletePolicy, Deletes, Policy};
use lockstep_engine::infer::infer;
use lockstep_engine::reconcile::{Reconciled, Reconciler};
use lockstep_engine::snapshot::{Snapshot, csv};
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::views::feed_views;
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [base, left, right, key] = paths.as_slice() else {
        return Err("give four arguments: BASE LEFT RIGHT KEY".into());
    };
    let base = read(base)?;
    let (cpu, wall) = (processor_time()?, Instant::now());
    let (left, right) = std::thread::scope(|scope| {
        let left = scope.spawn(|| read(left));
        let right = read(right);
        (left.join().unwrap_or_else(|_| Err("the reading thread ended".into())), right)
    });
    let result = reconcile(&base, &left?, &right?, key)?;
    let (cpu, wall) = (processor_time()?.saturating_sub(cpu), wall.elapsed());
    let report = json!({
        "cpu": cpu.as_secs_f64(), "wall": wall.as_secs_f64(), "toLeft": result.left.len(), "toRight": result.right.len(),
        "toBase": result.base.len(), "conflicts": result.conflicts.len(), "classes": result.counts.classes,
    });
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}

fn read(path: &str) -> Outcome<Snapshot> {
    let named = |error: &dyn std::fmt::Display| format!("{path}: {error}");
    let file = File::open(path).map_err(|error| named(&error))?;
    let size = usize::try_from(file.metadata()?.len())?;
    Ok(csv::read_from(file, size, &CsvOptions::default()).map_err(|error| named(&error))?)
}

fn reconcile(base: &Snapshot, left: &Snapshot, right: &Snapshot, key: &str) -> Outcome<Reconciled> {
    let (mut schema, _) = infer(&[left, right, base], &[]);
    let position = schema.position(key).ok_or_else(|| format!("there is no column '{key}'"))?;
    schema.key.push(position);
    let policy = Policy { deletes: DeletePolicy::both(Deletes::Delete), ..Policy::default() };
    let terms = Terms::new(&schema, &policy)?;
    let views =
        [base.view_by_name(&schema)?, left.view_by_name(&schema)?, right.view_by_name(&schema)?];
    let [base, left, right] = &views;
    let times = Times::default();
    let mut reconciler = Reconciler::new(&terms, &times);
    feed_views(&mut reconciler, Some(base), left, right);
    Ok(reconciler.finish())
}

/// Returns the processor time of all threads of this process so far.
#[cfg(unix)]
fn processor_time() -> Outcome<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    Ok(clock_gettime(ClockId::ProcessCPUTime).try_into()?)
}

#[cfg(not(unix))]
fn processor_time() -> Outcome<Duration> {
    Err("the processor time is measured on Unix only".into())
}
