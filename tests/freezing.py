"""A host that stops amid a transaction: `python -m tests.freezing FOLDER SECOND STANDSTILL_S`.

It polls the simulation of FOLDER at SECOND, and stops by a signal once it has stored messages that
are not committed yet; so long the server bears that. Once it is continued it ends as a poll does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from messages_app.document.rows import Row
from messages_app.tally import Tally
from tests.confined import main  # sets Django up

from messages_app.database import bounded  # isort: skip
from messages_app.database.store import store_batch  # isort: skip
from messages_app.polling import intake  # isort: skip


def store_and_freeze(rows: Sequence[Row], **options: Any) -> Tally:
    tally = store_batch(rows, **options)
    os.kill(os.getpid(), signal.SIGSTOP)
    return tally


folder, second, standstill_s = sys.argv[1:]
bounded.STANDSTILL_S = int(standstill_s)
vars(intake)["store_batch"] = store_and_freeze
main(folder, json.dumps(dict(os.environ)), second, "frozen")
