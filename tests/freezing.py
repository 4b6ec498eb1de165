"""A host that stops amid a transaction: `python -m tests.freezing FOLDER SECOND STANDSTILL_S`.

It polls the simulation of FOLDER at SECOND, and stops by a signal once it has stored messages that
are not committed yet; so long the server bears that. Once it is continued it ends as a poll does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import django

django.setup()

from messages_app.database import bounded  # noqa: E402
from messages_app.database.outage import outages_explained  # noqa: E402
from messages_app.database.store import store_batch  # noqa: E402
from messages_app.document.rows import Row  # noqa: E402
from messages_app.errors import DatabaseUnavailable  # noqa: E402
from messages_app.polling import intake  # noqa: E402
from messages_app.tally import Tally  # noqa: E402
from tests.simulation import Simulation  # noqa: E402


def store_and_freeze(rows: Sequence[Row], **options: Any) -> Tally:
    tally = store_batch(rows, **options)
    os.kill(os.getpid(), signal.SIGSTOP)
    return tally


folder, second, standstill_s = sys.argv[1:]
socket.gethostname = lambda: "frozen"
bounded.STANDSTILL_S = int(standstill_s)
vars(intake)["store_batch"] = store_and_freeze
try:
    with outages_explained():
        Simulation(Path(folder), dict(os.environ), 0).tick(float(second))
except DatabaseUnavailable as error:
    sys.exit(error.status)
