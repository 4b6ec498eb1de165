"""Logging in and out, and the viewer's choices."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from messages_app.web import throttle
from messages_app.web.access import open_to_all
from messages_app.web.rendering.clock import zone_called
from messages_app.web.viewer import Viewer

BUSY_S = 10


class Login(LoginView):
    """Django's login, which stops listening after too many failures, and to too many at once."""

    template_name = "web/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = request.POST.get("username", "")
        try:
            with throttle.attempt(request, name):
                answer = super().post(request, *args, **kwargs)
        except throttle.Blocked:
            return self._refused(429, throttle.FORGOTTEN_AFTER_S)
        except throttle.Busy:
            return self._refused(503, BUSY_S)
        if request.user.is_authenticated:
            throttle.succeeded(request, name)
        return answer

    def _refused(self, status: int, again_s: int) -> HttpResponse:
        context = {"is_busy": status == 503}
        answer = render(self.request, "web/blocked.html", context, status=status)
        answer.headers["Retry-After"] = str(again_s)
        return answer


login = open_to_all(Login.as_view())


@open_to_all
def admin_login(request: HttpRequest) -> HttpResponseBase:
    """Our login in place of the admin's own, which would be one without a limit on failures.

    The admin sends here whom it does not let in. Who is logged in already would be sent back.
    """
    if request.user.is_authenticated and not request.user.is_staff:
        raise PermissionDenied
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(reverse("login") + (f"?{query}" if query else ""))


@require_POST
def choose(request: HttpRequest) -> HttpResponseBase:
    """Keep the viewer's time zone, clock and pictures, and go back to the page."""
    zone_name = request.POST.get("zone", "").strip()
    if not zone_called(zone_name):
        return render(request, "web/unknown_zone.html", {"zone": zone_name}, status=400)
    chosen = Viewer(
        zone_name=zone_name,
        by_offset=request.POST.get("clock", "") == "offset",
        pictures="pictures" in request.POST,
    )
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    return chosen.remembered(HttpResponseRedirect(back))
