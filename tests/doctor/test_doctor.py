"""The examination of `doctor`: each check, well and ill, with its remedy."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from messages_app.discord import permissions
from messages_app.doctor import exporting, host, storage
from messages_app.doctor.finding import Finding, State
from messages_app.environment import Settings
from messages_app.replay.discord.world import TOKEN
from messages_app.reporting.timer import TimerHealth, TimerState
from tests.builders import START, at, make_feed, make_session
from tests.commands import REPLAY, Manage
from tests.polling.played_discord import played_discord


@pytest.fixture(autouse=True)
def no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is installed on this machine has no token here."""
    monkeypatch.setattr(storage, "SERVER_TOKEN", tmp_path / "none")


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings({"POLLER_STATE_DIR": str(tmp_path), **environ})


def exporter_finding(tmp_path: Path, script: str) -> Finding:
    """What is found of an exporter that is this shell script."""
    path = tmp_path / "exporter"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return exporting.check_exporter(settings(tmp_path, POLLER_EXPORTER=str(path)), os.environ)


def test_an_exporter_that_tells_its_version_is_fine(tmp_path: Path) -> None:
    found = exporter_finding(tmp_path, "echo v2.47.1")
    assert found.state is State.GOOD
    assert "version 2.47.1" in found.sentence


@pytest.mark.parametrize(
    ("version", "loss"),
    [
        ("v2.44.2", "a window without messages"),
        ("2.9", "a window without messages"),
        ("1.0.0.0", "a window without messages"),
        ("2.46.1", "what a forwarded message says"),
    ],
)
def test_an_exporter_that_is_too_old_is_told(tmp_path: Path, version: str, loss: str) -> None:
    found = exporter_finding(tmp_path, f"echo {version}")
    assert found.state is State.BAD
    assert "install 2.47 or later" in found.sentence
    assert loss in found.sentence


def test_what_an_exporter_says_instead_of_its_version_is_quoted(tmp_path: Path) -> None:
    found = exporter_finding(tmp_path, "echo 'Failed to create CoreCLR, HRESULT: 1' >&2; exit 137")
    assert "(status 137 («Failed to create CoreCLR, HRESULT: 1»))" in found.sentence


@pytest.mark.parametrize("script", ["exit 134", "echo hello", "echo v2.47; exit 1"])
def test_an_exporter_that_does_not_tell_its_version_is_told(tmp_path: Path, script: str) -> None:
    assert exporter_finding(tmp_path, script).state is State.BAD


def test_an_exporter_of_another_processor_is_told(tmp_path: Path) -> None:
    (tmp_path / "exporter").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "exporter").chmod(0o755)
    there = settings(tmp_path, POLLER_EXPORTER=f"{tmp_path}/exporter")
    assert exporting.check_exporter(there, os.environ).state is State.BAD


def test_an_exporter_that_is_missing_is_told(tmp_path: Path) -> None:
    nowhere = settings(tmp_path, POLLER_EXPORTER="/nowhere/exporter")
    found = exporting.check_exporter(nowhere, os.environ)
    assert found.state is State.BAD
    assert "set POLLER_EXPORTER" in found.sentence


def test_the_version_is_asked_without_the_token(tmp_path: Path) -> None:
    assert "2.47" in exporter_finding(tmp_path, 'echo "v2.47$DISCORD_TOKEN"').sentence


def test_a_token_is_told_and_never_shown(tmp_path: Path) -> None:
    found = exporting.check_token(settings(tmp_path, DISCORD_TOKEN="very.secret"))
    assert found.state is State.GOOD
    assert "very.secret" not in found.sentence
    assert exporting.check_token(settings(tmp_path)).state is State.BAD
    broken = settings(tmp_path, DISCORD_TOKEN_FILE="/nowhere")
    assert exporting.check_token(broken).state is State.BAD


@pytest.mark.django_db
def test_the_channels_of_coming_sessions_are_tried_and_of_past_ones_not(tmp_path: Path) -> None:
    make_feed(make_session(-90, -60), channel_id=1)
    make_feed(make_session(0, 60), channel_id=2)
    later = make_session(90, 120)
    make_feed(later, channel_id=3)
    make_feed(later, channel_id=2)
    both = settings(tmp_path, POLLER_CHANNELS="4,3")
    assert exporting.channels_to_try(both, at(1)) == [2, 3, 4]


def tried(tmp_path: Path, fault: str, *channel_ids: int) -> list[Finding]:
    environ = {
        **os.environ,
        "POLLER_EXPORTER": REPLAY,
        "DISCORD_TOKEN": "the.test.token",
        "REPLAY_FAULT": fault,
        "REPLAY_LOG": f"{tmp_path}/calls",
    }
    there = settings(tmp_path, POLLER_EXPORTER=REPLAY, DISCORD_TOKEN="the.test.token")
    return list(exporting.check_channels(there, environ, channel_ids, timezone.now()))


def tried_by_the_bot(tmp_path: Path, **change: Any) -> list[Finding]:
    """What is found of channel 201 by the built-in exporter, with this change of Discord."""
    environ = {"PATH": os.environ["PATH"]}
    with played_discord(tmp_path / "discord", environ, 60, (201,)) as simulation:
        if change:
            simulation.discord.world.change(**change)
        there = settings(
            tmp_path,
            POLLER_EXPORTER="builtin",
            POLLER_DISCORD_API=simulation.discord.url,
            DISCORD_TOKEN=TOKEN,
        )
        return list(exporting.check_channels(there, environ, [201], at(30)))


@pytest.mark.django_db
def test_what_the_bot_may_do_is_told_for_each_channel(tmp_path: Path) -> None:
    channel, bot = tried_by_the_bot(tmp_path)
    assert channel.state is bot.state is State.GOOD
    assert "the bot has View Channel, Read Message History, Connect" in channel.sentence


@pytest.mark.django_db
def test_a_permission_that_the_bot_lacks_is_named(tmp_path: Path) -> None:
    channel, _bot = tried_by_the_bot(tmp_path, channel="201", deny=permissions.READ_MESSAGE_HISTORY)
    assert channel.state is State.BAD
    assert "permission Read Message History" in channel.sentence


@pytest.mark.django_db
def test_a_bot_that_may_not_read_what_messages_say_is_told(tmp_path: Path) -> None:
    _channel, bot = tried_by_the_bot(tmp_path, no_intent=True)
    assert bot.state is State.BAD
    assert "Message Content intent" in bot.sentence


def test_the_exporter_that_is_used_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = exporting.check_exporter(settings(tmp_path, POLLER_EXPORTER="builtin"), os.environ)
    assert "the built-in exporter (POLLER_EXPORTER says so)" in chosen.sentence
    monkeypatch.setenv("PATH", str(tmp_path))
    without = exporting.check_exporter(settings(tmp_path), os.environ)
    assert "DiscordChatExporter.Cli is not installed" in without.sentence
    exporter = tmp_path / "DiscordChatExporter.Cli"
    exporter.write_text("#!/bin/sh\necho v2.47\n")
    exporter.chmod(0o755)
    installed = exporting.check_exporter(settings(tmp_path), os.environ)
    assert "version 2.47 (it is installed" in installed.sentence


def calls(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text().splitlines())


@pytest.mark.django_db
def test_each_channel_is_really_exported(tmp_path: Path) -> None:
    found = tried(tmp_path, "forbidden@202,other-channel@203", 201, 202, 203)
    states = [each.state for each in found]
    assert states == [State.GOOD, State.BAD, State.BAD]
    assert "View Channel and Read Message History" in found[1].sentence
    assert "check that the id is a channel's" in found[2].sentence
    assert calls(tmp_path) == 3
    assert not list((tmp_path / "runs").iterdir()), "nothing is left behind"


@pytest.mark.django_db
def test_a_refused_token_is_tried_once(tmp_path: Path) -> None:
    found = tried(tmp_path, "bad-token", 201, 202, 203)
    assert [each.state for each in found] == [State.BAD]
    assert "refused the token" in found[0].sentence
    assert calls(tmp_path) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["no-file", "garbage", "empty-file"])
def test_an_export_that_is_none_is_told(tmp_path: Path, fault: str) -> None:
    assert tried(tmp_path, fault, 201)[0].state is State.BAD


@pytest.mark.django_db
def test_a_channel_without_messages_is_fine(tmp_path: Path) -> None:
    assert tried(tmp_path, "quiet", 201)[0].state is State.GOOD


@pytest.mark.django_db
def test_a_channel_whose_history_may_not_be_read_is_not_taken_for_a_quiet_one(
    tmp_path: Path,
) -> None:
    (found,) = tried(tmp_path, "no-history", 201)
    assert found.state is State.BAD
    assert "may not read the history" in found.sentence


@pytest.mark.django_db
def test_the_database_is_fine() -> None:
    (found,) = storage.check_database()
    assert found.state is State.GOOD


@pytest.mark.django_db
@pytest.mark.sqlite
def test_a_database_without_a_wal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_asked", lambda _question: "delete")
    (found,) = storage.check_database()
    assert found.state is State.BAD
    assert "instead of WAL" in found.sentence


def test_little_space_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = storage.check_space(settings(tmp_path))
    assert found.state is State.GOOD
    monkeypatch.setattr(storage, "LEAST_FREE_BYTES", 2**62)
    (found,) = storage.check_space(settings(tmp_path))
    assert found.state is State.BAD


def test_a_state_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    gone = settings(tmp_path / "gone")
    assert {each.state for each in storage.check_space(gone)} == {State.BAD}
    assert next(iter(storage.check_permissions(gone, {}))).state is State.BAD


@pytest.mark.parametrize(("mode", "state"), [(0o600, State.GOOD), (0o640, State.BAD)])
def test_secrets_that_others_may_read_are_told(tmp_path: Path, mode: int, state: State) -> None:
    token = tmp_path / "token"
    token.touch(mode)
    token.chmod(mode)
    found = list(storage.check_permissions(settings(tmp_path), {"DISCORD_TOKEN_FILE": str(token)}))
    assert [each.state for each in found] == [State.GOOD, state]


def test_the_web_sides_group_may_read_the_secret_key(tmp_path: Path) -> None:
    key = tmp_path / "secret-key"
    key.touch()
    for mode, state in ((0o640, State.GOOD), (0o644, State.BAD)):
        key.chmod(mode)
        found = list(storage.check_permissions(settings(tmp_path), {}))
        assert [each.state for each in found] == [State.GOOD, state]


def test_a_state_folder_that_others_may_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (found,) = storage.check_permissions(settings(tmp_path), {})
    assert found.state is State.BAD
    assert "chmod o-w" in found.sentence


def test_a_credential_of_systemd_is_left_to_systemd(tmp_path: Path) -> None:
    token = tmp_path / "credentials/discord-token"
    token.parent.mkdir()
    token.touch(0o644)
    environ = {"CREDENTIALS_DIRECTORY": str(token.parent), "DISCORD_TOKEN_FILE": str(token)}
    assert len(list(storage.check_permissions(settings(tmp_path), environ))) == 1


@pytest.mark.parametrize(
    ("error_us", "state"),
    [(1_500, State.GOOD), (16_000_000, State.BAD), (None, State.SKIPPED)],
)
def test_the_clock_is_told(
    monkeypatch: pytest.MonkeyPatch, error_us: int | None, state: State
) -> None:
    monkeypatch.setattr(host, "_clock_error_us", lambda: error_us)
    assert host.check_clock().state is state


def test_the_kernel_tells_the_clocks_error() -> None:
    error_us = host._clock_error_us()
    assert error_us is None or 0 <= error_us <= 16_000_000


@pytest.mark.parametrize(
    ("timer", "state"),
    [
        (TimerHealth(TimerState.WAITING, START + timedelta(seconds=9)), State.GOOD),
        (TimerHealth(TimerState.RUNNING), State.GOOD),
        (TimerHealth(TimerState.OFF), State.BAD),
        (TimerHealth(TimerState.STOPPED), State.BAD),
        (TimerHealth(TimerState.DEAD), State.BAD),
        (TimerHealth(TimerState.MISSING), State.SKIPPED),
        (TimerHealth(TimerState.UNKNOWN), State.SKIPPED),
    ],
)
def test_the_timer_is_told(timer: TimerHealth, state: State) -> None:
    found = host.check_timer(timer, START)
    assert found.state is state
    assert (state is State.BAD) == ("systemctl" in found.sentence)


@pytest.mark.parametrize(
    ("limit_s", "state"), [(400, State.GOOD), (399, State.BAD), (None, State.SKIPPED)]
)
def test_a_time_limit_that_cuts_polls_short_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_s: float | None, state: State
) -> None:
    monkeypatch.setattr(host, "_service_limit_s", lambda: limit_s)
    assert host.check_time_limit(settings(tmp_path)).state is state


@pytest.mark.parametrize(
    ("limits", "parallel", "state", "remedy"),
    [
        ({"MemoryMax": str(2560 * 1024**2), "TasksMax": "500"}, "4", State.GOOD, ""),
        ({"MemoryMax": str(2560 * 1024**2), "TasksMax": "500"}, "5", State.BAD, "MemoryMax=3072M"),
        ({"MemoryMax": "infinity", "TasksMax": "500"}, "5", State.BAD, "TasksMax=600"),
        ({"MemoryMax": "infinity", "TasksMax": "infinity"}, "9", State.GOOD, ""),
        ({}, "4", State.SKIPPED, ""),
    ],
)
def test_a_service_that_may_have_too_little_for_its_exporters_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, str],
    parallel: str,
    state: State,
    remedy: str,
) -> None:
    monkeypatch.setattr(host, "_service", lambda *_names: limits)
    found = host.check_room(
        settings(tmp_path, POLLER_PARALLEL=parallel, POLLER_EXPORTER="/bin/true")
    )
    assert found.state is state
    assert remedy in found.sentence


def test_a_misspelt_setting_is_told() -> None:
    (found,) = host.check_configuration({"POLER_WINDOW": "60", "HOME": "/root"})
    assert found.state is State.BAD
    assert "is POLLER_WINDOW meant?" in found.sentence


def test_the_settings_are_named_without_their_values() -> None:
    (found,) = host.check_configuration({"DISCORD_TOKEN": "very.secret", "POLLER_WINDOW": "60"})
    assert found.sentence == "set: DISCORD_TOKEN, POLLER_WINDOW"


def test_a_metrics_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    there = settings(tmp_path, POLLER_METRICS_TEXTFILE=f"{tmp_path}/poller.prom")
    assert [each.state for each in host.check_libraries(there)][1:] == [State.GOOD]
    hidden = settings(tmp_path, POLLER_METRICS_TOKEN_FILE="/nowhere/token")
    assert [each.state for each in host.check_libraries(hidden)][1:] == [State.BAD]
    nowhere = settings(tmp_path, POLLER_METRICS_TEXTFILE="/nowhere/poller.prom")
    assert [each.state for each in host.check_libraries(nowhere)][1:] == [State.BAD]


@pytest.mark.django_db(transaction=True)
class TestTheCommand:
    def test_it_tries_the_channels(self, manage: Manage) -> None:
        make_feed(make_session(end_time="2100-01-01T00:00Z"), channel_id=201)
        output = manage("doctor", status=self.status(manage, "doctor"))
        assert "channel      201 (#pits) can be exported" in output
        assert manage.environ["DISCORD_TOKEN"] not in output

    def test_it_does_not_ask_discord_offline(self, manage: Manage, tmp_path: Path) -> None:
        make_feed(make_session(end_time="2100-01-01T00:00Z"), channel_id=201)
        log = {"REPLAY_LOG": f"{tmp_path}/calls"}
        output = manage("doctor", "--offline", status=self.status(manage, "doctor", "--offline"))
        manage("doctor", "--offline", status=self.status(manage, "doctor", "--offline"), **log)
        assert "not tried, as --offline asks for" in output
        assert not (tmp_path / "calls").exists()

    def test_it_survives_a_database_that_is_not_there(self, manage: Manage, tmp_path: Path) -> None:
        nowhere = f"sqlite:///{tmp_path}/none.sqlite3"
        output = manage("doctor", status=1, DATABASE_URL=nowhere)
        assert "The database is not migrated" in output
        assert "not tried before the above is mended" in output

    def test_it_fails_where_something_is_wrong(self, manage: Manage) -> None:
        output = manage("doctor", status=1, POLLER_EXPORTER="/nowhere")
        assert "want your attention" in output

    def status(self, manage: Manage, *arguments: str) -> int:
        """1 where this machine itself has a clock that nothing keeps right, else 0."""
        return int(host.check_clock().state is State.BAD)
