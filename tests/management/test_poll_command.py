"""`poll_recent_messages`: its line, its warnings and its exit status; what it never says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from messages_app.errors import ConfigurationError
from messages_app.gate import LATEST_MIGRATION
from messages_app.management import commands as commands_package
from messages_app.models import Feed, Message, Poll, Session
from messages_app.scheduling import add_session
from messages_app.windows import Coverage, Window
from tests.commands import Commands, Manage
from tests.polling.test_range_import import IMPATIENT, STATUSES
from tests.simulation import START, Simulation, at, covered_at

POLL = "poll_recent_messages"
LENGTH_S = 600


@pytest.fixture
def simulation(tmp_path: Path, commands: Commands) -> Simulation:
    """Two channels with a message every 10 s."""
    simulation = Simulation(tmp_path / "replay", commands.environ, LENGTH_S)
    for channel_id in simulation.channel_ids:
        for second in range(0, LENGTH_S, 10):
            simulation.channel(channel_id).post(second, f"secret talk at {second}")
    return simulation


def live_window() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(minutes=5), now + timedelta(hours=1))


# When nothing is live.


def test_an_idle_tick_says_that_nothing_is_scheduled(commands: Commands) -> None:
    output = commands(POLL, POLLER_EXPORTER="/nowhere", DISCORD_TOKEN="")

    assert output == "No session is live, and none is scheduled.\n"
    assert not commands.state.exists()


def test_an_idle_tick_says_when_the_next_session_starts(commands: Commands) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for hours in (30, 2, 5):
        start = now + timedelta(hours=hours)
        add_session("Later", Window(start, start + timedelta(hours=1)), [201])

    output = commands(POLL, POLLER_EXPORTER="/nowhere", DISCORD_TOKEN="")

    next_start = now + timedelta(hours=2)
    assert output == (
        f"No session is live; the next one starts at {next_start:%Y-%m-%d %H:%M:%S} UTC.\n"
    )
    assert not commands.state.exists()


def test_an_idle_tick_does_the_same_as_a_process(manage: Manage, tmp_path: Path) -> None:
    log = tmp_path / "calls.log"

    output = manage(POLL, REPLAY_LOG=str(log), POLLER_SECRET_KEY="key")

    assert output == "No session is live, and none is scheduled.\n"
    assert not log.exists()


# Which session.


def test_of_several_live_sessions_the_earliest_is_polled_and_the_others_are_told(
    simulation: Simulation,
) -> None:
    later = add_session("Later", Window(at(10), at(LENGTH_S)), [202])
    session = simulation.schedule(allow_overlap=True)
    third = add_session("Third", Window(at(20), at(LENGTH_S)), [202], allow_overlap=True)

    simulation.tick(60)

    warning = simulation.events[0].sentence
    assert warning.startswith(f"Several sessions are live: session {session.pk} is polled")
    assert f"session {later.pk}, session {third.pk} not" in warning
    assert set(Poll.objects.values_list("feed__session", flat=True)) == {session.pk}


def test_of_sessions_that_start_together_the_lowest_id_is_polled(simulation: Simulation) -> None:
    first = simulation.schedule()
    add_session("Twin", first.window, [202], allow_overlap=True)

    simulation.tick(60)

    assert set(Poll.objects.values_list("feed__session", flat=True)) == {first.pk}


@pytest.mark.parametrize(("second", "is_live"), [(-0.001, False), (0.001, True)])
def test_a_session_is_live_from_its_start_on(
    simulation: Simulation, second: float, is_live: bool
) -> None:
    simulation.schedule()

    outcome = simulation.tick(second)

    assert outcome.sentence.startswith("Session" if is_live else "No session is live; the next")
    assert Poll.objects.exists() == is_live


def test_a_session_without_channels_takes_the_configured_ones(simulation: Simulation) -> None:
    session = simulation.schedule()
    session.feeds.all().delete()

    simulation.tick(60, POLLER_CHANNELS="202")

    assert list(session.feeds.values_list("channel_id", flat=True)) == [202]
    assert Message.objects.exists()


def test_a_session_without_any_channel_is_a_matter_of_configuration(
    simulation: Simulation,
) -> None:
    session = simulation.schedule()
    session.feeds.all().delete()

    with pytest.raises(ConfigurationError, match=f"Session {session.pk} has no channels"):
        simulation.tick(60)


# The outcome.


def test_the_line_names_the_session_and_what_came_of_it(manage: Manage) -> None:
    window = live_window()
    session = add_session("Demo race", window, [201])

    output = manage(POLL)

    (window_line,) = [line for line in output.splitlines() if "newest window" in line]
    (outcome,) = [line for line in output.splitlines() if "Demo race" in line]
    assert window_line.startswith(f"Session {session.pk}, channel 201, newest window ")
    assert outcome.startswith(f"Session {session.pk} \u00abDemo race\u00bb is live; 1 window, ")
    assert output.count("\n") == 2
    assert Message.objects.exists()


@pytest.mark.parametrize("fault", STATUSES)
def test_every_fault_has_its_status_and_is_told_in_a_sentence(
    simulation: Simulation, fault: str
) -> None:
    simulation.channel_ids = (201,)
    session = simulation.schedule()

    outcome = simulation.tick(60, REPLAY_FAULT=fault, **(IMPATIENT if fault == "hang" else {}))

    # Whether a token is refused takes a second poll to tell.
    assert outcome.status == (69 if fault == "bad-token" else STATUSES[fault])
    feed = session.feeds.get()
    assert feed.coverage == Coverage([] if outcome.status else [Window(START, covered_at(60))])
    said = f"{outcome.sentence} {simulation.events} {feed.error}"
    assert "the.test.token" not in said
    assert "secret talk" not in said
    if outcome.status:
        assert feed.failures == 1
        assert feed.next_attempt_at
        assert feed.next_attempt_at > at(60)
        assert feed.error[0].isupper()
        assert feed.error.endswith(".")
        assert feed.error in simulation.events[-1].sentence


def test_one_failing_feed_does_not_stop_the_other_and_the_worst_status_is_the_runs(
    simulation: Simulation,
) -> None:
    session = simulation.schedule()

    assert simulation.tick(60, REPLAY_FAULT="garbage@201").status == 65
    assert session.feeds.get(channel_id=202).coverage == Coverage([Window(START, covered_at(60))])
    assert Message.objects.filter(channel_id=202).count() == 6
    Feed.objects.update(next_attempt_at=None)

    assert simulation.tick(120, REPLAY_FAULT="garbage@201,killed@202").status == 69


@pytest.mark.parametrize("status", [65, 69, 75, 77])
def test_the_process_exits_with_the_status_and_says_no_token(manage: Manage, status: int) -> None:
    add_session("Live", live_window(), [201])
    fault = {65: "garbage", 69: "network-down:0", 75: "hang", 77: "bad-token"}[status]

    limits = IMPATIENT if fault == "hang" else {}
    if status == 77:  # a token counts as refused when it is so twice
        manage(POLL, status=69, REPLAY_FAULT=fault)
    output = manage(POLL, "--now", status=status, REPLAY_FAULT=fault, **limits)

    assert "the.test.token" not in output


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("POLLER_EXPORTER", "/nowhere/exporter", "cannot be found or executed"),
        ("POLLER_EXPORTER", "'", "unclosed quotation mark"),
        ("DISCORD_TOKEN", "", "No Discord token is configured"),
        ("DISCORD_TOKEN", "two words", "white space"),
    ],
)
def test_what_is_not_configured_ends_the_run_in_a_sentence(
    commands: Commands, setting: str, value: str, words: str
) -> None:
    add_session("Live", live_window(), [201])

    output = commands(POLL, status=78, **{setting: value})

    assert words in output
    assert output.count("\n") == 1
    assert not Poll.objects.exists()
    assert not Feed.objects.exclude(lease_until=None).exists()
    assert list((commands.state / "runs").iterdir()) == []


def test_a_failing_feed_waits_and_now_means_now(commands: Commands) -> None:
    session = add_session("Live", live_window(), [201])
    commands(POLL, status=69, REPLAY_FAULT="network-down:0")

    output = commands(POLL)
    assert f"Session {session.pk} \u00abLive\u00bb is live; waiting until " in output
    assert "after 1 failed poll (discord-unreachable)." in output
    assert Poll.objects.count() == 1

    commands(POLL, "--now")
    assert Poll.objects.filter(succeeded=True).exists()


# The database.


def test_migrations_that_are_pending_are_told(commands: Commands) -> None:
    MigrationRecorder(connection).record_unapplied("messages_app", LATEST_MIGRATION)

    assert commands(POLL, status=78) == "The database is not migrated: run `migrate` first.\n"


def test_a_database_of_a_newer_version_is_left_alone(commands: Commands) -> None:
    MigrationRecorder(connection).record_applied("messages_app", "9999_future")

    output = commands(POLL, status=78)

    assert "was migrated by a newer version (to 9999_future" in output


def test_an_empty_database_is_not_migrated(manage: Manage, tmp_path: Path) -> None:
    if connection.vendor == "sqlite":
        url = f"sqlite:///{tmp_path}/empty.sqlite3"
    else:
        # Without a schema to look into there is no table either.
        url = f"{manage.environ['DATABASE_URL']}&options=-csearch_path%3Dnowhere"

    output = manage(POLL, status=78, DATABASE_URL=url)

    assert output == "The database is not migrated: run `migrate` first.\n"
    assert not (tmp_path / "empty.sqlite3").exists()


def test_a_database_in_a_missing_folder_is_not_migrated(manage: Manage, tmp_path: Path) -> None:
    output = manage(POLL, status=78, DATABASE_URL=f"sqlite:///{tmp_path}/none/db.sqlite3")

    assert output == "The database is not migrated: run `migrate` first.\n"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no database, but it is long enough " * 50, "file is not a database"),
        (None, "unable to open database file"),
    ],
    ids=["a text", "a folder"],
)
def test_a_file_that_is_no_database_is_a_sentence(
    manage: Manage, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "db.sqlite3"
    path.write_bytes(content) if content else path.mkdir()

    output = manage(POLL, status=69, DATABASE_URL=f"sqlite:///{path}")

    assert words in output
    assert output.count("\n") == 1


def test_a_damaged_database_is_a_sentence(manage: Manage, tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    manage("migrate", DATABASE_URL=f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)

    output = manage(POLL, status=69, DATABASE_URL=f"sqlite:///{path}")

    assert "database disk image is malformed" in output
    assert output.count("\n") == 1


@pytest.mark.parametrize("command", [POLL, "session list"])
def test_a_postgresql_server_that_is_down_is_a_sentence(
    manage: Manage, tmp_path: Path, command: str
) -> None:
    url = f"postgres://poller:hidden@/poller?host={tmp_path}"

    output = manage(*command.split(), status=69, DATABASE_URL=url)

    assert output.startswith("The database cannot be reached (")
    assert "check that it runs and DATABASE_URL" in output
    assert output.count("\n") == 1
    assert "hidden" not in output


def test_a_state_folder_that_cannot_be_written_is_a_sentence(
    commands: Commands, tmp_path: Path
) -> None:
    add_session("Live", live_window(), [201])
    (tmp_path / "file").touch()

    output = commands(POLL, status=78, POLLER_STATE_DIR=str(tmp_path / "file"))

    assert output.startswith(f"{tmp_path}/file/runs cannot be written (Not a directory)")


# Help.


OUR_COMMANDS = sorted(
    path.stem for path in Path(commands_package.__path__[0]).glob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize("name", OUR_COMMANDS)
def test_every_command_has_an_example_in_its_help(name: str) -> None:
    command: BaseCommand = import_module(f"messages_app.management.commands.{name}").Command()

    text = command.create_parser("manage.py", name).format_help()

    assert f"Example: {name}" in " ".join(text.split())


def test_help_needs_no_database(manage: Manage, tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path}/none/db.sqlite3"

    assert "usage: " in manage(POLL, "--help", DATABASE_URL=nowhere)
    assert "--start" in manage("session", "add", "--help", DATABASE_URL=nowhere)


def test_an_option_that_does_not_exist_is_refused(manage: Manage) -> None:
    assert "unrecognized arguments: --soon" in manage(POLL, "--soon", status=2)
    assert not Session.objects.exists()
