"""The settings of the project: their names, defaults and checks, read from the environment.

Standard library only and cheap to import, since the gate reads the settings at every idle tick:
no dataclasses, urllib, pathlib or zoneinfo here (each costs as much as the whole tick may).
"""

import os

from messages_app.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    Parsed = TypeVar("Parsed")

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Row:
    """A setting: `default` is as poller.conf shows it, `meaning` as docs/settings.md begins.

    `parse` raises ValueError with the end of a sentence that begins with the setting and its
    value, or ConfigurationError where the value is not to be shown. It is None for a secret, which
    is read when it is needed and kept in no object that could be printed.
    """

    __slots__ = ("attribute", "default", "meaning", "name", "parse")

    def __init__(
        self, name: str, default: str, parse: "Callable[[str], object] | None", meaning: str
    ) -> None:
        self.name = name
        self.default = default
        self.parse = parse
        self.meaning = meaning
        self.attribute = ""

    def __set_name__(self, _owner: type, attribute: str) -> None:
        self.attribute = attribute


# Every name that is ours. A new setting is a row of Settings, and what the tests then ask for.
ROWS: "dict[str, Row]" = {}


def _setting(name: str, default: str, parse: "Callable[[str], Parsed]", meaning: str) -> "Parsed":
    """Declare a setting; the attribute is its row in the class, its parsed value in an object."""
    ROWS[name] = row = Row(name, default, parse, meaning)
    return row  # type: ignore[return-value]  # mypy sees what an object holds


def _secret(name: str, meaning: str) -> None:
    ROWS[name] = Row(name, "", None, meaning)


def _text(text: str) -> str:
    return text


def _whole(least: int, most: int) -> "Callable[[str], int]":
    def parse(text: str) -> int:
        if not (_is_number(text) and least <= int(text) <= most):
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _is_number(text: str) -> bool:
    """Digits, and few enough that Python takes them for a number."""
    return text.isascii() and text.isdigit() and len(text) < 100


def _days_or_none(text: str) -> "int | None":
    return _whole(1, 36500)(text) if text else None


def _database_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgres://", "postgresql://")):
        raise ConfigurationError(
            "DATABASE_URL must begin with sqlite:/// or postgres://: correct it."
        )
    if url == "sqlite:///":
        raise ConfigurationError(
            "DATABASE_URL names no file: write sqlite:////absolute/path or remove it."
        )
    return url


def _ping_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ConfigurationError("POLLER_PING_URL must begin with http:// or https://: correct it.")
    return url


def _textfile(path: str) -> str:
    # node_exporter reads no other files of its folder.
    if path and not (path.startswith("/") and path.endswith(".prom")):
        raise ValueError("is not an absolute path that ends in .prom")
    return path


def _ids(text: str) -> "list[int]":
    words = text.replace(",", " ").split()
    if not words:  # the default must not pay for the import
        return []
    from messages_app.snowflakes import id_typed

    return list(dict.fromkeys(id_typed(word) for word in words))


def _hosts(text: str) -> "list[str]":
    return [host.strip() for host in text.split(",") if host.strip()]


def _boolean(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError("is neither true nor false")
    return words[text.lower()]


def _time_zone(name: str) -> str:
    if name == "UTC":  # the default must not pay for zoneinfo's import
        return name
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone of this machine (such as Europe/Berlin)") from None
    return name


class Settings:
    """The settings, checked. Times are whole seconds; `channels` are Discord's channel ids.

    An attribute that is set here is a setting; the secrets have methods instead.
    """

    database_url = _setting(
        "DATABASE_URL",
        "sqlite:///STATE/db.sqlite3",
        _database_url,
        "the database: sqlite:////absolute/path or postgres://user:password@host:port/name",
    )
    state_dir = _setting(
        "POLLER_STATE_DIR", "", _text, "folder for everything that is written at run time"
    )
    exporter = _setting(
        "POLLER_EXPORTER",
        "",
        _text,
        "builtin, or another exporter's command line; unset: DiscordChatExporter.Cli where it is "
        "installed, else builtin",
    )
    discord_api = _setting(
        "POLLER_DISCORD_API",
        "https://discord.com/api/v10",
        _text,
        "where the built-in exporter finds Discord's API; plain HTTP on this machine only",
    )
    calls_per_s = _setting(
        "POLLER_CALLS_PER_SECOND",
        "20",
        _whole(1, 45),
        "the most calls a second that the built-in exporter makes on this host",
    )
    reaction_users = _setting(
        "POLLER_REACTION_USERS",
        "false",
        _boolean,
        "true has the built-in exporter ask who reacted, a call for each reaction",
    )
    export_timeout_s = _setting(
        "POLLER_EXPORT_TIMEOUT", "120", _whole(1, 3600), "seconds that one export may take"
    )
    run_budget_s = _setting(
        "POLLER_RUN_BUDGET",
        "240",
        _whole(1, 86400),
        "seconds after which a poll takes on no further window",
    )
    window_s = _setting(
        "POLLER_WINDOW",
        "30",
        _whole(1, 3600),
        "trailing window that every poll reads, in seconds",
    )
    overlap_s = _setting(
        "POLLER_OVERLAP",
        "30",
        _whole(0, 3600),
        "how far each window reaches back over the last one, in seconds",
    )
    closing_delay_s = _setting(
        "POLLER_CLOSING_DELAY",
        "180",
        _whole(0, 600),
        "how long after a session's end all of it is read again, in seconds: a clock may be ahead "
        "by as much",
    )
    max_span_s = _setting(
        "POLLER_MAX_SPAN", "600", _whole(2, 86400), "longest single window, in seconds"
    )
    backoff_cap_s = _setting(
        "POLLER_BACKOFF_CAP",
        "600",
        _whole(30, 86400),
        "longest wait between attempts on a failing feed, in seconds",
    )
    parallel = _setting("POLLER_PARALLEL", "4", _whole(1, 64), "how many exports run side by side")
    channels = _setting(
        "POLLER_CHANNELS",
        "",
        _ids,
        "channel ids for sessions that name none, separated by commas",
    )
    _secret("DISCORD_TOKEN", "Discord's token")
    _secret("DISCORD_TOKEN_FILE", "a file that holds Discord's token")
    _secret("POLLER_SECRET_KEY", "key that signs web sessions; made in the state folder if unset")
    _secret("POLLER_SECRET_KEY_FILE", "a file that holds that key")
    allowed_hosts = _setting(
        "POLLER_ALLOWED_HOSTS",
        "localhost",
        _hosts,
        "host names the web side answers to, separated by commas",
    )
    public = _setting(
        "POLLER_PUBLIC",
        "false",
        _boolean,
        "true lets everybody read the web pages without a login",
    )
    public_deleted = _setting(
        "POLLER_PUBLIC_DELETED",
        "false",
        _boolean,
        "true shows deleted messages and former texts to everybody, too",
    )
    time_zone = _setting(
        "POLLER_TIME_ZONE", "UTC", _time_zone, "time zone of times that are typed without an offset"
    )
    ping_url = _setting(
        "POLLER_PING_URL", "", _ping_url, "a dead-man's switch that every run pings"
    )
    metrics_textfile = _setting(
        "POLLER_METRICS_TEXTFILE",
        "",
        _textfile,
        "a file ending in .prom that runs write for node_exporter",
    )
    _secret("POLLER_METRICS_TOKEN", "a bearer token that opens the page /metrics to Prometheus")
    _secret("POLLER_METRICS_TOKEN_FILE", "a file that holds that token")
    keep_polls_days = _setting(
        "POLLER_KEEP_POLLS",
        "90",
        _whole(1, 36500),
        "days after which prune removes the records of polls",
    )
    keep_messages_days = _setting(
        "POLLER_KEEP_MESSAGES", "", _days_or_none, "days after which prune removes messages"
    )

    def __init__(self, environ: "Mapping[str, str]") -> None:
        """Given the process's environment, check and keep it; raise ConfigurationError."""
        for name in environ:
            if name.startswith("POLLER_") and name not in ROWS:
                raise ConfigurationError(
                    f"{name} is not a setting of discord-poller: correct its name or remove it."
                )
        self._environ = environ
        for row in ROWS.values():
            if row.parse:
                value = environ.get(row.name) or row.default
                try:
                    setattr(self, row.attribute, row.parse(value))
                except ValueError as error:
                    raise ConfigurationError(f"{row.name}={value!r} {error}: correct it.") from None
        self.state_dir = os.path.abspath(self.state_dir or _default_state_dir(environ))
        if not environ.get("DATABASE_URL"):
            self.database_url = f"sqlite:///{self.state_dir}/db.sqlite3"
        if self.window_s + self.overlap_s > self.max_span_s:
            raise ConfigurationError(
                f"POLLER_WINDOW and POLLER_OVERLAP together ({self.window_s + self.overlap_s} s) "
                f"exceed POLLER_MAX_SPAN ({self.max_span_s} s): raise POLLER_MAX_SPAN."
            )
        for name in ("POLLER_SECRET_KEY", "POLLER_METRICS_TOKEN"):
            if environ.get(name) and environ.get(f"{name}_FILE"):
                raise ConfigurationError(f"{name} and {name}_FILE are both set: keep one of them.")

    @property
    def sqlite_path(self) -> "str | None":
        """The SQLite file, or None on PostgreSQL."""
        if not self.database_url.startswith("sqlite:///"):
            return None
        return self.database_url[len("sqlite:///") :]

    def token(self) -> "str | None":
        """Discord's token, or None where none is configured; raise ConfigurationError.

        Looked for in DISCORD_TOKEN, then in systemd's credential `discord-token` (empty where
        the operator has not put one yet), then in the file DISCORD_TOKEN_FILE.
        """
        token = self._environ.get("DISCORD_TOKEN", "").strip()
        credentials = self._environ.get("CREDENTIALS_DIRECTORY")
        if not token and credentials and os.path.exists(f"{credentials}/discord-token"):
            token = _secret_in(f"{credentials}/discord-token", "the credential discord-token")
        if not token and (path := self._environ.get("DISCORD_TOKEN_FILE")):
            token = _secret_in(path, "DISCORD_TOKEN_FILE")
        if not token.isprintable() or " " in token:
            raise ConfigurationError(
                "The Discord token holds white space: store it alone, on one line."
            )
        return token or None

    def secret_key(self) -> "str | None":
        """The key that signs web sessions, or None where none is configured."""
        return self._secret("POLLER_SECRET_KEY")

    def metrics_token(self) -> "str | None":
        """The bearer token that opens the page of the metrics, or None where there is none."""
        return self._secret("POLLER_METRICS_TOKEN")

    def _secret(self, name: str) -> "str | None":
        if path := self._environ.get(f"{name}_FILE"):
            return _secret_in(path, f"{name}_FILE") or None
        return self._environ.get(name) or None


def is_package() -> bool:
    """Whether this runs from an installed Python package, whose folder goes with the next one."""
    return CHECKOUT.endswith("-packages") or not os.path.exists(f"{CHECKOUT}/manage.py")


def _default_state_dir(environ: "Mapping[str, str]") -> str:
    if folder := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return folder
    if not is_package():
        return f"{CHECKOUT}/var"
    states = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(states):
        states = os.path.expanduser("~/.local/state")
    return f"{states}/discord-poller"


def _secret_in(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{what} ({path}) cannot be read: check that the file exists and who may read it."
        ) from None
