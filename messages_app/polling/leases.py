"""Leases: who works on a feed. Claimed by a conditional UPDATE, so it holds on both engines.

A feed keeps the name of its last holder; it is free when the lease has ended. An orderly release
and the clean-up after a dead run of this host end it at once, a dead host's lease expires.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timedelta

from django.db import connection

from messages_app.database.bounded import bounded_transaction
from messages_app.models import Feed
from messages_app.polling.feed_progress import PROGRESS_FIELDS
from messages_app.polling.run_folder import Run

# A lease outlives the longest export by this, for storing it, and for clocks that differ.
MARGIN_S = 60


class Leases:
    """The leases of one run. `export_timeout_s` is POLLER_EXPORT_TIMEOUT."""

    def __init__(self, holder: str, export_timeout_s: float) -> None:
        self.holder = holder
        self._host = holder.partition(":")[0]
        self._length = timedelta(seconds=export_timeout_s + MARGIN_S)

    def claim(self, feed_id: int, now: datetime, fresh_s: float = 0) -> Feed | None:
        """Take or renew the lease; return the feed as it is now.

        Return None while another run has it, or if another host polled it in the last `fresh_s`
        seconds. Where another transaction has its row, none is waited for: its host may be frozen.
        """
        claimed = (
            Feed.objects.free(now, self.holder, 2 * self._length)
            .not_polled_elsewhere(now, self._host, fresh_s)
            .filter(pk=feed_id)
        )
        can_skip = connection.features.has_select_for_update_skip_locked
        with bounded_transaction() if can_skip else nullcontext():
            unlocked = claimed.select_for_update(skip_locked=True, of=("self",)).only("pk")
            if can_skip and not unlocked:
                return None
            if not claimed.update(lease_holder=self.holder, lease_until=now + self._length):
                return None
        return Feed.objects.select_related("session", "channel").get(pk=feed_id)

    def confirm(self, feed: Feed, now: datetime) -> bool:
        """Renew the lease if it is still ours, and lock the feed until the transaction's end.

        Bring `feed` and its session up to date: they may have been edited while an export ran.
        """
        held = Feed.objects.filter(pk=feed.pk, channel_id=feed.channel_id, lease_holder=self.holder)
        if not held.update(lease_until=now + self._length):
            return False
        # A statement of its own, behind the lock: on PostgreSQL it sees what was waited for.
        current = Feed.objects.select_related("session").get(pk=feed.pk)
        for name in PROGRESS_FIELDS:
            setattr(feed, name, getattr(current, name))
        feed.session = current.session
        return True

    def release(self, feed_id: int) -> None:
        """End this lease if it is still ours."""
        Feed.objects.filter(pk=feed_id, lease_holder=self.holder).update(lease_until=None)

    def release_all(self) -> None:
        """End all leases of the run."""
        ours = Feed.objects.filter(lease_holder=self.holder, lease_until__isnull=False)
        ours.update(lease_until=None)


def release_dead(run: Run) -> int:
    """Remove what dead runs of this host left, and end their leases; return how many runs."""
    with run.dead_runs() as dead:
        if dead:
            with bounded_transaction():
                Feed.objects.filter(lease_holder__in=dead).update(lease_until=None)
        return len(dead)
