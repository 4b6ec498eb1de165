"""What a run of the poller tells others when it ends: systemd, a dead-man's switch, the metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from messages_app.environment import Settings
from messages_app.errors import DatabaseUnavailable, PollerError
from messages_app.events import Report, RunOutcome, ping_failed, textfile_failed
from messages_app.heartbeat import heartbeat_done
from messages_app.interruption import Interrupted
from messages_app.notify import notify_status
from messages_app.reporting.ping import Pings
from messages_app.reporting.timer import read_timer


class SignsOfLife:
    """A block around one run; put what it came to into `outcome`. Telling never fails the run."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], report: Report) -> None:
        self.outcome: RunOutcome | None = None
        self._began = datetime.now(UTC)
        self._settings = settings
        self._environ = environ
        self._report = report
        self._pings = (
            Pings(settings.ping_url, environ.get("INVOCATION_ID", ""))
            if settings.ping_url
            else None
        )

    def __enter__(self) -> SignsOfLife:
        if self._pings:
            self._pings.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Interrupted):  # an operator's stop must not take longer for this
            notify_status(self._environ, str(error))
            return
        outcome = self.outcome or _outcome_of(error)
        notify_status(self._environ, outcome.sentence)
        if self._settings.metrics_textfile and not isinstance(error, DatabaseUnavailable):
            self._write_metrics(self._settings.metrics_textfile, outcome.status)
        problem = self._pings.end(outcome.status) if self._pings else ""
        if problem:
            self._report(ping_failed(problem))
        elif self._pings or self._settings.metrics_textfile:
            with suppress(OSError):
                heartbeat_done(self._settings, time.time())

    def _write_metrics(self, path: str, status: int) -> None:
        from messages_app.reporting.metrics import metrics_text, write_textfile

        now = datetime.now(UTC)
        try:
            timer = replace(
                read_timer(now, time.monotonic()), last_run=self._began, last_status=status
            )
            write_textfile(Path(path), metrics_text(now, timer))
        except Exception as error:  # whatever it is, the poll itself is done
            self._report(textfile_failed(path, error))


def _outcome_of(error: BaseException | None) -> RunOutcome:
    if isinstance(error, PollerError):
        return RunOutcome(str(error), error.status)
    return RunOutcome(f"The run failed with {type(error).__name__}: this is a bug.", 1)
