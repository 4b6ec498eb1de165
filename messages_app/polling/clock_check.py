"""Whether this host's clock may be polled by.

On PostgreSQL the server's clock is beside it: a wrong one loses nothing, since nothing counts
beyond the earlier of both, but sessions begin and close at the wrong time. On SQLite there is no
other, and only the system can tell whether something keeps it right.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from django.db import connection

from messages_app.database.clock import Clocks
from messages_app.errors import ConfigurationError
from messages_app.events import Report, clock_unsynchronised, clocks_differ

WARNED_FROM_S = 5
# The gate hands over from as many seconds on: gate.py's CLOCKS_DIFFER_S.
REFUSED_FROM_S = 30
# systemd-timesyncd(8) touches it whenever it has set the clock.
_STAMP = "/run/systemd/timesync/synchronized"
_TIMEDATE = "org.freedesktop.timedate1"
_ASK = ("busctl", "--system", "get-property", _TIMEDATE, "/org/freedesktop/timedate1", _TIMEDATE)
_ANSWERS = {"b true": True, "b false": False}
_PATIENCE_S = 5


def check_clocks(clocks: Clocks, overlap_s: float, report: Report) -> None:
    """Raise ConfigurationError where they differ too much, tell it where they differ."""
    apart_s = abs(clocks.ahead.total_seconds())
    if apart_s < WARNED_FROM_S:
        return
    host, database = (f"{each():%Y-%m-%d %H:%M:%S}" for each in (clocks.host, clocks.database))
    fact = f"It is {host} UTC here and {database} UTC by the database's clock"
    if apart_s >= max(overlap_s, REFUSED_FROM_S):
        raise ConfigurationError(
            f"{fact}, {apart_s:.0f} s apart: nothing is polled by clocks that differ so much; set "
            "the wrong one right (timedatectl)."
        )
    report(clocks_differ(f"{fact}: set the wrong one right (timedatectl)."))


def check_synchronisation(
    environ: Mapping[str, str], closing_delay_s: float, report: Report
) -> None:
    """Tell it where this clock is the only one and the system says that nothing keeps it right."""
    if connection.vendor == "sqlite" and is_synchronised(environ) is False:
        report(clock_unsynchronised(closing_delay_s))


def is_synchronised(environ: Mapping[str, str]) -> bool | None:
    """Whether something keeps this host's clock right, None where the system does not tell."""
    if os.path.exists(_STAMP):
        return True
    try:
        done = subprocess.run(
            [*_ASK, "NTPSynchronized"],
            check=False,
            env={"PATH": environ.get("PATH", os.defpath)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _ANSWERS.get(done.stdout.strip())
