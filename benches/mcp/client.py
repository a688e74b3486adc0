"""A plain MCP client of revision 2025-11-25, the same for every server: JSON lines over pipes, or HTTP kept alive."""
import http.client, json, os, subprocess, time
from urllib.parse import urlsplit

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


class Stdio:
    def __init__(self, command, **more):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, **more
        )
        self.reader = self.process.stdout
        self.rest, self.number = b"", 0

    def line(self):
        while b"\n" not in self.rest:
            chunk = os.read(self.reader.fileno(), 1 << 16)
            if not chunk:
                raise SystemExit("the server ended")
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def ask(self, method, params):
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while True:
            message = json.loads(self.line())
            if message.get("id") == self.number and "method" not in message:
                return message

    def tell(self, method):
        self.send({"jsonrpc": "2.0", "method": method})

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Http:
    """A server that says `… http://ADDRESS/mcp …` on its stdout when it listens."""

    def __init__(self, command, **more):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more)
        said = self.process.stdout.readline()
        self.url = urlsplit(next(word for word in said.split() if word.startswith("http://")).rstrip(","))
        self.connection = http.client.HTTPConnection(self.url.netloc)
        self.session, self.number = None, 0

    def post(self, message):
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if self.session:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": "2025-11-25"}
        self.connection.request("POST", self.url.path, json.dumps(message), headers)
        response = self.connection.getresponse()
        body = response.read().decode()
        self.session = response.getheader("mcp-session-id") or self.session
        return body

    def ask(self, method, params):
        self.number += 1
        body = self.post({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        lines = [line[5:] for line in body.splitlines() if line.startswith("data:") and line[5:].strip()]
        messages = [json.loads(line) for line in lines or [body]]
        return next(message for message in messages if "method" not in message)

    def tell(self, method):
        self.post({"jsonrpc": "2.0", "method": method})

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def started(make):
    """Starts a server; returns it, its tools, and the seconds until it had listed them."""
    began = time.perf_counter()
    server = make()
    answer = server.ask("initialize", HELLO)
    if "error" in answer:
        raise SystemExit(f"no handshake: {answer}")
    server.tell("notifications/initialized")
    tools = server.ask("tools/list", {})["result"]["tools"]
    return server, tools, time.perf_counter() - began


def called(server, tool, arguments):
    """Calls a tool; returns its result and the seconds that it took."""
    began = time.perf_counter()
    answer = server.ask("tools/call", {"name": tool, "arguments": arguments})
    took = time.perf_counter() - began
    result = answer.get("result")
    if result is None or result.get("isError"):
        raise SystemExit(f"{tool} failed: {str(answer)[:600]}")
    return result, took


def resident(pid):
    """Returns what a process and its children hold in memory, in MiB."""
    total = 0
    for folder in ["/proc"]:
        family = {pid}
        parents = {}
        for name in filter(str.isdigit, os.listdir(folder)):
            try:
                with open(f"{folder}/{name}/stat") as stat:
                    parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
        grown = True
        while grown:
            more = {child for child, parent in parents.items() if parent in family} - family
            family |= more
            grown = bool(more)
        for member in family:
            with open(f"{folder}/{member}/status") as status:
                total += next((int(line.split()[1]) for line in status if line.startswith("VmRSS:")), 0)
    return total / 1024
