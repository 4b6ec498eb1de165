"""What an export proves, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messages_app.exporter.proof import is_proved_empty, probes, told_part
from messages_app.snowflakes import first_id
from messages_app.windows import Window

START = datetime(2026, 5, 1, 18, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("is_said", "is_one_stored", "is_one_shown", "is_proved"),
    [
        (False, False, False, False),
        (False, False, True, True),
        (False, True, False, False),
        (False, True, True, True),
        (True, False, False, True),
        (True, False, True, True),
        (True, True, False, False),
        (True, True, True, True),
    ],
)
def test_emptiness_is_proved_by_words_that_nothing_contradicts_or_by_a_probe(
    is_said: bool, is_one_stored: bool, is_one_shown: bool, is_proved: bool
) -> None:
    assert is_proved == is_proved_empty(
        is_said=is_said, is_one_stored=is_one_stored, is_one_shown=is_one_shown
    )


def test_the_millisecond_of_a_stored_message_is_tried_first() -> None:
    stored = START - timedelta(hours=1, microseconds=250)
    first = next(probes(first_id(START - timedelta(days=9)), WINDOW, [stored], None))
    assert stored in first
    assert first.seconds == 0.001


def test_probes_reach_back_to_the_channels_birth_and_no_further() -> None:
    born = START - timedelta(days=400)
    tried = list(probes(first_id(born), WINDOW, [], None))
    assert [window.end for window in tried] == [START, *(window.start for window in tried[:-1])]
    assert tried[-1].start == born
    assert len(tried) == 4


def test_a_channel_that_is_younger_than_the_window_has_nothing_to_try() -> None:
    assert list(probes(first_id(WINDOW.end), WINDOW, [], WINDOW.end)) == []


def test_what_came_after_the_window_is_tried_before_what_was_long_ago() -> None:
    now = WINDOW.end + timedelta(hours=3)
    tried = list(probes(first_id(START - timedelta(days=2)), WINDOW, [], now))
    assert tried[0] == Window(WINDOW.end, now)
    assert tried[1].end == WINDOW.start


MILLISECOND = timedelta(milliseconds=1)
LAST_AT = START + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("count", "last_at", "end"),
    [
        (1, LAST_AT, WINDOW.end),
        (99, LAST_AT, WINDOW.end),
        (100, LAST_AT, LAST_AT),
        (250, LAST_AT, LAST_AT),
        (100, LAST_AT + timedelta(microseconds=700), LAST_AT),
        # It advances, whatever it reads.
        (100, START, START + MILLISECOND),
        # Nothing is left behind a message of the last millisecond.
        (100, WINDOW.end - MILLISECOND, WINDOW.end),
        (100, WINDOW.end - 2 * MILLISECOND, WINDOW.end - 2 * MILLISECOND),
    ],
)
def test_a_document_of_a_full_page_tells_of_nothing_behind_its_last_message(
    count: int, last_at: datetime, end: datetime
) -> None:
    assert told_part(WINDOW, count, last_at) == Window(START, end)
