"""A session's page: its state, its timeline, and a page of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from messages_app.models import Message, MessageQuerySet, Session
from messages_app.web.filters import Filters
from messages_app.web.markdown import Setting
from messages_app.web.message_html import messages_html
from messages_app.web.pages import (
    Key,
    Page,
    first_page,
    newest_page,
    page_after,
    page_around,
    page_before,
)
from messages_app.web.reading import shown_messages
from messages_app.web.shown import grouped
from messages_app.web.timeline import timeline
from messages_app.web.viewer import Viewer
from messages_app.web.watching import SessionState, states


@dataclass(frozen=True)
class Wanted:
    """The page that was asked for, and the message or instant that it was asked around."""

    page: Page
    target: int | None = None


def session_page(request: HttpRequest, session_id: int) -> HttpResponse:
    now = timezone.now()
    state = state_or_404(session_id, now)
    viewer = Viewer.of(request)
    setting = viewer.setting(state.session.start_time)
    filters = Filters.of(request.GET)
    wanted = _wanted(request, messages_of(state, filters), state, setting)
    page = wanted.page
    messages = shown_messages(page.messages, setting, several_channels=len(state.feeds) > 1)
    return render(
        request,
        "web/session.html",
        {
            "state": state,
            "session": state.session,
            "timeline": timeline(state, now, viewer.clock),
            "messages_html": messages_html(grouped(messages, setting), wanted.target),
            "page": page,
            "target": wanted.target,
            "first_key": messages[0].key if messages else "",
            "last_key": messages[-1].key if messages else "",
            "authors": sorted({message.author.name for message in messages}, key=str.casefold),
            "filters": filters,
            "viewer": viewer,
            "clock": viewer.clock,
            "setting": setting,
            "now": now,
            "jump_from": _typed(state.session.start_time, viewer),
            "jump_to": _typed(state.session.end_time, viewer),
            "may_schedule": request.user.has_perm("messages_app.change_session"),
        },
    )


def permalink(_request: HttpRequest, message_id: int) -> HttpResponse:
    """Lead from a message's own address to its place in its session."""
    message = get_object_or_404(Message.objects.defer("raw"), pk=_snowflake(message_id))
    session = (
        Session.objects.filter(
            start_time__lte=message.timestamp,
            end_time__gt=message.timestamp,
            feeds__channel=message.channel_id,
        )
        .order_by("start_time", "id")
        .first()
    )
    if not session:
        raise Http404("This message belongs to no session.")
    page = reverse("session", args=[session.pk])
    return redirect(f"{page}?around={message.pk}#m{message.pk}")


def state_or_404(session_id: int, now: datetime) -> SessionState:
    session = get_object_or_404(Session, pk=_snowflake(session_id))
    return states([session], now)[0]


def messages_of(state: SessionState, filters: Filters) -> MessageQuerySet:
    """The session's messages that pass the filters; no query yet."""
    channel_ids = [feed.feed.channel_id for feed in state.feeds]
    window = state.session.window
    return filters.applied(Message.objects.of_channels(window, channel_ids), window)


def instant_of(text: str, setting: Setting) -> datetime | None:
    """An instant as typed or linked; without an offset it is in the viewer's zone."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=setting.clock.zone)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _wanted(
    request: HttpRequest, messages: MessageQuerySet, state: SessionState, setting: Setting
) -> Wanted:
    query = request.GET
    if key := Key.parsed(query.get("after", "")):
        return Wanted(page_after(messages, key))
    if key := Key.parsed(query.get("before", "")):
        return Wanted(page_before(messages, key))
    if instant := instant_of(query.get("at", ""), setting):
        page = page_after(messages, Key.at(instant))
        return Wanted(page, page.messages[0].pk if page.messages else None)
    around = query.get("around", "")
    if around.isascii() and around.isdigit():
        target = Message.objects.filter(pk=_snowflake(int(around))).defer("raw").first()
        if target:
            return Wanted(page_around(messages, Key.of(target)), target.pk)
    if "newest" in query or state.kind == "live":
        return Wanted(newest_page(messages))
    return Wanted(first_page(messages))


def _typed(instant: datetime, viewer: Viewer) -> str:
    """The instant as an `<input type="datetime-local">` holds it."""
    return f"{instant.astimezone(viewer.clock.zone):%Y-%m-%dT%H:%M}"


def _snowflake(number: int) -> int:
    return min(number, 2**63 - 1)
