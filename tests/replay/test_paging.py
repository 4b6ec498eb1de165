"""The channel is read by pages of a hundred, as Discord gives them."""

from __future__ import annotations

import pytest

from .stand_in import Run, StandIn, at

WORDS = "Unknown sticker format '9'."
BAD = 150
POSTED = range(200)


@pytest.fixture
def with_a_bad_one(stand_in: StandIn) -> StandIn:
    """A message each second, one of which the exporter cannot parse."""
    for second in POSTED:
        unparsable = WORDS if second == BAD else None
        stand_in.chat.post(second, f"message {second}", unparsable=unparsable)
    return stand_in


def window(stand_in: StandIn, start: float, end: float) -> Run:
    return stand_in.export("--after", at(start), "--before", at(end))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (BAD - 100, BAD + 20),
        (BAD - 5, BAD - 2),  # however short, and whatever it asks for
        (BAD - 120, BAD - 10),  # of the second page, a part is asked for
        (BAD + 0.5, BAD + 0.9),  # nothing is asked for, but it is the newest before the end
    ],
)
def test_a_page_with_a_message_that_cannot_be_parsed_ends_the_export(
    with_a_bad_one: StandIn, start: float, end: float
) -> None:
    run = window(with_a_bad_one, start, end)
    assert run.status == 1
    assert run.stderr.startswith(f"ERROR\nSystem.InvalidOperationException: {WORDS}\n   at ")
    assert run.document["messageCount"] == len(run.messages)


def test_the_pages_before_it_are_written(with_a_bad_one: StandIn) -> None:
    run = window(with_a_bad_one, BAD - 130, BAD + 20)
    assert run.texts == [f"message {second}" for second in range(BAD - 130, BAD - 30)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (BAD - 110, BAD - 20),  # the first page ends before it, and holds one beyond the end
        (BAD + 1, BAD + 30),
        (BAD + 10.5, BAD + 10.9),  # quiet, and another one is the newest before the end
    ],
)
def test_it_does_not_matter_to_windows_that_meet_no_such_page(
    with_a_bad_one: StandIn, start: float, end: float
) -> None:
    run = window(with_a_bad_one, start, end)
    assert run.status == 0
    assert run.texts == [f"message {s}" for s in POSTED if start <= s < end]


def test_without_the_intent_a_bots_own_messages_keep_their_text(stand_in: StandIn) -> None:
    for second in range(5):
        stand_in.chat.post(second, f"message {second}")
    bot = {"id": "9", "name": "bot", "nickname": "Bot", "isBot": True}
    stand_in.chat.post(5, "a bot's own", author=bot)
    run = stand_in.export(REPLAY_FAULT="no-intent")
    assert run.status == 0
    assert run.texts == [*[""] * 5, "a bot's own"]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2.46.1", "does not have the Message Content Intent enabled"),
        ("2.47", "missing the MESSAGE_CONTENT privileged intent"),
    ],
)
def test_without_the_intent_a_page_of_blank_messages_ends_the_export(
    stand_in: StandIn, version: str, words: str
) -> None:
    stand_in.chat.post(5, "hello")
    run = stand_in.export(REPLAY_FAULT="no-intent", REPLAY_VERSION=version)
    assert run.status == 1
    assert words in run.stderr
    assert run.messages == []


def test_without_the_permission_to_read_the_history_a_channel_is_empty_without_a_word(
    stand_in: StandIn,
) -> None:
    stand_in.chat.post(5, "hello")
    run = stand_in.export(REPLAY_FAULT="no-history")
    assert (run.status, run.messages, run.stderr) == (0, [], "")
