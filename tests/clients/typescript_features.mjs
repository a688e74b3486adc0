// Uses every feature of a session through an official TypeScript SDK: list, call, progress, cancel, elicit, read a
// resource, get a prompt, complete.
//
// usage: typescript_features.mjs FOLDER PACKAGE TRANSPORT TARGET ERA
//   PACKAGE: sdk (1.x) or client (2.x); TRANSPORT: stdio (TARGET is the binary), http or sse (TARGET is the address)
//   ERA: legacy, or with 2.x a protocol revision such as 2026-07-28
// FOLDER is the server's own: its files lie there. Takes the packages from LOCKSTEP_NODE_MODULES.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.LOCKSTEP_NODE_MODULES, "lockstep.js"));
const [folder, packageName, transportName, target, era] = process.argv.slice(2);
const PATIENCE = { timeout: 120_000 };
const ROWS = 20_000;

setTimeout(() => fail("the session took longer than 280 s"), 280_000).unref();

function fail(message) {
  process.stderr.write(`FAILED ${message}\n`);
  process.exit(1);
}

function check(condition, message) {
  if (!condition) fail(message);
}

function write(rows) {
  const lines = Array.from({ length: rows }, (_, row) => `k${row},${row}\n`).join("");
  writeFileSync(join(folder, "rows.csv"), `id,n\n${lines}`);
}

function connection() {
  const info = { name: "lockstep-suite", version: "1" };
  const capabilities = { elicitation: {} };
  if (packageName === "sdk") {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const { ElicitRequestSchema } = require("@modelcontextprotocol/sdk/types.js");
    return {
      client: new Client(info, { capabilities }),
      elicitation: ElicitRequestSchema,
      transports: {
        stdio: () => require("@modelcontextprotocol/sdk/client/stdio.js").StdioClientTransport,
        http: () => require("@modelcontextprotocol/sdk/client/streamableHttp.js").StreamableHTTPClientTransport,
        sse: () => require("@modelcontextprotocol/sdk/client/sse.js").SSEClientTransport,
      },
      call: (client, tool, options) => client.callTool(tool, undefined, { ...PATIENCE, ...options }),
    };
  }
  const sdk = require("@modelcontextprotocol/client");
  const mode = era === "legacy" ? era : { pin: era };
  return {
    client: new sdk.Client(info, { capabilities, versionNegotiation: { mode } }),
    elicitation: "elicitation/create",
    transports: {
      stdio: () => require("@modelcontextprotocol/client/stdio").StdioClientTransport,
      http: () => sdk.StreamableHTTPClientTransport,
      sse: () => sdk.SSEClientTransport,
    },
    call: (client, tool, options) => client.callTool(tool, { ...PATIENCE, ...options }),
  };
}

const { client, elicitation, transports, call: send } = connection();
const asked = [];
client.setRequestHandler(elicitation, async (request) => {
  asked.push(request.params.message);
  return { action: "accept", content: { agree: true } };
});
const Transport = transports[transportName]();
const transport =
  transportName === "stdio"
    ? new Transport({ command: target, args: ["serve"], cwd: folder, env: process.env, stderr: "inherit" })
    : new Transport(new URL(target));
await client.connect(transport, PATIENCE);

async function call(name, args, options) {
  const result = await send(client, { name, arguments: args }, options);
  check(!result.isError, `${name} failed: ${JSON.stringify(result.content)}`);
  return result;
}

async function newSync() {
  const made = await call("createFile", { type: "spreadsheet", name: "Rows" });
  return {
    left: { file: "rows.csv" }, right: { spreadsheetId: made.structuredContent.id }, key: ["id"],
    deletes: "delete", maxDeletePercent: 100, mode: "apply",
  };
}

const names = (await client.listTools(undefined, PATIENCE)).tools.map((tool) => tool.name);
check(names.includes("syncDataset"), `listed: ${names}`);

write(3000);
const steps = [];
const first = await newSync();
const synced = await call("syncDataset", first, { onprogress: (step) => steps.push(step.progress) });
check(synced.structuredContent.counts.insert === 3000, JSON.stringify(synced.structuredContent));
check(steps.length > 0 && steps.every((step, at) => at === 0 || steps[at - 1] < step), `progress: ${steps}`);
const links = synced.content.filter((part) => part.type === "resource_link").map((part) => part.uri);
check(links.some((uri) => uri.startsWith("lockstep://runs/")), `links: ${links}`);
console.log(`ok progress: ${steps.length} steps`);

write(ROWS);
const second = await newSync();
const stop = new AbortController();
setTimeout(() => stop.abort(), 150);
const cancelled = await send(client, { name: "syncDataset", arguments: second }, { signal: stop.signal }).then(
  () => false,
  () => true,
);
check(cancelled, "the call ended before it was cancelled");
await call("syncDataset", second);
const again = await call("syncDataset", second);
check(again.structuredContent.state === "inStep", JSON.stringify(again.structuredContent));
check(again.structuredContent.counts.unchanged === ROWS, JSON.stringify(again.structuredContent.counts));
console.log("ok cancel");

write(100);
const shrunk = await call("syncDataset", first);
check(shrunk.structuredContent.counts.delete === 2900, JSON.stringify(shrunk.structuredContent));
check(asked.length === 1 && asked[0].includes("2900 rows would be deleted"), `asked: ${asked}`);
console.log("ok elicit");

const uris = (await client.listResources(undefined, PATIENCE)).resources.map((resource) => resource.uri);
check(uris.includes("lockstep://runs"), `resources: ${uris}`);
for (const uri of ["lockstep://runs", ...links]) {
  const { contents } = await client.readResource({ uri }, PATIENCE);
  check(contents[0]?.text, `${uri} says nothing`);
}
console.log("ok resources");

const prompts = (await client.listPrompts(undefined, PATIENCE)).prompts.map((prompt) => prompt.name);
const got = await client.getPrompt({ name: "set_up_sync", arguments: { source: "rows.csv" } }, PATIENCE);
check(prompts.includes("set_up_sync") && got.messages[0].content.text.includes("rows.csv"), `prompts: ${prompts}`);
const completed = await client.complete(
  { ref: { type: "ref/prompt", name: "review_conflicts" }, argument: { name: "dataset", value: "" } },
  PATIENCE,
);
check(completed.completion.values.length > 0, "no dataset is completed");
console.log("ok prompts");
await client.close();
process.exit(0);
