"""The pages work for everybody: with a screen reader, by keyboard, on a phone, without scripts."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Watcher, log_in

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True}


def violations(page: Page) -> list[str]:
    # What is scrolled under a bar can be scrolled out again: axe would only see it half covered.
    page.evaluate(
        "document.querySelectorAll('.top, .foot').forEach(e => e.style.position = 'static')"
    )
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_barrier(
    site: Site,
    session_url: str,
    chromium: Browser,
    watcher: Watcher,
    scheme: Literal["light", "dark"],
    device: dict[str, Any],
) -> None:
    context = chromium.new_context(color_scheme=scheme, **device)
    context.on("page", watcher.attend)
    page = context.new_page()
    page.goto(f"{site.url}/login/")
    assert violations(page) == []
    log_in(context, site)
    for path in ("/", "/health/", "/schedule/", session_url.removeprefix(site.url)):
        page.goto(f"{site.url}{path}")
        page.wait_for_load_state("networkidle") if path == "/" else page.wait_for_timeout(600)
        assert violations(page) == [], path
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{path} scrolls sideways"
    page.locator(".menu summary").click()
    assert violations(page) == []
    context.close()


def test_everything_can_be_read_without_scripts(
    site: Site, session_url: str, chromium: Browser, watcher: Watcher
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.on("page", watcher.attend)
    log_in(context, site)
    page = context.new_page()
    page.goto(session_url)
    assert page.locator("#log > .message").count() == 100
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.get_by_role("link", name="Later messages")).to_be_visible()
    page.get_by_label("Text", exact=True).fill("lap")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".filtered")).to_contain_text("lap")
    page.goto(f"{site.url}/schedule/")
    page.get_by_label("Title", exact=True).fill("Nothing")
    page.get_by_label("Start", exact=True).fill("2031-01-01T10:00")
    page.get_by_label("End", exact=True).fill("2031-01-01T09:00")
    page.get_by_role("button", name="Schedule").click()
    expect(page.locator("#notes")).to_contain_text("must be later")
    context.close()


def test_the_keyboard_reaches_the_content_first(session_url: str, page: Page) -> None:
    # Where an address leads to a message, the keyboard goes on from there: this one leads to none.
    page.goto(f"{session_url}?newest")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
