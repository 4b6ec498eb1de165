"""The metrics as a page for Prometheus and as a file for node_exporter.

prometheus_client is optional, and imported only when metrics are asked for.
"""

from __future__ import annotations

import hmac
import os
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from messages_app.environment import Settings
from messages_app.errors import ConfigurationError
from messages_app.reporting.situation import take_situation
from messages_app.reporting.timer import TimerHealth
from messages_app.reporting.totals import all_totals

# The text format that every version of Prometheus reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(now: datetime, timer: TimerHealth | None = None) -> bytes:
    """All metrics at `now`; raise ImportError where prometheus_client is not installed."""
    from prometheus_client import CollectorRegistry, generate_latest

    from messages_app.reporting.collector import SituationCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(SituationCollector(take_situation(now, timer), all_totals()))
    return generate_latest(registry)


def metrics_page(request: HttpRequest) -> HttpResponse:
    """The page `/metrics`, for whom the metrics are meant."""
    poller: Settings = settings.POLLER
    try:
        may_read = _may_read(request, poller)
    except ConfigurationError:  # its sentence names a path, which is not for everybody either
        return _sentence("POLLER_METRICS_TOKEN_FILE cannot be read: see `doctor`.", 503)
    if not may_read:
        return _sentence(
            "Not for everybody: send POLLER_METRICS_TOKEN as a bearer token, or log in.", 403
        )
    try:
        return HttpResponse(metrics_text(timezone.now()), content_type=CONTENT_TYPE)
    except ImportError:
        return _sentence(
            "The metrics need prometheus_client: install python3-prometheus-client.", 501
        )


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


def _may_read(request: HttpRequest, poller: Settings) -> bool:
    if poller.public or (hasattr(request, "user") and request.user.is_authenticated):
        return True
    expected = poller.metrics_token()
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return (
        expected is not None
        and scheme.lower() == "bearer"
        and hmac.compare_digest(given.strip().encode(), expected.encode())
    )


def _sentence(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)
