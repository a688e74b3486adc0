"""gspread reads back from the workspace exactly what the tools wrote, types included.

usage: gspread_reads_tools.py ROOT BINARY DATA
The tools run as `lockstep call` on the folder DATA, while `lockstep workspace` serves it at ROOT: two processes,
one database.
"""

import json
import os
import subprocess
from pathlib import Path
from random import Random
from types import SimpleNamespace

from gspread.utils import ValueRenderOption

from checks import check, equal, exactly, run

PLAIN, SHOWN, FORMULA = ValueRenderOption.unformatted, ValueRenderOption.formatted, ValueRenderOption.formula

# What is given to a tool, what gspread reads unformatted, what it reads as shown, what the cell was entered as.
CELLS = [
    ("text", "text", "text", "stringValue"),
    ("007", "007", "007", "stringValue"),
    ("=1+1", "=1+1", "=1+1", "stringValue"),
    ("'x", "'x", "'x", "stringValue"),
    ("+49 30", "+49 30", "+49 30", "stringValue"),
    ("1-2", "1-2", "1-2", "stringValue"),
    ("TRUE", "TRUE", "TRUE", "stringValue"),
    ("1e3", "1e3", "1e3", "stringValue"),
    ("2024-01-15", "2024-01-15", "2024-01-15", "stringValue"),
    (" spaced ", " spaced ", " spaced ", "stringValue"),
    ("two\nlines", "two\nlines", "two\nlines", "stringValue"),
    ("Zürich 🌵 日本", "Zürich 🌵 日本", "Zürich 🌵 日本", "stringValue"),
    ("9007199254740993", "9007199254740993", "9007199254740993", "stringValue"),
    (9007199254740993, "9007199254740993", "9007199254740993", "stringValue"),
    (0, 0, "0", "numberValue"),
    (1, 1, "1", "numberValue"),
    (-42, -42, "-42", "numberValue"),
    (10.5, 10.5, "10.5", "numberValue"),
    (0.1, 0.1, "0.1", "numberValue"),
    (1234567.891, 1234567.891, "1234567.891", "numberValue"),
    (True, True, "TRUE", "boolValue"),
    (False, False, "FALSE", "boolValue"),
    ({"date": "2024-01-15"}, 45306, "2024-01-15", "numberValue"),
    ({"date": "1900-01-01"}, 2, "1900-01-01", "numberValue"),
    # Spreadsheets disagree on days before 1900: they are kept exact, as text.
    ({"date": "1899-12-31"}, "1899-12-31", "1899-12-31", "stringValue"),
    ({"dateTime": "2024-01-15T12:00:00"}, 45306.5, "2024-01-15 12:00:00", "numberValue"),
    ({"time": "06:00:00"}, 0.25, "06:00:00", "numberValue"),
    ({"formula": "=1+2"}, 3, "3", "formulaValue"),
    ({"formula": '="a"&"b"'}, "ab", "ab", "formulaValue"),
]
GIVEN = [cell[0] for cell in CELLS]


def columns(index):
    return [cell[index] for cell in CELLS]


def call(house, tool, **arguments):
    """Calls a tool as a shell would, and returns its result."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}
    done = subprocess.run(
        [house.binary, "call", tool, "-", "--compact", "--data", house.data, "--root", house.data, "--allow-write"],
        input=json.dumps(arguments), capture_output=True, text=True, timeout=120, env=environment, cwd=house.data)
    if done.returncode != 0:
        raise AssertionError(f"lockstep call {tool} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def as_column(tab, letter, first, **options):
    """Reads the cells of one column from `first` on, blank ones as ''."""
    last = first + len(CELLS) - 1
    rows = tab.get(f"{letter}{first}:{letter}{last}", **options)
    return [row[0] if row else "" for row in rows]


def read_back(house, key, title, letter="A", first=1):
    """Holds a column of the sheet against the table, in every rendering and as it was entered."""
    sheet = house.client.open_by_key(key)
    tab = sheet.worksheet(title)
    equal(as_column(tab, letter, first, value_render_option=PLAIN), columns(1))
    equal(as_column(tab, letter, first, value_render_option=SHOWN), columns(2))
    formulas = [cell[0]["formula"] if cell[3] == "formulaValue" else cell[1] for cell in CELLS]
    equal(as_column(tab, letter, first, value_render_option=FORMULA), formulas)
    grid = sheet.fetch_sheet_metadata({
        "ranges": f"'{title}'!{letter}{first}:{letter}{first + len(CELLS) - 1}",
        "fields": "sheets.data.rowData.values(userEnteredValue,effectiveValue,effectiveFormat.numberFormat)"})
    rows = [row["values"][0] for row in grid["sheets"][0]["data"][0]["rowData"]]
    equal([next(iter(row["userEnteredValue"])) for row in rows], columns(3))
    formats = [row.get("effectiveFormat", {}).get("numberFormat", {}).get("type") for row in rows]
    wanted = {"date": "DATE", "dateTime": "DATE_TIME", "time": "TIME"}
    equal(formats, [wanted.get(next(iter(given))) if isinstance(given, dict) and entered == "numberValue" else None
                    for given, _, _, entered in CELLS])


@check
def create_file(house):
    key = call(house, "createFile", type="spreadsheet", name="created",
               sheets=[{"title": "Data", "values": [[cell] for cell in GIVEN]}])["id"]
    equal(house.client.open("created").id, key)
    read_back(house, key, "Data")


@check
def update_cells(house):
    key = call(house, "createFile", type="spreadsheet", name="updated")["id"]
    title = house.client.open_by_key(key).sheet1.title
    call(house, "updateCells", spreadsheetId=key, range="C5", values=[[cell] for cell in GIVEN])
    read_back(house, key, title, letter="C", first=5)
    # Clearing and leaving alone are two things.
    before = call(house, "updateCells", spreadsheetId=key, range="C5", values=[[""], [None], ["x"]])["before"]
    equal(before, [["text"], ["007"], ["=1+1"]])
    equal(house.client.open_by_key(key).sheet1.get("C5:C7"), [[], ["007"], ["x"]])


@check
def append_rows(house):
    key = call(house, "createFile", type="spreadsheet", name="appended",
               sheets=[{"title": "Log", "values": [["what", "n"]]}])["id"]
    records = [{"what": cell, "n": index} for index, cell in enumerate(GIVEN)]
    for _ in range(2):
        call(house, "appendRows", spreadsheetId=key, sheet="Log", rows=records, idempotencyKey="once")
    read_back(house, key, "Log", first=2)
    tab = house.client.open_by_key(key).worksheet("Log")
    equal(tab.col_values(2, value_render_option=PLAIN), ["n", *range(len(CELLS))])


CSV = """id,code,amount,ok,day,moment,note
1,007,10.50,true,2024-01-15,2024-01-15T12:00:00,plain
2,042,-3,false,2024-02-29,2024-02-29T06:30:00,=1+1
3,100,9007199254740993,true,,,"it's ""quoted"", 日本"
"""


@check
def sync_dataset(house):
    Path(house.data, "rows.csv").write_text(CSV, encoding="utf-8")
    key = call(house, "createFile", type="spreadsheet", name="synced")["id"]
    types = {"id": "number", "code": "text", "amount": "number", "ok": "bool", "day": "date", "moment": "dateTime", "note": "text"}
    report = call(house, "syncDataset", left={"file": "rows.csv"}, right={"spreadsheetId": key}, key=["id"], mode="apply",
                  columns=[{"name": name, "type": kind} for name, kind in types.items()])
    equal((report["state"], report["counts"]["insert"]), ("applied", 3))
    tab = house.client.open_by_key(key).sheet1
    equal(tab.get("A1:G4", value_render_option=PLAIN), [
        list(types),
        [1, "007", 10.5, True, 45306, 45306.5, "plain"],
        [2, "042", -3, False, 45351, 45351.270833333336, "=1+1"],
        [3, "100", "9007199254740993", True, "", "", 'it\'s "quoted", 日本']])
    equal(tab.get("E2:F3"), [["2024-01-15", "2024-01-15 12:00:00"], ["2024-02-29", "2024-02-29 06:30:00"]])


NASTY = ["=", "'", '"', "+", "-", "@", "0", "7", ".", ",", "e", "E", "/", ":", "%", "$", "€", " ", "\t", "\n", "#", "(", ")",
         "TRUE", "N/A", "1e5", "a", "Ω", "é", "e\u0301", "\u00a0", "\u200b", "日", "🌵", "\\", "&", "<", ";"]


def anything(random):
    """Any text that is not blank, or any number that a sheet can hold."""
    kind = random.randrange(4)
    if kind == 0:
        return random.randint(-2**53, 2**53)
    if kind == 1:
        return random.choice([random.uniform(-1e6, 1e6), random.random() / 10**random.randrange(12)])
    return "".join(random.choices(NASTY, k=random.randint(1, 12)))


@check
def four_hundred_values_of_any_kind(house):
    random = Random(20260728)
    rows = [[anything(random) for _ in range(8)] for _ in range(50)]
    key = call(house, "createFile", type="spreadsheet", name="anything")["id"]
    call(house, "updateCells", spreadsheetId=key, range="B2", values=rows)
    tab = house.client.open_by_key(key).sheet1
    got = tab.get("B2:I51", value_render_option=PLAIN)
    for row, (there, given) in enumerate(zip(got, rows, strict=True)):
        for column, (cell, want) in enumerate(zip(there, given, strict=True)):
            # A float that is whole comes back as an integer: JSON has one kind of number.
            want = int(want) if isinstance(want, float) and want.is_integer() else want
            if not exactly(cell, want):
                raise AssertionError(f"row {row}, column {column}: wrote {want!r}, read {cell!r}")
    again = call(house, "readSheet", spreadsheetId=key, **{"as": "rows"}, columns=list("BCDEFGHI"), cursor="2", limit=200)["rows"]
    equal([row["cells"] for row in again], rows)


@check
def what_gspread_writes_the_tools_read(house):
    sheet = house.client.create("by hand")
    sheet.sheet1.update([["name", "n", "ok", "day"], ["Ada", 1, True, "2024-01-15"], ["007", 2.5, False, ""]],
                        "A1", value_input_option="USER_ENTERED")
    rows = call(house, "readSheet", spreadsheetId=sheet.url)["rows"]
    equal(rows, [{"row": 2, "cells": {"name": "Ada", "n": 1, "ok": True, "day": "2024-01-15"}},
                 {"row": 3, "cells": {"name": 7, "n": 2.5, "ok": False}}])
    found = call(house, "findFiles", name="by hand")["files"]
    equal([file["id"] for file in found], [sheet.id])


def prepare(loopback, binary, data):
    return SimpleNamespace(client=loopback.gspread(), binary=binary, data=data)


if __name__ == "__main__":
    run(prepare)
