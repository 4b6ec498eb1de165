"""One run over feeds: claim one, choose its window, export, store, advance, record; and again.

Several feeds are worked on side by side. Each feed's newest window comes first, then what is
missing, oldest first; during a long catch-up the newest windows are read again whenever they are
due, so that a viewer sees fresh messages all the while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from messages_app.environment import Settings
from messages_app.errors import TokenRefused
from messages_app.exporter import Export, Exporter, run_side_by_side
from messages_app.importing import Importer, Job
from messages_app.leases import Leases
from messages_app.models import Feed, Poll
from messages_app.progress import can_be_halved
from messages_app.reporting.events import Report, leased_elsewhere, poll_done, poll_failed
from messages_app.runs import Run
from messages_app.tally import Tally
from messages_app.windows import Pace, Progress, Step, next_step, to_milliseconds

# Ticks of hosts that share a session may come this much early.
SHARING_SLACK_S = 5

Clock = Callable[[], datetime]


@dataclass
class Turn:
    """One feed's share of a run."""

    feed: Feed
    newest_at: datetime | None = None
    is_busy: bool = False
    is_over: bool = False


class PollRun:
    """One run; `clock` tells the time, aware and in UTC. Raises ConfigurationError."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], run: Run, clock: Clock, report: Report
    ) -> None:
        self.tally = Tally()
        self.polls = 0
        self.failed = 0
        self.status = 0
        self._settings = settings
        self._pace = Pace(settings.window_s, settings.overlap_s, settings.max_span_s)
        # What another host polled this many seconds ago is left to it until its next tick.
        self._fresh_s = settings.window_s - SHARING_SLACK_S
        self._clock = clock
        self._report = report
        self._exporter = Exporter(settings, run.folder, environ)
        self._leases = Leases(run.name, settings.export_timeout_s)
        self._importer = Importer.of(run, self._leases, settings, environ)
        self._turns: list[Turn] = []
        self._running: dict[Export, tuple[Turn, Job]] = {}
        self._started = time.monotonic()

    def seconds(self) -> float:
        """How long the run has taken."""
        return time.monotonic() - self._started

    def poll(self, feeds: list[Feed]) -> None:
        """Work on `feeds` until nothing is due or POLLER_RUN_BUDGET is used up."""
        self._turns = [Turn(feed) for feed in feeds]
        # A token that was refused is tried on one feed before it is tried on all of them.
        is_wary = any(feed.error_kind == TokenRefused.kind for feed in feeds)
        most = 1 if is_wary else self._settings.parallel
        try:
            run_side_by_side(self._next_export, self._finished, most)
        finally:
            self._leases.release([turn.feed.pk for turn in self._turns])

    def _next_export(self) -> Export | None:
        for turn in [turn for turn in self._turns if not turn.is_busy]:
            job = self._next_job(turn)
            if job is None:
                continue
            # Who was served waits behind the others.
            self._turns.remove(turn)
            self._turns.append(turn)
            export = self._exporter.start(job.channel_id, job.window)
            turn.is_busy = True
            self._running[export] = (turn, job)
            return export
        return None

    def _next_job(self, turn: Turn) -> Job | None:
        """Choose the turn's next window and claim its feed for it; None where nothing is due."""
        now = to_milliseconds(self._clock())
        if not self._next_step(turn, now):
            return None
        is_first = turn.newest_at is None and now < turn.feed.session.end_time
        feed = self._leases.claim(turn.feed.pk, now, self._fresh_s if is_first else 0)
        if feed is None:
            self._leave_to_others(turn)
            return None
        turn.feed = feed
        # Chosen again, since the feed may have moved on before it was claimed.
        step = self._next_step(turn, now)
        if step is None:
            return None
        if turn.newest_at is None or step.purpose == Poll.Purpose.NEWEST:
            turn.newest_at = now
        return Job(feed.channel_id, step.window, Poll.Purpose(step.purpose), now, feed)

    def _leave_to_others(self, turn: Turn) -> None:
        turn.is_over = True
        feed = Feed.objects.filter(pk=turn.feed.pk).first()
        if feed and feed.lease_until:
            self._report(leased_elsewhere(feed))

    def _next_step(self, turn: Turn, now: datetime) -> Step | None:
        if turn.is_over or self.seconds() >= self._settings.run_budget_s:
            return None
        return next_step(
            self._progress(turn),
            self._pace,
            now,
            turn.newest_at,
            is_newest_due=self._is_newest_due(turn, now),
        )

    def _is_newest_due(self, turn: Turn, now: datetime) -> bool:
        """Whether others keep the run busy for so long that this feed must be refreshed."""
        if turn.newest_at is None:
            return True
        if now - turn.newest_at < timedelta(seconds=self._pace.window_s):
            return False
        return any(
            next_step(self._progress(other), self._pace, now, other.newest_at, is_newest_due=False)
            for other in self._turns
            if not other.is_over
        )

    def _progress(self, turn: Turn) -> Progress:
        feed = turn.feed
        longest_s = min(feed.longest_window_s or self._pace.max_span_s, self._pace.max_span_s)
        return Progress(feed.session.window, feed.coverage, feed.swept, longest_s)

    def _finished(self, export: Export) -> None:
        turn, job = self._running.pop(export)
        turn.is_busy = False
        outcome = self._importer.take_in(job, export, self._clock())
        self.polls += 1
        self.tally = self.tally.plus(outcome.poll.tally)
        if outcome.failure is None:
            self._report(poll_done(outcome.poll))
            return
        self._report(poll_failed(outcome.poll, outcome.failure))
        self.failed += 1
        self.status = max(self.status, outcome.failure.status)
        if not can_be_halved(job.window, outcome.failure):
            turn.is_over = True
        if isinstance(outcome.failure, TokenRefused):
            self._stop_knocking(outcome.failure, job.asked_at)

    def _stop_knocking(self, refusal: TokenRefused, asked_at: datetime) -> None:
        """No feed asks again soon with a token that one of them was refused with."""
        for turn in self._turns:
            turn.is_over = True
        Feed.objects.filter(pk__in=[turn.feed.pk for turn in self._turns]).update(
            error_kind=refusal.kind,
            error=str(refusal),
            next_attempt_at=asked_at + timedelta(seconds=self._settings.backoff_cap_s),
        )
