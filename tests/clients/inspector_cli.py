"""Plays a scenario through the command line of the MCP Inspector, one server process a call.

usage: inspector_cli.py SCENARIO FOLDER BINARY ERA  (ERA: legacy or modern)
Takes Node from LOCKSTEP_NODE and the Inspector from LOCKSTEP_INSPECTOR.
"""

import json
import os
import subprocess
import sys
import tempfile

import anyio

import scenario

# What the Inspector exits with when the tool's result says isError.
TOOL_FAILED = 5


class Inspector:
    def __init__(self, folder, binary, era, home):
        self.folder, self.binary, self.era = folder, binary, era
        # The Inspector writes a settings folder under HOME.
        self.environment = {**os.environ, "HOME": home}

    def run(self, *options, expected=(0,)):
        command = [os.environ["LOCKSTEP_NODE"], os.environ["LOCKSTEP_INSPECTOR"], "--cli", self.binary, "serve",
                   "--cwd", self.folder, "--protocol-era", self.era, "--format", "json", "-q", *options]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        if done.returncode not in expected:
            raise scenario.Failed(f"the Inspector ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    async def list_tools(self):
        # --strict ends with 6 where a schema is not portable to every client.
        listed = json.loads(self.run("--method", "tools/list", "--strict").stdout)
        return listed["result"]["tools"] if "result" in listed else listed["tools"]

    async def call(self, tool, arguments):
        done = self.run("--method", "tools/call", "--tool-name", tool,
                        "--tool-args-json", json.dumps(arguments), expected=(0, TOOL_FAILED))
        result = json.loads(done.stdout)
        result = result.get("result", result)
        if (done.returncode == TOOL_FAILED) != bool(result.get("isError")):
            raise scenario.Failed(f"the Inspector ended with {done.returncode}, but isError is {result.get('isError')}")
        return result


def main():
    path, folder, binary, era = sys.argv[1:]
    steps = scenario.load(path)
    scenario.lay(steps, folder)
    with tempfile.TemporaryDirectory() as home:
        anyio.run(scenario.play, steps, Inspector(folder, binary, era, home))


if __name__ == "__main__":
    scenario.report(main)
