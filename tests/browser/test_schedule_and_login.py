"""A person logs in and schedules a session, which then goes live before their eyes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import CHANNELS, Site, Watcher


def typed(minutes: float) -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M}"


def test_a_login_is_asked_for_and_leads_on(
    site: Site, session_url: str, chromium: Browser, watcher: Watcher
) -> None:
    context = chromium.new_context()
    context.on("page", watcher.attend)
    page = context.new_page()
    page.goto(session_url)
    page.wait_for_url(re.compile("/login/"))
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("race-day-2026")
    page.keyboard.press("Enter")
    page.wait_for_url(session_url)
    page.get_by_role("button", name="Log out").click()
    page.goto(session_url)
    page.wait_for_url(re.compile("/login/"))
    context.close()


def test_the_form_catches_pitfalls_while_typing_and_the_session_goes_live(
    site: Site, session_url: str, page: Page
) -> None:
    page.goto(f"{site.url}/schedule/")
    notes = page.locator("#notes")
    page.get_by_label("Title", exact=True).fill("Sprint")
    page.get_by_label("Start", exact=True).fill("2031-03-30T02:30")
    page.get_by_label("End", exact=True).fill("2031-03-30T04:00")
    page.get_by_label("These times are in").fill("Europe/Berlin")
    expect(notes).to_contain_text("does not exist in Europe/Berlin")
    page.get_by_label("These times are in").fill("UTC")
    page.get_by_label("End", exact=True).fill("2031-03-30T01:00")
    expect(notes).to_contain_text("The end must be later than the start.")
    page.get_by_label("Start", exact=True).fill(typed(-3))
    page.get_by_label("End", exact=True).fill(typed(30))
    expect(notes).to_contain_text("overlaps")
    page.get_by_label("Allow it to overlap").check()
    expect(notes).to_contain_text("it is live at once")
    page.get_by_label("by their Discord id").fill(CHANNELS[0])
    page.get_by_role("button", name="Schedule").click()
    page.wait_for_url(re.compile(r"/sessions/\d+/$"))
    expect(page.locator(".state-live").first).to_be_visible()
    expect(page.locator("#empty")).to_have_text("No message yet.")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Title", exact=True).fill("Sprint race")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("Sprint race")
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.locator(".state-over").first).to_be_visible()
