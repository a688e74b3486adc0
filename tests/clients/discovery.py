"""Holds HTTP answers against Google's own discovery documents, which google-api-python-client ships.

As a program:  discovery.py FILE    checks exchanges that were recorded as JSON lines
               ({"method", "url", "status", "type", "body"}), ends with 1 and says what is wrong, if anything is.
"""

import base64
import binascii
import json
import re
import sys
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

APIS = (("/v4/", "sheets.v4"), ("/drive/v3/", "drive.v3"), ("/upload/drive/v3/", "drive.v3"))
MEDIA = {"drive.files.export"}


@cache
def document(name):
    path = files("googleapiclient") / "discovery_cache" / "documents" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def methods(resource):
    yield from resource.get("methods", {}).values()
    for child in resource.get("resources", {}).values():
        yield from methods(child)


@cache
def routes(name):
    """Returns (HTTP method, pattern of the path, method); the more literal a path, the earlier."""
    found = []
    root = "/" + document(name)["servicePath"]
    for method in methods(document(name)):
        paths = [root + method["path"]]
        if "mediaUpload" in method:
            paths.append(method["mediaUpload"]["protocols"]["simple"]["path"])
        for path in paths:
            literal = re.split(r"\{\+?\w+\}", path)
            pattern = re.compile("[^/]+".join(map(re.escape, literal)))
            found.append((sum(map(len, literal)), method["httpMethod"], pattern, method))
    return sorted(found, key=lambda route: -route[0])


def find(http_method, path):
    """Returns the API's name and the method that a request calls, or None."""
    for prefix, name in APIS:
        if path.startswith(prefix):
            for _, verb, pattern, method in routes(name):
                if verb == http_method and pattern.fullmatch(path):
                    return name, method
    return None


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    return is_int(value) or isinstance(value, float) or value in ("NaN", "Infinity", "-Infinity")


def is_base64(value):
    try:
        base64.b64decode(value, validate=True)
        return True
    except (binascii.Error, ValueError):
        return False


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
TEXTS = {
    "int64": re.compile(r"-?\d+").fullmatch,
    "uint64": re.compile(r"\d+").fullmatch,
    "date-time": TIME.fullmatch,
    "google-datetime": TIME.fullmatch,
    "date": re.compile(r"\d{4}-\d\d-\d\d").fullmatch,
    "byte": is_base64,
}


def wrong(name, schema, value, path):
    """Yields what keeps `value` from being an answer under `schema`."""
    while "$ref" in schema:
        schema = document(name)["schemas"][schema["$ref"]]
    kind = schema.get("type")
    if kind == "any":
        return
    if kind == "object":
        if not isinstance(value, dict):
            yield f"{path}: {json.dumps(value)} is no object"
            return
        properties = schema.get("properties", {})
        for key, item in value.items():
            inner = properties.get(key, schema.get("additionalProperties"))
            if inner is None:
                yield f"{path}.{key}: not a field of {schema.get('id', 'this object')}"
            else:
                yield from wrong(name, inner, item, f"{path}.{key}")
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{path}: {json.dumps(value)} is no array"
            return
        for index, item in enumerate(value):
            yield from wrong(name, schema["items"], item, f"{path}[{index}]")
    elif kind == "string":
        fits = TEXTS.get(schema.get("format"), lambda _: True)
        if not isinstance(value, str) or not fits(value):
            yield f"{path}: {json.dumps(value)} is no {schema.get('format', 'string')} text"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{path}: {value} is none of {schema['enum']}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path}: {json.dumps(value)} is no boolean"
    elif kind == "integer":
        if not is_int(value) or not -2**31 <= value < 2**31:
            yield f"{path}: {json.dumps(value)} is no {schema['format']}"
    elif kind == "number":
        if not is_number(value):
            yield f"{path}: {json.dumps(value)} is no number"
    else:
        yield f"{path}: the schema's type {kind} is not known to this checker"


def wrong_error(name, status, body):
    """Yields what keeps a body from being one of Google's error bodies."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or body.keys() != {"error"}:
        yield "an error body has one field, error, an object"
        return
    if error.get("code") != status:
        yield f"error.code is {error.get('code')}, the HTTP status {status}"
    if not isinstance(error.get("message"), str) or not error["message"]:
        yield "error.message is missing"
    if name == "sheets.v4" and not re.fullmatch("[A-Z_]+", str(error.get("status"))):
        yield f"error.status is {error.get('status')}"
    if name == "drive.v3":
        for item in error.get("errors") or [{}]:
            if not {"domain", "reason", "message"} <= item.keys():
                yield f"error.errors holds {item}"


def problems(method, url, status, content_type, body):
    """Returns what is wrong with the answer to a request; `body` is bytes."""
    path = urlsplit(url).path
    found = find(method, path)
    if found is None:
        return [f"no API has {method} {path}"]
    name, called = found
    media = called["id"] in MEDIA or "alt=media" in urlsplit(url).query
    if status < 300 and media:
        return []
    if status == 204 or (status == 200 and "response" not in called):
        return [] if not body.strip() or content_type.startswith("application/json") else [f"{called['id']} answers nothing, not {body[:80]!r}"]
    if content_type.replace(" ", "").lower() != "application/json;charset=utf-8":
        return [f"{called['id']}: the content type is {content_type!r}"]
    try:
        value = json.loads(body)
    except ValueError as error:
        return [f"{called['id']}: the body is no JSON: {error}"]
    if status >= 400:
        return [f"{called['id']}: {text}" for text in wrong_error(name, status, value)]
    return [f"{called['id']}: {text}" for text in wrong(name, called["response"], value, "answer")]


class Record:
    """Checks exchanges as they come, and remembers what was wrong."""

    def __init__(self):
        self.count = 0
        self.problems = []

    def add(self, method, url, status, content_type, body):
        self.count += 1
        parts = urlsplit(url)
        for text in problems(method, url, status, content_type or "", body):
            self.problems.append(f"{method} {parts.path}?{parts.query} -> {status}: {text}")


def main():
    record = Record()
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            seen = json.loads(line)
            record.add(seen["method"], seen["url"], seen["status"], seen["type"], seen["body"].encode())
    print(f"{record.count} answers held against the discovery documents")
    if record.problems or not record.count:
        sys.exit("FAILED\n" + "\n".join(record.problems or ["nothing was recorded"]))


if __name__ == "__main__":
    main()
