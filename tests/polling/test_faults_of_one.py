"""What goes wrong with one feed is that feed's: the others are read, and in the end so is it."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import pytest
from django.db import connection

from messages_app.database import channels, store
from messages_app.errors import Bug
from messages_app.models import Feed, Poll
from messages_app.polling import intake
from tests.confined import tick_confined
from tests.simulation import Simulation, at

LENGTH_S = 120.0
SPOILED = 202
# An exporter that puts something else in the place of one channel's document.
SPOILER = """
import json, os, socket, stat, subprocess, sys
replay, orders, arguments = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
done = subprocess.run([*replay, *arguments])
output = arguments[arguments.index("--output") + 1]
if os.path.exists(orders) and "202" in arguments:
    os.unlink(output)
    match open(orders).read():
        case "folder":
            os.makedirs(output + "/with/more")
        case "loop":
            os.symlink(output, output)
        case "link":
            os.symlink("/dev/zero", output)
        case "FIFO":
            os.mkfifo(output)
        case "socket":
            os.chdir(os.path.dirname(output))
            socket.socket(socket.AF_UNIX).bind(os.path.basename(output))
        case "device":
            os.mknod(output, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        case "I/O error":
            # Nothing is mapped at a process's first address: whoever reads there meets EIO.
            open(output, "w").close()
            memory = f"/proc/{os.getppid()}/mem"
            subprocess.run(["mount", "--bind", memory, output], check=True)
sys.exit(done.returncode)
"""


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """Four channels with a message every 10 s each."""
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201, SPOILED, 203, 204))
    for channel_id in simulation.channel_ids:
        channel = simulation.channel(channel_id)
        for second in range(-30, int(LENGTH_S) + 30, 10):
            channel.post(second, f"at {second}")
    return simulation


def put_in_place(simulation: Simulation, what: str) -> Path:
    """Have the exporter spoil one channel's document as long as the file exists."""
    spoiler, orders = simulation.folder / "spoiler.py", simulation.folder / "orders"
    spoiler.write_text(SPOILER)
    orders.write_text(what)
    replay = simulation.environ["POLLER_EXPORTER"].split()
    words = [sys.executable, str(spoiler), str(replay).replace("'", '"'), str(orders)]
    simulation.environ["POLLER_EXPORTER"] = " ".join(_quoted(word) for word in words)
    return orders


def _quoted(word: str) -> str:
    return f"'{word}'"


def failures() -> dict[int, tuple[int, str]]:
    """The failures in a row of each channel, and their kind."""
    feeds = Feed.objects.order_by("channel_id")
    return {feed.channel_id: (feed.failures, feed.error_kind) for feed in feeds}


def assert_only_one_failed(kind: str) -> None:
    fine = dict.fromkeys((201, 203, 204), (0, ""))
    assert failures() == fine | {SPOILED: (1, kind)}
    assert Feed.objects.get(channel_id=SPOILED).next_attempt_at == at(60)
    assert Feed.objects.exclude(lease_until=None).count() == 0


def assert_all_is_read_in_the_end(simulation: Simulation) -> None:
    for second in range(60, 360, 60):
        simulation.tick(second)
    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(Feed.objects.all()[0].session)


@pytest.mark.parametrize("what", ["folder", "loop", "link", "FIFO", "socket"])
def test_a_document_that_is_no_file_is_its_feeds_failure(simulation: Simulation, what: str) -> None:
    simulation.schedule()
    orders = put_in_place(simulation, what)

    outcome = simulation.tick(30)

    assert outcome.status == 65
    assert_only_one_failed("export-unusable")
    assert list(Path(simulation.environ["POLLER_STATE_DIR"]).glob("runs/*")) == []
    orders.unlink()
    assert_all_is_read_in_the_end(simulation)


def test_a_document_that_the_disk_cannot_read_is_its_feeds_failure(
    simulation: Simulation,
) -> None:
    simulation.schedule()
    orders = put_in_place(simulation, "I/O error")

    outcome, told = tick_confined(["unshare", "--map-root-user", "--mount"], simulation, 30)

    assert outcome.status == 65, outcome
    assert "The export cannot be read (Input/output error): check the disk" in told
    assert_only_one_failed("export-unusable")
    orders.unlink()
    assert_all_is_read_in_the_end(simulation)


def test_a_bug_in_taking_in_one_export_stops_no_other(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation.schedule()

    def buggy(channel_id: int, *arguments: object, **options: object) -> int:
        if channel_id == SPOILED:
            raise KeyError("a text that somebody wrote")
        return store.mark_deleted(channel_id, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(intake, "mark_deleted", buggy)
        outcome = simulation.tick(30)

    assert outcome.status == 1
    assert_only_one_failed("bug")
    assert set(Poll.objects.filter(succeeded=False).values_list("channel_id", flat=True)) == {
        SPOILED
    }
    [told] = [event for event in simulation.events if event.message_id == Bug.message_id]
    assert "KeyError, which is a bug" in told.sentence
    assert 'in buggy\n    raise KeyError("a text' in told.sentence, "the way to it"
    assert told.priority == 3
    assert_all_is_read_in_the_end(simulation)


def test_what_the_database_refuses_of_one_export_stops_no_other(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation.schedule()

    def refused(header: object, asked_at: datetime) -> None:
        if getattr(header, "channel_id", 0) == SPOILED:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO messages_app_session (id) VALUES (1)")
        channels.store_channel(header, asked_at)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(intake, "store_channel", refused)
        outcome = simulation.tick(30)

    assert outcome.status == 1
    assert_only_one_failed("bug")
    assert_all_is_read_in_the_end(simulation)


def test_progress_that_cannot_be_read_stops_no_other(simulation: Simulation) -> None:
    simulation.schedule()
    spoiled = Feed.objects.filter(channel_id=SPOILED)
    spoiled.update(covered_windows="nonsense")

    outcome = simulation.tick(30)

    assert outcome.status == 1
    assert_only_one_failed("bug")
    spoiled.update(covered_windows=[])
    assert_all_is_read_in_the_end(simulation)
