"""Imports a range of time by hand, through the exporter, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from messages_app.environment import Settings
from messages_app.errors import LeaseLost, PollerError, TokenRefused, UsageError
from messages_app.exporter import Export, Exporter, run_side_by_side
from messages_app.importing import Importer, Job
from messages_app.leases import MARGIN_S, Leases
from messages_app.models import Channel, Feed, Poll, Session
from messages_app.reporting.events import Report, leased_elsewhere, poll_done, poll_failed
from messages_app.runs import Run
from messages_app.tally import Tally
from messages_app.turns import Clock
from messages_app.windows import Coverage, Window, chunks, to_milliseconds


@dataclass(frozen=True)
class Part:
    """A part of the range of one channel; `feed` is None outside of its sessions."""

    channel_id: int
    window: Window
    feed: Feed | None


def parts_of(
    window: Window, session: Session | None, channel_ids: Sequence[int], fallback: Sequence[int]
) -> list[Part]:
    """Which channels to import of `window`, and what part of it counts for which feed.

    The channels are `channel_ids`, else those of the session (else of every session that the
    window meets), else `fallback`; raise UsageError where there are none.
    """
    if session and not window.within(session.window):
        raise UsageError(
            f"Session {session.pk} is at another time ({session.window}): correct --start and "
            "--end, or leave --session out."
        )
    sessions = [session] if session else list(Session.objects.overlapping(window))
    feeds = [
        feed
        for each in sessions
        for feed in each.feeds.select_related("session", "channel")
        if window.within(each.window)
    ]
    if session and (strangers := set(channel_ids) - {feed.channel_id for feed in feeds}):
        raise UsageError(
            f"Channel {min(strangers)} is not one of session {session.pk}: leave --session out to "
            "import it on its own."
        )
    wanted = list(channel_ids) or list(
        dict.fromkeys([feed.channel_id for feed in feeds]) or fallback
    )
    if not wanted:
        raise UsageError(
            "No channel is known for that time: name one with --channel, or a session that has "
            "some with --session."
        )
    parts = []
    for channel_id in wanted:
        mine = [feed for feed in feeds if feed.channel_id == channel_id]
        inside = [(feed.session.window.within(window), feed) for feed in mine]
        parts += [Part(channel_id, part, feed) for part, feed in inside if part]
        covered = Coverage(part for part, _ in inside if part)
        parts += [Part(channel_id, gap, None) for gap in covered.gaps(window)]
    return parts


class RangeImport:
    """One run over parts. A feed is leased for one chunk at a time, so that polling goes on."""

    # How long to wait before a feed that another run works on is tried again.
    PAUSE_S = 0.5

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], run: Run, clock: Clock, report: Report
    ) -> None:
        self.tally = Tally()
        self.status = 0
        self._settings = settings
        self._clock = clock
        self._report = report
        self._exporter = Exporter(settings, run.folder, environ)
        self._leases = Leases(run.name, settings.export_timeout_s)
        self._importer = Importer.of(run, self._leases, settings, environ)
        self._waiting: list[Part] = []
        self._running: dict[Export, tuple[Part, Job]] = {}

    def import_parts(self, parts: Sequence[Part]) -> None:
        """Import all parts; what fails is told, and the others go on."""
        for part in parts:
            Channel.objects.get_or_create(pk=part.channel_id)
        self._waiting = [
            Part(part.channel_id, chunk, part.feed)
            for part in parts
            for chunk in chunks(part.window, self._settings.max_span_s)
        ]
        try:
            run_side_by_side(self._next_export, self._finished, self._settings.parallel)
        finally:
            self._release(*(part for part, _ in self._running.values()))

    def _next_export(self) -> Export | None:
        patience_ends = time.monotonic() + self._settings.export_timeout_s + MARGIN_S
        while self._waiting:
            for part in self._startable():
                job = self._claimed(part)
                if job:
                    self._waiting.remove(part)
                    return self._started(part, job)
            if self._running:
                return None
            if time.monotonic() > patience_ends:
                self._give_up_waiting()
            time.sleep(self.PAUSE_S)
        return None

    def _started(self, part: Part, job: Job) -> Export:
        try:
            export = self._exporter.start(job.channel_id, job.window)
        except PollerError:
            self._release(part)
            raise
        self._running[export] = (part, job)
        return export

    def _give_up_waiting(self) -> None:
        """Leave what is left to the runs that have been working on its feeds for too long."""
        ids = {part.feed.pk for part in self._waiting if part.feed}
        for feed in Feed.objects.filter(pk__in=ids):
            self._report(leased_elsewhere(feed))
        self.status = max(self.status, LeaseLost.status)
        self._waiting.clear()

    def _startable(self) -> list[Part]:
        """What waits, but for the feeds that this run is working on already."""
        busy = {part.feed.pk for part, _ in self._running.values() if part.feed}
        return [part for part in self._waiting if not part.feed or part.feed.pk not in busy]

    def _claimed(self, part: Part) -> Job | None:
        now = to_milliseconds(self._clock())
        feed = part.feed
        if feed:
            feed = self._leases.claim(feed.pk, now)
            if feed is None:
                return None
        return Job(part.channel_id, part.window, Poll.Purpose.IMPORT, now, feed)

    def _finished(self, export: Export) -> None:
        part, job = self._running[export]
        outcome = self._importer.take_in(job, export, self._clock())
        del self._running[export]
        self._release(part)
        self.tally = self.tally.plus(outcome.poll.tally)
        if outcome.failure is None:
            self._report(poll_done(outcome.poll))
            if job.feed:
                _regain(job.feed.session)
            return
        self._report(poll_failed(outcome.poll, outcome.failure))
        self.status = max(self.status, outcome.failure.status)
        if isinstance(outcome.failure, TokenRefused):
            self._waiting.clear()

    def _release(self, *parts: Part) -> None:
        self._leases.release([part.feed.pk for part in parts if part.feed])


def _regain(session: Session) -> None:
    """A session that was given up is so no longer once its last gap is filled."""
    if session.given_up and not any(
        feed.coverage.gaps(session.window) for feed in session.feeds.all()
    ):
        Session.objects.filter(pk=session.pk).update(given_up=False)
