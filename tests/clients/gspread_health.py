"""gspread reads the dashboard of healthReport back: the numbers of the report, as numbers.

usage: gspread_health.py ROOT BINARY DATA
The tools run as `lockstep call` on the folder DATA, while `lockstep workspace` serves it at ROOT.
"""

from pathlib import Path
from types import SimpleNamespace

from gspread.utils import ValueRenderOption

from checks import CHECKS, check, equal, run
from gspread_reads_tools import call

# Its own checks came along with the call.
CHECKS.clear()

PLAIN = ValueRenderOption.unformatted


def table(sheet, title):
    rows = sheet.worksheet(title).get(value_render_option=PLAIN)
    head = rows[0]
    return [dict(zip(head, row + [""] * (len(head) - len(row)))) for row in rows[1:]]


@check
def the_dashboard_shows_the_numbers_of_the_report(house):
    data = Path(house.data)
    (data / "a.csv").write_text("id,name\n1,a\n2,b\n3,c\n4,d\n")
    sides = {"left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"]}
    call(house, "syncDataset", name="stock", mode="apply", **sides)
    (data / "b.csv").write_text((data / "b.csv").read_text().replace("3,c", "3,x"))
    call(house, "healthReport", dataset="stock")
    report = call(house, "healthReport", dashboard=True, detail=True)
    sheet = house.client.open_by_key(report["dashboard"])
    equal([tab.title for tab in sheet.worksheets()], ["About", "Health", "Datasets", "History"])
    health = {row["Metric"]: row for row in table(sheet, "Health")}
    equal((float(health["Health score"]["Value"]), health["Health score"]["Status"]), (report["score"], report["status"]))
    for metric, name in [("Success rate", "successRate"), ("Runs", "runs"), ("Rows written", "rowsWritten")]:
        equal(float(health[metric]["Value"]), report["metrics"][name])
    (stock,) = table(sheet, "Datasets")
    (wanted,) = report["datasets"]
    equal((stock["Dataset"], float(stock["Score"]), stock["Status"]), ("stock", wanted["score"], wanted["status"]))
    equal(round(stock["Consistency"], 4), wanted["parts"]["consistency"])
    equal(stock["First to mend"], wanted["deductions"][0]["what"])
    (point,) = table(sheet, "History")
    equal(float(point["Score"]), report["score"])


@check
def it_is_dressed_once_and_written_in_place(house):
    first = call(house, "healthReport", dashboard=True)
    again = call(house, "healthReport", dashboard=True)
    equal(again["dashboard"], first["dashboard"])
    sheet = house.client.open_by_key(first["dashboard"])
    found = sheet.fetch_sheet_metadata({"fields": "sheets(properties.title,conditionalFormats,charts.spec)"})
    tabs = {tab["properties"]["title"]: tab for tab in found["sheets"]}
    equal([len(tabs[title].get("conditionalFormats", [])) for title in ("Health", "Datasets")], [3, 3])
    (chart,) = tabs["History"]["charts"]
    equal(chart["spec"]["basicChart"]["chartType"], "LINE")


def prepare(loopback, binary, data):
    return SimpleNamespace(client=loopback.gspread(), binary=binary, data=data)


run(prepare)
