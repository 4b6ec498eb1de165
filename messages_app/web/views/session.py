"""A session's page: its state, its timeline, and a page of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from messages_app.keyset import Key
from messages_app.models import Message, MessageQuerySet, Session
from messages_app.snowflakes import LARGEST_ID, id_in
from messages_app.web.filters import Filters
from messages_app.web.pages import (
    Page,
    first_page,
    newest_page,
    page_after,
    page_around,
    page_before,
)
from messages_app.web.rendering.bounds import PAGE_BYTES, bytes_of, fitting
from messages_app.web.rendering.hidden import HIDDEN
from messages_app.web.rendering.html import messages_html
from messages_app.web.rendering.lookup import shown_messages
from messages_app.web.rendering.markdown import Setting
from messages_app.web.rendering.shown import ShownMessage, grouped
from messages_app.web.timeline import timeline
from messages_app.web.viewer import Viewer
from messages_app.web.watching import WatchedSession, states


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
    found = messages_of(state, filters, viewer).without_raw()
    wanted = _wanted(request, found, state, setting)
    several = len(state.feeds) > 1
    messages = shown_messages(wanted.page.messages, setting, several_channels=several)
    page, messages, html = _fitted(wanted, messages, setting)
    return render(
        request,
        "web/session.html",
        {
            "state": state,
            "session": state.session,
            "timeline": timeline(state, now, viewer.clock),
            "messages_html": html,
            "page": page,
            "target": wanted.target,
            "first_key": messages[0].key if messages else "",
            "last_key": messages[-1].key if messages else "",
            "authors": sorted(
                {message.author.name for message in messages if message.type != HIDDEN},
                key=str.casefold,
            ),
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
    message = get_object_or_404(Message.objects.without_raw(), pk=min(message_id, LARGEST_ID))
    session = (
        Session.objects.filter(
            start_time__lte=message.timestamp,
            end_time__gt=message.timestamp,
            feeds__channel=message.channel_id,
        )
        .archives_last()
        .first()
    )
    if not session:
        raise Http404("This message belongs to no session.")
    page = reverse("session", args=[session.pk])
    return redirect(f"{page}?around={message.pk}#m{message.pk}")


def state_or_404(session_id: int, now: datetime) -> WatchedSession:
    session = get_object_or_404(Session, pk=min(session_id, LARGEST_ID))
    return states([session], now)[0]


def messages_of(state: WatchedSession, filters: Filters, viewer: Viewer) -> MessageQuerySet:
    """The session's messages that pass the filters for the viewer; no query yet."""
    channel_ids = [feed.feed.channel_id for feed in state.feeds]
    window = state.session.window
    found = Message.objects.of_channels(window, channel_ids)
    return filters.applied(found, window, hides_deleted=viewer.is_stranger)


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
    request: HttpRequest, messages: MessageQuerySet, state: WatchedSession, setting: Setting
) -> Wanted:
    query = request.GET
    if key := Key.parsed(query.get("after", "")):
        return Wanted(page_after(messages, key))
    if key := Key.parsed(query.get("before", "")):
        return Wanted(page_before(messages, key))
    if instant := instant_of(query.get("at", ""), setting):
        page = page_after(messages, Key.at(instant))
        return Wanted(page, page.messages[0].pk if page.messages else None)
    if around := id_in(query.get("around")):
        target = Message.objects.filter(pk=around).without_raw().first()
        if target:
            return Wanted(page_around(messages, Key.of(target)), target.pk)
    if "newest" in query or state.is_live:
        return Wanted(newest_page(messages))
    return Wanted(first_page(messages))


def _fitted(
    wanted: Wanted, messages: list[ShownMessage], setting: Setting
) -> tuple[Page, list[ShownMessage], SafeString]:
    """As much of the page as may be shown, its messages and their HTML."""
    html = messages_html(grouped(messages, setting), wanted.target)
    if bytes_of(html) <= PAGE_BYTES:
        return wanted.page, messages, html
    sizes = [bytes_of(messages_html([message])) for message in messages]
    part = fitting(sizes, PAGE_BYTES, wanted.page.anchor)
    html = messages_html(grouped(messages[part], setting), wanted.target)
    return wanted.page.cut(part), messages[part], html


def _typed(instant: datetime, viewer: Viewer) -> str:
    """The instant as an `<input type="datetime-local">` holds it."""
    return f"{instant.astimezone(viewer.clock.zone):%Y-%m-%dT%H:%M}"
