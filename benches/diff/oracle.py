#!/usr/bin/env python3
"""Compares lockstep with independent answers on random small tables: oracle.py LOCKSTEP [PAIRS] [bytes|typed|merge …].

bytes  `lockstep diff --bytes` against a full join of texts in DuckDB
typed  `lockstep diff` against the same join of DuckDB's decimals, dates, timestamps and booleans; half of the pairs with
       declared types and unclear values, half with inferred types
merge  `lockstep merge` against the plain model below, by key and cell

Tables have nulls, quotes, delimiters, newlines, other scripts, duplicate and blank keys. Needs the duckdb package.
"""
import csv, io, json, os, random, subprocess, sys, tempfile, unicodedata
from decimal import Decimal, InvalidOperation

import duckdb

LOCKSTEP, PAIRS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
KINDS = sys.argv[3:] or ["bytes", "typed", "merge"]
TEXTS = ["", "a", "b", "a ", " a", "NULL", "null", 'q"q', '"', '""', "x,y", "x\ny", "é", "e\u0301", "東京", "007", "7", "1.0",
         "1", "TRUE", "-", "a;b", "\t", "5\" pipe"]
# For each type, clear values and (behind the bar) those that only a declared type reads, or that are none of the type.
VALUES = {
    "number": "10.50 10.5 10 -3 0 0.0 12345678901234567.25 | 007 7 1e3 1000 -0 x 1.2.3".split(),
    "date": "2024-01-15 2024-01-16 1999-12-31 2024-02-29 | 2024-02-30 soon".split(),
    "dateTime": ["2024-01-15T09:30:00Z", "2024-01-15 09:30:00+00:00", "2024-01-15T10:30:00+01:00", "2024-01-15T09:30:00",
                 "2024-01-15 09:30:00", "2024-01-15T09:30:01Z", "|", "2024-01-15T25:00:00Z", "now"],
    "bool": "true TRUE false False | yes no t f 1 0 maybe".split(),
    "text": TEXTS + ["|"],
}
TYPED = {"id": None, "amount": "number", "day": "date", "moment": "dateTime", "ok": "bool", "note": "text"}


def clear(values):
    return values[:values.index("|")]


def write(path, columns, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator=random.choice(["\n", "\r\n"]), quoting=random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer.writerow(columns)
        writer.writerows(rows)


def once(rows, key=lambda row: row[0]):
    return list({key(row): row for row in rows}.values())


def lockstep(*words):
    run = subprocess.run([LOCKSTEP, *words, "--delimiter", ","], capture_output=True, text=True)
    return run, [tuple(line) for line in csv.reader(io.StringIO(run.stdout, newline=""))]


def canonical(kind, cell):
    """SQL for a cell's value as text, by DuckDB's own types; what is no value of the type is itself."""
    blank = f"trim({cell}, e' \\t\\n\\r') IN ('', 'NA')"
    if kind == "bytes":
        return f"coalesce({cell}, '')"
    if kind == "text":
        return f"CASE WHEN {blank} THEN NULL ELSE nfc_normalize(rtrim({cell}, e' \\t')) END"
    if kind == "key":
        return f"CASE WHEN {blank} THEN NULL ELSE nfc_normalize(trim({cell}, e' \\t\\n\\r')) END"
    ty = {"number": "DECIMAL(38, 12)", "date": "DATE", "bool": "BOOLEAN"}.get(kind)
    value = f"TRY_CAST(trim({cell}) AS {ty})::VARCHAR"
    if kind == "dateTime":
        zoned = f"regexp_matches({cell}, ':[0-9][0-9](Z|[+-][0-9:]+)$')"
        value = (f"CASE WHEN {zoned} THEN 'instant ' || epoch_us(TRY_CAST({cell} AS TIMESTAMPTZ))::VARCHAR "
                 f"ELSE 'local ' || TRY_CAST({cell} AS TIMESTAMP)::VARCHAR END")
    return f"CASE WHEN {blank} THEN NULL ELSE coalesce({value}, 'text ' || trim({cell})) END"


def joined(db, columns, kinds, key_kind, left, right):
    """Changed cells of keys that no side has twice, and the number of those that one has, by a full join in DuckDB."""
    for name, rows in (("raw_l", left), ("raw_r", right)):
        db.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{column} VARCHAR' for column in columns)})")
        if rows:
            db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
    key = f"nullif({canonical(key_kind, 'id')}, '')"
    side = lambda name: f"(SELECT *, {key} AS k FROM {name})"
    once = " UNION ".join(f"SELECT k FROM {side(name)} GROUP BY k HAVING count(*) > 1" for name in ("raw_l", "raw_r"))
    cells = ", ".join(f"('{c}', l.{c}, r.{c}, {canonical(kind, f'l.{c}')}, {canonical(kind, f'r.{c}')})"
                      for c, kind in zip(columns, kinds))
    query = f"""
      WITH twice AS ({once}), l AS (SELECT * FROM {side('raw_l')} WHERE k IS NOT NULL AND k NOT IN (SELECT k FROM twice WHERE k IS NOT NULL)),
           r AS (SELECT * FROM {side('raw_r')} WHERE k IS NOT NULL AND k NOT IN (SELECT k FROM twice WHERE k IS NOT NULL))
      SELECT CASE WHEN l.k IS NULL THEN 'insert' WHEN r.k IS NULL THEN 'delete' ELSE 'update' END, coalesce(l.id, r.id), c,
             coalesce(lt, ''), coalesce(rt, '')
      FROM l FULL JOIN r ON l.k = r.k, LATERAL (VALUES {cells}) AS cells(c, lt, rt, lv, rv)
      WHERE CASE WHEN l.k IS NULL OR r.k IS NULL THEN coalesce(lt, '') <> coalesce(rt, '') ELSE lv IS DISTINCT FROM rv END"""
    duplicates = db.execute(f"SELECT count(*) FROM ({once}) WHERE k IS NOT NULL").fetchone()[0]
    return sorted(db.execute(query).fetchall()), duplicates


def diff_fails(run, lines, expected, duplicates):
    found = sorted(lines[1:])
    said = f"{duplicates} duplicate keys" in run.stderr or duplicates == 0 and " duplicate keys" not in run.stderr \
        or "files are identical" in run.stderr
    if found != expected or run.returncode not in (0, 1) or not said:
        return f"found {json.dumps(found)}\n expected {json.dumps(expected)}, {duplicates} duplicate keys"


def bytes_pair(r, db):
    def table():
        keys = r.choice([list("123456789"), ["k,1", 'k"2', "k\n3", "é", "ab", "a", "b"]])
        rows = [[r.choice(keys) if r.random() < .95 else "", r.choice(TEXTS), r.choice(TEXTS)] for _ in range(r.randrange(12))]
        return once(rows) if r.random() < .5 else rows
    columns, left, right = ["id", "a", "b"], table(), table()
    write("l.csv", columns, left)
    write("r.csv", columns, right)
    run, lines = lockstep("diff", "l.csv", "r.csv", "--key", "id", "--bytes", "--format", "csv")
    return run, diff_fails(run, lines, *joined(db, columns, ["bytes"] * 3, "bytes", left, right))


def typed_pair(r, db):
    declared = r.random() < .5
    key_kind = r.choice(["number", "text"])
    keys = {"number": ["1", "2", "3", "4", "5"] + (["01", "2.0", " 3", "x"] if declared else []),
            "text": ["a", "b", "é", "e\u0301", "ab", "k,1"] + (["7", "07", " a"] if declared else [])}[key_kind]

    def cell(kind):
        if r.random() < .2:
            return r.choice(["", " ", "NA"])
        values = VALUES[kind]
        return r.choice([value for value in values if value != "|"] if declared else clear(values))

    def table():
        kinds = list(TYPED.values())[1:]
        rows = [[r.choice(keys) if r.random() < .95 else "", *map(cell, kinds)] for _ in range(r.randrange(9))]
        return once(rows) if r.random() < .5 else rows
    columns = list(TYPED)
    left, right = table(), table()
    if not declared:
        # A column is of the type only where all its values are; a text in the text columns says so.
        word = {"number": "9", "text": "zz"}[key_kind]
        left.append([word, "1", "2000-01-01", "2000-01-01T00:00:00Z", "true", "zz"])
    write("l.csv", columns, left)
    write("r.csv", columns, right)
    types = ",".join(f"{name}={kind or key_kind}" for name, kind in TYPED.items())
    options = ["--type", types] if declared else []
    run, lines = lockstep("diff", "l.csv", "r.csv", "--key", "id", "--null", "NA", "--format", "csv", *options)
    kinds = [key_kind, *list(TYPED.values())[1:]]
    expected = joined(db, columns, kinds, "key" if key_kind == "text" else key_kind, left, right)
    return run, diff_fails(run, lines, *expected)


def merge_pair(r, _):
    """Three tables, two of them edited from the first, against a model that goes through the keys one by one."""
    cells = lambda: [r.choice(["1", "1.0", "2", "3", "", "x"]), r.choice(["a", "a ", "b", "c", "", "é", "e\u0301", "x,y\nz"])]
    base = [[str(key), *cells()] for key in range(1, r.randrange(2, 9))]

    def edited():
        rows = [[row[0], *cells()] if r.random() < .4 else list(row) for row in base if r.random() < .8]
        rows += [[str(r.randrange(8, 13)), *cells()] for _ in range(r.randrange(3))]
        if r.random() < .6:
            rows = once(rows)
        if r.random() < .1:
            rows.append(["", *cells()])
        r.shuffle(rows)
        return rows
    left, right = edited(), edited()
    strategy, clash = r.choice(["manual_review", "left_priority", "right_priority"]), r.choice(["hold", "edit_wins", "delete_wins", "left", "right"])
    granularity = r.choice(["row", "cell"])
    for name, rows in (("b", base), ("l", left), ("r", right)):
        write(f"{name}.csv", ["id", "n", "t"], rows)
    run, lines = lockstep("merge", "l.csv", "r.csv", "--base", "b.csv", "--key", "id", "--type", "id=text,n=number,t=text",
                          "--strategy", strategy, "--clash", clash, "--granularity", granularity)
    expected, clean = merged(base, left, right, strategy, clash, granularity)
    if lines[1:] != expected or run.returncode != (0 if clean else 1):
        return run, (f"{strategy}, {clash}, {granularity}; base {base}, left {left}, right {right}\n found {lines[1:]}\n"
                     f" expected {expected}, clean {clean}")
    return run, None


def merged(base, left, right, strategy, clash, granularity):
    """The merged rows, left's first and then right's new ones, and whether nothing was left undecided."""
    def number(text):
        try:
            return Decimal(text)
        except InvalidOperation:
            return text

    def values(row):
        return row and (number(row[1]), unicodedata.normalize("NFC", row[2].rstrip(" ")))
    sides = [{row[0]: row for row in rows if row[0]} for rows in (base, left, right)]
    twice = {key for rows in (base, left, right) for key in (row[0] for row in rows) if key and sum(row[0] == key for row in rows) > 1}
    blank = [any(row[0] == "" for row in rows) for rows in (base, left, right)]
    clean = not twice and not any(blank)
    result = {}
    for key in set().union(*sides) - twice:
        b, l, r = (side.get(key) for side in sides)
        (vb, vl, vr) = map(values, (b, l, r))
        keep = l
        # What a side lacks is no deletion while some of its rows cannot be told.
        unknown = b and (not l and blank[1] or not r and blank[2])
        if l and r:
            before, cells, held = vb or ("", ""), list(l), False
            for at in (0, 1):
                if vl[at] == vr[at] or vr[at] == before[at]:
                    continue
                if vl[at] == before[at] or strategy == "right_priority":
                    cells[at + 1] = r[at + 1]
                elif strategy == "manual_review":
                    held = True
            clean &= not held
            keep = l if held and granularity == "row" else cells
        elif not unknown and b and (l or r) and values(l or r) == vb:
            keep = None
        elif not unknown and b and (l or r):
            clean &= clash != "hold"
            stays = {"hold": bool(l), "edit_wins": True, "delete_wins": False, "left": bool(l), "right": bool(r)}[clash]
            keep = (l or r) if stays else None
        elif not unknown and not b and r:
            keep = r
        result[key] = keep
    rows = [row if row[0] in twice or not row[0] else result[row[0]] for row in left]
    rows += [result[row[0]] for row in right if row[0] in result and row[0] not in sides[1]]
    return [tuple(row) for row in rows if row], clean


def main():
    db, failures = duckdb.connect(), 0
    db.execute("SET TimeZone = 'UTC'")
    pairs = {"bytes": bytes_pair, "typed": typed_pair, "merge": merge_pair}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for kind in KINDS:
            mismatches = 0
            for seed in range(PAIRS):
                random.seed(seed)
                run, failure = pairs[kind](random.Random(seed), db)
                if failure:
                    mismatches += 1
                    print(f"{kind}, seed {seed}: exit {run.returncode}\n {failure}\n{run.stderr}")
            print(f"{kind}: {PAIRS} pairs of tables, {mismatches} mismatches")
            failures += mismatches
    sys.exit(1 if failures else 0)


main()
