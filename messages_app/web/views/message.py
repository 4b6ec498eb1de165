"""A message on a page of its own: the whole of it, and all of its former texts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from messages_app.models import Message
from messages_app.snowflakes import LARGEST_ID
from messages_app.web.rendering.bounds import BY_ITSELF
from messages_app.web.rendering.html import messages_html
from messages_app.web.rendering.lookup import former_texts, names_in, shown_messages
from messages_app.web.rendering.markdown import Setting
from messages_app.web.rendering.texts import Texts
from messages_app.web.viewer import Viewer

# Former texts on one page.
FORMER_SIZE = 20


@require_safe
def whole(request: HttpRequest, message_id: int) -> HttpResponse:
    """`?skip=` leaves out so many of the newest former texts, which other pages hold."""
    message = get_object_or_404(Message.objects.without_raw(), pk=min(message_id, LARGEST_ID))
    viewer = Viewer.of(request)
    setting = Setting(viewer.clock, viewer.pictures, BY_ITSELF, viewer.is_stranger)
    shown = shown_messages([message], setting, several_channels=True, with_former=False)
    newest_first = message.revisions.order_by("-replaced_at", "-id")
    if viewer.is_stranger:
        newest_first = newest_first.none()
    skipped = _skipped(request.GET.get("skip", ""))
    former = former_texts(newest_first[skipped : skipped + FORMER_SIZE])
    names = names_in(message)
    count = newest_first.count()
    earlier = skipped + FORMER_SIZE
    return render(
        request,
        "web/message.html",
        {
            "message": message,
            "messages_html": messages_html(shown),
            "former": [Texts(names, setting).former(text) for _, text in former],
            "former_count": count,
            "earlier": earlier if earlier < count else None,
            "later": max(skipped - FORMER_SIZE, 0) if skipped else None,
            "viewer": viewer,
        },
    )


def _skipped(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
