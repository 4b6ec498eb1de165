"""What time it is: this host's clock and, on PostgreSQL, the server's beside it.

Hosts that share a database share its server's clock, and theirs may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

Clock = Callable[[], datetime]
_NONE = timedelta(0)


@dataclass(frozen=True)
class Clocks:
    """This host's clock, and how far the database's is ahead of it, which may be behind."""

    host: Clock
    ahead: timedelta = _NONE

    def database(self) -> datetime:
        return self.host() + self.ahead

    def earliest(self) -> datetime:
        """What has come by every clock that is known."""
        return self.host() + min(self.ahead, _NONE)

    def latest(self) -> datetime:
        """What has come by any of them."""
        return self.host() + max(self.ahead, _NONE)


def clocks_of(host: Clock) -> Clocks:
    """The host's clock and the database server's, which is asked once, for how they differ."""
    if connection.vendor != "postgresql":
        return Clocks(host)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return Clocks(host, cursor.fetchone()[0] - host())
