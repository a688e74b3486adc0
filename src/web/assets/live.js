// Brings the part of a page that is marked data-live up to date, and leaves it alone while somebody works in it.
"use strict";
(() => {
  const EVERY = 10000;
  const said = document.getElementById("live");
  const busy = (part) =>
    part.contains(document.activeElement) ||
    [...part.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== input.defaultValue);
  let last = document.querySelector("[data-live]")?.outerHTML;
  const look = async () => {
    const part = document.querySelector("[data-live]");
    if (!part || document.hidden || busy(part)) return;
    let answer;
    try {
      answer = await fetch(location.href, { headers: { "x-lockstep-live": "1" }, cache: "no-store" });
    } catch {
      if (said) said.textContent = "The server does not answer; this is what it said last.";
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!fresh) {
      // Signed out, or gone: the server says which.
      location.reload();
      return;
    }
    const current = document.querySelector("[data-live]");
    if (!current || busy(current) || last === fresh.outerHTML) return;
    last = fresh.outerHTML;
    const open = new Set([...current.querySelectorAll("details[open][id]")].map((one) => one.id));
    for (const one of fresh.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
    current.replaceWith(document.adoptNode(fresh));
    if (said) said.textContent = "Updated " + new Date().toLocaleTimeString();
  };
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
})();
