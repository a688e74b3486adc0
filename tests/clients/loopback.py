"""Points Google's Python clients at an embedded workspace, without credentials, and watches its answers."""

from urllib.parse import urlsplit

import gspread
import httplib2
import pygsheets
import requests
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build_from_document
from requests.adapters import HTTPAdapter

import discovery

GOOGLE = {"sheets.googleapis.com", "www.googleapis.com", "drive.googleapis.com"}
PATIENCE = 60


class Loopback:
    """The address of a workspace, and the record of what it answered."""

    def __init__(self, root):
        self.root = root.rstrip("/")
        self.record = discovery.Record()

    def here(self, url):
        """Returns the same URL at the workspace; any host but Google's is a mistake of the test."""
        parts = urlsplit(url)
        if parts.hostname not in GOOGLE:
            raise ValueError(f"a client wants to reach {url}")
        return f"{self.root}{parts.path}" + (f"?{parts.query}" if parts.query else "")

    def gspread(self):
        """Returns a gspread client."""
        session = requests.Session()
        session.mount("https://", Adapter(self))
        client = gspread.Client(auth=None, session=session)
        client.set_timeout(PATIENCE)
        return client

    def service(self, name):
        """Returns a service of google-api-python-client; `name` is that of a discovery document."""
        return build_from_document(discovery.document(name), http=Http(self))

    def pygsheets(self):
        """Returns a pygsheets client."""
        return pygsheets.client.Client(AnonymousCredentials(), http=Http(self), retries=0, check=False)


class Adapter(HTTPAdapter):
    """Sends what requests would send to Google to the workspace."""

    def __init__(self, loopback):
        super().__init__()
        self.loopback = loopback

    def send(self, request, **options):
        request.url = self.loopback.here(request.url)
        answer = super().send(request, **options)
        self.loopback.record.add(request.method, request.url, answer.status_code,
                                 answer.headers.get("content-type"), answer.content)
        return answer


class Http(httplib2.Http):
    """Sends what httplib2 would send to Google to the workspace."""

    def __init__(self, loopback):
        super().__init__(timeout=PATIENCE)
        self.loopback = loopback

    def request(self, uri, method="GET", body=None, headers=None, **options):
        url = self.loopback.here(uri)
        answer, content = super().request(url, method, body=body, headers=headers, **options)
        self.loopback.record.add(method, url, answer.status, answer.get("content-type"), content)
        return answer, content
