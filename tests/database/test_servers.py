"""PostgreSQL's servers as operators have them: a standby by mistake, pgbouncer, a cut network."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
import pytest
from django.db import connection

from messages_app.database.connection import django_database
from messages_app.models import Message
from tests.commands import Manage
from tests.confined import tick_confined
from tests.postgresql import private_server
from tests.simulation import Simulation

pytestmark = pytest.mark.postgresql

LENGTH_S = 180


def test_a_standby_is_told_in_a_sentence(environ: dict[str, str]) -> None:
    with private_server() as primary:
        manage = Manage(environ | {"DATABASE_URL": primary.url})
        manage("migrate", "--verbosity", "0")
        times = ("--start", "2020-01-01T00:00Z", "--end", "2080-01-01T00:00Z")
        manage("session", "add", "Race", *times, "--channel", "201")
        with private_server(primary) as standby:
            manage = Manage(environ | {"DATABASE_URL": standby.url})
            for words in (
                ("poll_recent_messages",),
                ("session", "add", "Other", *times, "--channel", "202", "--allow-overlap"),
                ("prune",),
            ):
                said = manage(*words, status=69)
                assert "DATABASE_URL leads to a standby" in said
                assert said.count("\n") == 1
            assert "Race" in manage("session", "list")


@pytest.fixture
def pgbouncer(database_url: str) -> Iterator[str]:
    """The address of the test's database behind a pgbouncer that shares one connection."""
    settings = connection.settings_dict
    with TemporaryDirectory(prefix="discord-poller-pgb-", dir="/tmp") as folder:
        lines = (
            "[databases]",
            f"* = host={settings['HOST']} user={settings['USER']}",
            "[pgbouncer]",
            "pool_mode = transaction",
            "default_pool_size = 1",
            "auth_type = any",
            "listen_port = 6432",
            f"unix_socket_dir = {folder}",
        )
        Path(folder, "pgbouncer.ini").write_text("\n".join(lines))
        Path(folder).chmod(0o755)
        as_user = []
        if os.geteuid() == 0:  # as which it refuses to run
            as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
            shutil.chown(folder, "nobody", "nogroup")
        process = subprocess.Popen(
            [*as_user, "pgbouncer", "-q", f"{folder}/pgbouncer.ini"], stderr=subprocess.DEVNULL
        )
        url = f"postgres://postgres@/{settings['NAME']}?host={folder}&port=6432"
        try:
            wait_until_it_answers(url)
            yield url
        finally:
            process.terminate()
            process.wait()


def wait_until_it_answers(url: str) -> None:
    for _ in range(100):
        try:
            psycopg2.connect(url).close()
        except psycopg2.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("pgbouncer does not start")


@pytest.mark.django_db(transaction=True)
def test_everything_works_behind_pgbouncer(
    pgbouncer: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = Simulation(tmp_path / "replay", environ | {"DATABASE_URL": pgbouncer}, LENGTH_S)
    for second in range(0, LENGTH_S, 2):
        changed_at = second + 50 if second < 100 else None
        edits = [(changed_at, f"edited {second}")] if changed_at else []
        simulation.channel(201).post(second, f"at {second}", edits=edits)
        simulation.channel(202).post(second, f"at {second}", deleted_at=changed_at)
    session = simulation.schedule()

    for second in range(30, LENGTH_S + 61, 30):
        outcome, _told = tick_confined([], simulation, second)
        assert outcome.status == 0

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    manage = Manage(simulation.environ)
    exported = manage("export_messages", "--raw")
    assert exported.count("\n") == Message.objects.count()
    path = tmp_path / "all.jsonl"
    path.write_text(exported)
    assert f"{Message.objects.count()} unchanged" in manage("import_messages", "--raw", str(path))
    manage("status", status=0)
    manage("prune")
    manage("migrate", "--verbosity", "0")
    with psycopg2.connect(pgbouncer) as other, other.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",), "another client has our bounds"


def test_a_server_that_is_gone_is_noticed_unless_the_address_says_otherwise() -> None:
    ours = django_database("postgres://somebody@example/name")["OPTIONS"]
    theirs = django_database("postgres://somebody@example/name?tcp_user_timeout=9000")["OPTIONS"]

    assert ours["tcp_user_timeout"] == 30_000
    assert ours["keepalives_idle"] + ours["keepalives_interval"] * ours["keepalives_count"] == 30
    assert theirs == ours | {"tcp_user_timeout": "9000"}
