"use strict";
// The host speaks JSON-RPC through postMessage (MCP Apps, 2026-01-26). Everything that it sends is data: only texts are made of it.
const host = (() => {
  const waiting = new Map();
  const hears = {};
  let last = 0;
  const post = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const ask = (method, params) =>
    new Promise((done, failed) => {
      last += 1;
      waiting.set(last, { done, failed });
      post({ id: last, method, params });
    });
  const dress = (context) => {
    if (context?.theme === "light" || context?.theme === "dark") document.documentElement.style.colorScheme = context.theme;
  };
  hears["ui/notifications/host-context-changed"] = dress;
  window.addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== parent || message?.jsonrpc !== "2.0") return;
    if (message.method === undefined) {
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) asked?.failed(new Error(message.error.message));
      else asked?.done(message.result);
    } else if (message.id !== undefined) {
      const known = message.method === "ping" || message.method === "ui/resource-teardown";
      post(known ? { id: message.id, result: {} } : { id: message.id, error: { code: -32601, message: "unknown method" } });
    } else {
      hears[message.method]?.(message.params ?? {});
    }
  });
  const size = () => post({ method: "ui/notifications/size-changed", params: { height: Math.ceil(document.documentElement.getBoundingClientRect().height) } });
  return {
    hear: (method, then) => { hears[`ui/notifications/${method}`] = then; },
    // Calls a tool; a failed call is an error with the tool's own words.
    call: async (name, args) => {
      const result = await ask("tools/call", { name, arguments: args });
      const text = (result?.content ?? []).filter((part) => part.type === "text").map((part) => part.text).join("\n");
      if (result?.isError) throw new Error(text || "the call failed");
      return result?.structuredContent ?? JSON.parse(text);
    },
    start: async (name) => {
      const said = await ask("ui/initialize", { protocolVersion: "2026-01-26", appInfo: { name, version: VERSION }, appCapabilities: {} });
      dress(said?.hostContext);
      post({ method: "ui/notifications/initialized", params: {} });
      new ResizeObserver(size).observe(document.documentElement);
    },
  };
})();

// Makes an element: texts are texts, whatever stands in them.
const el = (name, fields = {}, ...inside) => {
  const made = document.createElement(name);
  for (const [field, value] of Object.entries(fields)) {
    if (field.startsWith("on")) made.addEventListener(field.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(field, value === true ? "" : value);
  }
  made.append(...inside.flat().filter((part) => part !== undefined && part !== null).map((part) => (part instanceof Node ? part : String(part))));
  return made;
};
const main = document.getElementById("main");
const say = (text) => { document.getElementById("said").textContent = text; };
// Returns what a tool's result says, as the host passes it on.
const told = (result) => {
  if (result.isError) return undefined;
  if (result.structuredContent) return result.structuredContent;
  try { return JSON.parse(result.content?.find((part) => part.type === "text")?.text ?? ""); } catch { return undefined; }
};
const apart = (name) => String(name).replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
