"""The web side's addresses."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path

from messages_app.web.access import open_to_all
from messages_app.web.views import (
    account,
    api,
    downloads,
    health,
    home,
    live,
    message,
    metrics,
    schedule,
    session,
)

urlpatterns = [
    path("admin/login/", account.admin_login),
    path("admin/", admin.site.urls),
    path("", home.home, name="home"),
    path("login/", account.login, name="login"),
    path("logout/", open_to_all(LogoutView.as_view()), name="logout"),
    path("choices/", account.choose, name="choices"),
    path("sessions/<int:session_id>/", session.session_page, name="session"),
    path("sessions/<int:session_id>/live/", live.live, name="live"),
    path("sessions/<int:session_id>/download/<str:kind>/", downloads.download, name="download"),
    path("messages/<int:message_id>/", session.permalink, name="message"),
    path("messages/<int:message_id>/all/", message.whole, name="whole_message"),
    path("health/", health.health, name="health"),
    path("metrics", metrics.metrics, name="metrics"),
    path("schedule/", schedule.add, name="schedule"),
    path("schedule/notes/", schedule.notes, name="schedule_notes"),
    path("schedule/<int:session_id>/", schedule.edit, name="edit_session"),
    path("schedule/<int:session_id>/end/", schedule.end, name="end_session"),
    path("api/sessions/", api.sessions, name="api_sessions"),
    path("api/sessions/<int:session_id>/", api.session, name="api_session"),
    path("api/sessions/<int:session_id>/messages/", api.messages, name="api_messages"),
    path("api/state/", api.state, name="api_state"),
]
