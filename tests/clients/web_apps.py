"""Shows the two MCP Apps views in a host in headless Chromium, and decides a conflict in one.

usage: web_apps.py URL SHOTS HOST: URL of a server with the dataset "goods" (two conflicts), HOST the host's page
"""

import json
import os
import sys
import urllib.request

from playwright.sync_api import expect, sync_playwright

from barriers import barriers

URL, SHOTS, HOST = sys.argv[1:4]
expect.set_options(timeout=15_000)


def ask(method, params):
    """Sends a request of revision 2026-07-28."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "host", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/ui": {
                "mimeTypes": ["text/html;profile=mcp-app"]}}}}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream",
               "mcp-protocol-version": "2026-07-28", "mcp-method": method}
    name = params.get("name") or params.get("uri")
    if name:
        headers["mcp-name"] = name
    request = urllib.request.Request(URL + "/mcp", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["result"]


def shown(chromium, tool, uri, arguments, theme):
    said = []
    context = chromium.new_context(color_scheme="light", viewport={"width": 900, "height": 700})
    page = context.new_page()
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.expose_function("callTool", lambda name, args: ask("tools/call", {"name": name, "arguments": json.loads(args)}))
    page.goto("file://" + HOST)
    html = ask("resources/read", {"uri": uri})["contents"][0]["text"]
    result = ask("tools/call", {"name": tool, "arguments": arguments})
    page.evaluate("([html, theme, input, result]) => { show(html, theme, input, result, window.callTool) }",
                  [html, theme, arguments, result])
    return page, page.frame_locator("iframe"), said


with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=os.environ["LOCKSTEP_CHROMIUM"],
                                          args=["--no-sandbox", "--disable-gpu"])
    for theme in ["light", "dark"]:
        page, view, said = shown(chromium, "healthReport", "ui://lockstep/health", {}, theme)
        expect(view.get_by_role("heading", name="goods")).to_be_visible()
        view.get_by_role("button", name="Look again").click()
        expect(view.locator("#said")).not_to_have_text("Looking.")
        expect(view.get_by_role("heading", name="goods")).to_be_visible()
        assert not barriers(page.frames[-1]), barriers(page.frames[-1])
        page.screenshot(path=f"{SHOTS}/app-health-{theme}.png", full_page=True)
        page.close()
        page, view, said_too = shown(chromium, "resolveConflicts", "ui://lockstep/conflicts", {"dataset": "goods"}, theme)
        expect(view.get_by_role("heading", name="B · name")).to_be_visible()
        assert "<script>alert(1)</script>" in view.locator("main").inner_text(), "a hostile cell is shown as a text"
        assert not barriers(page.frames[-1]), barriers(page.frames[-1])
        page.screenshot(path=f"{SHOTS}/app-conflicts-{theme}.png", full_page=True)
        assert not said + said_too, said + said_too
        if theme == "dark":
            view.get_by_role("button", name="Take left: A, qty").focus()
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(view.locator("#said")).to_have_text("Decided: the next run writes it.")
            heard = page.evaluate("heard.map((message) => message.method)")
            for method in ["ui/initialize", "ui/notifications/initialized", "ui/notifications/size-changed", "tools/call"]:
                assert method in heard, heard
        page.close()
    chromium.close()
    print("ok both views in both themes, and a decision by keys")
