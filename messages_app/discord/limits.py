"""When the next call may be made: the own pace, each route's bucket, what Discord forbade.

Discord tells a route's limit with each answer: how many calls are left until when, and the bucket
that routes share. What is not told yet is learned from one call at a time, so that the first calls
of a route cannot overrun a limit that nobody knows. Nothing here sleeps; all instants are those of
one monotonic clock, in seconds. Safe to use from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

# Other programs use the same bot, and the network bunches calls up: this much below the 50 calls a
# second at which Discord stops a bot.
MOST_CALLS_PER_S = 45


class Route:
    """A call as the limits know it: what is asked (`name`) of which channel or guild (`of`)."""

    def __init__(self, name: str, of: str = "") -> None:
        self.name = name
        self.of = of

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.of


@dataclass
class _Bucket:
    """How many calls are left until `resets_at`; None: not told yet."""

    remaining: int | None = None
    resets_at: float = 0.0
    limit: int = 1
    under_way: int = 0


class Limits:
    """The limits of one bot in one process. `calls_per_s` is the own pace."""

    def __init__(self, calls_per_s: float) -> None:
        self._gap_s = 1 / min(calls_per_s, MOST_CALLS_PER_S)
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._closed_until = 0.0
        # Which bucket a kind of route turned out to have, so that routes which share one wait
        # for one another.
        self._bucket_names: dict[str, str] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def claim(self, route: Route, now: float) -> float:
        """Claim a call at `now` and return 0; or return after how many seconds to ask again.

        A call that was claimed must be told to `answered` or `unanswered`.
        """
        with self._lock:
            bucket = self._bucket(route)
            wait = max(self._closed_until, self._next_at, _free_at(bucket, now)) - now
            if wait > 0:
                return wait
            if bucket.remaining is not None:
                if bucket.resets_at <= now:
                    bucket.remaining = bucket.limit
                    # Until the answer tells better: what was the period once is it again.
                    bucket.resets_at = now + 1
                bucket.remaining -= 1
            bucket.under_way += 1
            self._next_at = max(self._next_at, now) + self._gap_s
            return 0.0

    def answered(self, route: Route, headers: Mapping[str, str], now: float) -> None:
        """Learn from the headers of an answer (in lower case) that came at `now`."""
        with self._lock:
            bucket = self._named(route, headers.get("x-ratelimit-bucket", ""))
            bucket.under_way = max(bucket.under_way - 1, 0)
            remaining = _number(headers.get("x-ratelimit-remaining"))
            reset_after = _number(headers.get("x-ratelimit-reset-after"))
            limit = _number(headers.get("x-ratelimit-limit"))
            if remaining is None or reset_after is None:
                return
            # Answers overtake one another: within one period the lower figure is the later one.
            left = max(int(remaining) - bucket.under_way, 0)
            is_same_period = bucket.remaining is not None and bucket.resets_at > now
            bucket.remaining = min(left, bucket.remaining or 0) if is_same_period else left
            bucket.resets_at = max(bucket.resets_at, now + reset_after)
            bucket.limit = max(int(limit or 1), 1)

    def unanswered(self, route: Route) -> None:
        """A call that was claimed got no answer: it may have been counted or not."""
        with self._lock:
            bucket = self._bucket(route)
            bucket.under_way = max(bucket.under_way - 1, 0)

    def refused(self, route: Route, wait_s: float, now: float, *, everywhere: bool) -> None:
        """Discord answered 429: nothing (of this route, or at all) before `wait_s` is over."""
        with self._lock:
            if everywhere:
                self._closed_until = max(self._closed_until, now + wait_s)
                return
            bucket = self._bucket(route)
            bucket.remaining = 0
            bucket.resets_at = max(bucket.resets_at, now + wait_s)

    def _bucket(self, route: Route) -> _Bucket:
        name = self._bucket_names.get(route.name, route.name)
        return self._buckets.setdefault((name, route.of), _Bucket())

    def _named(self, route: Route, name: str) -> _Bucket:
        """The route's bucket under the name that Discord gave it, with what is known of it."""
        before = self._bucket(route)
        if name and self._bucket_names.get(route.name) != name:
            self._bucket_names[route.name] = name
            return self._buckets.setdefault((name, route.of), before)
        return before


def _free_at(bucket: _Bucket, now: float) -> float:
    if bucket.remaining is None:
        # The first answer tells the limit; it is a moment away, and told when it is there.
        return now + 0.01 if bucket.under_way else now
    return bucket.resets_at if bucket.remaining <= 0 else now


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
