"""The search for a message that the exporter cannot parse, driven against the exporter's paging.

Of the exporter these tests have what the stand-in knows: what it reads, and in what pages.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages_app.polling import detour
from messages_app.polling.detour import PAGE, Detour
from messages_app.replay.instants import instant_of, milliseconds, snowflake_at
from messages_app.replay.paging import Shown, read_pages
from messages_app.windows import Coverage, Window, to_milliseconds
from tests.builders import START

WORDS = "Unknown sticker format '9'."
MILLISECOND = timedelta(milliseconds=1)
NOW = START + timedelta(hours=2)
SESSION = Window(START, NOW)
TRAILING_S = 30
# Somebody spoke since: while the bad one is the newest, nothing can be told.
LAST = NOW - timedelta(seconds=1)


class Channel:
    """What Discord shows of a channel, one message of which is bad; and what is stored of it."""

    def __init__(self, times: list[datetime], bad: datetime | None, stored: set[datetime]) -> None:
        ids = {id_of(time) for time in times}
        self.bad = id_of(bad) + 1 if bad else None
        bad_ones = [] if self.bad is None else [Shown(self.bad, {"id": self.bad}, WORDS)]
        self.shown = sorted([Shown(each, {"id": each}) for each in ids] + bad_ones)
        self.stored = {id_of(time) for time in stored}
        self.calls = 0

    def export(self, window: Window) -> tuple[bool, int]:
        """Whether it succeeds, and how many messages it stores that were unknown."""
        self.calls += 1
        after, before = (snowflake_at(milliseconds(instant)) for instant in window)
        pages = read_pages(self.shown, after, before, blank=False, version=(2, 47))
        read = {document["id"] for document in pages.messages}
        new = len(read - self.stored)
        self.stored |= read
        return pages.death is None, new

    def unknown(self, window: Window) -> set[int]:
        """What was posted in the window and is not stored, without the bad one."""
        span = range(*(snowflake_at(milliseconds(instant)) for instant in window))
        return {m.message_id for m in self.shown if m.message_id in span} - self.stored - {self.bad}

    def stored_before(self, instant: datetime) -> list[datetime]:
        """The times of the newest stored messages before it, as many as a page holds."""
        end = snowflake_at(milliseconds(instant))
        newest_first = sorted((each for each in self.stored if each < end), reverse=True)
        return [time_of(each) for each in newest_first[:PAGE]]


def searched(channel: Channel, covered_until: datetime) -> tuple[Detour | None, Coverage]:
    """Search until it is settled, or nothing is in the way; also what was covered on the way."""
    known = detour.found(covered_until, WORDS)
    covered = Coverage([Window(SESSION.start, covered_until)] if covered_until > START else [])
    while not known.gap:
        stored = channel.stored_before(known.low) if known.is_located else []
        if detour.is_exhausted(known, stored):
            return detour.settled(known, covered.covered_until(SESSION), NOW), covered
        window = detour.next_window(known, NOW, TRAILING_S, stored)
        assert window, "a search that is not over goes on"
        succeeded, new = channel.export(window)
        if succeeded:
            covered = covered.add(window)
            after = detour.after_success(known, window, NOW)
            if after is None:
                return None, covered
            known = after
        else:
            stored_count = len(channel.stored_before(known.low))
            known = detour.after_failure(known, window, new, stored_count, NOW)
        assert channel.calls < 400, "it comes to an end"
    return known, covered


def id_of(time: datetime) -> int:
    return snowflake_at(milliseconds(time), 1)


def time_of(message_id: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + instant_of(message_id) * MILLISECOND


def at(second: float) -> datetime:
    return to_milliseconds(START + timedelta(seconds=second))


instants = st.floats(min_value=-7000, max_value=7100).map(at)


@settings(max_examples=100, deadline=None)
@given(
    st.sets(instants, max_size=400),
    st.floats(min_value=10, max_value=7000).map(at),
    st.floats(min_value=0, max_value=3600),
)
def test_the_search_ends_covers_only_what_was_read_and_names_where_the_bad_one_is(
    others: set[datetime], bad: datetime, behind_s: float
) -> None:
    covered_until = to_milliseconds(max(START, bad - timedelta(seconds=behind_s)))
    stored = {time for time in others if time < covered_until}
    channel = Channel([*others, LAST], bad, stored)

    known, covered = searched(channel, covered_until)

    assert known
    assert known.gap
    assert bad in known.gap
    assert known.gap.end == bad + MILLISECOND
    assert not any(bad in window for window in covered.windows)
    assert covered.gaps(Window(known.gap.end, NOW)) == []
    assert [channel.unknown(window) for window in covered.windows if channel.unknown(window)] == []
    if len(earlier := [time for time in others if time < bad]) >= PAGE:
        assert known.gap.start == max(earlier)
        assert channel.unknown(Window(START, max(earlier))) == set()
    assert channel.calls < 100


@settings(max_examples=100, deadline=None)
@given(st.sets(instants, max_size=400), st.floats(min_value=0, max_value=7000).map(at))
def test_what_ended_exports_for_a_while_is_taken_for_no_message_once_it_is_over(
    others: set[datetime], covered_until: datetime
) -> None:
    channel = Channel([*others], None, set())
    assert searched(channel, covered_until)[0] is None
    assert channel.unknown(Window(covered_until, NOW)) == set()
    assert channel.calls == 2


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(
    st.lists(instants, min_size=150, max_size=200, unique=True),
    st.integers(min_value=120, max_value=149),
    instants,
    st.floats(min_value=0.001, max_value=600),
    st.floats(min_value=0, max_value=1),
)
def test_a_window_that_is_led_around_it_can_be_read_and_holds_something_that_is_needed(
    others: list[datetime], place: int, start: datetime, length_s: float, share: float
) -> None:
    bad = sorted(others)[place]
    channel = Channel([*others, LAST], bad, set(others))
    known, _ = searched(channel, START - timedelta(seconds=7100))
    assert known
    assert known.gap
    asked = Window(start, to_milliseconds(start + timedelta(seconds=length_s)) + MILLISECOND)
    needed = start + share * (asked.end - start)

    window = detour.around(asked, needed, [known])

    if window is None:
        assert known.gap.start <= asked.start
        assert asked.end <= known.gap.end
        return
    end = snowflake_at(milliseconds(window.end))
    newest = max(each.message_id for each in channel.shown if each.message_id < end)
    # Where nothing was posted behind it before the window's end, no export with that end succeeds.
    assert channel.export(window)[0] is (newest != channel.bad)
    if not known.gap.start <= needed < known.gap.end and needed < window.end:
        assert window.start <= needed or asked.start < known.gap.end <= window.start
