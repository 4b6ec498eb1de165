"""The viewer's clock: a time zone, or the offset into the session."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache


@dataclass(frozen=True)
class ViewerClock:
    """Shows instants in `zone`, or as the offset from `origin` where one is set."""

    zone: tzinfo = UTC
    origin: datetime | None = None

    @property
    def zone_name(self) -> str:
        return "UTC" if self.zone is UTC else str(self.zone)

    def local(self, instant: datetime) -> datetime:
        """The instant in the zone; in UTC where the zone pushes it over the calendar's edge."""
        try:
            return instant.astimezone(self.zone)
        except OverflowError:
            return instant.astimezone(UTC)

    def short(self, instant: datetime) -> str:
        """Hours, minutes and seconds, or the offset into the session."""
        if self.origin:
            return offset(instant - self.origin)
        return f"{self.local(instant):%H:%M:%S}"

    def minute(self, instant: datetime) -> str:
        return f"{self.local(instant):%H:%M}"

    def day(self, instant: datetime) -> str:
        local = self.local(instant)
        return f"{local:%A, {local.day} %B %Y}"

    def full(self, instant: datetime) -> str:
        """Date, time and zone."""
        local = self.local(instant)
        return f"{local:%a {local.day} %b %Y %H:%M:%S %Z}"

    def date_and_minute(self, instant: datetime) -> str:
        local = self.local(instant)
        return f"{local:%a {local.day} %b %Y, %H:%M}"

    def span(self, start: datetime, end: datetime) -> str:
        """From when to when, with the day once where it is one day."""
        same_day = self.local(start).date() == self.local(end).date()
        until = self.minute(end) if same_day else self.date_and_minute(end)
        return f"{self.date_and_minute(start)} to {until} {self.abbreviation(start)}"

    def abbreviation(self, instant: datetime) -> str:
        return f"{self.local(instant):%Z}"

    def discord_style(self, instant: datetime, style: str) -> str:
        """What Discord makes of `<t:…:style>`; relative ones are given as a full time."""
        local = self.local(instant)
        date = f"{local.day} {local:%B %Y}"
        return {
            "t": f"{local:%H:%M}",
            "T": f"{local:%H:%M:%S}",
            "d": f"{local:%d/%m/%Y}",
            "D": date,
            "F": f"{local:%A}, {date} {local:%H:%M}",
        }.get(style, f"{date} {local:%H:%M}")


def offset(delta: timedelta) -> str:
    """Hours, minutes and seconds from the session's start, with a sign."""
    seconds = int(delta.total_seconds() // 1)
    sign = "+" if seconds >= 0 else "\N{MINUS SIGN}"
    seconds = abs(seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def zone_called(name: str) -> tzinfo | None:
    """The time zone of that name, or None where this machine knows none."""
    if name == "UTC":
        return UTC
    if name not in zone_names():
        return None
    return zoneinfo.ZoneInfo(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names that make sense to a person: regions with cities, and UTC."""
    names = zoneinfo.available_timezones()
    return frozenset(name for name in names if "/" in name and not name.startswith("Etc/")) | {
        "UTC"
    }
