"""Runs the PyPI server mcp-google-sheets on another root than Google's, without an account: sheets_python.py ROOT."""
import sys

import google.auth.credentials
import googleapiclient.discovery as discovery

root = sys.argv.pop(1)
build = discovery.build


def build_here(name, version, credentials=None, **rest):
    anonymous = google.auth.credentials.AnonymousCredentials()
    return build(name, version, credentials=anonymous, client_options={"api_endpoint": root}, **rest)


discovery.build = build_here

import mcp_google_sheets  # noqa: E402  (it takes build by name)

mcp_google_sheets.main()
