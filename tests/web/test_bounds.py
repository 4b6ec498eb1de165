"""Whatever stands in messages, an answer stays within its bytes, its statements and its work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from messages_app.keyset import Key
from messages_app.models import Message, Revision, Session
from messages_app.web.pages import PAGE_SIZE
from messages_app.web.rendering.bounds import AMONG_OTHERS, MARKS_OF_A_LINK, MOST_FORMER, fitting
from tests.web.builders import live_session, make_messages, past_session, poll_now

pytestmark = pytest.mark.django_db

MOST_BYTES = 1_500_000
LONGEST = 4_000  # characters of a text that Discord takes
HOSTILE = {
    "ampersands": "&" * LONGEST,
    "spoilers": "||a||" * 800,
    "quotes": "> a\n" * 1000,
    "mentions": "<@501>" * 660,
    "links": "http://é.b " * 360,
    "emoji": "<:aa:1>" * 570,
    "times": "<t:1:F>" * 570,
    "blank": "\n" * LONGEST,
    "han": "日" * LONGEST,
}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts that the parser was given."""
    texts: list[str] = []
    real = MarkdownIt.render

    def render(self: MarkdownIt, src: str, env: Any = None) -> str:
        texts.append(src)
        return str(real(self, src, env))

    monkeypatch.setattr(MarkdownIt, "render", render)
    yield texts


def hostile_session(text: str, count: int = PAGE_SIZE + 5, former: int = 5) -> Session:
    """Each message says it, in an embed too, and said so before."""
    session, _ = past_session()
    messages = make_messages(
        session.start_time, [text] * count, embeds=[{"title": text, "description": text}]
    )
    Revision.objects.bulk_create(
        Revision(message=message, content=text, replaced_at=session.start_time)
        for message in messages
        for _ in range(former)
    )
    return session


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_page_of_hostile_texts(browser: Client, text: str, parsed: list[str]) -> None:
    session = hostile_session(text)
    for query in ("", "?newest"):
        parsed.clear()
        answer = browser.get(f"/sessions/{session.pk}/{query}")
        assert len(answer.content) < MOST_BYTES
        assert answer.content.count(b'<li class="message') > 20
        for mark, weight in (("|", 1), ("<", 1), ("\n", 1), ("://", MARKS_OF_A_LINK)):
            count = sum(each.count(mark) for each in parsed)
            assert count * weight <= PAGE_SIZE * AMONG_OTHERS.marks


def test_every_message_is_on_one_of_the_pages_that_follow_one_another(browser: Client) -> None:
    session = hostile_session(HOSTILE["han"], count=130)
    expected = [
        f'id="m{pk}"' for pk in Message.objects.in_time_order().values_list("pk", flat=True)
    ]
    for key, link in (("after", "later"), ("before", "earlier")):
        path = f"/sessions/{session.pk}/" + ("" if key == "after" else "?newest")
        seen: list[str] = []
        pages = 0
        while path:
            page = browser.get(path).content.decode()
            shown = [mark for mark in expected if mark in page]
            seen = seen + shown if key == "after" else shown + seen
            pages += 1
            _, _, href = page.partition(f'id="{link}" href="')
            query = href.partition('"')[0]
            path = f"/sessions/{session.pk}/{query}" if query else ""
        assert (seen, pages > 2) == (expected, True)


def test_a_page_around_a_message_shows_it_whatever_stands_beside_it(browser: Client) -> None:
    session = hostile_session(HOSTILE["han"])
    target = Message.objects.in_time_order()[60].pk
    page = browser.get(f"/sessions/{session.pk}/?around={target}").content.decode()
    assert f'class="message target" id="m{target}"' in page.replace("follows ", "")


def test_former_texts_beyond_the_last_three_are_counted_and_stand_on_their_own_page(
    browser: Client,
) -> None:
    session, _ = past_session()
    (message,) = make_messages(session.start_time, ["now"])
    Revision.objects.bulk_create(
        Revision(
            message=message,
            content=f"text number {number} <@501>",
            replaced_at=session.start_time + timedelta(seconds=number),
        )
        for number in range(50)
    )
    page = browser.get(f"/sessions/{session.pk}/").content.decode()
    assert [number for number in range(50) if f"text number {number} " in page] == [47, 48, 49]
    assert ("edited 50 times" in page, "47 earlier" in page) == (True, True)
    own = f"/messages/{message.pk}/all/"
    assert own in page
    shown: list[int] = []
    for skip in (0, 20, 40):
        page = browser.get(f"{own}?skip={skip}").content.decode()
        shown += [number for number in range(50) if f"text number {number} " in page]
        assert "@Ann" in page
        assert (f"?skip={skip + 20}" in page) == (skip < 40)
    assert sorted(shown) == list(range(50))


def test_former_texts_are_not_read_for_a_page_that_does_not_show_them(browser: Client) -> None:
    session = hostile_session("a", count=3, former=MOST_FORMER)
    path = f"/sessions/{session.pk}/"
    browser.get(path)
    with CaptureQueriesContext(connection) as few:
        browser.get(path)
    for message in Message.objects.all():
        Revision.objects.bulk_create(
            Revision(message=message, content="b" * LONGEST, replaced_at=session.start_time)
            for _ in range(360)
        )
    with CaptureQueriesContext(connection) as many:
        page = browser.get(path)
    assert len(many) == len(few)
    assert page.content.count(b"b" * 100) <= 3 * MOST_FORMER * LONGEST / 100


def test_an_over_long_message_is_cut_and_whole_on_its_own_page(browser: Client) -> None:
    session, _ = past_session()
    (message,) = make_messages(
        session.start_time, ["||secret|| " + "&" * LONGEST + "the last words"]
    )
    page = browser.get(f"/sessions/{session.pk}/").content.decode()
    assert "the last words" not in page
    assert "secret" not in page
    own = f"/messages/{message.pk}/all/"
    assert f'<a href="{own}">show all</a>' in page
    whole = browser.get(own).content.decode()
    assert "the last words" in whole
    assert "show all" not in whole


@pytest.mark.parametrize("length", [100_000, 5_000_000])
def test_a_message_by_itself_has_a_bound_too(browser: Client, length: int) -> None:
    session, _ = past_session()
    (message,) = make_messages(session.start_time, ["'" * length])
    for path in (f"/messages/{message.pk}/all/", f"/sessions/{session.pk}/"):
        assert len(browser.get(path).content) < MOST_BYTES


def test_a_live_answer_is_bounded_and_goes_on(browser: Client) -> None:
    session, feed = live_session()
    messages = make_messages(session.start_time, [HOSTILE["han"]] * 90)
    poll_now(feed, messages_new=90)
    path = f"/sessions/{session.pk}/live/"
    seen, last, more = 0, "", True
    while more:
        answer = browser.get(path, {"version": "1-0-0", "last": last})
        assert len(answer.content) < MOST_BYTES
        told = answer.json()
        seen += told["count"]
        last, more = told["last"], told["more"]
    assert seen == 90
    poll_now(feed, messages_edited=1, window_start=session.start_time)
    first = str(Key.of(messages[0]))
    told = browser.get(path, {"version": f"{feed.pk}-0-0", "first": first, "last": last}).json()
    assert (told["changed"], told["reload"]) == ([], True)


def test_a_download_is_not_cut_and_comes_message_by_message(browser: Client) -> None:
    session = hostile_session("&" * LONGEST + "the last words", count=20)
    pieces = list(browser.get(f"/sessions/{session.pk}/download/html/"))
    whole = b"".join(pieces)
    assert whole.count(b"the last words") == 20 * (2 + MOST_FORMER)  # text, embed
    assert max(map(len, pieces)) < MOST_BYTES


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 200), st.integers(0, 20))
def test_what_fits_surrounds_its_anchor_and_is_as_much_as_fits(
    sizes: list[int], most: int, anchor: int
) -> None:
    anchor = min(anchor, len(sizes))
    part = fitting(sizes, most, anchor)
    assert part.start <= anchor <= part.stop
    shown = sizes[part]
    assert bool(shown) == bool(sizes)
    assert len(shown) <= 1 or sum(shown) <= most
    for beside in (*sizes[: part.start][-1:], *sizes[part.stop :][:1]):
        assert sum(shown) + beside > most
