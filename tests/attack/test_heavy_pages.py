"""Messages that were made to be heavy cost a page no more than it may, and stop nobody else."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.activation import activated
from tests.attack.attacker import Target
from tests.attack.conftest import migrated
from tests.attack.heavy import FILL

MOST_BYTES = 1_500_000


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A server's environment; its session has 30 messages, each edited 360 times, and 100 more."""
    return migrated(tmp_path_factory.mktemp("state"), FILL)


def test_everybody_is_answered_while_heavy_pages_are_asked_for(heavy: dict[str, str]) -> None:
    with activated(heavy, stderr=subprocess.PIPE) as (port, process):
        target = Target(port, process)
        target.get("/")
        paths = ["/sessions/1/", "/sessions/1/?newest", "/sessions/1/live/?version=0-0-0"]
        with ThreadPoolExecutor(4) as attackers:
            heavy_pages = [attackers.submit(target.get, path, 60) for path in paths * 4]
            for _ in range(20):
                assert target.get("/")[0] == 200
                assert target.get("/login/")[0] == 200
            for page in heavy_pages:
                status, body = page.result()
                assert (status, len(body) < MOST_BYTES) == (200, True)
