"""Signs in at the pages, looks as a reader does, and signs out, in headless Chromium.

usage: TOKEN=... web_door.py URL SHOTS: a reader's token, URL of a server with the dataset "goods" (two conflicts)
"""

import os
import sys

from playwright.sync_api import expect, sync_playwright

from barriers import barriers

URL, SHOTS, TOKEN = sys.argv[1], sys.argv[2], os.environ["TOKEN"]
expect.set_options(timeout=15_000)

with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=os.environ["LOCKSTEP_CHROMIUM"],
                                          args=["--no-sandbox", "--disable-gpu"])
    for theme in ["light", "dark"]:
        context = chromium.new_context(color_scheme=theme)
        said = []
        page = context.new_page()
        page.set_default_timeout(15_000)
        # Chromium says of every answer of 401 that it failed: that one is asked for.
        page.on("console", lambda message: "401" not in message.text and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(URL + "/conflicts?dataset=goods")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        # The field has the focus: a person types, and presses Enter.
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not known here")
        assert not barriers(page), barriers(page)
        page.screenshot(path=f"{SHOTS}/sign-in-{theme}.png")
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Conflicts of goods")).to_be_visible()
        assert page.url.endswith("/conflicts?dataset=goods"), page.url
        expect(page.get_by_text("You can look: deciding needs the role operator.")).to_be_visible()
        assert page.get_by_role("button", name="Take left").count() == 0
        assert not barriers(page), barriers(page)
        page.screenshot(path=f"{SHOTS}/reader-{theme}.png")
        cookies = context.cookies()
        assert len(cookies) == 1 and cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Strict", cookies
        assert page.evaluate("document.cookie") == "", "scripts do not see it"
        other = context.new_page()
        other.goto(URL)
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
        # The first page finds out by itself.
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=25_000)
        assert not said, said
        context.close()
        print(f"ok {theme}")
    chromium.close()
