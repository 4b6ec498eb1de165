"""The JSON API: sessions, messages after a cursor, and the state at an instant (docs/api.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from messages_app.file_export import exported
from messages_app.keyset import Key, piece_after
from messages_app.models import Message, Session
from messages_app.snowflakes import LARGEST_ID
from messages_app.web.filters import Filters
from messages_app.web.pages import PAGE_SIZE
from messages_app.web.rendering.clock import ViewerClock
from messages_app.web.rendering.hidden import emptied
from messages_app.web.rendering.markdown import Setting
from messages_app.web.viewer import Viewer
from messages_app.web.views.session import instant_of, messages_of
from messages_app.web.watching import WatchedSession, states
from messages_app.windows import Window

MOST_MESSAGES = 1000
# Of exported JSON, which is what an answer's size is about; whoever wants more asks again.
MOST_BYTES = 4 * 1024 * 1024
MOST_SESSIONS = 200
# How far the newest window reaches back, which the state at an instant is told with.
TRAILING = timedelta(seconds=30)


class BadQuery(ValueError):
    """A parameter cannot be meant; the text is one sentence."""


def _api(view: Callable[..., dict[str, Any]]) -> Callable[..., HttpResponse]:
    """The view's dictionary as JSON; its errors as JSON, too, with their status."""

    @require_safe
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return JsonResponse(view(request, *args, **kwargs))
        except BadQuery as problem:
            return JsonResponse({"error": str(problem)}, status=400)
        except Http404:
            return JsonResponse({"error": "There is no such session."}, status=404)

    return answer


@_api
def sessions(request: HttpRequest) -> dict[str, Any]:
    """The newest sessions by start; `?before=ID` goes on to older ones."""
    found = Session.objects.order_by("-start_time", "-id")
    if before := request.GET.get("before"):
        last = get_object_or_404(Session, pk=_number(before, "before", LARGEST_ID))
        found = found.filter(start_time__lt=last.start_time)
    rows = list(found[: MOST_SESSIONS + 1])
    told = states(rows[:MOST_SESSIONS], timezone.now())
    more = rows[MOST_SESSIONS - 1].pk if len(rows) > MOST_SESSIONS else None
    return {"sessions": [_session(state) for state in told], "before": more}


@_api
def session(request: HttpRequest, session_id: int) -> dict[str, Any]:
    found = _state(session_id)
    return _session(found) | {"channels": _channels(found, quoting=request.user.is_authenticated)}


@_api
def messages(request: HttpRequest, session_id: int) -> dict[str, Any]:
    """Messages in time order after `?after=`, at most `?limit=`; the page's filters work too."""
    state = _state(session_id)
    limit = _number(request.GET.get("limit", str(PAGE_SIZE)), "limit", MOST_MESSAGES)
    start = Key.at(state.session.start_time)
    if cursor := request.GET.get("after"):
        key = Key.parsed(cursor)
        if key is None:
            raise BadQuery("after is not a cursor that this API gave out.")
        start = key
    viewer = Viewer.of(request)
    found = messages_of(state, Filters.of(request.GET), viewer)
    page, more = piece_after(found, start, limit, MOST_BYTES)
    return {
        "messages": [_message(message, state.session, viewer) for message in page],
        "after": str(Key.of(page[-1])) if page else request.GET.get("after"),
        "more": more,
    }


@_api
def state(request: HttpRequest) -> dict[str, Any]:
    """The session that is live at `?at=` (now if absent), its last 30 s and newest message."""
    at = _instant(request.GET.get("at"))
    viewer = Viewer.of(request)
    live = Session.objects.live(at).first()
    if not live:
        return {"at": at.isoformat(), "session": None, "window": None, "newest": None}
    found = states([live], timezone.now())[0]
    window = Window(max(live.start_time, at - TRAILING), at) if at > live.start_time else None
    channel_ids = [feed.feed.channel_id for feed in found.feeds]
    until_then = Message.objects.of_channels(live.window, channel_ids).filter(timestamp__lte=at)
    newest = until_then.order_by("-timestamp", "-discord_id").first()
    rows, more = (
        piece_after(
            Message.objects.of_channels(window, channel_ids),
            Key.at(window.start),
            MOST_MESSAGES,
            MOST_BYTES,
        )
        if window
        else ([], False)
    )
    return {
        "at": at.isoformat(),
        "session": _session(found),
        "window": {
            "start": window.start.isoformat(),
            "end": window.end.isoformat(),
            "messages": [_message(message, live, viewer) for message in rows],
            "more": more,
        }
        if window
        else None,
        "newest": _message(newest, live, viewer) if newest else None,
    }


def _state(session_id: int) -> WatchedSession:
    found = get_object_or_404(Session, pk=min(session_id, LARGEST_ID))
    return states([found], timezone.now())[0]


def _message(message: Message, session: Session, viewer: Viewer) -> dict[str, Any]:
    return exported(emptied(message) if viewer.is_stranger else message, session.pk)


def _session(state: WatchedSession) -> dict[str, Any]:
    session, fresh = state.session, state.freshness
    return {
        "id": session.pk,
        "title": session.title,
        "start": session.start_time.isoformat(),
        "end": session.end_time.isoformat(),
        "state": state.phase.value,
        "words": state.words,
        "gaps": [_window(gap) for gap in state.gaps],
        "last_polled": fresh.last.isoformat() if fresh.last else None,
        "next_poll": fresh.next.isoformat() if fresh.next else None,
        "trouble": fresh.trouble or None,
    }


def _channels(state: WatchedSession, *, quoting: bool) -> list[dict[str, Any]]:
    """The session's channels; what the exporter said is quoted to those who run it alone."""
    return [
        {
            "id": str(feed.feed.channel_id),
            "name": feed.feed.channel.name,
            "covered": [_window(part) for part in feed.covered.windows],
            "gaps": [_window(gap) for gap in feed.gaps],
            "failures": feed.feed.failures,
            "error": (feed.feed.error or None) if quoting else None,
        }
        for feed in state.feeds
    ]


def _window(window: Window) -> dict[str, str]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise BadQuery(f"{name} must be a whole number from 1 to {most}.")
    return int(text)


def _instant(text: str | None) -> datetime:
    if not text:
        return timezone.now()
    # A plus sign that was not encoded arrives as a blank.
    instant = instant_of(text.replace(" ", "+"), Setting(ViewerClock()))
    if instant is None:
        raise BadQuery("at is not a time: write it as 2026-01-31T20:00:00Z.")
    return instant
