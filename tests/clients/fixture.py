"""A small spreadsheet in the workspace, through google-api-python-client."""

from types import SimpleNamespace


def services(loopback):
    """Returns the Sheets and the Drive service."""
    return SimpleNamespace(sheets=loopback.service("sheets.v4").spreadsheets(), drive=loopback.service("drive.v3"))


def text(value):
    return {"userEnteredValue": {"stringValue": value}}


def number(value):
    return {"userEnteredValue": {"numberValue": value}}


def fresh(google, title="fixture"):
    """A new spreadsheet with a header and two rows; returns its id."""
    rows = [[text("key"), text("n")], [text("a"), number(1)], [text("b"), number(2)]]
    body = {"properties": {"title": title}, "sheets": [{
        "properties": {"title": "Data", "sheetId": 7, "gridProperties": {"rowCount": 20, "columnCount": 5}},
        "data": [{"rowData": [{"values": row} for row in rows]}],
    }]}
    return google.sheets.create(body=body).execute()["spreadsheetId"]


def batch(google, key, *requests, **options):
    return google.sheets.batchUpdate(spreadsheetId=key, body={"requests": list(requests), **options}).execute()


def values(google, key, cells, **options):
    options = {"valueRenderOption": "UNFORMATTED_VALUE", **options}
    return google.sheets.values().get(spreadsheetId=key, range=cells, **options).execute().get("values", [])
