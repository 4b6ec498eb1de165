"""A session's messages as a file: JSON lines, CSV, or one HTML page that needs nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TextIO

from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from messages_app.export_lines import exported_messages
from messages_app.management.commands.export_messages import write_csv, write_json_lines
from messages_app.web.filters import Filters
from messages_app.web.markdown import Setting
from messages_app.web.message_html import messages_html
from messages_app.web.pages import Key, after
from messages_app.web.reading import shown_messages
from messages_app.web.shown import ShownMessage, grouped
from messages_app.web.template_tags import STATIC
from messages_app.web.viewer import Viewer
from messages_app.web.views.session import messages_of, state_or_404
from messages_app.web.watching import SessionState

BATCH = 500
TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "html": "text/html"}

Write = Callable[[Iterable[dict[str, Any]], TextIO], int]


@require_safe
def download(request: HttpRequest, session_id: int, kind: str) -> HttpResponseBase:
    """The whole session, with deleted messages, streamed: memory does not grow with it."""
    if kind not in TYPES:
        raise Http404
    now = timezone.now()
    state = state_or_404(session_id, now)
    if kind == "html":
        setting = Setting(Viewer.of(request).setting(state.session.start_time).clock)
        chunks = _html(state, setting, now)
    else:
        write: Write = write_csv if kind == "csv" else write_json_lines
        chunks = _lines(state, write)
    response = StreamingHttpResponse(chunks, content_type=TYPES[kind])
    name = slugify(state.session.title) or f"session-{state.session.pk}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _lines(state: SessionState, write: Write) -> Iterator[str]:
    """What `export_messages` writes, batch by batch; a table's head comes once."""
    messages = exported_messages(state.session, with_deleted=True)
    is_first = True
    while batch := list(islice(messages, BATCH)):
        stream = io.StringIO()
        write(batch, stream)
        text = stream.getvalue()
        if not is_first and write is write_csv:
            text = text.partition("\n")[2]
        yield text
        is_first = False
    if is_first:
        stream = io.StringIO()
        write([], stream)
        yield stream.getvalue()


def _html(state: SessionState, setting: Setting, now: datetime) -> Iterator[str]:
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
    key: Key | None = Key.at(state.session.start_time)
    while key:
        rows = list(after(messages_of(state, Filters()), key)[:BATCH])
        shown = shown_messages(rows, setting, several_channels=len(state.feeds) > 1)
        told = grouped(shown, setting, before)
        yield messages_html(told)
        before = told[-1] if told else before
        key = Key.of(rows[-1]) if len(rows) == BATCH else None
    yield foot
