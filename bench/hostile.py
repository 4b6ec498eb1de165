"""What a page of messages costs that were made to be heavy: the CPU of a warm server."""

from __future__ import annotations

import http.client
import subprocess

from bench.measuring import progress
from bench.results import Row
from bench.viewers import cpu_s
from bench.workplace import PYTHON, Workplace
from tests.activation import activated
from tests.attack.heavy import FILL
from tests.processes import children

PAGES = 10


def page(place: Workplace) -> Row:
    """The row: the newest messages of a session, each with as much markup as Discord takes."""
    progress("a page of messages that were made to be heavy")
    environ = {**place.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    subprocess.run([PYTHON, "-c", FILL], env=environ, cwd=place.environ["PYTHONPATH"], check=True)
    with activated({**place.environ, "POLLER_PUBLIC": "true"}, cwd=place.folder) as (port, process):
        client = http.client.HTTPConnection("localhost", port)
        _read(client)
        server = [process.pid, *children(process.pid)]
        before_s = cpu_s(server)
        for _ in range(PAGES):
            _read(client)
        share_s = (cpu_s(server) - before_s) / PAGES
        client.close()
    return Row("page of messages that were made to be heavy, CPU of the server", share_s, 0.5, "s")


def _read(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/sessions/1/?newest")
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the server answered {answer.status}: {body[:200]!r}")
