"""What an operator reads: the records of polls, their explanations, the status, a quiet day."""

import json
from datetime import UTC, datetime, timedelta

from messages_app.replay.scenario import Scenario
from tests.system.machine import wait_until
from tests.system.server import CHANNEL, STATE, Server

SCENARIO = "/srv/scenario.json"
CLOCK_UNSYNCHRONISED = "a2f58c0e3c1b4f5d8e0b7d9c6a41f7b3"
# Of the manager and the program, for each idle run; a day has 2,880 of them.
LINES_PER_IDLE_RUN = 4
RUNS = 4


def test_every_message_is_stored_and_every_poll_on_record(server: Server) -> None:
    now = datetime.now(UTC)
    scenario = Scenario(now - timedelta(seconds=30))
    chat = scenario.channel(CHANNEL, name="race-chat")
    ids = {chat.post(n / 2, f"Split {n}, the heron leads", author="Gwendolyn") for n in range(50)}
    server.machine.write(SCENARIO, json.dumps(scenario.document))
    server.settings(
        {"REPLAY_SCENARIO": SCENARIO, "DATABASE_URL": f"sqlite:///{STATE}/scenario.sqlite3"}
    )
    server.machine.run("systemctl", "restart", "poller-migrate.service")
    server.add_session("--channel", CHANNEL)
    server.machine.run("systemctl", "start", "poller.service")

    lines = server.command("export_messages").splitlines()
    stored = {json.loads(line)["discord_id"] for line in lines if line.startswith("{")}
    assert stored == ids

    polls = server.polls()
    assert sum(int(poll["MESSAGES_NEW"]) for poll in polls) == len(ids)
    for poll in polls:
        assert poll["CHANNEL_ID"] == CHANNEL
        assert poll["OUTCOME"] == "done"
        assert poll["PRIORITY"] == "6"
        assert poll["_SYSTEMD_INVOCATION_ID"]
        start, end = (datetime.fromisoformat(poll[f"WINDOW_{side}"]) for side in ("START", "END"))
        assert start < end
        numbers = ("SESSION_ID", "MESSAGES_EDITED", "MESSAGES_DELETED", "MESSAGES_UNCHANGED")
        assert all(int(poll[name]) >= 0 for name in (*numbers, "DURATION_MS"))

    # Many machines are honestly unsynchronised; with SQLite that is told once a session.
    asked = server.machine.run(
        *("busctl", "get-property", "org.freedesktop.timedate1", "/org/freedesktop/timedate1"),
        *("org.freedesktop.timedate1", "NTPSynchronized"),
    ).stdout
    server.machine.run("systemctl", "start", "poller.service")
    told = server.journal(f"MESSAGE_ID={CLOCK_UNSYNCHRONISED}")
    assert len(told) == {"b false": 1, "b true": 0}[asked.strip()]

    # Texts and names reach neither the message nor any field of any record.
    journal = server.machine.sh("journalctl --sync; journalctl --output=export")
    assert "heron" not in journal
    assert "Gwendolyn" not in journal


def test_a_failed_poll_is_an_error_that_the_catalogue_explains(server: Server) -> None:
    server.fault("forum")
    server.machine.run("systemctl", "start", "poller.service", check=False)
    failed = [r for r in server.journal("_SYSTEMD_UNIT=poller.service") if "ERROR_KIND" in r]
    assert failed[0]["ERROR_KIND"] == "wrong-channel"
    assert failed[0]["PRIORITY"] == "3"
    explained = server.machine.run(
        "journalctl", "--catalog", "--no-pager", f"MESSAGE_ID={failed[0]['MESSAGE_ID']}"
    ).stdout
    assert "Defined-By: discord-poller" in explained
    server.settings()
    server.command("poll_recent_messages", "--now")


def test_the_status_tells_the_last_outcome_as_a_sentence(server: Server) -> None:
    server.machine.run("systemctl", "start", "poller.service")
    shown = server.machine.run("systemctl", "status", "--no-pager", "poller", check=False).stdout
    status = server.machine.show("poller.service", "StatusText")
    assert status.endswith(".")
    assert status in shown


def test_a_quiet_day_is_bearable_and_can_be_silent(server: Server) -> None:
    server.settings({"DATABASE_URL": f"sqlite:///{STATE}/quiet.sqlite3"})
    server.machine.run("systemctl", "restart", "poller-migrate.service")
    server.mark()
    _run_often(server)
    # The last thing that an idle run says arrives a moment after its end.
    wait_until(lambda: str(_lines(server)).count("No session is live") == RUNS, "all lines")
    assert len(_lines(server)) <= RUNS * LINES_PER_IDLE_RUN, _lines(server)

    server.drop_in("poller.service", "[Service]\nLogLevelMax=notice\n")
    server.mark()
    _run_often(server)
    # journald 252 lets an info line pass where its process ends before it is looked up.
    assert set(_lines(server)) <= {"No session is live, and none is scheduled."}
    # What matters still comes through.
    server.settings({"POLLER_WINDOW": "soon"})
    server.machine.run("systemctl", "start", "poller.service", check=False)
    assert server.failures() == ["exit-code"]


def _run_often(server: Server) -> None:
    for _ in range(RUNS):
        server.machine.run("systemctl", "start", "poller.service")


def _lines(server: Server) -> list[str]:
    """The lines since the mark that speak of the service or come from it."""
    return [r["MESSAGE"] for r in server.journal() if "poller.service" in str(r)]
