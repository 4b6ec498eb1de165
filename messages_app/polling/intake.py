"""Takes in one export: stores its messages, proves it complete, moves the coverage, records it.

All that one export changes is one transaction, so that whatever fails means a window that is read
again, never a hole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from messages_app.environment import Settings
from messages_app.errors import ExportUnusable, LeaseLost, PollerError
from messages_app.export_file import ExportReader
from messages_app.export_parts import in_batches
from messages_app.exporter import Export
from messages_app.leases import Leases
from messages_app.models import Feed, Poll
from messages_app.progress import PROGRESS_FIELDS, advance, set_back
from messages_app.rows import rows_of
from messages_app.runs import Run
from messages_app.store import mark_deleted, store_batch, store_channel
from messages_app.tally import Tally
from messages_app.windows import Window


@dataclass(frozen=True)
class Job:
    """One window of one channel to export; `feed` is None outside of any session."""

    channel_id: int
    window: Window
    purpose: Poll.Purpose
    asked_at: datetime
    feed: Feed | None


@dataclass(frozen=True)
class Outcome:
    """What came of a job; `poll` is its record."""

    poll: Poll
    failure: PollerError | None


@dataclass(frozen=True)
class Importer:
    """Takes in the exports of one run. Spans and caps are in seconds."""

    leases: Leases
    host: str
    invocation_id: str
    max_span_s: float
    backoff_cap_s: float

    @classmethod
    def of(
        cls, run: Run, leases: Leases, settings: Settings, environ: Mapping[str, str]
    ) -> Importer:
        """The importer of `run`, as the settings have it."""
        invocation_id = environ.get("INVOCATION_ID", "")
        return cls(leases, run.host, invocation_id, settings.max_span_s, settings.backoff_cap_s)

    def take_in(self, job: Job, export: Export, now: datetime) -> Outcome:
        """Given an ended export, store what it holds; where it is complete, move the coverage."""
        with transaction.atomic():
            if job.feed and not self.leases.confirm(job.feed.pk, now):
                return Outcome(self._record(job, export, Tally(), LeaseLost()), LeaseLost())
            tally, failure = _store(job, export)
            poll = self._record(job, export, tally, failure)
            if job.feed:
                self._progress(job.feed, job, failure)
            poll.save()
        return Outcome(poll, failure)

    def _progress(self, feed: Feed, job: Job, failure: PollerError | None) -> None:
        if failure is None:
            sweep = job.purpose == Poll.Purpose.SWEEP
            advance(feed, job.window, job.asked_at, sweep=sweep, max_span_s=self.max_span_s)
        elif job.purpose != Poll.Purpose.IMPORT:
            set_back(feed, job.window, job.asked_at, failure, cap_s=self.backoff_cap_s)
        feed.polled_at = job.asked_at
        feed.save(update_fields=PROGRESS_FIELDS)

    def _record(self, job: Job, export: Export, tally: Tally, failure: PollerError | None) -> Poll:
        return Poll(
            feed=job.feed,
            channel_id=job.channel_id,
            purpose=job.purpose,
            window_start=job.window.start,
            window_end=job.window.end,
            started_at=job.asked_at,
            duration_ms=round(export.age_s() * 1000),
            exporter_ms=round(export.seconds * 1000),
            succeeded=failure is None,
            error_kind=failure.kind if failure else "",
            error=str(failure or ""),
            messages_read=tally.read,
            messages_new=tally.new,
            messages_edited=tally.edited,
            messages_deleted=tally.deleted,
            messages_unchanged=tally.unchanged,
            host=self.host,
            invocation_id=self.invocation_id,
        )


def _store(job: Job, export: Export) -> tuple[Tally, PollerError | None]:
    """Store the export's messages, complete or not; return what came of it, and why it is not.

    Only a complete export tells what was deleted.
    """
    failure = export.failure()
    try:
        stream = export.output.open("rb")
    except FileNotFoundError:
        return Tally(), failure or ExportUnusable(
            "The exporter reported success but wrote no file: the window will be read again."
        )
    tally = Tally()
    seen: set[int] = set()
    with stream:
        try:
            reader = ExportReader(stream)
            header = reader.header()
            if header.channel_id != job.channel_id:
                raise ExportUnusable(
                    f"The export is of channel {header.channel_id} instead of {job.channel_id}: "
                    "check that the id is a channel's and not a category's."
                )
            store_channel(header)
            inside = (message for message in reader if message.timestamp in job.window)
            for batch in in_batches(inside):
                seen.update(message.discord_id for message in batch)
                tally = tally.plus(store_batch(rows_of(batch, job.channel_id, job.asked_at)))
            if reader.declared_count != reader.read_count:
                raise ExportUnusable(
                    f"The export holds {reader.read_count} messages but says "
                    f"{reader.declared_count}: the window will be read again."
                )
        except ExportUnusable as error:
            failure = failure or error
    export.output.unlink()
    if failure is None:
        deleted = mark_deleted(job.channel_id, job.window, seen, job.asked_at)
        tally = tally._replace(deleted=deleted)
    return tally, failure
