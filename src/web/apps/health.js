let wanted = {};
const show = (report) => {
  const word = (status) => (["good", "fair", "poor"].includes(status) ? status : "");
  const dataset = (one) =>
    el("section", { class: "card" },
      el("h2", {}, one.dataset, " ", el("span", { class: word(one.status) }, one.score, " ", one.status)),
      el("p", { class: "soft" }, "last good run ", one.lastSuccess ? `${one.lastSuccess.slice(0, 16).replace("T", " ")} UTC` : "never"),
      (one.deductions ?? []).length === 0 ? el("p", {}, "It lacks nothing.") :
        el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `What ${one.dataset} lacks` },
          el("table", {},
            el("thead", {}, el("tr", {}, ["What it lacks", "Points", "Why", "The call that brings them back"].map((name) => el("th", { scope: "col" }, name)))),
            el("tbody", {}, one.deductions.map((lack) => el("tr", {},
              el("th", { scope: "row" }, apart(lack.what)), el("td", { class: "n" }, lack.points), el("td", { class: "cell" }, lack.why),
              el("td", {}, el("code", {}, lack.call.tool, " ", JSON.stringify(lack.call.arguments)))))))));
  main.replaceChildren(
    el("h1", {}, "Health"),
    el("p", { class: `score ${word(report.status)}` }, report.score ?? "-"),
    el("p", {}, report.status, report.trend ? ` · ${report.trend > 0 ? "+" : ""}${report.trend} points within ${report.window}` : ""),
    ...(report.datasets ?? []).map(dataset),
    report.more > 0 ? el("p", { class: "soft" }, `${report.more} better ones are not shown.`) : "",
    el("div", { class: "actions" }, el("button", { onclick: refresh }, "Look again")));
  say(report.next ?? "");
};
const refresh = async () => {
  say("Looking.");
  const { dataset, window } = wanted;
  try { show(await host.call("healthReport", { ...(dataset && { dataset }), ...(window && { window }), measure: false })); }
  catch (error) { say(error.message); }
};
host.hear("tool-input", (params) => { wanted = params.arguments ?? {}; });
host.hear("tool-result", (result) => {
  const report = told(result);
  if (report) show(report);
  else say("The report could not be made.");
});
host.start("lockstep health").catch((error) => say(error.message));
