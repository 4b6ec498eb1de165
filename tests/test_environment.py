"""The settings: defaults, and one clear sentence for whatever cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from messages_app.environment import ROWS, Row, Settings
from messages_app.errors import ConfigurationError
from tests.commands import Manage

# Each of these is refused, with words of the sentence that says so.
IMPOSSIBLE = {
    "POLLER_EXPORT_TIMEOUT": ("0", "from 1 to 3600"),
    "POLLER_RUN_BUDGET": ("four minutes", "from 1 to 86400"),
    "POLLER_WINDOW": ("-30", "from 1 to 3600"),
    "POLLER_OVERLAP": ("30.5", "from 0 to 3600"),
    "POLLER_MAX_SPAN": ("9" * 5000, "from 2 to 86400"),
    "POLLER_BACKOFF_CAP": ("٦٠٠", "from 30 to 86400"),
    "POLLER_PARALLEL": ("65", "from 1 to 64"),
    "POLLER_CHANNELS": ("201, #chat", "not a Discord id"),
    "POLLER_PUBLIC": ("perhaps", "neither true nor false"),
    "POLLER_TIME_ZONE": ("Europe/Atlantis", "not a time zone"),
    "DATABASE_URL": ("mysql://localhost/poller", "sqlite:/// or postgres://"),
}


def settings(**environ: str) -> Settings:
    return Settings(environ)


def test_without_any_setting_the_defaults_hold() -> None:
    poller = settings()

    assert (poller.export_timeout_s, poller.run_budget_s) == (120, 240)
    assert (poller.window_s, poller.overlap_s, poller.max_span_s) == (30, 30, 600)
    assert (poller.backoff_cap_s, poller.parallel) == (600, 4)
    assert poller.channels == []
    assert poller.allowed_hosts == ["localhost"]
    assert not poller.public
    assert poller.time_zone == "UTC"
    assert poller.database_url == f"sqlite:///{poller.state_dir}/db.sqlite3"
    assert poller.sqlite_path == f"{poller.state_dir}/db.sqlite3"
    assert poller.token() is None
    assert poller.secret_key() is None


def test_a_setting_that_is_there_but_empty_has_its_default() -> None:
    poller = settings(**dict.fromkeys(ROWS, ""))

    assert poller.window_s == 30
    assert poller.exporter == ""
    assert poller.token() is None


@pytest.mark.parametrize(
    "row", [row for row in ROWS.values() if row.parse], ids=lambda row: row.name
)
def test_a_default_can_be_written_down(row: Row) -> None:
    assert row.attribute
    typed = getattr(settings(**{row.name: row.default}), row.attribute)
    assert row.name == "DATABASE_URL" or typed == getattr(settings(), row.attribute)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_value_is_named_with_its_setting(name: str) -> None:
    value, words = IMPOSSIBLE[name]

    with pytest.raises(ConfigurationError, match=words) as caught:
        settings(**{name: value})

    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["POLLER_WINDOW", "POLLER_TIME_ZONE", "DATABASE_URL"])
def test_every_command_ends_at_an_impossible_setting(name: str, manage: Manage) -> None:
    value, words = IMPOSSIBLE[name]

    assert words in manage("session", "list", status=78, **{name: value})


def test_an_unknown_setting_ends_the_command_before_it_does_anything(manage: Manage) -> None:
    output = manage("poll_recent_messages", status=78, POLLER_WINDOWS="30")

    assert output == (
        "POLLER_WINDOWS is not a setting of discord-poller: correct its name or remove it.\n"
    )
    assert not Path(manage.environ["POLLER_STATE_DIR"]).exists()


@pytest.mark.parametrize(
    "url", ["postgres://localhost:port/name", "postgres://localhost/", "postgres://[::1/name"]
)
def test_a_database_address_that_cannot_be_meant_is_one_sentence(url: str, manage: Manage) -> None:
    output = manage("session", "list", status=78, DATABASE_URL=url)

    assert output.startswith("DATABASE_URL ")
    assert output.count("\n") == 1


def test_an_sqlite_address_without_a_file_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names no file"):
        settings(DATABASE_URL="sqlite:///")


def test_a_window_that_cannot_fit_into_the_longest_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="raise POLLER_MAX_SPAN"):
        settings(POLLER_WINDOW="300", POLLER_OVERLAP="301", POLLER_MAX_SPAN="600")

    assert settings(POLLER_WINDOW="300", POLLER_OVERLAP="300", POLLER_MAX_SPAN="600").window_s


def test_channels_are_separated_by_commas_or_spaces_and_counted_once() -> None:
    assert settings(POLLER_CHANNELS=" 7,8 9,\n8").channels == [7, 8, 9]


def test_host_names_are_separated_by_commas() -> None:
    assert settings(POLLER_ALLOWED_HOSTS="a.example, b.example,").allowed_hosts == [
        "a.example",
        "b.example",
    ]


def test_the_state_folder_is_the_setting_then_systemds_then_the_checkouts() -> None:
    systemd = "/var/lib/discord-poller:/var/lib/other"

    assert settings(POLLER_STATE_DIR="/a", STATE_DIRECTORY=systemd).state_dir == "/a"
    assert settings(STATE_DIRECTORY=systemd).state_dir == "/var/lib/discord-poller"
    assert settings().state_dir.endswith("/var")


def test_the_token_comes_from_the_environment_then_the_credential_then_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "discord-token").write_text("of.the.credential\n")
    (tmp_path / "file").write_text(" of.the.file \n")
    places = {
        "DISCORD_TOKEN": "of.the.environment",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "DISCORD_TOKEN_FILE": str(tmp_path / "file"),
    }

    assert settings(**places).token() == "of.the.environment"
    del places["DISCORD_TOKEN"]
    assert settings(**places).token() == "of.the.credential"
    (tmp_path / "discord-token").write_text("")  # not filled in yet
    assert settings(**places).token() == "of.the.file"
    (tmp_path / "file").write_text("\n")
    assert settings(**places).token() is None


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DISCORD_TOKEN_FILE \(.*/none\) cannot be read"):
        settings(DISCORD_TOKEN_FILE=str(tmp_path / "none")).token()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        settings(DISCORD_TOKEN_FILE=str(tmp_path / "binary")).token()


def test_a_token_with_more_beside_it_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="white space") as caught:
        settings(DISCORD_TOKEN="DISCORD_TOKEN= secret").token()

    assert "secret" not in str(caught.value)


def test_settings_that_are_printed_show_no_token() -> None:
    poller = settings(DISCORD_TOKEN="the.test.token")

    assert "the.test.token" not in repr(poller)
    assert "the.test.token" not in str(poller)


def test_the_secret_key_comes_from_its_file_or_its_setting(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of-the-file\n")

    assert settings(POLLER_SECRET_KEY_FILE=str(tmp_path / "key")).secret_key() == "of-the-file"
    assert settings(POLLER_SECRET_KEY="typed").secret_key() == "typed"
    with pytest.raises(ConfigurationError, match="keep one of them"):
        settings(POLLER_SECRET_KEY="typed", POLLER_SECRET_KEY_FILE=str(tmp_path / "key"))
