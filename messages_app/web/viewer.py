"""What a viewer has chosen, kept in cookies: time zone, kind of clock, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from messages_app.web.rendering.clock import ViewerClock, zone_called
from messages_app.web.rendering.markdown import Setting

ZONE_COOKIE = "zone"
CLOCK_COOKIE = "clock"
PICTURES_COOKIE = "pictures"
A_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Viewer:
    zone_name: str
    by_offset: bool
    pictures: bool
    is_stranger: bool = False

    @classmethod
    def of(cls, request: HttpRequest) -> Viewer:
        name = request.COOKIES.get(ZONE_COOKIE, "")
        return cls(
            zone_name=name if zone_called(name) else settings.POLLER.time_zone,
            by_offset=request.COOKIES.get(CLOCK_COOKIE) == "offset",
            pictures=request.COOKIES.get(PICTURES_COOKIE) == "load",
            is_stranger=is_stranger(request),
        )

    @property
    def clock(self) -> ViewerClock:
        """The clock for pages that are not about one session."""
        return _clock(self.zone_name, None)

    def setting(self, session_start: datetime) -> Setting:
        """How the messages of a session that began at `session_start` are shown."""
        origin = session_start if self.by_offset else None
        clock = _clock(self.zone_name, origin)
        return Setting(clock, self.pictures, hides_deleted=self.is_stranger)

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


def is_stranger(request: HttpRequest) -> bool:
    """Whether what was deleted or edited away is hidden from whoever asks: it is for those who log
    in, unless POLLER_PUBLIC_DELETED says otherwise.
    """
    return not (settings.POLLER.public_deleted or request.user.is_authenticated)


@lru_cache(maxsize=64)
def _clock(zone_name: str, origin: datetime | None) -> ViewerClock:
    zone = zone_called(zone_name)
    return ViewerClock(zone, origin) if zone else ViewerClock(origin=origin)
