"""Leases: who works on a feed. Claimed by a conditional UPDATE, so it holds on both engines.

A feed keeps the name of its last holder; it is free when the lease has ended. An orderly release
and the clean-up after a dead run of this host end it at once, a dead host's lease expires.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from messages_app.models import Feed

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
        seconds.
        """
        claimed = (
            Feed.objects.free(now, self.holder, 2 * self._length)
            .not_polled_elsewhere(now, self._host, fresh_s)
            .filter(pk=feed_id)
        )
        if not claimed.update(lease_holder=self.holder, lease_until=now + self._length):
            return None
        return Feed.objects.select_related("session", "channel").get(pk=feed_id)

    def confirm(self, feed_id: int, now: datetime) -> bool:
        """Renew the lease if it is still ours, and lock the feed until the transaction's end."""
        held = Feed.objects.filter(pk=feed_id, lease_holder=self.holder)
        return bool(held.update(lease_until=now + self._length))

    def release(self, feed_ids: list[int]) -> None:
        """End these leases where they are still ours."""
        Feed.objects.filter(pk__in=feed_ids, lease_holder=self.holder).update(lease_until=None)


def release_dead(holders: list[str]) -> None:
    """End the leases of runs that are known to be dead."""
    if holders:
        Feed.objects.filter(lease_holder__in=holders).update(lease_until=None)
