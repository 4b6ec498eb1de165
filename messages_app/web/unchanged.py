"""The usual answer to an open page, that nothing is new, before anything else is looked at.

With 200 viewers it is asked for 67 times a second, and finding out again who asks would cost
several times what the answer does.
"""

from __future__ import annotations

import re
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from messages_app.web.access import Handler
from messages_app.web.watching import version_of

# For so long nobody who was let in is asked again who they are to be told that nothing is new.
ADMITTED_S = 30
MOST_ADMITTED = 5000
_LIVE = re.compile(r"/sessions/(\d{1,18})/live/", re.ASCII)


class Unchanged:
    """Answers 204 itself where a viewer who was let in lately knows the current version.

    Everything else goes on to the view, which lets the viewer in for a while. A login that ends
    meanwhile is noticed within ADMITTED_S, or at once where there is something to be seen.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._admitted: dict[str, float] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = _LIVE.fullmatch(request.path_info)
        since = request.GET.get("version") if asked else None
        if not asked or not since:
            return self.get_response(request)
        viewer = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        now = time.monotonic()
        if self._admitted.get(viewer, 0) > now and since == version_of(int(asked[1])):
            return HttpResponse(status=204)
        response = self.get_response(request)
        if response.status_code in (200, 204):
            if len(self._admitted) >= MOST_ADMITTED:
                self._admitted.clear()
            self._admitted[viewer] = now + ADMITTED_S
        return response
