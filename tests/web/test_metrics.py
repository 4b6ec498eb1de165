"""The page of the metrics: for whom it opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import RequestFactory

from messages_app.environment import Settings
from messages_app.web.views.metrics import metrics
from tests.reporting.everything import samples

if TYPE_CHECKING:  # older releases of pytest-django name no such thing
    from pytest_django import Settings as DjangoSettings

pytestmark = pytest.mark.django_db


def answered(settings: DjangoSettings, token: str = "", user: object = None) -> HttpResponse:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = RequestFactory().get("/metrics", headers=headers)
    request.user = user or AnonymousUser()  # type: ignore[assignment]
    return metrics(request)


def test_the_page_is_closed_unless_it_is_opened(settings: DjangoSettings) -> None:
    settings.POLLER = Settings({})
    assert answered(settings).status_code == 403
    assert answered(settings, token="").status_code == 403
    assert answered(settings, token="guess").status_code == 403


def test_the_page_opens_to_the_token(settings: DjangoSettings, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("opensesame\n")
    settings.POLLER = Settings({"POLLER_METRICS_TOKEN_FILE": f"{tmp_path}/token"})
    assert answered(settings, token="opensesam").status_code == 403
    page = answered(settings, token="opensesame")
    assert page.status_code == 200
    assert page["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(page.content)["discord_poller_live_sessions"] == 0


def test_a_token_file_that_cannot_be_read_closes_the_page(settings: DjangoSettings) -> None:
    settings.POLLER = Settings({"POLLER_METRICS_TOKEN_FILE": "/nowhere/token"})
    page = answered(settings, token="opensesame")
    assert page.status_code == 503
    assert b"/nowhere" not in page.content


def test_the_page_opens_to_whom_the_other_pages_are_open(settings: DjangoSettings) -> None:
    settings.POLLER = Settings({})
    assert answered(settings, user=User(username="ana")).status_code == 200
    settings.POLLER = Settings({"POLLER_PUBLIC": "true"})
    assert answered(settings).status_code == 200
