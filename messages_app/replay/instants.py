"""Instants, snowflakes and how the exporter reads and writes them.

An instant is a count of milliseconds since 1970 (`…_ms`), the resolution of a snowflake. A
snowflake is a message id: 42 bits of milliseconds since 2015, then 22 bits that tell apart what
was posted in one millisecond.
"""

import re
from datetime import UTC, datetime, timedelta

from messages_app.snowflakes import EPOCH_MS, LOW_BITS

_UNSIGNED_64 = (1 << 64) - 1

# The forms of a date that people write and that .NET's invariant culture reads.
_DATE = re.compile(
    r"\s*(?:(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"|(?P<us_month>\d{1,2})/(?P<us_day>\d{1,2})/(?P<us_year>\d{4}))"
    r"(?:(?:T|\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?)?"
    r"(?:\s*(?P<half>[AaPp])[Mm])?"
    r"\s*(?P<offset>Z|[+-]\d{1,2}(?::?\d{2})?)?\s*",
    re.ASCII,
)


def snowflake_at(instant_ms: int, low: int = 0) -> int:
    """The id of an instant. Before 2015 it wraps around to the far future, as it does there."""
    return ((instant_ms - EPOCH_MS) << LOW_BITS & _UNSIGNED_64) | low


def instant_of(message_id: int) -> int:
    """The millisecond in which a snowflake was made."""
    return (message_id >> LOW_BITS) + EPOCH_MS


def milliseconds(moment: datetime) -> int:
    """The millisecond that holds an aware moment."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def parse_date(text: str) -> tuple[int, bool]:
    """Read a date; return it in milliseconds, and whether it named its offset.

    Without an offset it is local time of this process. Raise ValueError when it is no date.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid date '{text}'.")
    part = match.groupdict()
    hour = int(part["hour"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"Invalid date '{text}'.")
        hour = hour % 12 + (12 if part["half"] in "Pp" else 0)
    wall = datetime(  # noqa: DTZ001 - the offset is applied below
        int(part["year"] or part["us_year"]),
        int(part["month"] or part["us_month"]),
        int(part["day"] or part["us_day"]),
        hour,
        int(part["minute"] or 0),
        int(part["second"] or 0),
    )
    offset = part["offset"]
    if offset is None:
        seconds = int(wall.timestamp())
    else:
        seconds = int(wall.replace(tzinfo=UTC).timestamp()) - _offset_seconds(offset)
    fraction_ms = int((part["fraction"] or "0").ljust(3, "0")[:3])
    return seconds * 1000 + fraction_ms, offset is not None


def _offset_seconds(offset: str) -> int:
    if offset == "Z":
        return 0
    hours, minutes = offset[1:3].rstrip(":"), offset[3:].lstrip(":")
    seconds = int(hours) * 3600 + int(minutes or 0) * 60
    return -seconds if offset[0] == "-" else seconds


def timestamp(instant_ms: int, ticks: int = 0) -> str:
    """An instant as the exporter writes it in UTC: no more fraction digits than needed.

    `ticks` are the ten-thousandths of a millisecond beyond it, 0 to 9999.
    """
    seconds, fraction = divmod(instant_ms, 1000)
    wall = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{wall}{_fraction(f'{fraction:03d}{ticks:04d}')}+00:00"


def in_local_time(text: str) -> str:
    """The same timestamp with the machine's own offset; what is no timestamp is left alone."""
    return _moved(text, to_utc=False)


def in_utc(text: str) -> str:
    """The same timestamp with the offset +00:00; what is no timestamp is left alone."""
    return _moved(text, to_utc=True)


def _moved(text: str, *, to_utc: bool) -> str:
    if to_utc and text.endswith("+00:00"):
        return text
    head, dot, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))] if dot else ""
    try:
        moment = datetime.fromisoformat(head + tail[len(digits) :])
        moved = moment.astimezone(UTC if to_utc else None)
    except (ValueError, OverflowError):
        return text
    offset = moved.strftime("%z")
    return f"{moved:%Y-%m-%dT%H:%M:%S}{_fraction(digits)}{offset[:3]}:{offset[3:5]}"


def _fraction(digits: str) -> str:
    kept = digits.rstrip("0")
    return f".{kept}" if kept else ""
