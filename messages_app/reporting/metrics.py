"""The metrics as text for Prometheus, and as a file for node_exporter.

prometheus_client is optional, and imported only when metrics are asked for.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from messages_app.database.poll_totals import all_totals
from messages_app.reporting.situation import take_situation
from messages_app.reporting.timer import TimerHealth


def metrics_text(now: datetime, timer: TimerHealth | None = None) -> bytes:
    """All metrics at `now`; raise ImportError where prometheus_client is not installed."""
    from prometheus_client import CollectorRegistry, generate_latest

    from messages_app.reporting.collector import SituationCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(SituationCollector(take_situation(now, timer), all_totals()))
    return generate_latest(registry)


def write_textfile(path: Path, text: bytes) -> None:
    """Write the file whole or not at all, readable by node_exporter's user; raise OSError."""
    # node_exporter does not look at a name that ends otherwise.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(text)
        draft.chmod(0o644)  # whatever the umask of the service
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
