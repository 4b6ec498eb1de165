"""The answer where a page failed: 503 while the database cannot be used, 500 for a bug."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from messages_app.database.outage import outage_in
from messages_app.web.access import wants_json

RETRY_AFTER_S = 10


def failure(request: HttpRequest) -> HttpResponse:
    """Given a request whose view raised, say so without asking the database for anything."""
    status = 503 if outage_in(sys.exc_info()[1]) else 500
    if wants_json(request):
        words = "The database cannot be used just now." if status == 503 else "Something failed."
        answer: HttpResponse = JsonResponse({"error": words}, status=status)
    else:
        answer = HttpResponse(render_to_string(f"{status}.html"), status=status)
    if status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer
