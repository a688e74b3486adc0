"""A person with gspread decides conflicts in the review tab, and the next run writes them.

usage: gspread_review.py ROOT BINARY DATA
The tools run as `lockstep call` on the folder DATA, while `lockstep workspace` serves it at ROOT.
"""

from pathlib import Path
from types import SimpleNamespace

from checks import CHECKS, check, equal, run
from gspread_reads_tools import call

# Its own checks came along with the call.
CHECKS.clear()

HEAD = ["id", "key", "column", "base", "left", "right", "decision", "note", "status"]
BASE = "sku,name,qty,day\nA,Apple,10,2024-01-15\nB,Beet,20,2024-01-16\nC,Corn,30,2024-01-17\nD,Dill,40,2024-01-18\n"


def edited(*edits):
    text = BASE
    for before, after in edits:
        equal(before in text, True)
        text = text.replace(before, after)
    return text


def rows(path):
    """The lines of a file; their order is nobody's business."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return [head, *sorted(lines)]


@check
def a_person_decides_in_the_tab(house):
    left, right = Path(house.data, "left.csv"), Path(house.data, "right.csv")
    left.write_text(BASE, encoding="utf-8")
    right.write_text(BASE, encoding="utf-8")
    key = call(house, "createFile", type="spreadsheet", name="Desk")["id"]
    call(house, "syncDataset", name="goods", left={"file": "left.csv"}, right={"file": "right.csv"}, key=["sku"],
         direction="both", deletes="delete", maxDeletePercent=100, reviewSheet={"spreadsheetId": key},
         columns=[{"name": "sku"}, {"name": "name"}, {"name": "qty", "type": "number"}, {"name": "day", "type": "date"}],
         mode="apply")
    left.write_text(edited(("Apple", "Apfel"), ("Beet,20", "Beet,21"), ("-17", "-18"), ("D,Dill,40,2024-01-18\n", "")), "utf-8")
    right.write_text(edited(("Apple", "Pomme"), ("Beet,20", "Beet,22"), ("-17", "-19"), ("Dill", "Dille")), "utf-8")
    report = call(house, "syncDataset", name="goods", mode="apply")
    equal(report["counts"]["conflicts"], 4)

    sheet = house.client.open_by_key(key)
    tab = sheet.worksheet("Review goods")
    there = tab.get_all_values()
    equal(there[0], HEAD)
    lines = {line[1]: line for line in there[1:]}
    equal(lines["A"][2:], ["name", "Apple", "Apfel", "Pomme", "", "", "open"])
    equal(lines["B"][2:], ["qty", "20", "21", "22", "", "", "open"])
    equal(lines["C"][2:], ["day", "2024-01-17", "2024-01-18", "2024-01-19", "", "", "open"])
    equal(lines["D"][2:], ["(row)", "", "deleted", "name: Dill → Dille", "", "", "open"])
    # The decision column offers the sides and base, and takes what else is typed.
    grid = sheet.fetch_sheet_metadata({"ranges": "'Review goods'!G2:G5", "fields": "sheets.data.rowData.values.dataValidation"})
    for row in grid["sheets"][0]["data"][0]["rowData"]:
        rule = row["values"][0]["dataValidation"]
        equal(rule["condition"]["type"], "ONE_OF_LIST")
        equal([value["userEnteredValue"] for value in rule["condition"]["values"]], ["left", "right", "base"])
        equal((rule.get("strict", False), rule["showCustomUi"]), (False, True))

    def decide(key, decision, note=None):
        row = 1 + next(at for at, line in enumerate(tab.get_all_values()) if line[1] == key)
        tab.update_cell(row, 7, decision)
        if note is not None:
            tab.update_cell(row, 8, note)

    decide("A", "right", "the shop knows")
    decide("B", 25)
    decide("C", "2024-03-01")
    decide("D", "left")
    tab.sort((2, "des"))
    report = call(house, "syncDataset", name="goods", mode="apply")
    equal((report["state"], report["counts"].get("conflicts")), ("applied", None))
    wanted = ["sku,name,qty,day", "A,Pomme,10,2024-01-15", "B,Beet,25,2024-01-16", "C,Corn,30,2024-03-01"]
    equal(rows(left), wanted)
    equal(rows(right), wanted)
    equal(tab.get_all_values(), [HEAD])
    applied = call(house, "resolveConflicts", dataset="goods", state="applied", limit=10)["conflicts"]
    equal(sorted(one["decision"] for one in applied), ["left", "right", "value 2024-03-01", "value 25"])
    equal([one["note"] for one in applied if one["key"] == "A"], ["the shop knows"])
    equal(all("reviewSheet" in one["by"] for one in applied), True)
    equal(call(house, "syncDataset", name="goods", mode="apply")["state"], "inStep")


def prepare(loopback, binary, data):
    return SimpleNamespace(client=loopback.gspread(), binary=binary, data=data)


if __name__ == "__main__":
    run(prepare)
