"""Takes back what was noted by a clock that was ahead, once it is seen that it was.

What was read ahead of time was read before the last messages were there; what is taken back is read
again. `latest` is the latest time that any known clock tells, so that a host whose clock is behind
takes nothing back that others did in time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from messages_app.database.bounded import bounded_transaction, unless_locked
from messages_app.events import Report, session_reopened
from messages_app.models import CLOSING_FIELDS, Feed, Session
from messages_app.polling.feed_progress import rewind
from messages_app.windows import CLOCK_SLACK_S


def reopen_closed_early(latest: datetime, report: Report) -> None:
    """Open the sessions again that were closed later than it can be by now."""
    possible = latest + timedelta(seconds=CLOCK_SLACK_S)
    for found in Session.objects.closed_after(possible):
        with bounded_transaction():
            session = Session.objects.locked(found.pk)
            if session is None or not session.closed_at or session.closed_at <= possible:
                continue
            closed_at = session.closed_at
            session.reopen()
            session.save(update_fields=CLOSING_FIELDS)
            session.feeds.update(swept_windows=[])
        report(session_reopened(session, closed_at, latest))


def rewind_feeds(feeds: list[Feed], latest: datetime) -> None:
    """Take back what is noted of these feeds and cannot be yet."""
    for seen in feeds:
        try:
            is_ahead = rewind(seen, latest)
        except (ValueError, TypeError):  # what is noted cannot be read: told when it is its turn
            continue
        if not is_ahead:
            continue
        with unless_locked(), bounded_transaction():
            # Behind the lock, for a run may be taking in an export of it.
            Feed.objects.filter(pk=seen.pk).update(polled_at=F("polled_at"))
            feed = Feed.objects.select_related("session").filter(pk=seen.pk).first()
            if feed and rewind(feed, latest):
                feed.save(update_fields=("covered_windows", "swept_windows", "polled_at"))
