"""Visits the pages in headless Chromium as a person does.

usage: web_pages.py URL SHOTS SPREADSHEET: URL of a server with the datasets "goods" (two conflicts) and "stock" (a dead
letter), SHOTS the folder of screenshots
"""

import os
import re
import sys

from playwright.sync_api import expect, sync_playwright

from barriers import barriers

URL, SHOTS, SHEET = sys.argv[1:4]
expect.set_options(timeout=15_000)


def browser(playwright):
    return playwright.chromium.launch(executable_path=os.environ["LOCKSTEP_CHROMIUM"],
                                      args=["--no-sandbox", "--disable-gpu"])


def watched(page, said):
    """Notes everything that the console hears, and every answer that is an error."""
    page.on("console", lambda message: said.append(f"{page.url}: {message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: (said.append(f"{page.url}: dialog {dialog.message}"), dialog.dismiss()))
    page.on("response", lambda answer: answer.status >= 400 and said.append(f"{answer.url}: {answer.status}"))
    page.set_default_timeout(15_000)
    return page


def every_page(chromium, run):
    paths = {"overview": "/", "dataset": "/datasets/goods?window=7d", "runs": "/runs", "run": f"/runs/{run}",
             "conflicts": "/conflicts", "letters": "/letters", "sheets": "/sheets", "sheet": f"/sheets/{SHEET}"}
    for theme in ["light", "dark"]:
        for width in [1200, 390]:
            context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 850})
            said = []
            page = watched(context.new_page(), said)
            for name, path in paths.items():
                page.goto(URL + path)
                expect(page.locator("main h1")).to_be_visible()
                wrong = barriers(page)
                assert not wrong, f"{path} {theme} {width}: {wrong}"
                page.screenshot(path=f"{SHOTS}/{name}-{theme}-{width}.png", full_page=True)
            assert not said, said
            context.close()


def without_javascript(chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(URL)
    page.get_by_role("link", name="Conflicts").click()
    expect(page.get_by_role("button", name="Take left").first).to_be_visible()
    context.close()


def by_click(chromium):
    said = []
    page = watched(chromium.new_page(), said)
    page.goto(URL + "/conflicts")
    page.get_by_role("article", name="A · qty").get_by_role("button", name="Take right").click()
    expect(page.get_by_text("Decided. The next run of the dataset writes it.")).to_be_visible()
    article = page.get_by_role("article", name="A · qty")
    expect(article.get_by_text("decided", exact=True)).to_be_visible()
    # Taken back, and decided by a value of one's own; then taken back again for the right.
    article.get_by_role("button", name="Take it back").click()
    article.get_by_label("or another value").fill("99")
    article.get_by_role("button", name="Take this value").click()
    expect(article.get_by_text("value 99")).to_be_visible()
    article.get_by_role("button", name="Take it back").click()
    article.get_by_role("button", name="Take right").click()
    expect(article.get_by_text("Decided for right")).to_be_visible()
    assert not said, said
    page.close()


def by_keys(chromium):
    said = []
    page = watched(chromium.new_page(), said)
    page.goto(URL)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.goto(URL + "/conflicts")
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("""() => { const one = document.activeElement; const style = getComputedStyle(one);
          return [one.textContent, one.closest("article")?.querySelector("h2").textContent, style.outlineStyle, parseFloat(style.outlineWidth)] }""")
        if focused[0] == "Take right" and focused[1] == "B · name":
            assert focused[2] == "solid" and focused[3] >= 2, f"the focus is not to be seen: {focused}"
            page.screenshot(path=f"{SHOTS}/focus.png")
            break
    else:
        raise AssertionError("no way to the button by Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decided. The next run of the dataset writes it.")).to_be_visible()
    assert not said, said
    page.close()


def live(chromium):
    """What changes elsewhere appears by itself, and never under somebody's hands."""
    said = []
    page = watched(chromium.new_page(), said)
    page.goto(URL + "/conflicts")
    article = page.get_by_role("article", name="A · qty")
    expect(article).to_be_visible()
    other = chromium.new_page()
    other.goto(URL + "/conflicts")
    other.get_by_role("article", name="A · qty").get_by_role("button", name="Take it back").click()
    expect(article.get_by_role("button", name="Take left")).to_be_visible(timeout=25_000)
    expect(page.locator("#live")).to_have_text(re.compile("Updated"))
    field = article.get_by_label("or another value")
    field.fill("7")
    other.get_by_role("article", name="A · qty").get_by_role("button", name="Take right").click()
    page.wait_for_timeout(11_000)
    expect(field).to_have_value("7")
    assert not said, said
    page.close()
    other.close()


def measured(chromium):
    said = []
    page = watched(chromium.new_page(), said)
    page.goto(URL + "/datasets/goods")
    page.get_by_role("button", name="Measure the data now").click()
    expect(page.get_by_role("img", name="Quality, with 95 % intervals")).to_be_visible()
    assert not said, said
    page.close()


def letter(chromium):
    said = []
    page = watched(chromium.new_page(), said)
    page.goto(URL + "/letters")
    page.get_by_text("Drop…").click()
    page.get_by_role("button", name="Drop it for good").click()
    expect(page.get_by_text("Dropped.")).to_be_visible()
    assert not said, said
    page.close()


with sync_playwright() as playwright:
    chromium = browser(playwright)
    page = chromium.new_page()
    page.goto(URL + "/runs")
    # The newest run of the list, whatever it wrote.
    run = page.locator("tbody th a").first.get_attribute("href").removeprefix("/runs/")
    page.close()
    for step in [measured, lambda chromium: every_page(chromium, run), without_javascript, by_click, by_keys, live, letter]:
        step(chromium)
        print(f"ok {getattr(step, '__name__')}")
    chromium.close()
