#!/usr/bin/env python3
"""Writes the files of the diff benchmark: gen.py ROWS FOLDER.

base.csv   ROWS x 10 columns, ids shuffled
left.csv   base with 1 % of the rows changed in one cell, 0.5 % deleted, 0.5 % added, shuffled
right.csv  the same with other rows (and some of the same)
truth.json what differs between base and left: counts, and digests of the sets of keys

The same arguments give the same files on every machine.
"""
import csv, datetime, hashlib, io, json, os, random, sys

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
OUT = sys.argv[2] if len(sys.argv) > 2 else "."
COLUMNS = ["id", "name", "email", "amount", "price", "qty", "created", "updated_at", "active", "note"]
WORDS = ("anchor basil cedar delta ember fjord garnet harbor indigo juniper kelp lagoon maple nectar ocean pepper quartz "
         "raven saffron tundra umber violet willow xenon yarrow zephyr Zürich São naïve 東京").split()
DAY, SECOND = datetime.date(2015, 1, 1), datetime.datetime(2020, 1, 1)


def note(r):
    kind = r.randrange(20)
    if kind == 0:
        return ""
    if kind == 1:
        return 'said "hi", then left'
    if kind == 2:
        return "line one\nline two"
    return " ".join(r.choice(WORDS) for _ in range(r.randrange(2, 8)))


def row(key, r):
    return [str(key), f"{r.choice(WORDS)} {r.choice(WORDS)}", f"user{key}@example.com",
            f"{r.randrange(-10**7, 10**7) / 100:.2f}", f"{r.random() * 1000:.4f}", str(r.randrange(1000)),
            (DAY + datetime.timedelta(days=r.randrange(4000))).isoformat(),
            (SECOND + datetime.timedelta(seconds=r.randrange(180_000_000))).isoformat() + "Z",
            "true" if r.random() < .7 else "false", note(r)]


def edit(cells, column):
    cells = list(cells)
    text = cells[column]
    cells[column] = {
        1: lambda: text + " x",
        2: lambda: "new." + text,
        3: lambda: f"{float(text) + 1:.2f}",
        4: lambda: f"{float(text) + 0.0001:.4f}",
        5: lambda: str(int(text) + 1),
        6: lambda: (datetime.date.fromisoformat(text) + datetime.timedelta(days=1)).isoformat(),
        7: lambda: (datetime.datetime.fromisoformat(text[:-1]) + datetime.timedelta(seconds=1)).isoformat() + "Z",
        8: lambda: "false" if text == "true" else "true",
        9: lambda: text + " edited",
    }[column]()
    return cells


def line(cells):
    """The row as a line of a file: a million rows of separate cells would take a gigabyte."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def cells_of(text):
    return next(csv.reader([text.decode()]))


def perturb(lines, seed, first_new):
    r = random.Random(seed)
    picked = r.sample(range(len(lines)), len(lines) // 100 + len(lines) // 200)
    changed, deleted = picked[:len(lines) // 100], set(picked[len(lines) // 100:])
    result = list(lines)
    for at in changed:
        result[at] = line(edit(cells_of(lines[at]), r.randrange(1, 10)))
    added = [row(first_new + k, r) for k in range(len(lines) // 200)]
    result = [text for at, text in enumerate(result) if at not in deleted] + [line(cells) for cells in added]
    r.shuffle(result)
    key = lambda at: cells_of(lines[at])[0]
    return result, [key(at) for at in changed], [key(at) for at in deleted], [cells[0] for cells in added]


def write(name, lines):
    with open(f"{OUT}/{name}.csv", "wb") as file:
        file.write(line(COLUMNS))
        file.writelines(lines)


def digest(keys):
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:16]


os.makedirs(OUT, exist_ok=True)
R = random.Random(7)
ids = list(range(1, ROWS + 1))
R.shuffle(ids)
base = [line(row(key, R)) for key in ids]
del ids
write("base", base)
left, changed, deleted, added = perturb(base, 11, ROWS + 1)
write("left", left)
del left
write("right", perturb(base, 13, 2 * ROWS + 1)[0])
truth = {"update": [len(changed), digest(changed)], "delete": [len(deleted), digest(deleted)],
         "insert": [len(added), digest(added)]}
json.dump(truth, open(f"{OUT}/truth.json", "w"), indent=1)
