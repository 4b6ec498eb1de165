"""What a viewer has chosen, kept in cookies: time zone, kind of clock, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from messages_app.web.clock import Clock, zone_called
from messages_app.web.markdown import Setting

ZONE_COOKIE = "zone"
CLOCK_COOKIE = "clock"
PICTURES_COOKIE = "pictures"
A_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Viewer:
    zone_name: str
    by_offset: bool
    pictures: bool

    @classmethod
    def of(cls, request: HttpRequest) -> Viewer:
        name = request.COOKIES.get(ZONE_COOKIE, "")
        return cls(
            zone_name=name if zone_called(name) else settings.POLLER.time_zone,
            by_offset=request.COOKIES.get(CLOCK_COOKIE) == "offset",
            pictures=request.COOKIES.get(PICTURES_COOKIE) == "load",
        )

    @property
    def clock(self) -> Clock:
        """The clock for pages that are not about one session."""
        return _clock(self.zone_name, None)

    def setting(self, session_start: datetime) -> Setting:
        """How the messages of a session that began at `session_start` are shown."""
        origin = session_start if self.by_offset else None
        return Setting(_clock(self.zone_name, origin), self.pictures)

    def remembered(self, response: HttpResponse) -> HttpResponse:
        """The response, with the choices kept for the next pages."""
        for name, value in {
            ZONE_COOKIE: self.zone_name,
            CLOCK_COOKIE: "offset" if self.by_offset else "time",
            PICTURES_COOKIE: "load" if self.pictures else "none",
        }.items():
            response.set_cookie(
                name,
                value,
                max_age=A_YEAR_S,
                samesite="Lax",
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
            )
        return response


@lru_cache(maxsize=64)
def _clock(zone_name: str, origin: datetime | None) -> Clock:
    zone = zone_called(zone_name)
    return Clock(zone, origin) if zone else Clock(origin=origin)
