"""What users of gspread do, done to the embedded workspace."""

from types import SimpleNamespace

from gspread.exceptions import APIError, SpreadsheetNotFound, WorksheetNotFound
from gspread.utils import ExportFormat, ValidationConditionType, ValueInputOption, ValueRenderOption

from checks import check, equal, raises, run

RAW, USER = ValueInputOption.raw, ValueInputOption.user_entered
PLAIN, FORMULA = ValueRenderOption.unformatted, ValueRenderOption.formula
HEADER = ["tail", "seats", "price", "ok", "day"]
ROWS = [["N1", 4, 10.5, True, "2024-01-15"], ["007", -1, 0.1, False, "x"]]


def fresh(house, title):
    """A new spreadsheet with the header and two rows."""
    sheet = house.client.create(title)
    sheet.sheet1.update([HEADER, *ROWS], "A1", value_input_option=RAW)
    return sheet, sheet.sheet1


@check
def create_open_list(house):
    sheet = house.client.create("Planes of spring")
    equal(house.client.open_by_key(sheet.id).title, "Planes of spring")
    equal(house.client.open("Planes of spring").id, sheet.id)
    equal(house.client.open_by_url(sheet.url).id, sheet.id)
    equal([file["id"] for file in house.client.list_spreadsheet_files("Planes of spring")], [sheet.id])
    equal((sheet.sheet1.id, sheet.sheet1.title), (0, "Sheet1"))
    equal((sheet.sheet1.row_count, sheet.sheet1.col_count), (1000, 26))
    equal(sheet.locale, "en_US")


@check
def write_raw_and_read_in_every_rendering(house):
    _, tab = fresh(house, "raw")
    equal(tab.get_all_values(), [HEADER, ["N1", "4", "10.5", "TRUE", "2024-01-15"], ["007", "-1", "0.1", "FALSE", "x"]])
    equal(tab.get("A1:E3", value_render_option=PLAIN), [HEADER, *ROWS])
    equal(tab.get("A1:E3", value_render_option=FORMULA), [HEADER, *ROWS])
    equal(tab.acell("B2", value_render_option=PLAIN).value, 4)
    equal(tab.row_values(2), ["N1", "4", "10.5", "TRUE", "2024-01-15"])
    equal(tab.col_values(1), ["tail", "N1", "007"])
    records = tab.get_all_records(value_render_option=PLAIN, numericise_ignore=["all"])
    equal(records, [dict(zip(HEADER, row)) for row in ROWS])


@check
def write_as_typed_by_a_user(house):
    _, tab = fresh(house, "typed")
    typed = ["2026-09-05", "$100.15", "50%", "TRUE", "'0123", "=1+2", "007", "9/27/2026", "2,000,000.01", "3.00", "plain"]
    tab.update([typed], "A5", value_input_option=USER)
    equal(tab.get("A5:K5", value_render_option=PLAIN),
          [[46270, 100.15, 0.5, True, "0123", 3, 7, 46292, 2000000.01, 3, "plain"]])
    equal(tab.get("A5:K5"),
          [["2026-09-05", "$100.15", "50%", "TRUE", "0123", "3", "7", "9/27/2026", "2,000,000.01", "3", "plain"]])
    equal(tab.acell("F5", value_render_option=FORMULA).value, "=1+2")
    tab.update([["=1+2", "'0123", "007"]], "A6", value_input_option=RAW)
    equal(tab.get("A6:C6", value_render_option=PLAIN), [["=1+2", "'0123", "007"]])


@check
def formulas_are_computed_and_follow_their_cells(house):
    _, tab = fresh(house, "formulas")
    tab.update([["=SUM(B2:B3)", '=IF(D2,"yes","no")', "=1/0"]], "G1", value_input_option=USER)
    equal(tab.get("G1:I1", value_render_option=PLAIN), [[3, "yes", "#DIV/0!"]])
    tab.update_acell("B2", 10)
    equal(tab.acell("G1", value_render_option=PLAIN).value, 9)
    tab.insert_row(["new"], index=2)
    equal(tab.acell("G1", value_render_option=FORMULA).value, "=SUM(B3:B4)")


@check
def append_after_the_table(house):
    _, tab = fresh(house, "append")
    answer = tab.append_rows([["N3", 9], ["N4", 8]], value_input_option=RAW)
    equal(answer["tableRange"], "Sheet1!A1:E3")
    equal(answer["updates"]["updatedRange"], "Sheet1!A4:B5")
    equal(tab.get("A4:B5", value_render_option=PLAIN), [["N3", 9], ["N4", 8]])


@check
def batches(house):
    sheet, tab = fresh(house, "batches")
    tab.batch_update([{"range": "B2", "values": [[5]]}, {"range": "C2:C3", "values": [[1], [2]]}], value_input_option=RAW)
    equal([list(block) for block in tab.batch_get(["A1:A2", "B2:C3"])], [[["tail"], ["N1"]], [["5", "1"], ["-1", "2"]]])
    equal(sheet.values_batch_get(["Sheet1!C2:C3"], {"majorDimension": "COLUMNS"})["valueRanges"],
          [{"range": "Sheet1!C2:C3", "majorDimension": "COLUMNS", "values": [["1", "2"]]}])
    tab.batch_clear(["A2:B2", "E3"])
    equal(tab.get("A2:E3", value_render_option=PLAIN), [["", "", 1, True, "2024-01-15"], ["007", -1, 2, False]])


@check
def find(house):
    _, tab = fresh(house, "find")
    equal(tab.find("007").address, "A3")
    equal(tab.find("absent"), None)
    equal(sorted(cell.address for cell in tab.findall("tail")), ["A1"])


@check
def formats(house):
    sheet, tab = fresh(house, "formats")
    tab.format("A1:E1", {"textFormat": {"bold": True}, "backgroundColor": {"red": 1, "green": 0.5}})
    tab.format("C2:C3", {"numberFormat": {"type": "NUMBER", "pattern": "0.00"}})
    tab.batch_format([{"range": "B2", "format": {"numberFormat": {"type": "PERCENT", "pattern": "0%"}}}])
    equal(tab.get("B2:C3"), [["400%", "10.50"], ["-1", "0.10"]])
    grid = sheet.fetch_sheet_metadata({"includeGridData": "true", "ranges": "Sheet1!A1:C2"})
    rows = grid["sheets"][0]["data"][0]["rowData"]
    entered = rows[0]["values"][0]["userEnteredFormat"]
    equal(entered["textFormat"], {"bold": True})
    equal((entered["backgroundColor"]["red"], entered["backgroundColor"]["green"]), (1, 0.5))
    equal(rows[1]["values"][2]["userEnteredValue"], {"numberValue": 10.5})
    equal(rows[1]["values"][2]["formattedValue"], "10.50")


@check
def rows_and_columns(house):
    sheet, tab = fresh(house, "dimensions")
    tab.insert_rows([["a"], ["b"]], row=2)
    equal(tab.col_values(1), ["tail", "a", "b", "N1", "007"])
    tab.delete_rows(2, 3)
    equal(tab.col_values(1), ["tail", "N1", "007"])
    tab.insert_cols([["left", "1", "2"]], col=1)
    equal(tab.row_values(1), ["left", *HEADER])
    tab.delete_columns(1)
    tab.sort((2, "des"), range="A2:E3")
    tab.sort((2, "asc"), range="A2:E3")
    equal(tab.col_values(1), ["tail", "007", "N1"])
    tab.resize(rows=10, cols=6)
    tab.add_rows(2)
    tab.freeze(rows=1, cols=1)
    again = sheet.worksheet("Sheet1")
    equal((again.row_count, again.col_count, again.frozen_row_count, again.frozen_col_count), (12, 6, 1, 1))
    tab.hide_rows(1, 2)
    tab.unhide_rows(1, 2)
    tab.columns_auto_resize(0, 2)


@check
def copy_and_cut(house):
    _, tab = fresh(house, "copies")
    tab.copy_range("A1:B2", "G1:H2")
    equal(tab.get("G1:H2", value_render_option=PLAIN), [["tail", "seats"], ["N1", 4]])
    tab.cut_range("G1:H2", "G5:H6")
    equal(tab.get("G1:H6", value_render_option=PLAIN), [[], [], [], [], ["tail", "seats"], ["N1", 4]])


@check
def merges_notes_and_colours(house):
    sheet, tab = fresh(house, "decoration")
    tab.merge_cells("A10:B11")
    merges = sheet.fetch_sheet_metadata()["sheets"][0]["merges"]
    equal([(m["startRowIndex"], m["endRowIndex"], m["startColumnIndex"], m["endColumnIndex"]) for m in merges], [(9, 11, 0, 2)])
    tab.unmerge_cells("A10:B11")
    equal("merges" in sheet.fetch_sheet_metadata()["sheets"][0], False)
    tab.update_note("A1", "look here")
    equal(tab.get_note("A1"), "look here")
    equal(tab.get_notes(), [["look here"]])
    tab.clear_note("A1")
    equal(tab.get_note("A1"), "")
    tab.update_tab_color("#FF8000")
    equal(sheet.worksheet("Sheet1").get_tab_color(), "#FF8000")


@check
def named_and_protected_ranges_validation_and_filter(house):
    sheet, tab = fresh(house, "ranges")
    made = tab.define_named_range("A1:B2", "Corner")
    equal(sheet.values_get("Corner")["range"], "Sheet1!A1:B2")
    equal([named["name"] for named in sheet.list_named_ranges()], ["Corner"])
    tab.delete_named_range(made["replies"][0]["addNamedRange"]["namedRange"]["namedRangeId"])
    equal(sheet.list_named_ranges(), [])
    guard = tab.add_protected_range("A1:E1", description="header", warning_only=True)
    equal([held["description"] for held in sheet.list_protected_ranges(tab.id)], ["header"])
    tab.delete_protected_range(guard["replies"][0]["addProtectedRange"]["protectedRange"]["protectedRangeId"])
    equal(sheet.list_protected_ranges(tab.id), [])
    tab.add_validation("A2:A9", ValidationConditionType.one_of_list, ["N1", "007"], strict=True)
    tab.set_basic_filter("A1:E3")
    equal(sheet.fetch_sheet_metadata()["sheets"][0]["basicFilter"]["range"]["endRowIndex"], 3)
    tab.clear_basic_filter()
    equal("basicFilter" in sheet.fetch_sheet_metadata()["sheets"][0], False)


@check
def sheets_of_a_spreadsheet(house):
    sheet, tab = fresh(house, "tabs")
    two = sheet.add_worksheet("Two", rows=5, cols=3)
    equal((two.title, two.row_count, two.col_count, two.index), ("Two", 5, 3, 1))
    copy = sheet.duplicate_sheet(tab.id, new_sheet_name="Copy")
    equal(copy.get("A2:B2", value_render_option=PLAIN), [["N1", 4]])
    sheet.reorder_worksheets([sheet.worksheet("Two"), sheet.worksheet("Copy"), sheet.worksheet("Sheet1")])
    equal([each.title for each in sheet.worksheets()], ["Two", "Copy", "Sheet1"])
    two.update_title("It's 'two' 🌵")
    sheet.worksheet("It's 'two' 🌵").update([["x"]], "A1")
    equal(two.get("A1"), [["x"]])
    two.hide()
    equal(sheet.worksheet("It's 'two' 🌵").isSheetHidden, True)
    two.show()
    other = house.client.create("tabs of another")
    moved = tab.copy_to(other.id)
    equal(moved["title"], "Copy of Sheet1")
    equal(other.worksheet("Copy of Sheet1").acell("A2").value, "N1")
    sheet.del_worksheet(copy)
    equal([each.title for each in sheet.worksheets()], ["It's 'two' 🌵", "Sheet1"])


@check
def properties(house):
    sheet, _ = fresh(house, "before")
    sheet.update_title("after")
    sheet.update_locale("de_DE")
    sheet.update_timezone("Europe/Berlin")
    again = house.client.open_by_key(sheet.id)
    equal((again.title, again.locale, again.timezone), ("after", "de_DE", "Europe/Berlin"))


@check
def exports(house):
    sheet, _ = fresh(house, "exports")
    equal(sheet.export(ExportFormat.CSV).decode(),
          "tail,seats,price,ok,day\r\nN1,4,10.5,TRUE,2024-01-15\r\n007,-1,0.1,FALSE,x")
    equal(sheet.export(ExportFormat.TSV).decode().splitlines()[1], "N1\t4\t10.5\tTRUE\t2024-01-15")
    equal(sheet.export(ExportFormat.EXCEL)[:2], b"PK")


@check
def permissions(house):
    sheet, _ = fresh(house, "shared")
    equal([each["role"] for each in sheet.list_permissions()], ["owner"])
    sheet.share("reader@example.com", perm_type="user", role="reader", notify=False)
    equal(sorted(each["role"] for each in sheet.list_permissions()), ["owner", "reader"])
    sheet.remove_permissions("reader@example.com", role="reader")
    equal([each["role"] for each in sheet.list_permissions()], ["owner"])


@check
def copy_and_delete_a_spreadsheet(house):
    sheet, _ = fresh(house, "original")
    copy = house.client.copy(sheet.id, title="the copy")
    equal(copy.sheet1.acell("C2", value_render_option=PLAIN).value, 10.5)
    copy.sheet1.update_acell("C2", 1)
    equal(sheet.sheet1.acell("C2", value_render_option=PLAIN).value, 10.5)
    house.client.del_spreadsheet(copy.id)
    raises(SpreadsheetNotFound, lambda: house.client.open_by_key(copy.id))


@check
def errors(house):
    sheet, tab = fresh(house, "errors")
    raises(SpreadsheetNotFound, lambda: house.client.open_by_key("nowhere"))
    raises(SpreadsheetNotFound, lambda: house.client.open("no such title"))
    raises(WorksheetNotFound, lambda: sheet.worksheet("nope"))
    error = raises(APIError, lambda: sheet.values_get("NOPE!A5:F15"), "[400]", "Unable to parse range: NOPE!A5:F15")
    equal((error.code, error.error["status"]), (400, "INVALID_ARGUMENT"))
    raises(APIError, lambda: sheet.add_worksheet("Sheet1", 1, 1),
           'Invalid requests[0].addSheet: A sheet with the name "Sheet1" already exists. Please enter another name.')
    raises(APIError, lambda: tab.hide(), "You can't hide all the sheets in a document.")
    raises(APIError, lambda: tab.update([["x"]], "ZZ5000"), "exceeds grid limits")
    raises(APIError, lambda: sheet.batch_update({"requests": []}), "Must specify at least one request.")
    raises(APIError, lambda: sheet.batch_update({"requests": [{"paintItBlack": {}}]}), "paintItBlack")
    equal(tab.get_all_values()[0], HEADER)


if __name__ == "__main__":
    run(lambda loopback: SimpleNamespace(client=loopback.gspread()))
