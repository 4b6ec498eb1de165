"""Health: what `status` says, as a page."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from messages_app.reporting.problems import problems_of, verdict_of
from messages_app.reporting.sessions import session_state
from messages_app.reporting.situation import Verdict, take_situation
from messages_app.web.viewer import Viewer

VERDICTS = {
    Verdict.HEALTHY: "healthy",
    Verdict.DEGRADED: "degraded",
    Verdict.BROKEN: "broken",
}


# Even where reading is public: errors and host names are for those who run it.
@login_required
def health(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    situation = take_situation(now)
    problems = problems_of(situation, settings.POLLER.channels)
    verdict = verdict_of(problems)
    viewer = Viewer.of(request)
    return render(
        request,
        "web/health.html",
        {
            "verdict": VERDICTS[verdict],
            "problems": [(VERDICTS[problem.severity], problem.sentence) for problem in problems],
            "sessions": [
                (each, session_state(each.session, now, has_channels=bool(each.feeds)))
                for each in situation.sessions
            ],
            "timer": situation.timer,
            "timer_words": situation.timer.state.words,
            "polls": situation.polls,
            "viewer": viewer,
            "clock": viewer.clock,
            "now": now,
        },
    )
