"""Scheduling in the browser: add, edit and end sessions."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from messages_app.errors import UsageError
from messages_app.models import Channel, Phase, Session
from messages_app.scheduling import add_session, edit_session, end_session
from messages_app.snowflakes import id_in
from messages_app.web.schedule_form import Checked, Note, Typed, check
from messages_app.web.viewer import Viewer

CHANNELS_OFFERED = 50


@permission_required("messages_app.add_session", raise_exception=True)
def add(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, Typed(zone=Viewer.of(request).zone_name), None, None)
    typed = Typed.of(request.POST)
    checked = check(typed, None, timezone.now())
    if checked.can_be_saved and checked.window:
        try:
            session = add_session(
                typed.title,
                checked.window,
                checked.channel_ids,
                fallback=settings.POLLER.channels,
                allow_overlap=typed.allow_overlap,
            )
        except UsageError as error:
            return _page(request, typed, _refused(checked, error), None)
        return redirect("session", session.pk)
    return _page(request, typed, checked, None)


@permission_required("messages_app.change_session", raise_exception=True)
def edit(request: HttpRequest, session_id: int) -> HttpResponse:
    session = get_object_or_404(Session, pk=session_id)
    if request.method != "POST":
        typed = Typed.from_session(session, Viewer.of(request).clock)
        return _page(request, typed, None, session)
    typed = Typed.of(request.POST)
    checked = check(typed, session, timezone.now())
    if checked.can_be_saved and checked.window:
        try:
            edit_session(
                session,
                typed.title,
                checked.window,
                checked.channel_ids,
                fallback=settings.POLLER.channels,
                allow_overlap=typed.allow_overlap,
            )
        except UsageError as error:
            return _page(request, typed, _refused(checked, error), session)
        return redirect("session", session.pk)
    return _page(request, typed, checked, session)


@require_POST
@permission_required("messages_app.change_session", raise_exception=True)
def end(request: HttpRequest, session_id: int) -> HttpResponse:
    """End a live session now."""
    session = get_object_or_404(Session, pk=session_id)
    try:
        end_session(session, timezone.now())
    except UsageError as error:
        typed = Typed.from_session(session, Viewer.of(request).clock)
        checked = Checked([Note("bad", str(error))], None, [])
        return _page(request, typed, checked, session)
    return redirect("session", session.pk)


@require_safe
@permission_required("messages_app.add_session", raise_exception=True)
def notes(request: HttpRequest) -> HttpResponseBase:
    """What the form means so far, as a fragment, for the check while typing."""
    editing = id_in(request.GET.get("editing"))
    session = Session.objects.filter(pk=editing).first() if editing else None
    checked = check(Typed.of(request.GET), session, timezone.now())
    return render(request, "web/_notes.html", {"checked": checked})


def _refused(checked: Checked, error: UsageError) -> Checked:
    return Checked([*checked.notes, Note("bad", str(error))], checked.window, checked.channel_ids)


def _page(
    request: HttpRequest, typed: Typed, checked: Checked | None, session: Session | None
) -> HttpResponse:
    chosen = set(typed.channels.split())
    channels = list(Channel.objects.exclude(name="")[:CHANNELS_OFFERED])
    offered = {str(channel.pk) for channel in channels}
    others = [word for word in typed.channels.split() if word not in offered]
    now = timezone.now()
    return render(
        request,
        "web/schedule.html",
        {
            "typed": typed,
            "checked": checked,
            "session": session,
            "is_live": session is not None and session.phase(now) is Phase.LIVE,
            "channels": [(channel, str(channel.pk) in chosen) for channel in channels],
            "other_channels": " ".join(others),
            "viewer": Viewer.of(request),
        },
    )
