"""The JSON API, as docs/api.md promises it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from messages_app.file_export import KEYS
from messages_app.web.views import api
from tests.builders import at
from tests.web.builders import live_session, make_message, make_messages, past_session

pytestmark = pytest.mark.django_db
# Of the objects of messages: two that go together, one beside none, one that is larger than all.
SIZES = (3_000, 3_000, 6_000, 30_000, *[10] * 6)
DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def get(browser: Client, path: str, status: int = 200) -> Any:
    response = browser.get(f"/api/{path}")
    assert response.status_code == status, response.content
    return response.json()


def test_sessions_are_listed_with_their_state(browser: Client) -> None:
    live, _ = live_session(title="Now")
    past_session(title="Then")
    answer = get(browser, "sessions/")
    assert [session["title"] for session in answer["sessions"]] == ["Now", "Then"]
    assert [session["state"] for session in answer["sessions"]] == ["live", "closed"]
    assert answer["before"] is None
    older = get(browser, f"sessions/?before={live.pk}")
    assert [session["title"] for session in older["sessions"]] == ["Then"]


def test_a_session_tells_of_its_channels(browser: Client) -> None:
    session, _ = past_session()
    (channel,) = get(browser, f"sessions/{session.pk}/")["channels"]
    assert channel["id"] == "200"
    assert channel["covered"] == [
        {"start": session.start_time.isoformat(), "end": session.end_time.isoformat()}
    ]


def test_a_cursor_goes_through_all_messages_once(browser: Client) -> None:
    session, _ = past_session()
    stored = make_messages(at(1), ["x"] * 25)
    seen: list[str] = []
    after = ""
    while True:
        answer = get(browser, f"sessions/{session.pk}/messages/?limit=10&after={after}")
        seen += [message["discord_id"] for message in answer["messages"]]
        after = answer["after"]
        if not answer["more"]:
            break
    assert seen == [str(message.pk) for message in stored]
    nothing = get(browser, f"sessions/{session.pk}/messages/?after={after}")
    assert (nothing["messages"], nothing["after"]) == ([], after)
    late = make_message(at(30))
    news = get(browser, f"sessions/{session.pk}/messages/?after={after}")
    assert [message["discord_id"] for message in news["messages"]] == [str(late.pk)]


def test_an_answer_has_a_bound_on_its_bytes(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = past_session()
    stored = [make_message(at(20 + n / 100), odd="x" * size) for n, size in enumerate(SIZES)]
    monkeypatch.setattr(api, "MOST_BYTES", 10_000)
    numbers: list[int] = []
    seen: list[str] = []
    answer: Any = {"after": "", "more": True}
    while answer["more"]:
        path = f"sessions/{session.pk}/messages/?limit=4&after={answer['after']}"
        answer = get(browser, path)
        numbers.append(len(answer["messages"]))
        seen += [message["discord_id"] for message in answer["messages"]]
    assert seen == [str(message.pk) for message in stored]
    assert numbers == [2, 1, 1, 4, 2]
    window = get(browser, f"state/?at={quote(at(20.2).isoformat())}")["window"]
    assert ([message["discord_id"] for message in window["messages"]], window["more"]) == (
        seen[:2],
        True,
    )


def test_messages_can_be_filtered_as_on_the_page(browser: Client) -> None:
    session, _ = past_session()
    make_messages(at(1), ["who?", "me"])
    answer = get(browser, f"sessions/{session.pk}/messages/?questions=on")
    assert [message["content"] for message in answer["messages"]] == ["who?"]


def test_the_state_at_an_instant_is_the_session_its_window_and_newest_message(
    browser: Client,
) -> None:
    past_session()
    make_message(at(9), "before")
    make_message(at(9.75), "within")
    make_message(at(11), "later")
    instant = quote(at(10).isoformat())
    state = get(browser, f"state/?at={instant}")
    assert state["session"]["title"] == "Race"
    assert state["window"]["start"] == at(9.5).isoformat()
    assert [message["content"] for message in state["window"]["messages"]] == ["within"]
    assert state["newest"]["content"] == "within"
    assert get(browser, "state/?at=2026-05-01T18:10:00+00:00") == state


def test_the_state_without_a_live_session_is_empty(browser: Client) -> None:
    past_session()
    state = get(browser, "state/")
    assert (state["session"], state["window"], state["newest"]) == (None, None, None)


def test_the_state_of_now_holds_the_newest_message(browser: Client) -> None:
    live_session()
    make_message(datetime.now(UTC) - timedelta(seconds=5), "just now")
    assert get(browser, "state/")["newest"]["content"] == "just now"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("sessions/987654321/", 404),
        ("sessions/987654321/messages/", 404),
        ("sessions/?before=x", 400),
        ("sessions/{id}/messages/?limit=0", 400),
        ("sessions/{id}/messages/?limit=1001", 400),
        ("sessions/{id}/messages/?after=x", 400),
        ("state/?at=soon", 400),
    ],
)
def test_bad_input_is_answered_with_one_sentence(browser: Client, path: str, status: int) -> None:
    session, _ = past_session()
    error = get(browser, path.format(id=session.pk), status)["error"]
    assert error.endswith(".")


def test_the_api_only_reads(browser: Client) -> None:
    assert browser.post("/api/sessions/").status_code == 405


def test_the_documentation_names_every_key_and_address(browser: Client) -> None:
    session, _ = live_session()
    make_message(datetime.now(UTC) - timedelta(seconds=5))
    answers = [
        get(browser, "sessions/"),
        get(browser, f"sessions/{session.pk}/"),
        get(browser, f"sessions/{session.pk}/messages/"),
        get(browser, "state/"),
    ]
    raw = {"author", "attachments", "embeds", "reactions", "stickers", "mentions"}

    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*(keys(item) for item in value))
        if not isinstance(value, dict):
            return set()
        inner = (keys(item) for key, item in value.items() if key not in raw)
        return set(value).union(*inner)

    documented = set(re.findall(r"`(\w+)`", DOCS))
    assert keys(answers) | set(KEYS) <= documented
    for address in ("/api/sessions/", "/api/sessions/ID/", "/api/sessions/ID/messages/"):
        assert f"`{address}`" in DOCS
