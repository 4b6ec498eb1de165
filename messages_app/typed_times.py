"""Times typed in a form: local to a time zone, with the pitfalls that clock changes bring."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


class TimeProblem(ValueError):
    """What was typed is no instant; the text is the end of a sentence."""


def instant_typed(text: str, zone: tzinfo, zone_name: str) -> datetime:
    """Given a local time as a form sends it, or a time with an offset, return it in UTC.

    Raise TimeProblem where it is no time, or one that the zone's clocks skip or show twice.
    """
    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise TimeProblem("is not a time: write it as 2026-01-31T20:00") from None
    if typed.tzinfo is not None:
        return _in_utc(typed)
    early, late = (typed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() == late.utcoffset():
        return _in_utc(early)
    before, after = early.isoformat(), late.isoformat()
    if _in_utc(early).astimezone(zone).replace(tzinfo=None) == typed:
        raise TimeProblem(
            f"comes twice in {zone_name}, since the clocks are set back: write {before} or {after}"
        )
    raise TimeProblem(f"does not exist in {zone_name}: the clocks are set forward over it")


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise TimeProblem("lies outside of the calendar") from None
