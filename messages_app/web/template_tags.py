"""Template tags of the web side."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from django import template
from django.templatetags.static import static

from messages_app.models import Session
from messages_app.reporting.sessions import duration
from messages_app.web.rendering.clock import ViewerClock
from messages_app.windows import PERIOD_S

register = template.Library()

STATIC = Path(__file__).parent / "static"


@register.simple_tag
@lru_cache(maxsize=16)
def asset(name: str) -> str:
    """The address of a static file, which changes with its content so that caches never lie."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"{static(name)}?v={digest}"


@register.simple_tag
def period() -> str:
    """How often a live session is polled, in words."""
    return f"{PERIOD_S} seconds"


@register.filter
def ago(instant: datetime, now: datetime) -> str:
    """How long ago `instant` was at `now`, in words."""
    return duration(max(now - instant, timedelta()))


@register.filter
def until(instant: datetime, now: datetime) -> str:
    """How long it is from `now` until `instant`, in words."""
    left = instant - now
    return duration(left) if left >= timedelta(seconds=1) else "a moment"


@register.filter
def in_words(seconds: float) -> str:
    """A number of seconds as a duration."""
    return duration(timedelta(seconds=seconds))


@register.filter
def at(clock: ViewerClock, instant: datetime) -> str:
    """Date, time and zone on the viewer's clock."""
    return clock.full(instant)


@register.simple_tag
def span(clock: ViewerClock, session: Session) -> str:
    """From when to when a session goes, on the viewer's clock."""
    return clock.span(session.start_time, session.end_time)


@register.filter
def epoch_ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
