"""Times as the exporter's document writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from messages_app.snowflakes import EPOCH_MS

EPOCH = datetime.fromtimestamp(EPOCH_MS // 1000, UTC)


def time_text(text: str) -> str:
    """Given an ISO 8601 time with an offset, write it in UTC with no more digits than needed.

    Raise ValueError for any other text.
    """
    if not text.endswith("+00:00"):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("the time has no offset")
        text = moment.astimezone(UTC).isoformat()
    head, _dot, digits = text[:-6].partition(".")
    digits = digits.rstrip("0")
    datetime.fromisoformat(head)
    return f"{head}.{digits}+00:00" if digits else f"{head}+00:00"
