"""A person watches a live session."""

from __future__ import annotations

import re
from collections import Counter

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

NEWS_MS = 15_000


def test_messages_arrive_by_themselves_and_are_followed(
    site: Site, session_url: str, page: Page
) -> None:
    page.goto(session_url)
    expect(page.locator(".state-live").first).to_contain_text("left")
    last = page.locator("#log > .message").last
    was = last.get_attribute("id")
    expect(last).to_be_in_viewport()
    site.poll()
    expect(page.locator("#log > .message").last).not_to_have_id(was or "", timeout=NEWS_MS)
    expect(page.locator("#log > .message").last).to_be_in_viewport()
    expect(page.locator(".foot .status")).to_contain_text("Last polled")


def test_while_one_scrolls_the_place_is_kept_and_what_came_is_told(
    site: Site, session_url: str, page: Page
) -> None:
    page.goto(session_url)
    reading = page.locator("#log > .message").nth(30)
    reading.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    place = reading.bounding_box()
    site.poll()
    arrived = page.locator("#arrived")
    expect(arrived).to_be_visible(timeout=NEWS_MS)
    expect(arrived).to_have_text(re.compile(r"^\d+ new$"))
    after = reading.bounding_box()
    assert place and after
    assert abs(place["y"] - after["y"]) < 2
    arrived.click()
    expect(page.locator("#log > .message").last).to_be_in_viewport()
    expect(arrived).to_be_hidden()


def test_who_does_not_follow_stays_and_is_told(site: Site, session_url: str, page: Page) -> None:
    page.goto(session_url)
    page.get_by_label("Follow the newest").uncheck()
    place = page.evaluate("scrollY")
    for _ in range(5):
        site.poll()
        page.wait_for_timeout(4000)
        if page.locator("#arrived").is_visible():
            break
    expect(page.locator("#arrived")).to_have_text(re.compile(r"^\d+ new$"))
    assert abs(page.evaluate("scrollY") - place) < 2


def test_earlier_messages_come_in_above_without_a_jump(session_url: str, page: Page) -> None:
    page.goto(session_url)
    page.evaluate("scrollTo(0, 0)")
    first = page.locator("#log > .message").first
    first_id = first.get_attribute("id")
    page.get_by_role("link", name="Earlier messages").scroll_into_view_if_needed()
    before = page.locator(f"#{first_id}").bounding_box()
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.locator("#log > .message").nth(150)).to_be_attached()
    after = page.locator(f"#{first_id}").bounding_box()
    assert before and after
    assert abs(before["y"] - after["y"]) < 2
    ids = page.locator("#log > .message").evaluate_all("rows => rows.map(row => row.id)")
    assert len(ids) == len(set(ids))


def test_an_edit_and_a_deletion_show_on_the_open_page(
    site: Site, session_url: str, page: Page
) -> None:
    page.goto(session_url)
    marks = "#log > .message.fresh-row"
    shown_changes = {"deleted": f"{marks}.deleted", "edited": f"{marks}:has(.former)"}
    for _ in range(20):
        site.poll()
        page.wait_for_timeout(3500)
        if all(page.locator(selector).count() for selector in shown_changes.values()):
            break
    deleted = page.locator(shown_changes["deleted"]).last
    expect(deleted).to_contain_text("deleted, gone by")
    edited = page.locator(shown_changes["edited"]).last
    edited.locator("summary").click()
    expect(edited.locator(".former li").first).to_contain_text("until")


def test_a_filter_a_search_and_a_permalink(session_url: str, page: Page) -> None:
    page.goto(session_url)
    find = page.get_by_role("search")
    find.get_by_label("Questions").check()
    find.get_by_role("button", name="Find").click()
    expect(page.locator(".filtered")).to_contain_text("that ask")
    texts = page.locator("#log .message .text").all_inner_texts()
    assert texts
    assert all("?" in text for text in texts)

    page.get_by_role("link", name="Show all").click()
    texts = page.locator("#log .message .text").all_inner_texts()
    words = Counter(word for text in texts for word in set(re.findall(r"\b[a-z]{6,}\b", text)))
    word = min(words, key=words.__getitem__)  # the whole session has fewer of it than a page holds
    find.get_by_label("Text").fill(word.upper())
    find.get_by_label("Text").press("Enter")
    expect(page.locator(".filtered")).to_contain_text(word.upper())
    # Embeds and the names of files are searched too.
    hits = page.locator("#log .message").all_inner_texts()
    assert hits
    assert all(word in text.lower() for text in hits)

    time = page.locator("#log .message .time").first
    target = time.get_attribute("href")
    assert target
    time.click()
    page.wait_for_url(re.compile(r"/sessions/\d+/\?around=\d+#m\d+"))
    message = page.locator(f"#m{target.split('/')[2]}")
    expect(message).to_be_in_viewport()
    assert page.locator("#log > .message").count() > len(hits)


def test_a_click_on_the_timeline_jumps_there(session_url: str, page: Page) -> None:
    page.goto(session_url)
    page.evaluate("scrollTo(0, 0)")
    bar = page.locator(".bars a").nth(3)
    minute = (bar.locator("title").text_content() or "")[:5]
    bar.click(position={"x": 2, "y": 40}, force=True)
    page.wait_for_url(re.compile(r"\?at="))
    expect(page.locator("#log .message time").first).to_have_text(re.compile(f"^{minute}"))


def test_the_clock_can_be_another_zone_or_the_offset(session_url: str, page: Page) -> None:
    page.goto(f"{session_url}?at=2000-01-01T00:00:00Z")
    page.get_by_text("UTC").first.click()
    page.get_by_label("Time zone").fill("Asia/Kathmandu")
    page.get_by_label("since the session's start").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".menu-zone")).to_have_text("Asia/Kathmandu")
    expect(page.locator("#log .message time").first).to_have_text(re.compile(r"^\+0:0\d:\d\d$"))


def test_home_leads_to_the_live_session(site: Site, session_url: str, page: Page) -> None:
    page.goto(site.url)
    page.get_by_role("link", name="Watch it").first.click()
    page.wait_for_url(session_url)


def test_downloads_arrive_as_files(session_url: str, page: Page) -> None:
    page.goto(session_url)
    for name, ending in (("JSON lines", "jsonl"), ("CSV table", "csv"), ("HTML page", "html")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == f"24-h-of-nordschleife-night-stint.{ending}"
        assert download.value.path().stat().st_size > 10_000
