"""Imports a range of time by hand, through the exporter, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from messages_app.errors import LeaseLost, TokenRefused, UsageError
from messages_app.events import leased_elsewhere
from messages_app.models import Channel, Feed, Poll, Session
from messages_app.polling.export_run import ExportRun
from messages_app.polling.intake import Job, Outcome
from messages_app.polling.leases import MARGIN_S
from messages_app.polling.obstacles import regain
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


class RangeImport(ExportRun):
    """One run over parts. A feed is leased for one chunk at a time, so that polling goes on."""

    # How long to wait before a feed that another run works on is tried again.
    PAUSE_S = 0.5

    _waiting: list[Part]

    def import_parts(self, parts: Sequence[Part]) -> None:
        """Import all parts; what fails is told, and the others go on."""
        for part in parts:
            Channel.objects.get_or_create(pk=part.channel_id)
        self._waiting = [
            Part(part.channel_id, chunk, part.feed)
            for part in parts
            for chunk in chunks(part.window, self.settings.max_span_s)
        ]
        self.work(self.settings.parallel)

    def next_job(self) -> Job | None:
        """Claim what waits and can be had now; wait for what another run works on."""
        patience_ends = time.monotonic() + self.settings.export_timeout_s + MARGIN_S
        while self._waiting:
            for part in self._startable():
                job = self._claimed(part)
                if job:
                    self._waiting.remove(part)
                    return job
            if self.running:
                return None
            if time.monotonic() > patience_ends:
                self._give_up_waiting()
            time.sleep(self.PAUSE_S)
        return None

    def not_begun(self, job: Job) -> None:
        """Leave the feed to others."""
        if job.feed:
            self.leases.release(job.feed.pk)

    def finished(self, job: Job, outcome: Outcome) -> None:
        """Leave the feed to others until its next chunk: what the export did not tell of is one."""
        if job.feed:
            self.leases.release(job.feed.pk)
            if outcome.failure is None:
                regain(job.feed.session)
        if outcome.untold:
            self._waiting.insert(0, Part(job.channel_id, outcome.untold, job.feed))
        if isinstance(outcome.failure, TokenRefused):
            self._waiting.clear()

    def _give_up_waiting(self) -> None:
        """Leave what is left to the runs that have been working on its feeds for too long."""
        ids = {part.feed.pk for part in self._waiting if part.feed}
        for feed in Feed.objects.filter(pk__in=ids):
            self.report(leased_elsewhere(feed))
        self.status = max(self.status, LeaseLost.status)
        self._waiting.clear()

    def _startable(self) -> list[Part]:
        """What waits, but for the feeds that this run is working on already."""
        busy = self.busy_feeds()
        return [part for part in self._waiting if not part.feed or part.feed.pk not in busy]

    def _claimed(self, part: Part) -> Job | None:
        now = to_milliseconds(self.clock())
        feed = part.feed
        if feed:
            feed = self.leases.claim(feed.pk, now)
            if feed is None:
                return None
        return Job(part.channel_id, part.window, Poll.Purpose.IMPORT, now, feed)
