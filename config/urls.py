"""The URLs of the project: none without the extra `web`, which no command needs."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from messages_app.web.access import open_to_all
from messages_app.web.installed import missing_libraries

urlpatterns: list[URLPattern | URLResolver] = []
if not missing_libraries():
    urlpatterns += [
        # The admin's own login would be one without a limit on failures.
        path(
            "admin/login/",
            open_to_all(RedirectView.as_view(pattern_name="login", query_string=True)),
        ),
        path("admin/", admin.site.urls),
        path("", include("messages_app.web.urls")),
    ]
