"""One run over feeds: claim one, choose its window, export, store, advance, record; and again.

Several feeds are worked on side by side. Each feed's newest window comes first, then what is
missing, oldest first; during a long catch-up the newest windows are read again whenever they are
due, so that a viewer sees fresh messages all the while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from messages_app.database.clock import Clock
from messages_app.environment import Settings
from messages_app.errors import TokenRefused
from messages_app.events import Report, leased_elsewhere
from messages_app.models import Feed, Poll
from messages_app.polling.detour import Detour, around, blocked, is_stuck
from messages_app.polling.export_run import ExportRun
from messages_app.polling.feed_progress import DOUBTED, can_be_halved
from messages_app.polling.intake import Job, Outcome
from messages_app.polling.obstacles import detours_of, next_window
from messages_app.polling.run_folder import Run
from messages_app.windows import (
    CATCH_UP,
    NEWEST,
    SWEEP,
    Pace,
    Progress,
    Step,
    next_step,
    to_milliseconds,
)

# Ticks of hosts that share a session may come this much early.
SHARING_SLACK_S = 5


@dataclass
class Turn:
    """One feed's share of a run."""

    feed: Feed
    newest_at: datetime | None = None
    is_over: bool = False
    # Where the last export ended to tell, if that was before its window's end.
    untold_from: datetime | None = None
    # The messages in its way, by the number of their rows.
    detours: dict[int, Detour] = field(default_factory=dict)


class PollRun(ExportRun):
    """One run over feeds, until nothing is due or POLLER_RUN_BUDGET is used up."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], run: Run, clock: Clock, report: Report
    ) -> None:
        super().__init__(settings, environ, run, clock, report)
        self._pace = Pace(
            settings.window_s, settings.overlap_s, settings.max_span_s, settings.closing_delay_s
        )
        # What another host polled this many seconds ago is left to it until its next tick.
        self._fresh_s = settings.window_s - SHARING_SLACK_S
        self._turns: dict[int, Turn] = {}
        # Whether attempts got any further, by the number of the session that they were made on.
        self.progress: dict[int, bool] = {}

    def poll(self, feeds: list[Feed]) -> None:
        """Work on `feeds`, the first of them first."""
        self._turns = {feed.pk: Turn(feed, detours=detours_of(feed)) for feed in feeds}
        # A token that was refused is tried on one feed before it is tried on all of them.
        is_wary = any(feed.error_kind in DOUBTED for feed in feeds)
        self.work(1 if is_wary else self.settings.parallel)

    def next_job(self) -> Job | None:
        """Claim the next window of the feed that has waited longest for one."""
        busy = self.busy_feeds()
        for feed_id in [feed_id for feed_id in self._turns if feed_id not in busy]:
            turn = self._turns[feed_id]
            try:
                job = self._job_of(turn)
            except Exception as error:
                turn.is_over = True
                self.fail(turn.feed, error)
                continue
            if job:
                # Who was served waits behind the others.
                self._turns[feed_id] = self._turns.pop(feed_id)
                return job
        return None

    def _job_of(self, turn: Turn) -> Job | None:
        """Choose the turn's next window and claim its feed for it; None where nothing is due."""
        now = to_milliseconds(self.clock())
        if not self._next_step(turn, now):
            return None
        is_first = turn.newest_at is None and now < turn.feed.session.end_time
        feed = self.leases.claim(turn.feed.pk, now, self._fresh_s if is_first else 0)
        if feed is None:
            self._leave_to_others(turn)
            return None
        turn.feed = feed
        turn.detours = detours_of(feed)
        # Chosen again, since the feed may have moved on before it was claimed.
        chosen = self._next_step(turn, now)
        if chosen is None:
            return None
        step, obstacle_id = chosen
        if turn.newest_at is None or step.purpose == NEWEST:
            turn.newest_at = now
        purpose = Poll.Purpose(step.purpose)
        is_clear = not turn.detours
        return Job(feed.channel_id, step.window, purpose, now, feed, obstacle_id, is_clear)

    def _leave_to_others(self, turn: Turn) -> None:
        turn.is_over = True
        feed = Feed.objects.filter(pk=turn.feed.pk).first()
        if feed and feed.lease_until:
            self.report(leased_elsewhere(feed))

    def _next_step(self, turn: Turn, now: datetime) -> tuple[Step, int | None] | None:
        """What to read next, and the number of the obstacle for which it is read, if it is."""
        if turn.is_over or self.seconds() >= self.settings.run_budget_s:
            return None
        step = self._ordinary_step(turn, now)
        # Freshness first, unless no window up to now can be read.
        if step and step.purpose == NEWEST and not is_stuck(turn.detours.values()):
            return step, None
        return self._detour(turn, now) or (step and (step, None))

    def _ordinary_step(self, turn: Turn, now: datetime) -> Step | None:
        """The next window, led around what cannot be read."""
        if turn.feed.session.closed_at:
            return None
        progress = self._progress(turn)
        step = next_step(
            progress,
            self._pace,
            now,
            turn.newest_at,
            is_newest_due=self._is_newest_due(turn, now),
        )
        if step is None or not turn.detours:
            return step
        read = progress.swept if step.purpose == SWEEP else progress.coverage
        missing = read.gaps(step.window)
        needed = missing[0].start if missing else step.window.start
        window = around(step.window, needed, turn.detours.values())
        return Step(step.purpose, window) if window else None

    def _detour(self, turn: Turn, now: datetime) -> tuple[Step, int] | None:
        """The next window of the search for a message in the way."""
        is_live = now < turn.feed.session.end_time
        for number, known in turn.detours.items():
            window = next_window(turn.feed, known, now, self._pace.window_s)
            if window:
                newest = NEWEST if known.high is None else CATCH_UP
                return Step(newest if is_live else SWEEP, window), number
        return None

    def _is_newest_due(self, turn: Turn, now: datetime) -> bool:
        """Whether others keep the run busy for so long that this feed must be refreshed."""
        if turn.newest_at is None:
            return True
        if now - turn.newest_at < timedelta(seconds=self._pace.window_s):
            return False
        return any(
            self._has_more(other, now) for other in self._turns.values() if not other.is_over
        )

    def _has_more(self, turn: Turn, now: datetime) -> bool:
        try:
            progress = self._progress(turn)
        except Exception:  # told when it is that feed's turn
            return False
        return bool(next_step(progress, self._pace, now, turn.newest_at, is_newest_due=False))

    def _progress(self, turn: Turn) -> Progress:
        feed = turn.feed
        longest_s = min(feed.longest_window_s or self._pace.max_span_s, self._pace.max_span_s)
        session, known = feed.session.window, turn.detours.values()
        return Progress(
            session,
            feed.coverage.plus(blocked(known, session, sweep=False)),
            feed.swept.plus(blocked(known, session, sweep=True)),
            longest_s,
            turn.untold_from,
        )

    def not_begun(self, job: Job) -> None:
        """End the feed's turn."""
        if job.feed:
            self._turns[job.feed.pk].is_over = True

    def finished(self, job: Job, outcome: Outcome) -> None:
        """See to the feed's next window, or end its turn."""
        if job.feed is None:
            return
        self._note_attempt(job.feed, is_further=bool(outcome.proved))
        turn = self._turns[job.feed.pk]
        try:
            self._see_to(turn, job, outcome)
        except Exception as error:
            turn.is_over = True
            self.fail(turn.feed, error)

    def fail(self, feed: Feed, error: Exception) -> None:
        """Record and tell it; it was an attempt all the same."""
        super().fail(feed, error)
        self._note_attempt(feed, is_further=False)

    def _note_attempt(self, feed: Feed, *, is_further: bool) -> None:
        self.progress[feed.session_id] = self.progress.get(feed.session_id, False) or is_further

    def _see_to(self, turn: Turn, job: Job, outcome: Outcome) -> None:
        if turn.detours or outcome.failure:
            turn.detours = detours_of(turn.feed)
        if outcome.failure is None:
            self._note_proof(turn, job, outcome)
        if outcome.failure is None or outcome.is_expected:
            return
        if not can_be_halved(job.window, outcome.failure):
            turn.is_over = True
        if isinstance(outcome.failure, TokenRefused):
            self._stop_all(outcome.failure, job.asked_at)

    def _note_proof(self, turn: Turn, job: Job, outcome: Outcome) -> None:
        """Go on where the export ended to tell.

        Where Discord's clock is behind, leave what it has not come to yet to the next run.
        """
        proved, untold = outcome.proved, outcome.untold
        turn.untold_from = untold.start if untold else None
        if untold or (proved and proved.end >= job.window.end):
            return
        if job.purpose != Poll.Purpose.NEWEST:
            turn.is_over = True
        elif proved:
            turn.newest_at = proved.end

    def _stop_all(self, refusal: TokenRefused, asked_at: datetime) -> None:
        """No feed asks again soon with a token that one of them was refused with."""
        for turn in self._turns.values():
            turn.is_over = True
        Feed.objects.filter(pk__in=self._turns).update(
            error_kind=refusal.kind,
            error=str(refusal),
            next_attempt_at=asked_at + timedelta(seconds=self.settings.backoff_cap_s),
        )
