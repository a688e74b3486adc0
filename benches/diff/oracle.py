#!/usr/bin/env python3
"""Compares `lockstep diff --bytes` with DuckDB on random small tables: oracle.py LOCKSTEP [TABLES].

Tables have nulls, quotes, delimiters, newlines, other scripts and duplicate keys. Needs the duckdb package.
"""
import csv, io, json, os, random, subprocess, sys, tempfile

import duckdb

LOCKSTEP, TABLES = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
CELLS = ["", "a", "b", "a ", " a", "NULL", "null", 'q"q', '"', '""', "x,y", "x\ny", "é", "e\u0301", "東京", "007", "7", "1.0",
         "1", "TRUE", "-", "a;b", "\t", "5\" pipe"]


def table(r):
    keys = r.choice([list("123456789"), ["k,1", 'k"2', "k\n3", "é", "ab", "a", "b"]])
    rows = [[r.choice(keys) if r.random() < .95 else "", r.choice(CELLS), r.choice(CELLS)] for _ in range(r.randrange(12))]
    if r.random() < .5:
        rows = list({row[0]: row for row in rows}.values())
    return rows


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator=random.choice(["\n", "\r\n"]), quoting=random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer.writerow(["id", "a", "b"])
        writer.writerows(rows)


def expected(db, left, right):
    """Changed cells and one-sided keys, by a full join in DuckDB over the tables as they were generated."""
    for name, rows in (("raw_l", left), ("raw_r", right)):
        db.execute(f"CREATE OR REPLACE TABLE {name} (id VARCHAR, a VARCHAR, b VARCHAR)")
        if rows:
            db.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", rows)
    once = "(SELECT id FROM (SELECT id FROM raw_l GROUP BY id HAVING count(*) > 1 UNION SELECT id FROM raw_r GROUP BY id HAVING count(*) > 1))"
    keep = f"id <> '' AND id NOT IN {once}"
    query = f"""
      WITH l AS (SELECT * FROM raw_l WHERE {keep}), r AS (SELECT * FROM raw_r WHERE {keep})
      SELECT CASE WHEN l.id IS NULL THEN 'insert' WHEN r.id IS NULL THEN 'delete' ELSE 'update' END, coalesce(l.id, r.id), c, lv, rv
      FROM l FULL JOIN r ON l.id = r.id,
      LATERAL (VALUES ('id', coalesce(l.id, ''), coalesce(r.id, '')), ('a', coalesce(l.a, ''), coalesce(r.a, '')),
                      ('b', coalesce(l.b, ''), coalesce(r.b, ''))) AS cells(c, lv, rv)
      WHERE lv IS DISTINCT FROM rv"""
    duplicates = db.execute(f"SELECT count(*) FROM {once} WHERE id <> ''").fetchone()[0]
    return sorted(db.execute(query).fetchall()), duplicates


db, mismatches = duckdb.connect(), 0
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for seed in range(TABLES):
        r = random.Random(seed)
        random.seed(seed)
        left, right = table(r), table(r)
        write("l.csv", left)
        write("r.csv", right)
        run = subprocess.run([LOCKSTEP, "diff", "l.csv", "r.csv", "--key", "id", "--bytes", "--format", "csv", "--delimiter", ","],
                             capture_output=True, text=True)
        found = sorted(tuple(line) for line in list(csv.reader(io.StringIO(run.stdout, newline="")))[1:])
        cells, duplicates = expected(db, left, right)
        said = f"{duplicates} duplicate keys" in run.stderr or (duplicates == 0 and " duplicate keys" not in run.stderr) \
            or "0 duplicate keys" in run.stderr and duplicates == 0 or "files are identical" in run.stderr
        if found != cells or run.returncode not in (0, 1) or not said:
            mismatches += 1
            print(f"seed {seed}: exit {run.returncode}\n found {json.dumps(found)}\n expected {json.dumps(cells)}\n{run.stderr}")
print(f"{TABLES} pairs of tables, {mismatches} mismatches")
sys.exit(1 if mismatches else 0)
