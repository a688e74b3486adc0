// Runs a sync as a task through the official client of the tasks extension (@modelcontextprotocol/ext-tasks) over the
// official TypeScript SDK: start, follow, result, answer a question, cancel.
//
// usage: typescript_tasks.mjs FOLDER TARGET TRANSPORT
//   TRANSPORT: stdio (TARGET is the binary) or http (TARGET is the address)
// FOLDER is the server's own, whose settings make every sync a task. Takes the packages from LOCKSTEP_NODE_MODULES.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.env.LOCKSTEP_NODE_MODULES;
const require = createRequire(join(modules, "lockstep.js"));
const [folder, target, transportName] = process.argv.slice(2);
const VERSION = "2026-07-28";
const EXTENSION = "io.modelcontextprotocol/tasks";

setTimeout(() => fail("the session took longer than 200 s"), 200_000).unref();

function fail(message) {
  process.stderr.write(`FAILED ${message}\n`);
  process.exit(1);
}

function check(condition, message) {
  if (!condition) fail(message);
}

function write(rows, width) {
  const text = "x".repeat(width);
  const lines = Array.from({ length: rows }, (_, row) => `k${row},${row},${text}\n`).join("");
  writeFileSync(join(folder, "rows.csv"), `id,n,text\n${lines}`);
}

const at = (path) => import(pathToFileURL(join(modules, "@modelcontextprotocol/ext-tasks/dist", path)));
const { createTaskSessionFromClient, resultFromTaskOutcome } = await at("client/index.js");
const sdk = require("@modelcontextprotocol/client");
const clientInfo = { name: "lockstep-suite", version: "1" };
const clientCapabilities = { elicitation: {}, extensions: { [EXTENSION]: {} } };
const client = new sdk.Client(clientInfo, {
  capabilities: clientCapabilities,
  versionNegotiation: { mode: { pin: VERSION } },
});
let transport;
if (transportName === "stdio") {
  const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
  transport = new StdioClientTransport({ command: target, args: ["serve"], cwd: folder, env: process.env, stderr: "inherit" });
} else {
  transport = new sdk.StreamableHTTPClientTransport(new URL(target));
}
await client.connect(transport, { timeout: 60_000 });

// The package leaves it to the application to send what the SDK has no shape for: here by the transport itself.
const waiting = new Map();
let number = 0;
const known = transport.onmessage;
transport.onmessage = (message, ...rest) => {
  const take = message.method === undefined && waiting.get(message.id);
  if (!take) return known?.(message, ...rest);
  waiting.delete(message.id);
  take(message);
};
async function rawDispatch(request) {
  const id = `task-${(number += 1)}`;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  await transport.send({ jsonrpc: "2.0", id, ...request });
  const message = await answer;
  return message.error ? { kind: "error", error: message.error } : { kind: "result", result: message.result };
}

const asked = [];
const session = createTaskSessionFromClient(client, {
  endpointId: "lockstep",
  rawDispatch,
  v2RequestFraming: { protocolVersion: VERSION, clientInfo, clientCapabilities },
  onInputRequest: async (input) => {
    asked.push(input.params.message);
    return { action: "accept", content: { agree: true } };
  },
});

async function settled(args) {
  const execution = await session.callTool("syncDataset", args);
  const { outcome } = await execution.settle();
  return resultFromTaskOutcome(outcome);
}

const made = await client.callTool({ name: "createFile", arguments: { type: "spreadsheet", name: "Rows" } });
const sync = {
  left: { file: "rows.csv" }, right: { spreadsheetId: made.structuredContent.id }, key: ["id"],
  deletes: "delete", maxDeletePercent: 100, mode: "apply",
};
write(2000, 10);
const first = await settled(sync);
check(first.structuredContent?.counts?.insert === 2000, JSON.stringify(first));
console.log("ok result");

write(100, 10);
const second = await settled(sync);
check(second.structuredContent?.counts?.delete === 1900, JSON.stringify(second));
check(asked.length === 1 && asked[0].includes("1900 rows would be deleted"), `asked: ${asked}`);
console.log("ok elicit");

write(30_000, 300);
const third = await session.callTool("syncDataset", sync);
await third.cancel();
const cancelled = await third.settle().then(
  ({ outcome }) => {
    try {
      return JSON.stringify(resultFromTaskOutcome(outcome));
    } catch (error) {
      return `threw ${error.name}`;
    }
  },
  (error) => `threw ${error.name}`,
);
check(cancelled.startsWith("threw TaskCancelled"), `the cancelled task ended as ${cancelled}`);
console.log("ok cancel");
await session.close();
await client.close();
process.exit(0);
