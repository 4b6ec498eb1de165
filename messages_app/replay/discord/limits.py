"""Discord's limits, enforced: so many calls of a bucket in its period, 50 a second in all."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

GLOBAL_PER_S = 50


@dataclass
class _Period:
    ends: float = 0.0
    used: int = 0


class Verdict:
    """What a call is told of its bucket; `retry_after_s` above 0: it is refused."""

    def __init__(
        self, bucket: str, limit: int, left: int, reset_after_s: float, *, is_global: bool = False
    ) -> None:
        self.bucket = bucket
        self.limit = limit
        self.left = left
        self.reset_after_s = reset_after_s
        self.is_global = is_global
        self.retry_after_s = 0.0

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": f"{time.time() + self.reset_after_s:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after_s:.3f}",
            "X-RateLimit-Bucket": self.bucket,
        }


class Limits:
    """`of_messages` is how many lists of one channel's messages fit into a period."""

    def __init__(self, of_messages: int = 5, period_s: float = 5.0, of_others: int = 50) -> None:
        self.is_on = True
        self._of_messages = of_messages
        self._of_others = of_others
        self._period_s = period_s
        self._periods: dict[tuple[str, str], _Period] = {}
        self._second = _Period()
        self._lock = threading.Lock()

    def take(self, name: str, top_level_id: str) -> Verdict:
        """Count one call of a route, whose top-level resource has this id."""
        is_messages = name == "messages"
        limit = self._of_messages if is_messages else self._of_others
        length_s = self._period_s if is_messages else 1.0
        bucket = f"{hash((name, 'bucket')) & 0xFFFFFFFF:08x}"
        now = time.monotonic()
        with self._lock:
            period = self._periods.setdefault((name, top_level_id), _Period())
            for each, seconds in ((period, length_s), (self._second, 1.0)):
                if each.ends <= now:
                    each.ends, each.used = now + seconds, 0
            if self.is_on and self._second.used >= GLOBAL_PER_S:
                verdict = Verdict(bucket, limit, 0, self._second.ends - now, is_global=True)
                verdict.retry_after_s = self._second.ends - now
                return verdict
            is_refused = self.is_on and period.used >= limit
            if not is_refused:
                period.used += 1
                self._second.used += 1
            verdict = Verdict(bucket, limit, max(limit - period.used, 0), period.ends - now)
            verdict.retry_after_s = period.ends - now if is_refused else 0.0
            return verdict
