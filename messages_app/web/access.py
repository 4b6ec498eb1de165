"""Who may see what, and what every answer tells the browser: middleware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from messages_app.web.rendering.markdown import PICTURE_HOSTS
from messages_app.web.viewer import PICTURES_COOKIE

Handler = Callable[[HttpRequest], HttpResponseBase]
View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# Views that anybody may see carry this attribute; everything else needs a login.
OPEN_TO_ALL = "open_to_all"


def open_to_all(view: View) -> View:
    """Mark a view that must answer without a login, such as the login itself."""
    setattr(view, OPEN_TO_ALL, True)
    return view


class LoginNeeded:
    """Asks for a login before any view that does not say otherwise.

    POLLER_PUBLIC opens reading; views that write ask for their permission themselves.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: object, _kwargs: object
    ) -> HttpResponse | None:
        if settings.POLLER.public or getattr(view, OPEN_TO_ALL, False):
            return None
        if request.user.is_authenticated:
            return None
        if wants_json(request):
            return JsonResponse({"error": "Log in first."}, status=401)
        return redirect_to_login(request.get_full_path())


class SecurityHeaders:
    """A Content-Security-Policy without inline script or style, and nothing from elsewhere.

    Pictures of Discord load only in a browser whose viewer has allowed it.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        pictures = "'self' data:"
        if request.COOKIES.get(PICTURES_COOKIE) == "load":
            pictures = " ".join((pictures, *PICTURE_HOSTS))
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"img-src {pictures}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        if not request.path.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path.endswith("/live/")
