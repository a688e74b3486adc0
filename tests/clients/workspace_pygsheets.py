"""What users of pygsheets do, done to the embedded workspace."""

import tempfile
from pathlib import Path

import pygsheets
from googleapiclient.errors import HttpError
from pygsheets import DataRange, ExportType, SpreadsheetNotFound, ValueRenderOption, WorksheetNotFound

from checks import check, equal, raises, run

PLAIN = ValueRenderOption.UNFORMATTED_VALUE


def fresh(client, title):
    """A new spreadsheet with a header and two rows."""
    sheet = client.create(title)
    sheet.sheet1.update_values("A1", [["key", "n", "ok"], ["a", 1, True], ["007", 2.5, False]], parse=False)
    return sheet, sheet.sheet1


@check
def create_open_list(client):
    sheet = client.create("py planes")
    equal(client.open("py planes").id, sheet.id)
    equal(client.open_by_key(sheet.id).title, "py planes")
    equal(client.open_by_url(sheet.url).id, sheet.id)
    equal("py planes" in client.spreadsheet_titles(), True)
    raises(SpreadsheetNotFound, lambda: client.open("py nothing"))


@check
def write_and_read(client):
    _, tab = fresh(client, "py values")
    equal(tab.get_values("A1", "C3", value_render=PLAIN), [["key", "n", "ok"], ["a", 1, True], ["007", 2.5, False]])
    equal(tab.get_values("A1", "C3"), [["key", "n", "ok"], ["a", "1", "TRUE"], ["007", "2.5", "FALSE"]])
    tab.update_value("B2", "=1+2")
    equal((tab.get_value("B2"), tab.cell("B2").formula), ("3", "=1+2"))
    tab.update_values_batch(["A5:B5", "A6:B6"], [[["c", 3]], [["d", 4]]])
    equal(tab.get_values_batch(["A5:B5", "A6:B6"], value_render=PLAIN), [[["c", 3]], [["d", 4]]])
    equal(tab.get_all_records(numericise_data=False)[0], {"key": "a", "n": "3", "ok": "TRUE"})
    tab.clear("A5", "B6")
    equal(tab.get_all_values(include_tailing_empty=False, include_tailing_empty_rows=False),
          [["key", "n", "ok"], ["a", "3", "TRUE"], ["007", "2.5", "FALSE"]])


@check
def append_insert_delete_sort_find(client):
    _, tab = fresh(client, "py rows")
    tab.append_table([["b", 3, True]], start="A1")
    equal(tab.get_value("A4"), "b")
    tab.insert_rows(1, number=1, values=[["new", 9, True]])
    equal(tab.get_col(1, include_tailing_empty=False), ["key", "new", "a", "007", "b"])
    tab.delete_rows(2)
    tab.sort_range("A2", "C4", basecolumnindex=1, sortorder="DESCENDING")
    equal(tab.get_col(1, include_tailing_empty=False), ["key", "b", "007", "a"])
    equal([cell.label for cell in tab.find("007")], ["A3"])
    tab.replace("key", "id")
    equal(tab.get_value("A1"), "id")


@check
def formats_and_notes(client):
    sheet, tab = fresh(client, "py formats")
    cell = tab.cell("A1")
    cell.set_text_format("bold", True)
    cell.color = (1.0, 0.5, 0.0, 1.0)
    cell.note = "look here"
    tab.cell("B3").set_number_format(pygsheets.FormatType.NUMBER, "0.00")
    again = client.open_by_key(sheet.id).sheet1
    seen = again.cell("A1")
    seen.fetch()
    equal((seen.text_format["bold"], seen.note), (True, "look here"))
    equal(again.get_value("B3"), "2.50")
    tab.apply_format("A2:C2", {"textFormat": {"italic": True}}, fields="userEnteredFormat.textFormat.italic")
    tab.merge_cells("D1", "E2")
    tab.frozen_rows = 1
    equal(client.open_by_key(sheet.id).sheet1.frozen_rows, 1)


@check
def ranges(client):
    sheet, tab = fresh(client, "py ranges")
    # pygsheets 2.0.6 cannot make its own range object of the answer.
    tab.create_named_range("Corner", "A1", "B2", returnas="json")
    equal([named.name for named in client.open_by_key(sheet.id).named_ranges], ["Corner"])
    corner = tab.get_named_range("Corner")
    equal([[cell.value for cell in corner[row]] for row in range(2)], [["key", "n"], ["a", "1"]])
    tab.delete_named_range("Corner")
    guard = tab.create_protected_range("A1", "C1")
    equal(isinstance(guard, DataRange), True)
    equal(len(client.open_by_key(sheet.id).protected_ranges), 1)
    tab.remove_protected_range(guard.protect_id)
    tab.set_data_validation("A2", "A9", condition_type="ONE_OF_LIST", condition_values=["a", "007"])
    tab.set_basic_filter(start="A1", end="C3")
    tab.clear_basic_filter()


@check
def metadata(client):
    sheet, tab = fresh(client, "py metadata")
    made = sheet.create_developer_metadata("suite", "one")
    on_tab = tab.create_developer_metadata("suite", "two")
    equal([each.value for each in sheet.get_developer_metadata("suite")], ["one"])
    equal([each.value for each in tab.get_developer_metadata("suite")], ["two"])
    made.value = "three"
    made.update()
    equal(sheet.get_developer_metadata("suite")[0].value, "three")
    on_tab.delete()
    equal(tab.get_developer_metadata("suite"), [])


@check
def worksheets(client):
    sheet, tab = fresh(client, "py tabs")
    two = sheet.add_worksheet("Two", rows=10, cols=4)
    equal((two.rows, two.cols), (10, 4))
    two.title = "Zwei"
    two.rows = 12
    equal([(each.title, each.rows) for each in client.open_by_key(sheet.id).worksheets()], [("Sheet1", 1000), ("Zwei", 12)])
    raises(WorksheetNotFound, lambda: client.open_by_key(sheet.id).worksheet_by_title("Two"))
    sheet.del_worksheet(two)
    equal([each.title for each in client.open_by_key(sheet.id).worksheets()], [tab.title])


@check
def batch_mode(client):
    sheet, tab = fresh(client, "py batch")
    client.set_batch_mode(True)
    try:
        tab.rows = 50
        tab.cols = 9
        client.run_batch()
    finally:
        client.set_batch_mode(False)
    again = client.open_by_key(sheet.id).sheet1
    equal((again.rows, again.cols), (50, 9))


@check
def exports(client):
    sheet, tab = fresh(client, "py exports")
    with tempfile.TemporaryDirectory() as folder:
        sheet.export(ExportType.CSV, path=f"{folder}/", filename="out")
        sheet.export(ExportType.XLS, path=f"{folder}/", filename="out")
        written = {path.suffix: path.read_bytes() for path in Path(folder).iterdir()}
    equal(sorted(written), [".csv", ".xls"])
    equal(written[".csv"], b"key,n,ok\r\na,1,TRUE\r\n007,2.5,FALSE")
    equal(written[".xls"][:2], b"PK")


@check
def sharing_and_deleting(client):
    sheet, _ = fresh(client, "py shared")
    sheet.share("r@example.com", role="reader", type="user")
    equal(sorted(each["role"] for each in sheet.permissions), ["owner", "reader"])
    sheet.remove_permission("r@example.com")
    equal([each["role"] for each in sheet.permissions], ["owner"])
    sheet.delete()
    raises(HttpError, lambda: client.open_by_key(sheet.id), "404")


@check
def errors(client):
    _, tab = fresh(client, "py errors")
    raises(HttpError, lambda: tab.update_values("ZZ5000", [["x"]]), "400")
    raises(HttpError, lambda: client.sheet.batch_update(tab.spreadsheet.id, [{"deleteSheet": {"sheetId": 12345}}]), "400")
    equal(tab.get_value("A1"), "key")


if __name__ == "__main__":
    run(lambda loopback: loopback.pygsheets())
