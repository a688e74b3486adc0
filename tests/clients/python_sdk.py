"""Plays a scenario through the official Python SDK over stdio.

usage: python_sdk.py SCENARIO FOLDER BINARY ERA
ERA: legacy, auto (the SDK's default: it asks the server), or a protocol revision such as 2026-07-28
"""

import os
import sys

import anyio
from mcp import Client, StdioServerParameters

import scenario

PATIENCE = 60


class PythonSdk:
    def __init__(self, client):
        self.client = client

    async def list_tools(self):
        tools = (await self.client.list_tools()).tools
        return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]

    async def call(self, tool, arguments):
        # The SDK itself validates structured content against the listed schema, and raises.
        result = await self.client.call_tool(tool, arguments, read_timeout_seconds=PATIENCE)
        return {
            "isError": result.is_error,
            "structuredContent": result.structured_content,
            "content": [part.model_dump(mode="json") for part in result.content],
        }


async def session(path, folder, binary, era):
    steps = scenario.load(path)
    scenario.lay(steps, folder)
    server = StdioServerParameters(command=binary, args=["serve"], cwd=folder, env=dict(os.environ))
    with anyio.fail_after(300):
        async with Client(server, mode=era, read_timeout_seconds=PATIENCE) as client:
            spoken = client.protocol_version
            if spoken != {"legacy": "2025-11-25", "auto": "2026-07-28"}.get(era, era):
                raise scenario.Failed(f"asked for {era}, the session speaks {spoken}")
            print(f"speaks {spoken}")
            await scenario.play(steps, PythonSdk(client))


def main():
    try:
        anyio.run(session, *sys.argv[1:])
    except BaseExceptionGroup as group:
        # The SDK runs its sessions in task groups, which wrap whatever ends them.
        while isinstance(group, BaseExceptionGroup):
            group = group.exceptions[0]
        raise group from None


if __name__ == "__main__":
    scenario.report(main)
