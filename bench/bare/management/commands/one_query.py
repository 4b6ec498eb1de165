"""A command that asks one question: the least that a tick through Django costs."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from bench.bare.models import Session


class Command(BaseCommand):
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> str:
        return str(Session.objects.filter(start_time__lte=datetime.now(UTC)).first())
