"""Home: the live session on top, then the coming and the past ones."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from messages_app.models import Session
from messages_app.snowflakes import id_in
from messages_app.web.timeline import timeline
from messages_app.web.viewer import Viewer
from messages_app.web.watching import states

COMING_SHOWN = 20
PAST_SHOWN = 30


def home(request: HttpRequest) -> HttpResponse:
    """`?before=ID` goes on to older sessions."""
    now = timezone.now()
    viewer = Viewer.of(request)
    past = Session.objects.filter(end_time__lte=now).order_by("-start_time", "-id")
    if before := id_in(request.GET.get("before")):
        last = Session.objects.filter(pk=before).first()
        past = past.filter(start_time__lt=last.start_time) if last else past
    live = list(Session.objects.live(now)[:3])
    coming = list(Session.objects.coming(now)[:COMING_SHOWN])
    older = list(past[: PAST_SHOWN + 1])
    told = states([*live, *coming, *older[:PAST_SHOWN]], now)
    live_states = told[: len(live)]
    return render(
        request,
        "web/home.html",
        {
            "live": [(state, timeline(state, now, viewer.clock)) for state in live_states],
            "coming": told[len(live) : len(live) + len(coming)],
            "past": told[len(live) + len(coming) :],
            "older": older[PAST_SHOWN - 1].pk if len(older) > PAST_SHOWN else None,
            "clock": viewer.clock,
            "viewer": viewer,
            "now": now,
        },
    )
