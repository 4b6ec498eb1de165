"""Logging in and out, and the viewer's choices."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from messages_app.web.access import open_to_all
from messages_app.web.clock import zone_called
from messages_app.web.throttle import FORGOTTEN_AFTER_S, count_failure, is_blocked
from messages_app.web.viewer import Viewer


class Login(LoginView):
    """Django's login, which stops listening after too many failures."""

    template_name = "web/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_blocked(request, request.POST.get("username", "")):
            answer = render(request, "web/blocked.html", status=429)
            answer.headers["Retry-After"] = str(FORGOTTEN_AFTER_S)
            return answer
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> HttpResponse:
        count_failure(self.request, self.request.POST.get("username", ""))
        return super().form_invalid(form)


login = open_to_all(Login.as_view())


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
