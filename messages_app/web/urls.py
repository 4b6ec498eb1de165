"""The web side's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from messages_app.web.access import open_to_all
from messages_app.web.views import account, home, live, session

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", account.login, name="login"),
    path("logout/", open_to_all(LogoutView.as_view()), name="logout"),
    path("choices/", account.choose, name="choices"),
    path("sessions/<int:session_id>/", session.session_page, name="session"),
    path("sessions/<int:session_id>/live/", live.live, name="live"),
    path("messages/<int:message_id>/", session.permalink, name="message"),
]
