"""A host that freezes in a transaction keeps its own feed, for a while, and nobody else's."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from django.db import connection, connections

from messages_app.database import bounded
from messages_app.database.outage import outages_explained
from messages_app.environment import CHECKOUT
from messages_app.errors import DatabaseUnavailable
from messages_app.models import Feed, Message, Poll
from messages_app.polling import intake
from tests.simulation import Simulation

CHANNELS = (201, 202, 203, 204)
LENGTH_S = 600

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """Four channels with a message every 10 s."""
    simulation = Simulation(
        tmp_path / "replay", environ | {"POLLER_PARALLEL": "1"}, LENGTH_S, CHANNELS
    )
    for second in range(0, LENGTH_S, 10):
        for channel_id in CHANNELS:
            simulation.channel(channel_id).post(second, f"at {second}")
    return simulation


Freeze = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture
def freeze(simulation: Simulation) -> Iterator[Freeze]:
    """Starts a host that freezes at second 60, and returns its process when it has."""
    started: list[subprocess.Popen[str]] = []

    def start(standstill_s: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*(sys.executable, "-m", "tests.freezing"), simulation.folder, "60", str(standstill_s)],
            env=simulation.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        wait_until(lambda: state_of(process) == "T")
        return process

    yield start
    for process in started:
        process.kill()
        with process:  # waited for, and its pipe closed
            pass


def state_of(process: subprocess.Popen[str]) -> str:
    text = Path(f"/proc/{process.pid}/stat").read_text()
    return text.rpartition(") ")[2][0]


def standing_still() -> int:
    """How many transactions of others stand still."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            " AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def ask_the_server(statement: str) -> None:
    """Run a statement in another database of the server."""
    settings = connection.settings_dict
    with closing(
        psycopg2.connect(host=settings["HOST"], user=settings["USER"], dbname="postgres")
    ) as server:
        server.autocommit = True
        server.cursor().execute(statement)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not come true within 30 s")


def test_the_others_go_on_while_it_stands_still(simulation: Simulation, freeze: Freeze) -> None:
    simulation.schedule()
    freeze(600)
    (frozen,) = Feed.objects.exclude(lease_until=None)

    outcome = simulation.tick(61)

    assert standing_still() == 1, "it was not waited for"
    assert outcome.status == 0
    polled = Poll.objects.values_list("channel_id", flat=True)
    assert set(polled) == set(CHANNELS) - {frozen.channel_id}


def test_its_feed_is_taken_over_once_its_lease_is_over(
    simulation: Simulation, freeze: Freeze
) -> None:
    session = simulation.schedule()
    process = freeze(1)

    wait_until(lambda: standing_still() == 0)
    assert Message.objects.count() == 0, "what it had not committed is taken back"
    simulation.tick(61)
    for second in (61 + 181, 300, LENGTH_S + 30):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)

    # When it wakes up it finds its connection ended, and says so in a sentence.
    process.send_signal(signal.SIGCONT)
    said, _nothing = process.communicate()
    assert said.splitlines()[-1].startswith(f"{DatabaseUnavailable.status} ")
    simulation.assert_equal_to_discord()


def test_a_session_whose_row_is_locked_is_closed_by_the_next_run(simulation: Simulation) -> None:
    session = simulation.schedule()
    for second in (60, LENGTH_S + 1):
        simulation.tick(second)
    other = connections.create_connection("default")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bounded, "LOCK_WAIT_S", 1)
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute(
                    "UPDATE messages_app_session SET title = title WHERE id = %s", [session.pk]
                )
            outcome = simulation.tick(LENGTH_S + 31)
    finally:
        other.close()

    assert outcome.status == 0
    session.refresh_from_db()
    assert session.closed_at is None

    simulation.tick(LENGTH_S + 61)
    simulation.assert_closed_and_covered(session)


def test_a_run_that_lost_its_database_leaves_its_leases_to_the_next(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation.schedule()

    def lose_it(*_args: object, **_options: object) -> None:
        ask_the_server(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        ask_the_server(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

    name = connection.settings_dict["NAME"]
    try:
        with monkeypatch.context() as patch:
            patch.setattr(intake, "store_channel", lose_it)
            with pytest.raises(DatabaseUnavailable), outages_explained():
                simulation.tick(60)
    finally:
        ask_the_server(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        connection.close()
    assert Feed.objects.exclude(lease_until=None).count() == 1

    assert simulation.tick(61).status == 0

    assert set(Poll.objects.values_list("channel_id", flat=True)) == set(CHANNELS)
    assert not list((Path(simulation.environ["POLLER_STATE_DIR"]) / "runs").iterdir())
