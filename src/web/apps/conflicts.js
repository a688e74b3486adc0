let wanted = {};
// What the list is about: the filter of the call, whatever the call did.
const filter = () => Object.fromEntries(["dataset", "column", "kind", "key"].flatMap((name) => (wanted[name] === undefined ? [] : [[name, wanted[name]]])));
const list = async () => show(await host.call("resolveConflicts", { ...filter(), limit: 20 }));
const act = async (args) => {
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  let done;
  try {
    await host.call("resolveConflicts", args);
    done = args.action === "decide" ? "Decided: the next run writes it." : "It is open again.";
  } catch (error) {
    done = error.message;
  }
  try { await list(); } catch (error) { done = error.message; }
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  say(done);
};
const card = (one) => {
  const who = Object.keys(one.values ?? {});
  const whole = one.column === "(row)";
  const base = one.base !== undefined && !whole;
  const decide = (winner, text) => el("button", { onclick: () => act({ action: "decide", ids: [one.id], winner }), "aria-label": `${text}: ${one.key}, ${one.column}` }, text);
  const input = el("input", { "aria-label": `Another value for ${one.key}, ${one.column}` });
  const column = (name) => el("th", { scope: "col" }, name);
  return el("section", { class: "card" },
    el("h2", {}, one.key, " · ", one.column),
    el("p", { class: "soft" }, [one.dataset, apart(one.kind), one.state, one.reason].filter(Boolean).join(" · ")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Sides of ${one.key}` },
      el("table", {},
        el("thead", {}, el("tr", {}, base ? column("agreed before") : null, who.map(column))),
        el("tbody", {}, el("tr", {}, base ? el("td", { class: "cell" }, one.base) : null, who.map((name) => el("td", { class: "cell" }, one.values[name])))))),
    one.state === "open"
      ? el("div", { class: "actions" }, who.map((name) => decide(name, `Take ${name}`)), base ? decide("base", "Go back to what was agreed") : null,
          whole ? null : [input, el("button", { onclick: () => act({ action: "decide", ids: [one.id], value: input.value }) }, "Take this value")])
      : el("div", { class: "actions" }, el("span", {}, `Decided for ${one.decision ?? "?"}.`),
          one.state === "decided" ? el("button", { onclick: () => act({ action: "reopen", ids: [one.id] }) }, "Take it back") : null));
};
const show = (answer) => {
  const conflicts = answer.conflicts ?? [];
  main.replaceChildren(
    el("h1", {}, wanted.dataset ? `Conflicts of ${wanted.dataset}` : "Conflicts"),
    el("p", {}, answer.total === 0 ? "Nothing waits for a decision." : `${answer.total} in all; ${conflicts.length} are shown.`),
    ...conflicts.map(card));
  say("");
};
host.hear("tool-input", (params) => { wanted = params.arguments ?? {}; });
host.hear("tool-result", (result) => {
  const answer = told(result);
  if (answer?.conflicts || answer?.total === 0) show(answer);
  else list().catch((error) => say(error.message));
});
host.start("lockstep conflicts").catch((error) => say(error.message));
