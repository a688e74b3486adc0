//! Cold start to the initialize answer over stdio, and resident memory at idle.
//!
//! `cargo bench --bench start`: starts the release binary 30 times; the ratio is to the start of Python and of Node
//! with nothing to do, in the same run, which is the least that a server written for them costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const RUNS: usize = 30;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;

fn median(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    (times[times.len() / 2].as_secs_f64() * 1e3, times[times.len() - 1].as_secs_f64() * 1e3)
}

fn peer(program: &str, args: &[&str]) -> Option<f64> {
    let run =
        || Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run().ok()?;
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        let _ = run();
        start.elapsed()
    });
    Some(median(times.collect()).0)
}

fn resident(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn main() {
    let data = tempfile::tempdir().unwrap();
    let mut times = Vec::new();
    let mut memory: f64 = 0.0;
    for run in 0..RUNS {
        let start = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["serve", "--data"])
            .arg(data.path())
            .current_dir(data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{INITIALIZE}").unwrap();
        let mut answer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        times.push(start.elapsed());
        assert!(answer.contains("serverInfo"), "{answer}");
        if run == RUNS - 1 {
            writeln!(stdin, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#).unwrap();
            std::thread::sleep(Duration::from_secs(1));
            memory = resident(child.id()).unwrap_or(f64::NAN);
        }
        drop(stdin);
        child.wait().unwrap();
    }
    let (middle, worst) = median(times);
    println!(
        "cold start to the initialize answer: median {middle:.1} ms, worst of {RUNS} {worst:.1} ms"
    );
    println!("resident memory at idle: {memory:.1} MiB");
    for (name, args) in [("python3", ["-c", "pass"]), ("node", ["-e", "0"])] {
        if let Some(other) = peer(name, &args) {
            println!(
                "{name} with nothing to do: {other:.1} ms; lockstep is {:.2} of it",
                middle / other
            );
        }
    }
}
