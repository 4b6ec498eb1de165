"""A running web side that is public, with a session whose download is large, and attackers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.activation import activated
from tests.attack.attacker import Target

ROOT = Path(__file__).parents[2]
FILL = """
import django
django.setup()
from datetime import timedelta
from tests.builders import at
from tests.web.builders import make_message, past_session
from django.contrib.auth.models import User
session, _ = past_session()
users = [{"id": str(number), "name": f"reader-{number}"} for number in range(1000)]
reactions = [{"emoji": {"name": "x"}, "count": 1000, "users": users}]
for number in range(600):
    text = f"message {number} " + "of a race that takes a whole night " * 40
    make_message(at(0) + timedelta(seconds=number), text, reactions=reactions)
User.objects.create_superuser("ada", password="race-day-2026")
print(session.pk)
"""


@pytest.fixture(scope="session", autouse=True)
def many_files() -> None:
    """As many open files as the unit allows the server, and an attacker needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a server whose database holds a closed session, number 1."""
    return migrated(tmp_path_factory.mktemp("state"), FILL)


def migrated(state: Path, fill: str) -> dict[str, str]:
    """The environment of a server whose new database a program has filled."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "POLLER_STATE_DIR": str(state),
        "POLLER_ALLOWED_HOSTS": "127.0.0.1",
        "POLLER_PUBLIC": "true",
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=environ, cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-c", fill], env=environ, cwd=ROOT, check=True)
    return environ


@pytest.fixture
def target(filled: dict[str, str]) -> Iterator[Target]:
    """The server, which has answered once."""
    with activated(filled, stderr=subprocess.PIPE) as (port, process):
        target = Target(port, process)
        target.get("/")
        yield target
        target.close()
