"""What users of google-api-python-client do with Drive, done to the embedded workspace."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload

from checks import check, equal, raises, run
from fixture import fresh, services, values

SHEET = "application/vnd.google-apps.spreadsheet"
FOLDER = "application/vnd.google-apps.folder"


@check
def files_and_folders(google):
    files = google.drive.files()
    folder = files.create(body={"name": "A folder", "mimeType": FOLDER}).execute()
    equal(sorted(folder), ["id", "kind", "mimeType", "name"])
    made = files.create(body={"name": "In it", "mimeType": SHEET, "parents": [folder["id"]]}).execute()
    equal(values(google, made["id"], "A1"), [])
    found = files.list(q=f"'{folder['id']}' in parents and trashed=false", fields="files(id,name)").execute()
    equal(found, {"files": [{"id": made["id"], "name": "In it"}]})
    moved = fresh(google, "moved in")
    before = files.get(fileId=moved, fields="parents").execute()["parents"]
    after = files.update(fileId=moved, addParents=folder["id"], removeParents=",".join(before), fields="parents").execute()
    equal(after, {"parents": [folder["id"]]})
    renamed = files.update(fileId=moved, body={"name": "It's moved", "appProperties": {"origin": "suite"}},
                           fields="name,appProperties,trashed,mimeType").execute()
    equal(renamed, {"name": "It's moved", "appProperties": {"origin": "suite"}, "trashed": False, "mimeType": SHEET})
    equal(google.sheets.get(spreadsheetId=moved, fields="properties.title").execute(), {"properties": {"title": "It's moved"}})
    by_name = files.list(q="name = 'It\\'s moved' and mimeType='application/vnd.google-apps.spreadsheet'").execute()
    equal([each["id"] for each in by_name["files"]], [moved])
    by_property = files.list(q="appProperties has { key='origin' and value='suite' }").execute()
    equal([each["id"] for each in by_property["files"]], [moved])
    files.update(fileId=moved, body={"trashed": True}).execute()
    equal(files.list(q="name contains 'moved' and trashed = false").execute()["files"], [])
    files.delete(fileId=moved).execute()
    raises(HttpError, lambda: files.get(fileId=moved).execute(), "404", f"File not found: {moved}.")


@check
def lists_come_in_pages(google):
    files = google.drive.files()
    folder = files.create(body={"name": "Paged", "mimeType": FOLDER}, fields="id").execute()["id"]
    names = [f"paged {index}" for index in range(7)]
    for name in names:
        files.create(body={"name": name, "mimeType": SHEET, "parents": [folder]}).execute()
    request = files.list(q=f"'{folder}' in parents", orderBy="name", pageSize=3, fields="nextPageToken,files(name)")
    pages = []
    while request is not None:
        answer = request.execute()
        pages.append([each["name"] for each in answer["files"]])
        request = files.list_next(request, answer)
    equal(pages, [names[:3], names[3:6], names[6:]])


@check
def uploads_downloads_exports(google):
    files = google.drive.files()
    media = MediaInMemoryUpload("k;ä\n1;2\n".encode(), mimetype="text/plain")
    made = files.create(body={"name": "notes.txt"}, media_body=media, fields="id,size,mimeType").execute()
    equal((made["size"], made["mimeType"]), ("9", "text/plain"))
    equal(files.get_media(fileId=made["id"]).execute().decode(), "k;ä\n1;2\n")
    csv = MediaInMemoryUpload(b'code,day\n007,2024-01-15\n"a, b",x\n', mimetype="text/csv")
    sheet = files.create(body={"name": "imported", "mimeType": SHEET}, media_body=csv).execute()["id"]
    title = google.sheets.get(spreadsheetId=sheet, fields="sheets.properties.title").execute()["sheets"][0]["properties"]["title"]
    equal(values(google, sheet, f"'{title}'"), [["code", "day"], [7, 45306], ["a, b", "x"]])
    exported = files.export(fileId=fresh(google), mimeType="text/csv").execute()
    equal(exported, b"key,n\r\na,1\r\nb,2")
    raises(HttpError, lambda: files.export(fileId=made["id"], mimeType="text/csv").execute(), "403")


@check
def copies_permissions_about_and_changes(google):
    files, key = google.drive.files(), fresh(google, "to share")
    changes = google.drive.changes()
    token = changes.getStartPageToken().execute()["startPageToken"]
    copy = files.copy(fileId=key, body={"name": "shared copy"}).execute()
    equal(copy["name"], "shared copy")
    equal(values(google, copy["id"], "Data!A2:B2"), [["a", 1]])
    permissions = google.drive.permissions()
    made = permissions.create(fileId=copy["id"], sendNotificationEmail=False,
                              body={"type": "user", "role": "reader", "emailAddress": "r@example.com"}).execute()
    listed = permissions.list(fileId=copy["id"], fields="permissions(id,role,emailAddress)").execute()["permissions"]
    equal(sorted(each["role"] for each in listed), ["owner", "reader"])
    permissions.delete(fileId=copy["id"], permissionId=made["id"]).execute()
    equal(len(permissions.list(fileId=copy["id"]).execute()["permissions"]), 1)
    about = google.drive.about().get(fields="user(emailAddress,kind)").execute()["user"]
    equal((about["kind"], "@" in about["emailAddress"]), ("drive#user", True))
    seen = changes.list(pageToken=token, fields="newStartPageToken,changes(fileId,removed)").execute()
    equal(copy["id"] in [each["fileId"] for each in seen["changes"]], True)


class Inbox(HTTPServer):
    """A web hook on a free port of this machine; its messages come out of a queue."""

    def __init__(self):
        self.messages = queue.Queue()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                inbox.messages.put(dict(self.headers))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server_port}/hook"

    def next(self, timeout=20):
        """Returns the next message's X-Goog headers, without their prefix; None after `timeout` seconds of quiet."""
        try:
            headers = self.messages.get(timeout=timeout)
        except queue.Empty:
            return None
        return {name[7:]: value for name, value in headers.items() if name.startswith("X-Goog-")}


@check
def changes_are_pushed_to_a_web_hook(google):
    key, inbox = fresh(google, "watched"), Inbox()
    hook = {"id": "channel-1", "type": "web_hook", "address": inbox.address, "token": "secret"}
    channel = google.drive.files().watch(fileId=key, body=hook).execute()
    equal((channel["kind"], channel["id"]), ("api#channel", "channel-1"))
    first = inbox.next()
    equal((first["Channel-ID"], first["Channel-Token"], first["Resource-State"], first["Message-Number"]),
          ("channel-1", "secret", "sync", "1"))
    google.drive.files().update(fileId=key, body={"name": "watched and renamed"}).execute()
    second = inbox.next()
    equal((second["Resource-ID"], second["Resource-State"]), (channel["resourceId"], "update"))
    equal(("properties" in second["Changed"], int(second["Message-Number"]) > 1), (True, True))
    while inbox.next(timeout=1):
        pass
    google.drive.channels().stop(body={"id": "channel-1", "resourceId": channel["resourceId"]}).execute()
    google.drive.files().update(fileId=key, body={"name": "no longer watched"}).execute()
    equal(inbox.next(timeout=1), None)
    inbox.shutdown()
    inbox.server_close()


if __name__ == "__main__":
    run(services)
