"""What a page that is open asks for every few seconds: anything new, edited or deleted?

The usual answer, nothing, costs one query. The version that the page sends names the last poll it
knows of each feed, and only polls change messages: the windows of later polls bound what is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone

from messages_app.keyset import Key, after
from messages_app.models import Message, MessageQuerySet, Poll
from messages_app.web.filters import Filters
from messages_app.web.pages import PAGE_SIZE, first_rows
from messages_app.web.rendering.bounds import bytes_of, fitting
from messages_app.web.rendering.html import messages_html
from messages_app.web.rendering.lookup import shown_messages
from messages_app.web.rendering.shown import ShownMessage, grouped
from messages_app.web.timeline import timeline
from messages_app.web.viewer import Viewer
from messages_app.web.views.session import messages_of, state_or_404
from messages_app.web.watching import polls_since, version_of
from messages_app.windows import Coverage

# Messages around changed ones that are looked at; where there are more, the page is loaded anew.
MOST_CHANGES = 300
# Bytes of HTML that one answer holds of what came, and of what changed.
MOST_BYTES = 700_000


def live(request: HttpRequest, session_id: int) -> HttpResponse:
    """204 where nothing happened since `?version=`; otherwise the news as HTML fragments.

    `?first=` and `?last=` are the keys of the first and last message that the page shows; `?last=`
    is empty on a page that shows none yet, and `?tail=0` says that the page does not end at the
    newest message, so that nothing is to be added below. Where more has changed than one answer
    holds, `reload` tells the page to load itself anew.
    """
    since = request.GET.get("version", "")
    if since and since == version_of(session_id):
        return HttpResponse(status=204)
    now = timezone.now()
    state = state_or_404(session_id, now)
    viewer = Viewer.of(request)
    setting = viewer.setting(state.session.start_time)
    messages = messages_of(state, Filters.of(request.GET), viewer).without_raw()
    first = Key.parsed(request.GET.get("first", ""))
    last = Key.parsed(request.GET.get("last", ""))
    several = len(state.feeds) > 1

    news: list[ShownMessage] = []
    news_html: list[str] = []
    more = False
    if request.GET.get("tail") != "0":
        start = last or Key.at(state.session.start_time)
        # The last one shown comes along, since it tells whether the next one stands under it.
        rows, more = first_rows(
            after(messages, start._replace(discord_id=start.discord_id - 1)), PAGE_SIZE + 1
        )
        shown = shown_messages(rows, setting, several_channels=several)
        before = shown.pop(0) if last and shown and shown[0].key == str(last) else None
        news = grouped(shown, setting, before)
        news_html = [messages_html([message]) for message in news]
        part = fitting([bytes_of(html) for html in news_html], MOST_BYTES)
        more |= part.stop < len(news)
        news, news_html = news[part], news_html[part]

    changed, is_all = _changed(messages, polls_since(since), first, last)
    altered = shown_messages(changed, setting, several_channels=several)
    altered_html = [messages_html([message]) for message in altered]
    is_all &= sum(map(bytes_of, altered_html)) <= MOST_BYTES
    context = {"state": state, "session": state.session, "clock": viewer.clock, "now": now}
    return JsonResponse(
        {
            "version": state.version,
            "news": news_html,
            "count": len(news),
            "last": news[-1].key if news else str(last or ""),
            "more": more,
            "changed": [
                {"id": str(message.id), "version": message.version, "html": html}
                for message, html in zip(altered, altered_html, strict=True)
            ]
            if is_all
            else [],
            "reload": not is_all,
            "state": render_to_string("web/_state.html", context, request),
            "status": render_to_string("web/_status.html", context, request),
            "timeline": render_to_string(
                "web/_timeline.html",
                {**context, "timeline": timeline(state, now, viewer.clock)},
                request,
            ),
        }
    )


def _changed(
    messages: MessageQuerySet, polls: Sequence[Poll], first: Key | None, last: Key | None
) -> tuple[list[Message], bool]:
    """The messages between two keys that `polls` may have edited, deleted or brought back.

    And whether they are all.
    """
    tallies = [(poll.window, poll.tally) for poll in polls]
    touching = [
        window
        for window, tally in tallies
        if tally.edited or tally.deleted or tally.otherwise_changed
    ]
    if not touching or not first or not last:
        return [], True
    touched = Q()
    for window in Coverage(touching).windows:
        touched |= Q(timestamp__gte=window.start, timestamp__lt=window.end)
    shown = messages.filter(touched, timestamp__gte=first.timestamp, timestamp__lte=last.timestamp)
    changed, more = first_rows(shown.in_time_order(), MOST_CHANGES)
    return changed, not more
