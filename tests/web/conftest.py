"""What the web side's tests share: a person who is logged in, and a timeline that forgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from messages_app.web import throttle, timeline


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    """Nothing that a test left in this process's memory reaches the next one."""
    timeline.forget()
    cache.clear()
    throttle.forget()
    yield


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("ada", password="race-day-2026")


@pytest.fixture
def browser(client: Client, operator: User) -> Client:
    """A client that is logged in as the operator."""
    client.force_login(operator)
    return client
