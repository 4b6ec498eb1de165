"""The page `/metrics` for Prometheus, which asks for a login or a token of its own."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from messages_app.environment import Settings
from messages_app.errors import ConfigurationError
from messages_app.reporting.metrics import metrics_text
from messages_app.web.access import open_to_all

# The text format that every version of Prometheus reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@open_to_all
def metrics(request: HttpRequest) -> HttpResponse:
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
