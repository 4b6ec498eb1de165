"""Takes in one export: stores its messages, proves it complete, moves the coverage, records it.

All that one export changes is one transaction, so that whatever fails means a window that is read
again, never a hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from messages_app.database.bounded import bounded_transaction
from messages_app.database.channels import store_channel
from messages_app.database.outage import failure_in
from messages_app.database.store import mark_deleted, store_batch
from messages_app.document.message import is_blank, is_spoken
from messages_app.document.parts import in_batches
from messages_app.document.reader import ExportReader
from messages_app.document.rows import rows_of
from messages_app.environment import Settings
from messages_app.errors import ExportUnusable, LeaseLost, PollerError, WrongChannel
from messages_app.events import Event, sight_lost
from messages_app.exporter.export import Export, Exporter, unreadable
from messages_app.exporter.failures import other_channel
from messages_app.models import Feed, Poll
from messages_app.polling.feed_progress import (
    PROGRESS_FIELDS,
    advance,
    believed,
    note_sight,
    recover,
    set_back,
)
from messages_app.polling.leases import Leases
from messages_app.polling.obstacles import note_failure, note_success
from messages_app.polling.run_folder import Run
from messages_app.tally import Tally
from messages_app.windows import VISIBLE_AFTER, Window


@dataclass(frozen=True)
class Job:
    """One window of one channel to export; `feed` is None outside of any session."""

    channel_id: int
    window: Window
    purpose: Poll.Purpose
    asked_at: datetime
    feed: Feed | None
    # The message in the way for which it is read, if it is.
    obstacle_id: int | None = None
    # Whether nothing was in the feed's way when it was claimed, so that nothing is: only the holder
    # of its lease finds what is.
    is_clear: bool = False

    @property
    def kept(self) -> Window | None:
        """What of the window is stored: a search may read beyond the session's end.

        What it reads before the session's start it needs, to begin pages there.
        """
        if self.feed is None or self.obstacle_id is None:
            return self.window
        return self.window.within(Window(self.window.start, self.feed.session.end_time))


@dataclass(frozen=True)
class Outcome:
    """What came of a job; `poll` is its record, `proved` what of its window is known whole.

    `untold` is the rest of a window of which the export did not tell, to be asked for again.
    """

    poll: Poll
    failure: PollerError | None
    proved: Window | None = None
    untold: Window | None = None
    # Whether it failed as a search for a message in the way must.
    is_expected: bool = False
    # Whether it is too early to tell of the failure.
    is_early: bool = False
    events: Sequence[Event] = ()


@dataclass(frozen=True)
class Importer:
    """Takes in the exports of one run. Spans and caps are in seconds."""

    leases: Leases
    host: str
    exporter: str
    invocation_id: str
    max_span_s: float
    backoff_cap_s: float

    @classmethod
    def of(
        cls,
        run: Run,
        leases: Leases,
        exporter: Exporter,
        settings: Settings,
        environ: Mapping[str, str],
    ) -> Importer:
        """The importer of what `exporter` exports in `run`, as the settings have it."""
        return cls(
            leases,
            run.host,
            exporter.name,
            environ.get("INVOCATION_ID", ""),
            settings.max_span_s,
            settings.backoff_cap_s,
        )

    def take_in(self, job: Job, export: Export, now: datetime) -> Outcome:
        """Given an ended export, store what it holds; where it is complete, move the coverage.

        Whatever else goes wrong is this feed's failure, and recorded as such; raise what the
        database says where it cannot be used.
        """
        try:
            return self._stored(job, export, now)
        except Exception as error:
            return self._set_aside(job, export, failure_in(error), now)
        finally:
            export.discard()

    def _stored(self, job: Job, export: Export, now: datetime) -> Outcome:
        with bounded_transaction():
            if job.feed and not self.leases.confirm(job.feed, now):
                return Outcome(self._record(job, export, Tally(), LeaseLost()), LeaseLost())
            taken = _store(job, export, now)
            tally, failure = taken.tally, taken.failure
            if failure and job.feed and job.purpose != Poll.Purpose.IMPORT:
                failure = believed(job.feed, failure)
            poll = self._record(job, export, tally, failure)
            is_expected, events = _obstacles_noted(job, tally, failure)
            is_early = False
            if job.feed:
                job.feed.shown_id = export.shown_id or job.feed.shown_id
                if note_sight(
                    job.feed, job.asked_at, is_lost=tally.blank > 0, is_back=taken.is_sighted
                ):
                    events.append(sight_lost(job.feed))
                is_early = self._progress(
                    job.feed, job, taken.proved, failure, is_expected=is_expected
                )
            poll.save()
        return Outcome(poll, failure, taken.proved, taken.untold, is_expected, is_early, events)

    def _set_aside(self, job: Job, export: Export, failure: PollerError, now: datetime) -> Outcome:
        """Record that nothing of an export could be stored."""
        with bounded_transaction():
            if job.feed and not self.leases.confirm(job.feed, now):
                return Outcome(self._record(job, export, Tally(), LeaseLost()), LeaseLost())
            poll = self._record(job, export, Tally(), failure)
            if job.feed:
                self._progress(job.feed, job, None, failure, is_expected=False)
            poll.save()
        return Outcome(poll, failure)

    def _progress(
        self,
        feed: Feed,
        job: Job,
        proved: Window | None,
        failure: PollerError | None,
        *,
        is_expected: bool,
    ) -> bool:
        """Note what came of a job on its feed; return whether it is too early to tell of it."""
        if failure is None:
            recover(feed, job.window, max_span_s=self.max_span_s)
        start, end = feed.session.window
        visible = Window(start, min(end, job.asked_at - VISIBLE_AFTER))
        if proved and (counted := proved.within(visible)):
            # What was read before the end, as it is now, is not read again after it.
            is_over = job.asked_at >= feed.session.end_time
            is_again = job.purpose == Poll.Purpose.SWEEP or (
                job.purpose == Poll.Purpose.IMPORT and feed.session.closed_at is not None
            )
            advance(feed, counted, job.asked_at, sweep=is_over and is_again)
        is_early = False
        if failure and not is_expected and job.purpose != Poll.Purpose.IMPORT:
            is_early = set_back(feed, job.window, job.asked_at, failure, cap_s=self.backoff_cap_s)
        feed.polled_at = job.asked_at
        feed.save(update_fields=PROGRESS_FIELDS)
        return is_early

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
            exporter=self.exporter[:100],
            host=self.host,
            invocation_id=self.invocation_id,
        )


def _obstacles_noted(
    job: Job, tally: Tally, failure: PollerError | None
) -> tuple[bool, list[Event]]:
    """What the export tells of messages in the way; whether it failed as it was expected to."""
    if job.feed is None or (failure is None and job.is_clear):
        return False, []
    if failure is None:
        return False, note_success(job.feed, job.obstacle_id, job.window, job.asked_at)
    if job.purpose == Poll.Purpose.IMPORT:
        return False, []
    return note_failure(job.feed, job.obstacle_id, job.window, failure, tally.new, job.asked_at)


class _Taken(NamedTuple):
    """What came of an export's messages, why it is not complete, and the rest as in Outcome."""

    tally: Tally
    failure: PollerError | None
    proved: Window | None = None
    untold: Window | None = None
    # Whether every message shows what was said.
    is_sighted: bool = False


def _store(job: Job, export: Export, now: datetime) -> _Taken:
    """Store the export's messages, complete or not.

    Only in what it proves it tells what was deleted.
    """
    failure = export.failure()
    kept = job.kept
    try:
        stream = export.document()
    except ExportUnusable as error:
        return _Taken(Tally(), failure or error)
    tally = Tally()
    seen: set[int] = set()
    last_at = None
    has_words = has_blank = False
    reader = ExportReader(stream)
    with stream:
        try:
            header = reader.header()
            if header.channel_id != job.channel_id:
                raise other_channel(job.channel_id, header.channel_id, header.category_id)
            store_channel(header, job.asked_at)
            inside = (message for message in reader if kept and message.timestamp in kept)
            for batch in in_batches(inside):
                seen.update(message.discord_id for message in batch)
                last_at = max(message.timestamp for message in batch)
                has_words |= any(each.content and is_spoken(each.type) for each in batch)
                has_blank |= any(map(is_blank, batch))
                rows = rows_of(batch, job.channel_id, job.asked_at)
                tally = tally.plus(store_batch(rows, now=now))
            if reader.declared_count != reader.read_count:
                raise ExportUnusable(
                    f"The export holds {reader.read_count} messages but says "
                    f"{reader.declared_count}: the window will be read again."
                )
        except (ExportUnusable, WrongChannel) as error:
            return _Taken(tally, failure or error)
        except OSError as error:
            return _Taken(tally, failure or unreadable(error))
    told = export.told_part(job.window, reader.read_count, last_at)
    untold = Window(told.end, job.window.end) if told != job.window and not failure else None
    proved = export.proved(told)
    if proved and kept and (known := proved.within(kept)):
        deleted = mark_deleted(
            job.channel_id, known, seen, job.asked_at, now, is_readable=export.is_readable
        )
        tally = tally._replace(deleted=deleted)
    return _Taken(tally, failure, proved, untold, has_words and not has_blank)
