// Plays a scenario through an official TypeScript SDK over stdio; scenario.py tells what a scenario is.
//
// usage: typescript_sdk.mjs SCENARIO FOLDER BINARY PACKAGE ERA
//   PACKAGE: sdk (1.x) or client (2.x)
//   ERA: legacy, or with 2.x auto (it asks the server) or a protocol revision such as 2026-07-28
// Takes the packages from LOCKSTEP_NODE_MODULES.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(join(process.env.LOCKSTEP_NODE_MODULES, "lockstep.js"));
const [path, folder, binary, packageName, era] = process.argv.slice(2);
const PATIENCE = { timeout: 60_000 };
const show = (value) => JSON.stringify(value, null, 1);

setTimeout(() => fail("the session took longer than 300 s"), 300_000).unref();

function fail(message) {
  process.stderr.write(`FAILED ${message}\n`);
  process.exit(1);
}

/** Replaces `${name}` in every text of a JSON value. */
function fill(value, captured) {
  if (Array.isArray(value)) return value.map((item) => fill(item, captured));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, captured)]));
  }
  if (typeof value !== "string") return value;
  const whole = /^\$\{(\w+)\}$/.exec(value);
  if (whole) return captured[whole[1]];
  return value.replace(/\$\{(\w+)\}/g, (_, name) => String(captured[name]));
}

/** Returns what a JSON pointer points at, or undefined. */
function at(value, pointer) {
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

function met(got, want) {
  const only = want && typeof want === "object" && Object.keys(want).length === 1 ? Object.keys(want)[0] : "";
  if (only === "absent") return got === undefined;
  if (only === "matches") return typeof got === "string" && new RegExp(want.matches).test(got);
  if (only === "length") return got && typeof got === "object" && Object.keys(got).length === want.length;
  return isDeepStrictEqual(got, want);
}

function checkSuccess(result, text, step, captured) {
  if (result.isError) throw new Error(`the call failed:\n${text}`);
  // The SDK itself validates structured content against the listed schema, and throws.
  const content = result.structuredContent;
  if (!content) throw new Error(`no structured content; the text is:\n${text}`);
  if (!isDeepStrictEqual(JSON.parse(text), content)) {
    throw new Error(`the text is not the structured content:\n${text}\n${show(content)}`);
  }
  for (const [pointer, want] of Object.entries(fill(step.expect ?? {}, captured))) {
    const got = at(content, pointer);
    if (!met(got, want)) {
      throw new Error(`${pointer} is ${JSON.stringify(got)}, expected ${JSON.stringify(want)}\n${show(content)}`);
    }
  }
  for (const [name, pointer] of Object.entries(step.capture ?? {})) {
    captured[name] = at(content, pointer);
    if (captured[name] === undefined) throw new Error(`${pointer}, to be captured as ${name}, is absent`);
  }
}

function checkFailure(result, text, step) {
  if (!result.isError) throw new Error(`the call succeeded:\n${show(result.structuredContent)}`);
  if (result.structuredContent) throw new Error("a failure carries structured content");
  if (!new RegExp(step.fails, "s").test(text)) throw new Error(`the error does not match ${step.fails}:\n${text}`);
}

function connection() {
  const info = { name: "lockstep-suite", version: "1" };
  if (packageName === "sdk") {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
    const call = (client, tool) => client.callTool(tool, undefined, PATIENCE);
    return { client: new Client(info), StdioClientTransport, call };
  }
  const { Client } = require("@modelcontextprotocol/client");
  const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
  const mode = era === "legacy" || era === "auto" ? era : { pin: era };
  const call = (client, tool) => client.callTool(tool, PATIENCE);
  return { client: new Client(info, { versionNegotiation: { mode } }), StdioClientTransport, call };
}

const scenario = JSON.parse(readFileSync(path, "utf8"));
for (const [name, text] of Object.entries(scenario.files)) writeFileSync(join(folder, name), text);

const { client, StdioClientTransport, call } = connection();
await client.connect(
  new StdioClientTransport({ command: binary, args: ["serve"], cwd: folder, env: process.env, stderr: "inherit" }),
  PATIENCE,
);
if (packageName === "client") {
  const spoken = client.getNegotiatedProtocolVersion();
  const wanted = { legacy: "2025-11-25", auto: "2026-07-28" }[era] ?? era;
  if (spoken !== wanted) fail(`asked for ${era}, the session speaks ${spoken}`);
  console.log(`speaks ${spoken}`);
}

const listed = (await client.listTools(undefined, PATIENCE)).tools.map((tool) => tool.name).sort();
const called = (failing) => [
  ...new Set(scenario.steps.filter((step) => "fails" in step === failing).map((step) => step.tool)),
].sort();
for (const failing of [false, true]) {
  if (!isDeepStrictEqual(listed, called(failing))) {
    fail(`listed are ${listed}, the scenario ${failing ? "makes fail" : "calls"} ${called(failing)}`);
  }
}
console.log(`listed ${listed.length} tools`);

const captured = {};
for (const step of scenario.steps) {
  const args = fill(step.arguments, captured);
  try {
    let result = await call(client, { name: step.tool, arguments: args });
    if (step.confirmed) {
      const [, code] = /confirm: "(\w+)"/.exec(result.content[0].text);
      result = await call(client, { name: step.tool, arguments: { ...args, confirm: code } });
    }
    const text = result.content.map((part) => part.text ?? "").join("\n");
    if ("fails" in step) checkFailure(result, text, step);
    else checkSuccess(result, text, step, captured);
  } catch (error) {
    fail(`${step.say}: ${step.tool} ${JSON.stringify(args)}\n${error.message}`);
  }
  console.log(`ok ${step.tool}: ${step.say}`);
}
await client.close();
