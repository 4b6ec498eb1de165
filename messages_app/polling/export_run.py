"""What every run over feeds does: export several windows at a time, and take in each that ended."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

from messages_app.database.clock import Clock
from messages_app.database.names import load_names, save_names
from messages_app.database.outage import failure_in
from messages_app.environment import Settings
from messages_app.errors import NoRoom, PollerError, worse
from messages_app.events import Report, feed_failed, poll_done, poll_failed
from messages_app.exporter.choice import exporter_of
from messages_app.exporter.export import Export, run_side_by_side
from messages_app.models import Feed
from messages_app.polling.demand import demand_of
from messages_app.polling.feed_progress import fail
from messages_app.polling.intake import Importer, Job, Outcome
from messages_app.polling.leases import Leases
from messages_app.polling.run_folder import Run
from messages_app.tally import Tally


class ExportRun(ABC):
    """One run; what it exports next is for its kind to say.

    `clock` tells the time, aware and in UTC. `polls` counts all exports, `failed` those that failed
    though they should not have, and `status` is the worst exit status among them.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], run: Run, clock: Clock, report: Report
    ) -> None:
        self.tally = Tally()
        self.polls = 0
        self.failed = 0
        self.status = 0
        self.settings = settings
        self.clock = clock
        self.report = report
        self._run = run
        self.leases = Leases(run.name, settings.export_timeout_s)
        self.running: dict[Export, Job] = {}
        # What was claimed, and waits for room.
        self._put_back: Job | None = None
        self._exporter = exporter_of(settings, run.folder, environ, clock, load_names)
        self._importer = Importer.of(run, self.leases, self._exporter, settings, environ)
        self._started = time.monotonic()

    @abstractmethod
    def next_job(self) -> Job | None:
        """Claim the next window to export; None while there is none."""

    @abstractmethod
    def finished(self, job: Job, outcome: Outcome) -> None:
        """What this kind of run does once an export was taken in and told."""

    def not_begun(self, job: Job) -> None:  # noqa: B027 - some kinds have nothing to do
        """What this kind of run does where a job's export could not be begun, which was told."""

    def seconds(self) -> float:
        """How long the run has taken."""
        return time.monotonic() - self._started

    def busy_feeds(self) -> set[int]:
        """The feeds that are being exported."""
        return {job.feed.pk for job in self.running.values() if job.feed}

    def work(self, most: int) -> None:
        """Export until there is nothing next, `most` at a time; then end all leases of the run.

        Raises ConfigurationError where the exporter cannot be started.
        """
        try:
            run_side_by_side(self._next_export, self._take_in, most)
        finally:
            self._exporter.close()
            self._run.has_leases = True
            self.leases.release_all()
            self._run.has_leases = False

    def fail(self, feed: Feed, error: Exception) -> None:
        """Record and tell what went wrong with a feed aside from any export.

        Raise it where it tells that the database cannot be used.
        """
        failure = failure_in(error)
        fail(feed, self.clock(), failure, cap_s=self.settings.backoff_cap_s)
        self.report(feed_failed(feed, failure))
        self.failed += 1
        self.status = worse(self.status, failure.status)

    def _next_export(self) -> Export | None:
        while job := self._put_back or self.next_job():
            self._put_back = None
            try:
                demand = demand_of(self._exporter, job)
                export = self._exporter.start(job.channel_id, job.window, demand)
            except Exception as error:
                lacks_room = isinstance(error, NoRoom)
                if lacks_room and self.running:  # as many as there is room for
                    self._put_back = job
                    return None
                concerns_all = isinstance(error, PollerError) and not lacks_room
                if concerns_all or job.feed is None:
                    raise
                self.fail(job.feed, error)
                self.not_begun(job)
                continue
            self.running[export] = job
            return export
        return None

    def _take_in(self, export: Export) -> None:
        job = self.running.pop(export)
        outcome = self._importer.take_in(job, export, self.clock())
        if (names := self._exporter.names()) is not None:
            save_names(names, job.asked_at)
        self.polls += 1
        self.tally = self.tally.plus(outcome.poll.tally)
        for event in outcome.events:
            self.report(event)
        if outcome.failure is None:
            self.report(poll_done(outcome.poll))
        elif not (outcome.is_expected or outcome.is_early):
            self.report(poll_failed(outcome.poll, outcome.failure))
            self.failed += 1
            self.status = worse(self.status, outcome.failure.status)
        self.finished(job, outcome)
