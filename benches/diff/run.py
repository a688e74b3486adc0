#!/usr/bin/env python3
"""Measures `lockstep diff` against its peers, on the same files in the same run: run.py [ROWS] [RUNS].

Needs cargo, python3 with venv, and the registries. Everything it makes goes to target/bench. LOCKSTEP names another
binary than target/release/lockstep; PEERS=0 leaves the peers out.
"""
import csv, hashlib, json, os, subprocess, sys, time
from pathlib import Path

HERE, ROOT = Path(__file__).resolve().parent, Path(__file__).resolve().parents[2]
ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
BENCH = ROOT / "target" / "bench"
DATA = BENCH / f"data-{ROWS}"
BASE, LEFT, RIGHT = (str(DATA / f"{name}.csv") for name in ("base", "left", "right"))
PEERS = os.environ.get("PEERS") != "0"


def sh(*words, **more):
    subprocess.run([str(word) for word in words], check=True, **more)


def prepare():
    BENCH.mkdir(parents=True, exist_ok=True)
    if not (DATA / "truth.json").exists():
        sh(sys.executable, HERE / "gen.py", ROWS, DATA)
    # The same bytes under another name, so that nothing but their content can tell.
    if not (DATA / "copy.csv").exists():
        sh("cp", BASE, DATA / "copy.csv")
    lockstep = os.environ.get("LOCKSTEP")
    if not lockstep:
        sh("cargo", "build", "--release", "--bin", "lockstep", cwd=ROOT)
        lockstep = ROOT / "target" / "release" / "lockstep"
    sh("cargo", "build", "--release", "--manifest-path", HERE / "peers" / "Cargo.toml", "--target-dir", BENCH / "peers")
    python = BENCH / "venv" / "bin" / "python"
    if PEERS and not python.exists():
        sh(sys.executable, "-m", "venv", BENCH / "venv")
        sh(python, "-m", "pip", "install", "-q", "duckdb", "polars", "datacompy")
    return str(lockstep), str(python), str(BENCH / "peers" / "release")


def measure(words):
    """Returns CPU seconds, wall seconds, peak MiB and the exit code of the run with the least CPU time."""
    best = None
    for _ in range(RUNS):
        start = time.monotonic()
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        run = (usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, child.returncode)
        best = min(best or run, run)
    return best


def check(lockstep):
    """Compares the keys that lockstep lists with what the generator knows."""
    out = subprocess.run([lockstep, "diff", BASE, LEFT, "--key", "id", "--format", "csv"], capture_output=True, text=True)
    keys = {"update": set(), "delete": set(), "insert": set()}
    csv.field_size_limit(1 << 30)
    for change in csv.DictReader(out.stdout.splitlines(keepends=True)):
        keys[change["change"]].add(change["id"])
    digest = lambda found: hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]
    truth = json.load(open(DATA / "truth.json"))
    for kind, (count, expected) in truth.items():
        found = keys[kind]
        assert len(found) == count and digest(found) == expected, f"{kind}: {len(found)} keys, {count} expected"
    print(f"checked against the generator: {', '.join(f'{len(found)} {kind}s' for kind, found in keys.items())}\n")


def main():
    lockstep, python, peers = prepare()
    check(lockstep)
    ours = [lockstep, "diff", BASE, LEFT, "--key", "id", "--format", "csv"]
    rows = [
        ("csv crate, both files read (floor)", [f"{peers}/floor", BASE, LEFT], None),
        ("lockstep diff --bytes", ours + ["--bytes"], 2.0),
        ("lockstep diff (typed)", ours, 3.5),
        ("lockstep diff --base (three-way)", [lockstep, "diff", LEFT, RIGHT, "--base", BASE, "--key", "id", "--format", "csv"], 5.0),
        ("lockstep diff, equal files", [lockstep, "diff", BASE, str(DATA / "copy.csv"), "--key", "id"], 0.2),
    ]
    if PEERS:
        rows.append(("csv-diff crate", [f"{peers}/csvdiff", BASE, LEFT], None))
        rows += [(name, [python, str(HERE / "peers.py"), name, BASE, LEFT], None)
                 for name in ("duckdb", "duckdb-typed", "polars", "datacompy")]
    floor = None
    side = os.path.getsize(BASE) / 2**20
    print(f"| {ROWS:,} x 10, {side:.0f} MiB a side | CPU s | ratio | to reach | wall/CPU | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, words, target in rows:
        cpu, wall, peak, code = measure(words)
        floor = floor or cpu
        failed = "" if code in (0, 1) else f" (exit {code})"
        print(f"| {name}{failed} | {cpu:.2f} | {cpu / floor:.2f} | {target or ''} | {wall / cpu:.2f} | {peak:.0f} |", flush=True)


main()
