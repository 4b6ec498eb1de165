"""A session's messages as a file: JSON lines, CSV, or one HTML page that needs nothing else."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import datetime

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from messages_app.file_export import Write, exported_pieces, write_csv, write_json_lines
from messages_app.keyset import in_pages
from messages_app.web.filters import Filters
from messages_app.web.pages import PAGE_SIZE
from messages_app.web.rendering.bounds import WITHOUT_END
from messages_app.web.rendering.hidden import emptied
from messages_app.web.rendering.html import messages_html
from messages_app.web.rendering.lookup import shown_messages
from messages_app.web.rendering.markdown import Setting
from messages_app.web.rendering.shown import ShownMessage, grouped
from messages_app.web.template_tags import STATIC
from messages_app.web.viewer import Viewer
from messages_app.web.views.session import messages_of, state_or_404
from messages_app.web.watching import WatchedSession

# Fewer than the server has threads, since a reader who takes his time keeps one waiting.
AT_ONCE = 3
TRY_AGAIN_S = 30
TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "html": "text/html"}


_places = threading.BoundedSemaphore(AT_ONCE)


@require_safe
def download(request: HttpRequest, session_id: int, kind: str) -> HttpResponseBase:
    """The whole session, with deleted messages, streamed: memory does not grow with it."""
    if kind not in TYPES:
        raise Http404
    now = timezone.now()
    state = state_or_404(session_id, now)
    if not _places.acquire(blocking=False):
        return _come_back()
    viewer = Viewer.of(request)
    if kind == "html":
        chunks = _html(state, viewer, now)
    else:
        write: Write = write_csv if kind == "csv" else write_json_lines
        chunks = _lines(state, viewer, write)
    response = StreamingHttpResponse(_Placed(chunks), content_type=TYPES[kind])
    name = slugify(state.session.title) or f"session-{state.session.pk}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


class _Placed:
    """The pieces of a download that has one of the places, until it is closed."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._has_place = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Give the place back, once; whoever serves the answer calls this at its end."""
        if self._has_place:
            self._has_place = False
            _places.release()


def _come_back() -> HttpResponse:
    words = f"{AT_ONCE} downloads are under way, which is all at once: try again in a moment.\n"
    answer = HttpResponse(words, status=503, content_type="text/plain; charset=utf-8")
    answer.headers["Retry-After"] = str(TRY_AGAIN_S)
    return answer


def _lines(state: WatchedSession, viewer: Viewer, write: Write) -> Iterator[str]:
    """What `export_messages` writes, piece by piece; a table's head comes once."""
    head = io.StringIO()
    write([], head)
    yield head.getvalue()
    for_viewer = emptied if viewer.is_stranger else None
    for piece in exported_pieces(state.session, with_deleted=True, prepared=for_viewer):
        stream = io.StringIO()
        write(piece, stream)
        yield stream.getvalue().removeprefix(head.getvalue())


def _html(state: WatchedSession, viewer: Viewer, now: datetime) -> Iterator[str]:
    clock = viewer.setting(state.session.start_time).clock
    setting = Setting(clock, bounds=WITHOUT_END, hides_deleted=viewer.is_stranger)
    context = {
        "state": state,
        "session": state.session,
        "clock": setting.clock,
        "now": now,
        "style": (STATIC / "web" / "web.css").read_text(encoding="utf-8"),
    }
    head, _, foot = render_to_string("web/download.html", context).partition("<!-- messages -->")
    yield head
    before: ShownMessage | None = None
    for rows in in_pages(messages_of(state, Filters(), viewer).without_raw(), PAGE_SIZE):
        shown = shown_messages(rows, setting, several_channels=len(state.feeds) > 1)
        for message in grouped(shown, setting, before):
            yield messages_html([message])
            before = message
    yield foot
