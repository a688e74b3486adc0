"""Plays a scenario file against an MCP client: the same steps, whichever client carries them.

A scenario is JSON: `files` to lay into the work folder, and `steps`. A step calls `tool` with `arguments`;
`${name}` in any text stands for a value that an earlier step captured (a text that is nothing but `${name}`
becomes the value itself). Then either

  * the call succeeds: `expect` maps JSON pointers into the structured content to values, or to one of
    {"matches": REGEX}, {"length": N}, {"absent": true}; `capture` maps names to pointers; or
  * the call `fails`: the text of the error matches that regular expression.

What holds for every step is checked here and not written down there: structured content is valid under the
tool's listed output schema and repeated as text, and a failure carries text and no structured content.
"""

import json
import re
import sys
from pathlib import Path

from jsonschema import Draft202012Validator


class Failed(Exception):
    """An expectation that was not met, with all that a reader needs."""


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def lay(scenario, folder):
    """Writes the scenario's files into the work folder."""
    for name, text in scenario["files"].items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


def fill(value, captured):
    """Replaces `${name}` in every text of a JSON value."""
    if isinstance(value, dict):
        return {key: fill(item, captured) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, captured) for item in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\$\{(\w+)\}", value)
    if whole:
        return captured[whole[1]]
    return re.sub(r"\$\{(\w+)\}", lambda match: str(captured[match[1]]), value)


ABSENT = object()


def at(value, pointer):
    """Returns what a JSON pointer points at, or ABSENT."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def same(got, want):
    """Compares as JSON does: 1 is 1.0, but true is not 1."""
    if isinstance(got, bool) or isinstance(want, bool):
        return got is want
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(same(got[key], want[key]) for key in got)
    if isinstance(got, list) and isinstance(want, list):
        return len(got) == len(want) and all(map(same, got, want))
    return got == want


def met(got, want):
    if isinstance(want, dict) and want.keys() == {"absent"}:
        return got is ABSENT
    if got is ABSENT:
        return False
    if isinstance(want, dict) and want.keys() == {"matches"}:
        return isinstance(got, str) and re.search(want["matches"], got) is not None
    if isinstance(want, dict) and want.keys() == {"length"}:
        return isinstance(got, (list, dict)) and len(got) == want["length"]
    return same(got, want)


def check_success(tool, result, step, captured):
    text = "\n".join(part.get("text", "") for part in result["content"])
    if result.get("isError"):
        raise Failed(f"the call failed:\n{text}")
    content = result.get("structuredContent")
    if content is None:
        raise Failed(f"no structured content; the text is:\n{text}")
    wrong = [f"{error.json_path}: {error.message}"
             for error in Draft202012Validator(tool["outputSchema"]).iter_errors(content)]
    if wrong:
        raise Failed(f"the result does not match the listed output schema: {wrong}\n{dump(content)}")
    if not same(json.loads(text), content):
        raise Failed(f"the text is not the structured content:\n{text}\n{dump(content)}")
    for pointer, want in fill(step.get("expect", {}), captured).items():
        got = at(content, pointer)
        if not met(got, want):
            shown = "absent" if got is ABSENT else json.dumps(got, ensure_ascii=False)
            raise Failed(f"{pointer} is {shown}, expected {json.dumps(want, ensure_ascii=False)}\n{dump(content)}")
    for name, pointer in step.get("capture", {}).items():
        captured[name] = at(content, pointer)
        if captured[name] is ABSENT:
            raise Failed(f"{pointer}, to be captured as {name}, is absent\n{dump(content)}")


def check_failure(result, step):
    if not result.get("isError"):
        raise Failed(f"the call succeeded:\n{dump(result.get('structuredContent'))}")
    if result.get("structuredContent") is not None:
        raise Failed("a failure carries structured content, which clients would hold against the output schema")
    text = "\n".join(part.get("text", "") for part in result["content"])
    if not re.search(step["fails"], text, re.DOTALL):
        raise Failed(f"the error does not match {step['fails']!r}:\n{text}")


def dump(value):
    return json.dumps(value, indent=1, ensure_ascii=False)


def check_list(tools, scenario):
    """Checks the listed tools against the ones that the scenario calls; returns them by name."""
    named = {tool["name"]: tool for tool in tools}
    called = {step["tool"] for step in scenario["steps"] if "fails" not in step}
    failed = {step["tool"] for step in scenario["steps"] if "fails" in step}
    for what, names in (("calls", called), ("makes fail", failed)):
        if named.keys() != names:
            raise Failed(f"listed are {sorted(named)}, the scenario {what} {sorted(names)}")
    for tool in tools:
        for field in ("title", "description", "inputSchema", "outputSchema", "annotations"):
            if not tool.get(field):
                raise Failed(f"{tool['name']} is listed without {field}")
        for field in ("inputSchema", "outputSchema"):
            Draft202012Validator.check_schema(tool[field])
    return named


async def play(scenario, client):
    """Plays every step; `client` lists and calls tools and gives plain JSON back."""
    named = check_list(await client.list_tools(), scenario)
    print(f"listed {len(named)} tools")
    captured = {}
    for step in scenario["steps"]:
        arguments = fill(step["arguments"], captured)
        try:
            result = await client.call(step["tool"], arguments)
            if step.get("confirmed"):
                check_failure(result, {"fails": "^confirmationNeeded: "})
                code = re.search(r'confirm: "(\w+)"', result["content"][0]["text"])[1]
                result = await client.call(step["tool"], {**arguments, "confirm": code})
            if "fails" in step:
                check_failure(result, step)
            else:
                check_success(named[step["tool"]], result, step, captured)
        except Exception as reason:  # the client's own complaints, too, are told with the step
            raise Failed(f"{step['say']}: {step['tool']} {json.dumps(arguments, ensure_ascii=False)}\n{reason}") from None
        print(f"ok {step['tool']}: {step['say']}")


def report(main):
    """Runs a client's `main`; a failed expectation is told without a stack of the runner's own calls."""
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED {failed}")
