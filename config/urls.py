"""The URLs of the project: none without the extra `web`, which no command needs."""

from django.urls import URLPattern, URLResolver, include, path

from messages_app.web.installed import missing_libraries

urlpatterns: list[URLPattern | URLResolver] = []
if not missing_libraries():
    urlpatterns += [path("", include("messages_app.web.urls"))]
    handler500 = "messages_app.web.views.failure.failure"
