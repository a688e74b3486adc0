"""What users of google-api-python-client do with Sheets, done to the embedded workspace."""

import json

from googleapiclient.errors import HttpError

from checks import check, equal, raises, run
from fixture import batch, fresh, number, services, text, values


@check
def create_with_sheets_and_values(google):
    key = fresh(google, "made whole")
    made = google.sheets.get(spreadsheetId=key).execute()
    equal(made["properties"]["title"], "made whole")
    grid = made["sheets"][0]["properties"]
    equal((len(made["sheets"]), grid["title"], grid["sheetId"], grid["index"], grid["sheetType"]), (1, "Data", 7, 0, "GRID"))
    equal(grid["gridProperties"], {"rowCount": 20, "columnCount": 5})
    equal(values(google, key, "Data"), [["key", "n"], ["a", 1], ["b", 2]])


@check
def field_masks(google):
    key = fresh(google)
    get = google.sheets.get
    equal(get(spreadsheetId=key, fields="sheets.properties(sheetId,title)").execute(),
          {"sheets": [{"properties": {"sheetId": 7, "title": "Data"}}]})
    equal(get(spreadsheetId=key, fields="sheets/properties/title,properties.title").execute(),
          {"properties": {"title": "fixture"}, "sheets": [{"properties": {"title": "Data"}}]})
    grid = get(spreadsheetId=key, ranges="Data!B2:B3", fields="sheets.data.rowData.values.effectiveValue").execute()
    equal(grid, {"sheets": [{"data": [{"rowData": [
        {"values": [{"effectiveValue": {"numberValue": 1}}]}, {"values": [{"effectiveValue": {"numberValue": 2}}]}]}]}]})
    raises(HttpError, lambda: get(spreadsheetId=key, fields="nope").execute(), "400")


@check
def values_calls(google):
    key = fresh(google)
    calls = google.sheets.values()
    answer = calls.update(spreadsheetId=key, range="Data!A4:B4", valueInputOption="USER_ENTERED",
                          includeValuesInResponse=True, responseValueRenderOption="UNFORMATTED_VALUE",
                          body={"values": [["c", "3.5"]]}).execute()
    equal((answer["updatedRange"], answer["updatedCells"]), ("Data!A4:B4", 2))
    equal(answer["updatedData"]["values"], [["c", 3.5]])
    answer = calls.batchUpdate(spreadsheetId=key, body={"valueInputOption": "RAW", "data": [
        {"range": "Data!A5:B5", "values": [["d", 4]]}, {"range": "Data!C1:C2", "majorDimension": "COLUMNS", "values": [["x", "y"]]}]}).execute()
    equal((answer["totalUpdatedCells"], answer["totalUpdatedSheets"], len(answer["responses"])), (4, 1, 2))
    answer = calls.append(spreadsheetId=key, range="Data!A1", valueInputOption="RAW", insertDataOption="INSERT_ROWS",
                          body={"values": [["e", 5]]}).execute()
    equal((answer["tableRange"], answer["updates"]["updatedRange"]), ("Data!A1:C5", "Data!A6:B6"))
    got = calls.batchGet(spreadsheetId=key, ranges=["Data!A4:B6", "Data!C1:C2"], valueRenderOption="UNFORMATTED_VALUE").execute()
    equal([each["values"] for each in got["valueRanges"]], [[["c", 3.5], ["d", 4], ["e", 5]], [["x"], ["y"]]])
    equal(calls.clear(spreadsheetId=key, range="Data!C:C", body={}).execute()["clearedRange"], "Data!C1:C21")
    equal(calls.batchClear(spreadsheetId=key, body={"ranges": ["Data!A5:B6"]}).execute()["clearedRanges"], ["Data!A5:B6"])
    equal(values(google, key, "Data"), [["key", "n"], ["a", 1], ["b", 2], ["c", 3.5]])
    equal(values(google, key, "Data!A1:B3", majorDimension="COLUMNS"), [["key", "a", "b"], ["n", 1, 2]])


@check
def a_batch_is_all_or_nothing(google):
    key = fresh(google)
    write = {"updateCells": {"start": {"sheetId": 7, "rowIndex": 0, "columnIndex": 0},
                             "rows": [{"values": [text("overwritten")]}], "fields": "userEnteredValue"}}
    raises(HttpError, lambda: batch(google, key, write, {"deleteSheet": {"sheetId": 99}}), "requests[1].deleteSheet")
    equal(values(google, key, "Data!A1"), [["key"]])


@check
def a_batch_answers_with_the_new_state(google):
    key = fresh(google)
    answer = batch(google, key,
                   {"addSheet": {"properties": {"title": "Second"}}},
                   {"appendCells": {"sheetId": 7, "rows": [{"values": [text("=1+1"), number(0.25)]}], "fields": "userEnteredValue"}},
                   {"repeatCell": {"range": {"sheetId": 7, "startRowIndex": 1, "startColumnIndex": 1, "endColumnIndex": 2},
                                   "cell": {"userEnteredFormat": {"numberFormat": {"type": "PERCENT", "pattern": "0%"}}},
                                   "fields": "userEnteredFormat.numberFormat"}},
                   includeSpreadsheetInResponse=True, responseIncludeGridData=True, responseRanges=["Data!A4:B4"])
    equal(answer["replies"][1:], [{}, {}])
    equal(answer["replies"][0]["addSheet"]["properties"]["title"], "Second")
    row = answer["updatedSpreadsheet"]["sheets"][0]["data"][0]["rowData"][0]["values"]
    equal([cell["formattedValue"] for cell in row], ["=1+1", "25%"])
    equal(values(google, key, "Data!A4:B4"), [["=1+1", 0.25]])


@check
def grid_requests(google):
    key = fresh(google)
    batch(google, key,
          {"insertDimension": {"range": {"sheetId": 7, "dimension": "ROWS", "startIndex": 1, "endIndex": 2}}},
          {"updateCells": {"start": {"sheetId": 7, "rowIndex": 1, "columnIndex": 0},
                           "rows": [{"values": [text("z"), number(26)]}], "fields": "userEnteredValue"}},
          {"sortRange": {"range": {"sheetId": 7, "startRowIndex": 1, "endRowIndex": 4, "startColumnIndex": 0, "endColumnIndex": 2},
                         "sortSpecs": [{"dimensionIndex": 1, "sortOrder": "DESCENDING"}]}},
          {"deleteDimension": {"range": {"sheetId": 7, "dimension": "ROWS", "startIndex": 3, "endIndex": 4}}},
          {"appendDimension": {"sheetId": 7, "dimension": "COLUMNS", "length": 2}},
          {"findReplace": {"find": "z", "replacement": "y", "allSheets": True}},
          {"updateSheetProperties": {"properties": {"sheetId": 7, "gridProperties": {"frozenRowCount": 1}},
                                     "fields": "gridProperties.frozenRowCount"}})
    equal(values(google, key, "Data"), [["key", "n"], ["y", 26], ["b", 2]])
    grid = google.sheets.get(spreadsheetId=key).execute()["sheets"][0]["properties"]["gridProperties"]
    equal(grid, {"rowCount": 20, "columnCount": 7, "frozenRowCount": 1})


@check
def developer_metadata(google):
    key = fresh(google)
    row = {"dimensionRange": {"sheetId": 7, "dimension": "ROWS", "startIndex": 2, "endIndex": 3}}
    marker = {"metadataId": 4711, "metadataKey": "lockstep", "metadataValue": "batch 1",
              "location": {"spreadsheet": True}, "visibility": "DOCUMENT"}
    anchor = {"metadataKey": "row", "metadataValue": "b", "location": row, "visibility": "PROJECT"}
    answer = batch(google, key, *({"createDeveloperMetadata": {"developerMetadata": each}} for each in (marker, anchor)))
    made = answer["replies"][0]["createDeveloperMetadata"]["developerMetadata"]
    equal((made["metadataId"], made["location"]), (4711, {"locationType": "SPREADSHEET", "spreadsheet": True}))
    calls = google.sheets.developerMetadata()
    equal(calls.get(spreadsheetId=key, metadataId=4711).execute()["metadataValue"], "batch 1")
    raises(HttpError, lambda: calls.get(spreadsheetId=key, metadataId=5).execute(), "404", "No developer metadata with ID 5")
    found = calls.search(spreadsheetId=key, body={"dataFilters": [{"developerMetadataLookup": {"metadataKey": "row"}}]}).execute()
    equal([each["developerMetadata"]["metadataValue"] for each in found["matchedDeveloperMetadata"]], ["b"])
    # A second marker with the same id fails the whole batch: that is what makes a late twin harmless.
    again = {"createDeveloperMetadata": {"developerMetadata": marker}}
    erase = {"updateCells": {"range": {"sheetId": 7}, "fields": "userEnteredValue"}}
    raises(HttpError, lambda: batch(google, key, erase, again), "400")
    equal(values(google, key, "Data!A1"), [["key"]])
    # The anchor follows its row.
    batch(google, key, {"insertDimension": {"range": {"sheetId": 7, "dimension": "ROWS", "startIndex": 0, "endIndex": 2}}})
    lookup = {"developerMetadataLookup": {"metadataKey": "row"}}
    got = google.sheets.values().batchGetByDataFilter(
        spreadsheetId=key, body={"dataFilters": [lookup], "valueRenderOption": "UNFORMATTED_VALUE"}).execute()
    equal(got["valueRanges"][0]["valueRange"]["values"], [["b", 2]])
    google.sheets.values().batchUpdateByDataFilter(spreadsheetId=key, body={
        "valueInputOption": "RAW", "data": [{"dataFilter": lookup, "values": [["b", 20]]}]}).execute()
    equal(values(google, key, "Data!A5:B5"), [["b", 20]])
    batch(google, key, {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": 4711}}}})
    raises(HttpError, lambda: calls.get(spreadsheetId=key, metadataId=4711).execute(), "404")


@check
def copy_a_sheet_to_another_spreadsheet(google):
    source, target = fresh(google), fresh(google)
    copied = google.sheets.sheets().copyTo(spreadsheetId=source, sheetId=7, body={"destinationSpreadsheetId": target}).execute()
    equal(copied["title"], "Copy of Data")
    equal(values(google, target, "'Copy of Data'!A2:B2"), [["a", 1]])


@check
def errors_are_googles(google):
    get = google.sheets.values().get
    error = raises(HttpError, lambda: get(spreadsheetId=fresh(google), range="Nope!A1").execute(), "400")
    equal(json.loads(error.content)["error"]["message"], "Unable to parse range: Nope!A1")
    error = raises(HttpError, lambda: get(spreadsheetId="nowhere", range="A1").execute(), "404")
    equal(json.loads(error.content)["error"],
          {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"})
    error = raises(HttpError, lambda: google.drive.files().get(fileId="nowhere").execute(), "404")
    equal(json.loads(error.content)["error"]["errors"][0],
          {"message": "File not found: nowhere.", "domain": "global", "reason": "notFound", "location": "fileId", "locationType": "parameter"})
    key = fresh(google)
    error = raises(HttpError, lambda: batch(google, key, {"repeatCell": {"range": {"sheetId": 7}, "cell": {}}}), "400")
    equal(json.loads(error.content)["error"]["message"],
          "Invalid requests[0].repeatCell: At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)")


if __name__ == "__main__":
    run(services)
