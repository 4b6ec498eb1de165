"""Windows, coverage and backoff, by property: random schedules of ticks, failures and spans."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from messages_app.windows import (
    CATCH_UP,
    NEWEST,
    SWEEP,
    VISIBLE_AFTER,
    Coverage,
    Pace,
    Progress,
    Window,
    backoff,
    chunks,
    next_step,
)
from tests.simulation import at

SESSION = Window(at(0), at(3600))
PACE = Pace(window_s=30, overlap_s=30, max_span_s=600, closing_delay_s=180)

instants = st.integers(-600, 4200).map(at)
windows = (
    st.tuples(instants, instants)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: Window(*pair))
)


@given(st.lists(windows), instants)
def test_coverage_is_exactly_the_union_of_its_windows(parts: list[Window], now: datetime) -> None:
    coverage = Coverage()
    for window in parts:
        coverage = coverage.add(window)

    assert any(now in window for window in coverage.windows) == any(now in part for part in parts)
    assert Coverage.from_json(coverage.to_json()) == coverage
    ends = [instant for window in coverage.windows for instant in window]
    assert ends == sorted(set(ends)), "sorted, disjoint and not touching"


@given(st.lists(windows), windows, instants)
def test_an_instant_is_either_covered_or_in_a_gap(
    parts: list[Window], span: Window, now: datetime
) -> None:
    coverage = Coverage(parts)

    is_covered = any(now in window for window in coverage.windows)
    is_in_gap = any(now in gap for gap in coverage.gaps(span))

    assert is_in_gap == (now in span and not is_covered)


@given(st.lists(windows), instants)
def test_what_lies_after_an_instant_can_be_cut_off(parts: list[Window], now: datetime) -> None:
    coverage = Coverage(parts).until(now)

    assert all(window.end <= now for window in coverage.windows)
    assert coverage.gaps(Window(at(-600), now + timedelta(seconds=1)))[-1].end > now


@given(windows, st.floats(1, 1000))
def test_chunks_join_up_to_the_whole(span: Window, longest_s: float) -> None:
    parts = chunks(span, longest_s)

    assert Coverage(parts).windows == (span,)
    assert all(part.seconds <= longest_s + 1e-6 for part in parts), "to the microsecond"


def test_the_backoff_doubles_up_to_its_cap() -> None:
    waits = [backoff(failures, cap_s=600).total_seconds() for failures in (1, 2, 3, 4, 5, 6, 99)]

    assert waits == [30, 60, 120, 240, 480, 600, 600]


@dataclass
class Feed:
    """A feed under random ticks; remembers every window that was proved."""

    longest_s: float = PACE.max_span_s
    coverage: Coverage = field(default_factory=Coverage)
    swept: Coverage = field(default_factory=Coverage)
    proved: list[Window] = field(default_factory=list)

    def run(self, now_s: float, fates: list[str]) -> list[str]:
        """One run whose exports end as `fates` say; return why each window was read."""
        purposes = []
        newest_at = None
        for fate in fates:
            now = at(now_s)
            progress = Progress(SESSION, self.coverage, self.swept, self.longest_s)
            step = next_step(progress, PACE, now, newest_at, is_newest_due=False)
            if step is None:
                break
            purposes.append(step.purpose)
            window = step.window
            assert window.within(SESSION) == window, "nothing outside the session is asked for"
            assert window.seconds <= self.longest_s + 1e-6, "no window is too long"
            newest_at = newest_at or now
            if fate == "slow":
                self.longest_s = max(window.seconds / 2, 1)
            elif fate == "done":
                if counted := window.within(Window(SESSION.start, now - VISIBLE_AFTER)):
                    self.proved.append(counted)
                self.coverage = Coverage(self.proved)
                if step.purpose == SWEEP:
                    self.swept = self.swept.add(window)
                self.longest_s = min(self.longest_s * 2, PACE.max_span_s)
            else:
                break
        return purposes


fates = st.lists(st.sampled_from(["done", "done", "done", "slow", "failed"]), max_size=8)
runs = st.lists(st.tuples(st.floats(5, 900), fates), max_size=40)


@settings(max_examples=200, deadline=None)
@given(runs)
def test_whatever_fails_the_session_is_covered_and_swept_in_the_end(
    schedule: list[tuple[float, list[str]]],
) -> None:
    feed = Feed()
    now_s = -60.0
    for wait_s, fate in schedule:
        feed.run(now_s, fate)
        now_s += wait_s
        assert feed.coverage == Coverage(feed.proved), "coverage is the union of proved windows"

    feed.run(max(now_s, 3600 + PACE.closing_delay_s), ["done"] * 10_000)

    assert feed.coverage.windows == (SESSION,)
    assert feed.swept.windows == (SESSION,)


@settings(max_examples=200, deadline=None)
@given(runs)
def test_the_newest_window_comes_first_in_every_run_of_a_live_session(
    schedule: list[tuple[float, list[str]]],
) -> None:
    feed = Feed()
    now_s = 1.0
    for wait_s, fate in schedule:
        if now_s >= 3600:
            break
        purposes = feed.run(now_s, fate)
        assert purposes[:1] == [NEWEST][: len(fate)]
        assert set(purposes[1:]) <= {CATCH_UP}
        now_s += wait_s


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 3500), st.floats(5, 3500))
def test_what_was_fresh_in_one_poll_is_read_again_in_a_later_one(
    start_s: float, wait_s: float
) -> None:
    feed = Feed()
    feed.run(start_s, ["done"] * 100)
    fresh = min(at(start_s), SESSION.end)
    overlap = Window(max(fresh - timedelta(seconds=PACE.overlap_s), SESSION.start), fresh)
    first = len(feed.proved)

    feed.run(start_s + wait_s, ["done"] * 100)

    assert Coverage(feed.proved[first:]).gaps(overlap) == []
