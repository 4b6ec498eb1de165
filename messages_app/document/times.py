"""Times as an export writes them."""

from datetime import UTC, datetime


def instant(text: str) -> datetime:
    """Given an ISO 8601 time with an offset, return it in UTC; raise ValueError for any other text.

    A time without an offset is refused: no exporter writes one, so its zone could only be guessed,
    and a wrong guess files the message hours off, under another session.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError("the time has no offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside of all calendars") from None
