#!/usr/bin/env python3
"""Measures calls of Lockstep's MCP server against two public MCP servers for Google Sheets, in one run: run.py [CALLS].

All serve the same embedded workspace: the PyPI server mcp-google-sheets and the npm server mcp-gsheets through small
launchers that change nothing but the root of the API. Each call reads the same ten rows; what the workspace itself
takes for them is measured beside (floor). `run.py --install` installs the two into target/bench/mcp first, in the
versions named below. LOCKSTEP names another program than target/release/lockstep. README.md has a table.
"""
import argparse, http.client, json, os, statistics, subprocess, sys, tempfile, time
import urllib.request
from pathlib import Path

from client import Http, Stdio, called, resident, started

HERE, ROOT = Path(__file__).resolve().parent, Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PEERS", ROOT / "target" / "bench" / "mcp"))
LOCKSTEP = os.environ.get("LOCKSTEP", str(ROOT / "target" / "release" / "lockstep"))
PYTHON, NODE = ["mcp-google-sheets==0.6.3", "mcp<2"], "mcp-gsheets@1.10.3"
ROUND, STARTS = 25, 5

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("calls", nargs="?", type=int, default=300)
arguments.add_argument("--install", action="store_true")
ARGS = arguments.parse_args()


def install():
    PEERS.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", PEERS / "py"], check=True)
    subprocess.run([PEERS / "py/bin/pip", "install", "--quiet", *PYTHON], check=True)
    subprocess.run(["npm", "install", "--prefix", PEERS, "--no-audit", "--no-fund", NODE], check=True)


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def filled(root):
    """Makes a spreadsheet with ten rows, and 5,000 rows of ten columns; returns its id."""
    sheets = [{"properties": {"title": title}} for title in ("Small", "Large")]
    made = post(f"{root}v4/spreadsheets", {"properties": {"title": "Bench"}, "sheets": sheets})
    small = [["id", "name", "qty"], *[[f"k{row}", f"item {row}", row] for row in range(10)]]
    large = [[f"column {c}" for c in range(10)]]
    large += [[f"k{row}", *[f"value {row}/{c}" if c % 2 else row * c for c in range(1, 10)]] for row in range(5_000)]
    data = [{"range": "Small!A1", "values": small}, {"range": "Large!A1", "values": large}]
    url = f"{root}v4/spreadsheets/{made['spreadsheetId']}/values:batchUpdate"
    post(url, {"valueInputOption": "RAW", "data": data})
    return made["spreadsheetId"]


def tokens(value):
    """Returns about how many tokens a model pays for something: characters / 4."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text) // 4


def said(result):
    """Returns what a model reads of a result."""
    return "\n".join(part.get("text", "") for part in result["content"])


def pages(server, sheet):
    """Returns the tokens of the first page of 5,000 rows, and of all of them."""
    first = total = rows = 0
    cursor = {}
    while True:
        result, _ = called(server, "readSheet", {"spreadsheetId": sheet, "sheet": "Large", **cursor})
        total += tokens(said(result))
        first = first or total
        page = result["structuredContent"]
        rows += len(page.get("records") or page.get("rows"))
        if not page.get("cursor"):
            assert rows == 5_000, rows
            return first, total
        cursor = {"cursor": page["cursor"], "limit": 1000}


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


def floor(root, sheet):
    """Returns the seconds that the workspace itself takes for the ten rows, over one connection."""
    connection = http.client.HTTPConnection(root.removeprefix("http://").rstrip("/"))
    times = []
    for _ in range(ARGS.calls):
        began = time.perf_counter()
        connection.request("GET", f"/v4/spreadsheets/{sheet}/values/Small")
        assert b"item 9" in connection.getresponse().read()
        times.append(time.perf_counter() - began)
    return times


def main():
    if ARGS.install:
        install()
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    home = {**os.environ, "LOCKSTEP_HOME": str(folder), "LOCKSTEP_DATA": str(folder)}
    command = [LOCKSTEP, "workspace", "--listen", "127.0.0.1:0"]
    workspace = subprocess.Popen(command, cwd=folder, env=home, stdout=subprocess.PIPE, text=True)
    root = next(word for word in workspace.stdout.readline().split() if word.startswith("http://"))
    sheet = filled(root)
    (folder / "lockstep.toml").write_text(f'[workspace]\nurl = "{root}"\n')
    key = {"type": "service_account", "client_email": "a@b.example", "private_key": "none", "project_id": "p"}
    token = {"token": "t", "refresh_token": "r", "client_id": "c", "client_secret": "s", "expiry": "2099-01-01T00:00:00Z"}
    (folder / "token.json").write_text(json.dumps(token))
    python = {**home, "TOKEN_PATH": str(folder / "token.json"), "SERVICE_ACCOUNT_PATH": "none"}
    modules = PEERS / "node_modules"
    node = {**home, "SHEETS_ROOT": root, "PEER_MODULES": str(modules), "GOOGLE_PROJECT_ID": "p",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key)}
    here = {"cwd": folder, "env": home}
    own = ("readSheet", {"spreadsheetId": sheet, "sheet": "Small"})
    large = {"spreadsheetId": sheet, "sheet": "Large"}
    launch = ["node", "--import", str(HERE / "sheets_node.mjs"), str(modules / "mcp-gsheets/dist/index.js")]
    servers = {
        "lockstep, stdio": (lambda: Stdio([LOCKSTEP, "serve"], **here), own, None),
        "lockstep, HTTP": (lambda: Http([LOCKSTEP, "serve", "--http", "127.0.0.1:0"], **here), own, None),
        "mcp-google-sheets (PyPI), stdio": (
            lambda: Stdio([str(PEERS / "py/bin/python"), str(HERE / "sheets_python.py"), root], cwd=folder, env=python),
            ("get_sheet_data", {"spreadsheet_id": sheet, "sheet": "Small"}),
            ("get_sheet_data", {"spreadsheet_id": sheet, "sheet": "Large"}),
        ),
        "mcp-gsheets (npm), stdio": (
            lambda: Stdio(launch, cwd=folder, env=node),
            ("sheets_get_values", {"spreadsheetId": sheet, "range": "Small!A1:C11"}),
            ("sheets_get_values", {"spreadsheetId": sheet, "range": "Large!A1:J5001"}),
        ),
    }
    rows, running = {}, {}
    try:
        for name, (make, _, _) in servers.items():
            starts = []
            for _ in range(STARTS):
                if name in running:
                    running.pop(name).close()
                running[name], tools, took = started(make)
                starts.append(took)
            rows[name] = {"start": statistics.median(starts) * 1000, "list": tokens(tools), "times": []}
        floors = floor(root, sheet)
        for name, (_, call, _) in servers.items():
            for _ in range(5):
                result, _ = called(running[name], *call)
            assert "item 9" in said(result), f"{name} reads something else: {said(result)[:300]}"
        # In turns, so that whatever else the machine does meets all of them.
        for _ in range(ARGS.calls // ROUND):
            for name, (_, call, _) in servers.items():
                rows[name]["times"] += [called(running[name], *call)[1] for _ in range(ROUND)]
        for name, (_, _, whole) in servers.items():
            rows[name]["rss"] = resident(running[name].process.pid)
            if whole is None:
                rows[name]["read"], rows[name]["all"] = pages(running[name], sheet)
            else:
                result, _ = called(running[name], *whole)
                assert "value 4999/9" in said(result), f"{name} did not read all rows"
                rows[name]["read"] = rows[name]["all"] = tokens(said(result))
    finally:
        for server in running.values():
            server.close()
        workspace.terminate()
    report(rows, floors)


def report(rows, floors):
    best = rows["lockstep, stdio"]
    low = percentile(floors, 0.5)
    print(f"{ARGS.calls} calls each; floor (the workspace alone): p50 {low:.2f} ms, p99 {percentile(floors, 0.99):.2f} ms\n")
    print("| server | start, ms | p50, ms | p99, ms | p50 over the floor, ms | RSS, MiB | tool list, tokens "
          "| 5,000 rows: first answer, tokens | all rows, tokens |")
    print("|---|---|---|---|---|---|---|---|---|")

    def cell(value, reference, digits=0):
        return f"{value:.{digits}f} ({value / reference:.2f}x)"

    for name, row in rows.items():
        p50, p99 = percentile(row["times"], 0.5), percentile(row["times"], 0.99)
        own50, own99 = percentile(best["times"], 0.5), percentile(best["times"], 0.99)
        print(f"| {name} | {cell(row['start'], best['start'])} | {cell(p50, own50, 2)} | {cell(p99, own99, 2)} "
              f"| {cell(p50 - low, own50 - low, 2)} | {cell(row['rss'], best['rss'])} | {cell(row['list'], best['list'])} "
              f"| {cell(row['read'], best['read'])} | {cell(row['all'], best['all'])} |")


main()
