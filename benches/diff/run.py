#!/usr/bin/env python3
"""Measures `lockstep diff` against its peers, on the same files in the same run: run.py [ROWS] [RUNS] [--growth ROWS …].

--growth measures the keyed diff again with other numbers of rows, as a multiple of its cost with the first, and shows
that its memory stays below a gibibyte; files of 20,000,000 rows take 2.5 GiB each, and the generator 5 GiB of memory.
Needs cargo, python3 with venv, and the registries. Everything it makes goes to target/bench. LOCKSTEP and THREEWAY name
other programs than target/release/lockstep and target/release/examples/threeway; PEERS=0 leaves the peers out.
"""
import argparse, csv, hashlib, json, os, subprocess, sys, time
from pathlib import Path

HERE, ROOT = Path(__file__).resolve().parent, Path(__file__).resolve().parents[2]
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("rows", nargs="?", type=int, default=1_000_000)
arguments.add_argument("runs", nargs="?", type=int, default=3)
arguments.add_argument("--growth", nargs="+", type=int, default=[], metavar="ROWS")
ARGS = arguments.parse_args()
ROWS, RUNS = ARGS.rows, ARGS.runs
BENCH = ROOT / "target" / "bench"
PEERS = os.environ.get("PEERS") != "0"


def file(name, rows=ROWS):
    return str(BENCH / f"data-{rows}" / f"{name}.csv")


BASE, LEFT, RIGHT = file("base"), file("left"), file("right")


def sh(*words, **more):
    subprocess.run([str(word) for word in words], check=True, **more)


def prepare():
    BENCH.mkdir(parents=True, exist_ok=True)
    for rows in [ROWS, *ARGS.growth]:
        if not (BENCH / f"data-{rows}" / "truth.json").exists():
            sh(sys.executable, HERE / "gen.py", rows, BENCH / f"data-{rows}")
    # The same bytes under another name, so that nothing but their content can tell.
    if not os.path.exists(file("copy")):
        sh("cp", BASE, file("copy"))
    lockstep, threeway = os.environ.get("LOCKSTEP"), os.environ.get("THREEWAY")
    if not lockstep:
        sh("cargo", "build", "--release", "--bin", "lockstep", cwd=ROOT)
        lockstep = ROOT / "target" / "release" / "lockstep"
    if not threeway:
        sh("cargo", "build", "--release", "-p", "lockstep-engine", "--example", "threeway", cwd=ROOT)
        threeway = ROOT / "target" / "release" / "examples" / "threeway"
    sh("cargo", "build", "--release", "--manifest-path", HERE / "peers" / "Cargo.toml", "--target-dir", BENCH / "peers")
    python = BENCH / "venv" / "bin" / "python"
    if PEERS and not python.exists():
        sh(sys.executable, "-m", "venv", BENCH / "venv")
        sh(python, "-m", "pip", "install", "-q", "duckdb", "polars", "datacompy")
    return str(lockstep), str(threeway), str(python), str(BENCH / "peers" / "release")


def warm(*paths):
    """Reads files, so that they are in the page cache however large they are."""
    for path in paths:
        with open(path, "rb") as opened:
            while opened.read(1 << 20):
                pass


def measure_inside(words):
    """Does what `measure` does with a program that says itself what it cost, because not all it did counts."""
    best = None
    for _ in range(RUNS):
        child = subprocess.Popen(words, stdout=subprocess.PIPE)
        said = json.loads(child.stdout.read())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        run = (said["cpu"], said["wall"], usage.ru_maxrss / 1024, child.returncode)
        best = min(best or run, run)
    return best


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
    truth = json.load(open(Path(BASE).parent / "truth.json"))
    for kind, (count, expected) in truth.items():
        found = keys[kind]
        assert len(found) == count and digest(found) == expected, f"{kind}: {len(found)} keys, {count} expected"
    print(f"checked against the generator: {', '.join(f'{len(found)} {kind}s' for kind, found in keys.items())}\n")


def diff(lockstep, rows, *more):
    return [lockstep, "diff", file("base", rows), file("left", rows), "--key", "id", "--format", "csv", *more]


def row(name, run, floor, target):
    cpu, wall, peak, code = run
    failed = "" if code in (0, 1) else f" (exit {code})"
    print(f"| {name}{failed} | {cpu:.2f} | {cpu / floor:.2f} | {target or ''} | {wall / cpu:.2f} | {peak:.0f} |", flush=True)


def growth(lockstep):
    print(f"\n| growth of the keyed diff | CPU s | times {ROWS:,} rows | to reach | wall/CPU | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, more in (("--bytes", ["--bytes"]), ("typed", [])):
        warm(BASE, LEFT)
        first = measure(diff(lockstep, ROWS, *more))
        row(f"{name}, {ROWS:,}", first, first[0], None)
        for rows in ARGS.growth:
            warm(file("base", rows), file("left", rows))
            row(f"{name}, {rows:,}", measure(diff(lockstep, rows, *more)), first[0], 11 if rows == 10 * ROWS else None)


def main():
    lockstep, threeway, python, peers = prepare()
    check(lockstep)
    three = [lockstep, "diff", LEFT, RIGHT, "--base", BASE, "--key", "id", "--format", "csv"]
    rows = [
        ("csv crate, both files read (floor)", [f"{peers}/floor", BASE, LEFT], None),
        ("lockstep diff --bytes", diff(lockstep, ROWS, "--bytes"), 2.0),
        ("lockstep diff (typed)", diff(lockstep, ROWS), 3.5),
        ("three-way, base in memory", [threeway, BASE, LEFT, RIGHT, "id"], 5.0),
        ("lockstep diff --base (three files read)", three, None),
        ("lockstep diff, equal files", [lockstep, "diff", BASE, file("copy"), "--key", "id"], 0.2),
    ]
    if PEERS:
        rows.append(("csv-diff crate", [f"{peers}/csvdiff", BASE, LEFT], None))
        rows += [(name, [python, str(HERE / "peers.py"), name, BASE, LEFT], None)
                 for name in ("duckdb", "duckdb-typed", "polars", "datacompy")]
    floor = None
    side = os.path.getsize(BASE) / 2**20
    warm(BASE, LEFT, RIGHT, file("copy"))
    print(f"| {ROWS:,} x 10, {side:.0f} MiB a side | CPU s | ratio | to reach | wall/CPU | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, words, target in rows:
        run = measure_inside(words) if words[0] == threeway else measure(words)
        floor = floor or run[0]
        row(name, run, floor, target)
    if ARGS.growth:
        growth(lockstep)


main()
