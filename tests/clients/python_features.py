"""Uses every feature of a session through the official Python SDK: list, call, progress, cancel, elicit, read a
resource, get a prompt, complete.

usage: python_features.py FOLDER TRANSPORT TARGET ERA
TRANSPORT: stdio (TARGET is the binary), http or sse (TARGET is the address)
ERA: legacy, or a protocol revision such as 2026-07-28
FOLDER is the server's own: its files lie there.
"""

import os
import sys

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client

import scenario

PATIENCE = 120
ROWS = 20000


def check(condition, message):
    if not condition:
        raise scenario.Failed(message)


def write(folder, rows):
    with open(os.path.join(folder, "rows.csv"), "w", encoding="utf-8") as file:
        file.write("id,n\n")
        file.writelines(f"k{row},{row}\n" for row in range(rows))


async def call(client, tool, arguments, **more):
    result = await client.call_tool(tool, arguments, read_timeout_seconds=PATIENCE, **more)
    check(not result.is_error, f"{tool} failed: {result.content}")
    return result


async def new_sync(client):
    made = await call(client, "createFile", {"type": "spreadsheet", "name": "Rows"})
    return {
        "left": {"file": "rows.csv"}, "right": {"spreadsheetId": made.structured_content["id"]}, "key": ["id"],
        "deletes": "delete", "maxDeletePercent": 100, "mode": "apply",
    }


async def progress(client, folder):
    write(folder, 3000)
    steps = []

    async def heard(done, total, message):
        steps.append((done, total, message))

    arguments = await new_sync(client)
    result = await call(client, "syncDataset", arguments, progress_callback=heard)
    check(result.structured_content["counts"]["insert"] == 3000, f"synced: {result.structured_content}")
    check(steps, "no progress was heard")
    check(all(a[0] < b[0] for a, b in zip(steps, steps[1:])), f"progress does not rise: {steps}")
    links = [part.uri for part in result.content if part.type == "resource_link"]
    check(any(str(uri).startswith("lockstep://runs/") for uri in links), f"no link to the run: {result.content}")
    print(f"ok progress: {len(steps)} steps")
    return arguments, links


async def cancel(client, folder):
    write(folder, ROWS)
    arguments = await new_sync(client)
    with anyio.move_on_after(0.15) as scope:
        await call(client, "syncDataset", arguments)
    check(scope.cancelled_caught, "the call ended before it was cancelled")
    await call(client, "syncDataset", arguments)
    again = await call(client, "syncDataset", arguments)
    counts = again.structured_content["counts"]
    check(again.structured_content["state"] == "inStep", f"after a cancelled call: {again.structured_content}")
    check(counts["unchanged"] == ROWS, f"after a cancelled call: {counts}")
    print("ok cancel")


async def elicit(client, folder, arguments, asked):
    write(folder, 100)
    result = await call(client, "syncDataset", arguments)
    check(result.structured_content["counts"]["delete"] == 2900, f"{result.structured_content}")
    check(len(asked) == 1 and "2900 rows would be deleted" in asked[0], f"asked: {asked}")
    print("ok elicit")


async def session(folder, transport, target, era):
    asked = []

    async def answer(_context, params):
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"agree": True})

    server = {
        "stdio": lambda: StdioServerParameters(command=target, args=["serve"], cwd=folder, env=dict(os.environ)),
        "http": lambda: target,
        "sse": lambda: sse_client(target),
    }[transport]()
    with anyio.fail_after(280):
        async with Client(server, mode=era, read_timeout_seconds=PATIENCE, elicitation_callback=answer) as client:
            print(f"speaks {client.protocol_version} over {transport}")
            names = [tool.name for tool in (await client.list_tools()).tools]
            check("syncDataset" in names, f"listed: {names}")
            arguments, links = await progress(client, folder)
            await cancel(client, folder)
            await elicit(client, folder, arguments, asked)
            for uri in ["lockstep://runs", *map(str, links)]:
                contents = (await client.read_resource(uri)).contents
                check(contents and contents[0].text, f"{uri} says nothing")
            uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
            check("lockstep://runs" in uris, f"resources: {uris}")
            print("ok resources")
            prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
            got = await client.get_prompt("set_up_sync", {"source": "rows.csv"})
            check("set_up_sync" in prompts and "rows.csv" in got.messages[0].content.text, f"prompts: {prompts}")
            reference = types.PromptReference(type="ref/prompt", name="review_conflicts")
            found = await client.complete(reference, {"name": "dataset", "value": ""})
            check(found.completion.values, "no dataset is completed")
            print("ok prompts")


def main():
    try:
        anyio.run(session, *sys.argv[1:])
    except BaseExceptionGroup as group:
        while isinstance(group, BaseExceptionGroup):
            group = group.exceptions[0]
        raise group from None


if __name__ == "__main__":
    scenario.report(main)
