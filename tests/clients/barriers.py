"""What keeps people out of a page, as axe-core finds it."""

from axe_playwright_python.sync_playwright import Axe

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def barriers(page):
    """Returns what breaks WCAG 2.2 A or AA, or axe's best practices, and whether the page is wider than its window."""
    found = [f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
             for one in Axe().run(page, options=RULES).response["violations"] for node in one["nodes"]]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than the window")
    return found
