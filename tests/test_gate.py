"""The gate says "idle" only where the whole command would do nothing, and writes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from messages_app.database.clock import Clocks
from messages_app.database.schema import check_schema
from messages_app.environment import Settings
from messages_app.errors import PollerError
from messages_app.gate import CLOCKS_DIFFER_S, LATEST_MIGRATION, idle_answer
from messages_app.models import Session
from messages_app.polling.clock_check import REFUSED_FROM_S
from messages_app.polling.poll import poll_recent
from messages_app.windows import CLOCK_SLACK_S
from tests.commands import MANAGE, Manage

NOW = datetime(2026, 5, 1, 18, 0, 0, 250_000, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)
NOTHING_SCHEDULED = "No session is live, and none is scheduled."
A_CHANNEL = (
    "INSERT INTO messages_app_channel (discord_id, name, category, guild_name)"
    " VALUES (1, '', '', '')"
)

# Holds a SQLite file in the way that its argument says until it is told to end.
HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    database.execute(statement)
print("holding", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environ(transactional_db: None, environ: dict[str, str]) -> dict[str, str]:
    """The environment of a poller that has run before: its key is there.

    It names `transactional_db` itself: pytest before 9 overlooks what a fixture of the same name
    asks for, and would have each test's writes in a transaction that is never committed.
    """
    folder = Path(environ["POLLER_STATE_DIR"])
    folder.mkdir()
    (folder / "secret-key").write_text("a key")
    return environ


@pytest.fixture
def file(transactional_db: None, tmp_path: Path) -> Path:
    """A migrated SQLite file of its own, that nobody has open or has just written to."""
    connection.close()
    path = tmp_path / "database" / "db.sqlite3"
    path.parent.mkdir()
    shutil.copy(connection.settings_dict["NAME"], path)
    settle(path)
    return path


def settle(path: Path) -> None:
    """Let the last write to the file be a minute ago."""
    a_minute_ago = time.time() - 60
    os.utime(path, (a_minute_ago, a_minute_ago))


def us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def schedule(*windows: tuple[datetime, datetime], closed: bool = False) -> None:
    """Make these the only sessions, and let go of the database."""
    Session.objects.all().delete()
    for start, end in windows:
        Session.objects.create(
            title="One", start_time=start, end_time=end, closed_at=end if closed else None
        )
    let_go()


def let_go() -> None:
    connection.close()
    if connection.vendor == "sqlite":
        settle(Path(connection.settings_dict["NAME"]))


@contextmanager
def held(path: Path, *statements: str) -> Iterator[None]:
    """Another process has the file open and has done these statements."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HOLDER, path, *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"holding\n"
        yield
        process.stdin.close()


def url(path: Path) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite:///{path}"}


def snapshot(folder: Path) -> dict[str, Any]:
    """Everything in the folder, and the folder itself, which remembers what came and went."""
    return {
        str(path): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *folder.rglob("*")]
    }


def modules_imported(*arguments: str, environ: dict[str, str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", *arguments],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


class Situation:
    """What the gate and Django are asked about, side by side."""

    def __init__(self, environ: dict[str, str], now: datetime) -> None:
        self.environ = environ
        self.now = now

    def gate(self) -> str | None:
        connection.close()
        return idle_answer(self.environ, us(self.now))

    def django(self) -> str | None:
        """What the command says where it does nothing; None where it acts or complains."""
        events: list[object] = []
        try:
            check_schema()
            before = list(Session.objects.order_by("pk").values())
            outcome = poll_recent(
                Settings(self.environ), self.environ, Clocks(lambda: self.now), events.append
            )
            if events or before != list(Session.objects.order_by("pk").values()):
                return None
            # One without channels stays open for a day: the gate asks for no channels.
            if Session.objects.to_close(self.now).exists():
                return None
        except (PollerError, DatabaseError, ValueError, TypeError):  # the last two: odd times
            return None
        finally:
            connection.close()
        return outcome.sentence


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("ahead_s", "is_idle"), [(-31, False), (-25, True), (25, True), (31, False)]
)
def test_a_host_whose_clock_is_not_the_servers_asks_django(
    environ: dict[str, str],
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: int,
    is_idle: bool,
) -> None:
    wrong_ns = time.time_ns() + ahead_s * 1_000_000_000
    monkeypatch.setattr("messages_app.gate.time.time_ns", lambda: wrong_ns)
    let_go()
    assert (idle_answer(environ) == NOTHING_SCHEDULED) is is_idle
    assert CLOCKS_DIFFER_S == REFUSED_FROM_S


def test_the_latest_migration_is_the_one_that_the_gate_expects() -> None:
    assert MigrationLoader(None).graph.leaf_nodes("messages_app") == [
        ("messages_app", LATEST_MIGRATION)
    ]


def test_nothing_scheduled_is_idle(environ: dict[str, str]) -> None:
    schedule()
    assert idle_answer(environ) == NOTHING_SCHEDULED


def test_the_next_session_is_told(environ: dict[str, str]) -> None:
    schedule((NOW + 2 * AN_HOUR, NOW + 3 * AN_HOUR), (NOW + AN_HOUR, NOW + 2 * AN_HOUR))
    answer = idle_answer(environ, us(NOW))
    assert answer == "No session is live; the next one starts at 2026-05-01 19:00:00 UTC."


def test_a_live_session_is_handed_over(environ: dict[str, str]) -> None:
    schedule((NOW, NOW + AN_HOUR))
    assert idle_answer(environ, us(NOW)) is None
    assert idle_answer(environ, us(NOW) - 1) is not None


def test_a_session_that_is_over_is_handed_over_until_it_is_closed(environ: dict[str, str]) -> None:
    schedule((NOW - AN_HOUR, NOW))
    assert idle_answer(environ, us(NOW)) is None
    schedule((NOW - AN_HOUR, NOW), closed=True)
    assert idle_answer(environ, us(NOW)) == NOTHING_SCHEDULED
    assert idle_answer(environ, us(NOW) - 1) is None


def test_a_session_that_was_closed_in_the_future_is_handed_over(environ: dict[str, str]) -> None:
    schedule((NOW - AN_HOUR, NOW), closed=True)
    possible = NOW + timedelta(seconds=CLOCK_SLACK_S)
    for closed_at, is_idle in ((possible, True), (possible + timedelta(microseconds=1), False)):
        Session.objects.update(closed_at=closed_at)
        let_go()
        situation = Situation(environ, NOW)
        assert (situation.gate() is not None, situation.django() is not None) == (is_idle, is_idle)

    Session.objects.update(is_archive=True, closed_at=NOW + AN_HOUR)
    let_go()
    situation = Situation(environ, NOW)
    assert situation.gate() == situation.django() is not None, "an archive is never polled"


def test_the_command_says_the_same_with_and_without_the_gate(manage: Manage) -> None:
    a_year = timedelta(days=365)
    schedule((datetime.now(UTC) + a_year, datetime.now(UTC) + 2 * a_year))
    # An option is more than the gate understands.
    assert manage("poll_recent_messages") == manage("poll_recent_messages", "--now")


OFFSETS = st.one_of(
    st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=1)]),
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
MOMENTS = st.builds(lambda offset, sign: NOW + sign * offset, OFFSETS, st.sampled_from([-1, 1]))
SESSIONS = st.lists(st.tuples(MOMENTS, MOMENTS, st.booleans()), max_size=4)
NOWS = st.sampled_from([NOW, NOW.replace(microsecond=0), NOW.replace(microsecond=999_999)])


def write_sessions(sessions: list[tuple[datetime, datetime, bool]]) -> None:
    Session.objects.all().delete()
    for one, other, is_closed in sessions:
        start, end = min(one, other), max(one, other)
        assume(start < end)
        closed_at = end if is_closed else None
        Session.objects.create(title="One", start_time=start, end_time=end, closed_at=closed_at)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sessions=SESSIONS, now=NOWS)
def test_the_gate_and_django_agree_on_every_schedule(
    environ: dict[str, str], sessions: list[tuple[datetime, datetime, bool]], now: datetime
) -> None:
    write_sessions(sessions)
    let_go()
    situation = Situation(environ, now)
    assert situation.gate() == situation.django()


# How a time may stand in a SQLite file that other programs have written to.
TIME_FORMATS = st.sampled_from(
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y-%m-%d %H:%M:%S.25",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S+00:00",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d",
        "soon",
    ]
)
STATES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "no database": lambda path: path.write_bytes(b"These are not the bytes that you look for."),
    "cut": lambda path: os.truncate(path, 8192),
    "unmigrated": lambda path: execute(path, "DELETE FROM django_migrations"),
    "without tables": lambda path: execute(path, "DROP TABLE django_migrations"),
    "newer": lambda path: execute(
        path,
        "INSERT INTO django_migrations (app, name, applied)"
        " VALUES ('messages_app', '9999_later', '2026-01-01')",
    ),
    "not in WAL mode": lambda path: execute(path, "PRAGMA journal_mode = DELETE"),
    "beside a journal": lambda path: shutil.copy(path, f"{path}-journal"),
    "as it should be": Path.exists,
}


def execute(path: Path, *statements: str, parameters: tuple[Any, ...] = ()) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        database.execute(statement, parameters)
    database.close()


@contextmanager
def django_on(path: Path) -> Iterator[None]:
    """Let Django use this file, and not wait for its locks."""
    connection.close()
    former = dict(connection.settings_dict)
    connection.settings_dict |= {"NAME": str(path), "OPTIONS": {"timeout": 0}}
    yield
    connection.close()
    connection.settings_dict |= former


@pytest.mark.sqlite
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sessions=SESSIONS,
    now=NOWS,
    time_format=TIME_FORMATS,
    state=st.sampled_from(sorted(STATES)),
    hold=st.sampled_from(["", "open", "written", "locked"]),
    is_recent=st.booleans(),
)
def test_the_gate_never_says_idle_where_django_would_not(
    environ: dict[str, str],
    file: Path,
    sessions: list[tuple[datetime, datetime, bool]],
    now: datetime,
    time_format: str,
    state: str,
    hold: str,
    is_recent: bool,
) -> None:
    path = file.with_name("drawn.sqlite3")
    for former in path.parent.glob("drawn*"):
        former.unlink()
    shutil.copy(file, path)
    insert = (
        "INSERT INTO messages_app_session (title, start_time, end_time, closed_at, given_up)"
        " VALUES ('One', ?, ?, ?, 0)"
    )
    for one, other, is_closed in sessions:
        start, end = (moment.strftime(time_format) for moment in sorted((one, other)))
        assume(start < end)
        execute(path, insert, parameters=(start, end, end if is_closed else None))
    STATES[state](path)
    holds = {
        "open": ["SELECT 1 FROM sqlite_master"],
        "written": ["UPDATE messages_app_session SET title = 'Two'"],
        "locked": ["PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"],
    }
    if path.exists() and not is_recent:
        settle(path)
    situation = Situation(environ | url(path), now)
    if state == "as it should be" and hold:
        with held(path, *holds[hold]), django_on(path):
            answer, truth = situation.gate(), situation.django()
    else:
        with django_on(path):
            answer, truth = situation.gate(), situation.django()
    assert answer in (None, truth)


@pytest.mark.sqlite
@pytest.mark.parametrize("state", sorted(STATES.keys() - {"as it should be"}))
def test_a_file_in_an_odd_state_is_left_to_django(
    environ: dict[str, str], file: Path, state: str
) -> None:
    STATES[state](file)
    if file.exists():
        settle(file)
    assert idle_answer(environ | url(file)) is None


@pytest.mark.sqlite
def test_a_locked_file_is_left_to_django(environ: dict[str, str], file: Path) -> None:
    with held(file, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"):
        settle(file)
        assert idle_answer(environ | url(file)) is None


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "start", ["2100-01-01T00:00:00", "2100-01-01 00:00:00.25", "2100-01-01", "soon"]
)
def test_a_time_that_django_did_not_write_is_left_to_django(
    environ: dict[str, str], file: Path, start: str
) -> None:
    insert = (
        "INSERT INTO messages_app_session (title, start_time, end_time, given_up)"
        " VALUES ('One', ?, '~', 0)"
    )
    execute(file, insert, parameters=(start,))
    settle(file)
    assert idle_answer(environ | url(file)) is None


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET name = '9999_later'"])
def test_another_schema_is_handed_over(environ: dict[str, str], change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name, applied FROM django_migrations")
        former = cursor.fetchall()
        cursor.execute(change.format("django_migrations") + " WHERE app = 'messages_app'")
    try:
        let_go()
        assert idle_answer(environ) is None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations")
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", former
            )


@pytest.mark.parametrize(
    "change",
    [
        {"POLLER_WINDOWS": "30"},
        {"POLLER_WINDOW": "soon"},
        {"POLLER_WINDOW": "600", "POLLER_OVERLAP": "600"},
        {"POLLER_TIME_ZONE": "Mars/Olympus"},
        {"DATABASE_URL": "mysql://host/name"},
        {"DATABASE_URL": "postgres://host"},
        {"DATABASE_URL": "postgres://host:port/name"},
        {"POLLER_SECRET_KEY": "one", "POLLER_SECRET_KEY_FILE": "two"},
        {"POLLER_SECRET_KEY_FILE": "/nonexistent"},
        {"POLLER_STATE_DIR": "/nonexistent"},
    ],
)
def test_what_django_would_complain_about_is_handed_over(
    environ: dict[str, str], change: dict[str, str]
) -> None:
    schedule()
    assert idle_answer(environ) is not None
    assert idle_answer(environ | change) is None


@pytest.mark.parametrize(
    "address",
    [
        "postgres://h1:1,h2:2/name",
        "postgres://host/na#me",
        "postgres://host/name?password=a+b",
        "postgres://user:pa?ss@host/name",
        "postgres://%2Fvar%2Frun/name",
        "postgres://host/na\tme",
    ],
)
def test_an_address_that_libpq_may_read_differently_is_handed_over(
    environ: dict[str, str], address: str
) -> None:
    before = set(sys.modules)
    assert idle_answer(environ | {"DATABASE_URL": address}) is None
    assert "psycopg2" not in set(sys.modules) - before


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["db%41.sqlite3", "db?mode=rwc", "db#1", "a b", "ä.sqlite3"])
def test_any_file_name_is_understood(environ: dict[str, str], file: Path, name: str) -> None:
    path = file.rename(file.with_name(name))
    assert idle_answer(environ | url(path)) == NOTHING_SCHEDULED


@pytest.mark.sqlite
def test_the_wal_beside_the_file_that_a_link_points_to_counts(
    environ: dict[str, str], file: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    assert idle_answer(environ | url(link)) == NOTHING_SCHEDULED
    insert = (
        "INSERT INTO messages_app_session (title, start_time, end_time, given_up)"
        " VALUES ('Live', '2000-01-01', '2100-01-01', 0)"
    )
    with held(file, insert):
        settle(file)
        assert idle_answer(environ | url(link)) is None


@pytest.mark.sqlite
def test_a_file_that_was_just_written_to_is_left_to_django(
    environ: dict[str, str], file: Path
) -> None:
    os.utime(file)
    assert idle_answer(environ | url(file)) is None


@pytest.mark.sqlite
def test_an_idle_tick_writes_nothing(environ: dict[str, str], file: Path) -> None:
    before = snapshot(file.parent), snapshot(Path(environ["POLLER_STATE_DIR"]))
    output = idle_tick(environ | url(file))
    assert output == f"{NOTHING_SCHEDULED}\n"
    assert before == (snapshot(file.parent), snapshot(Path(environ["POLLER_STATE_DIR"])))


@pytest.mark.sqlite
def test_an_idle_tick_writes_nothing_while_another_program_has_written(
    environ: dict[str, str], file: Path
) -> None:
    with held(file, A_CHANNEL):
        assert file.with_name("db.sqlite3-wal").stat().st_size
        before = snapshot(file.parent)
        assert idle_tick(environ | url(file)) == f"{NOTHING_SCHEDULED}\n"
        assert before == snapshot(file.parent)


@pytest.mark.sqlite
def test_an_idle_tick_after_a_crash_reads_what_it_left_and_writes_nothing(
    environ: dict[str, str], file: Path, tmp_path: Path
) -> None:
    crashed = tmp_path / "crashed"
    insert = (
        "INSERT INTO messages_app_session (title, start_time, end_time, given_up)"
        " VALUES ('One', '2100-01-01 00:00:00', '2100-01-02 00:00:00', 0)"
    )
    with held(file, insert):
        shutil.copytree(file.parent, crashed)
    before = snapshot(crashed)
    output = idle_tick(environ | url(crashed / file.name))
    assert output == "No session is live; the next one starts at 2100-01-01 00:00:00 UTC.\n"
    assert before == snapshot(crashed)


@pytest.mark.sqlite
def test_a_wal_without_its_shm_is_left_to_django(environ: dict[str, str], file: Path) -> None:
    with held(file, A_CHANNEL):
        copy = file.parent / "copy.sqlite3"
        shutil.copy(file, copy)
        shutil.copy(f"{file}-wal", f"{copy}-wal")
    settle(copy)
    before = snapshot(file.parent)
    assert idle_answer(environ | url(copy)) is None
    assert before == snapshot(file.parent)


@pytest.mark.sqlite
def test_an_idle_tick_loads_next_to_nothing(environ: dict[str, str], file: Path) -> None:
    bare = modules_imported("-c", "pass", environ=environ)
    tick = modules_imported(MANAGE, "poll_recent_messages", environ=environ | url(file))
    names = ("", ".command_line", ".gate", ".environment", ".errors")
    ours = {f"messages_app{name}" for name in names}
    assert ours <= tick
    # functools and what it needs are what SQLite's own module asks for, os needs the rest.
    assert tick - bare - ours <= {
        *("_sqlite3", "functools", "_functools", "collections", "_collections", "itertools"),
        *("keyword", "operator", "_operator", "reprlib", "types", "os", "stat", "_stat"),
        *("posixpath", "genericpath", "_collections_abc", "errno"),
    }


def idle_tick(environ: dict[str, str]) -> str:
    """The output of a tick as the service starts it; fails where Django was loaded."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", MANAGE, "poll_recent_messages"],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "django" not in done.stderr
    return done.stdout
