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
SNOWFLAKE_MAX = 2**63 - 1  # Discord's ids are 64 bits wide, and both databases hold signed ones

# Every name that is ours, with its default as poller.conf shows it and what it means.
NAMES: "dict[str, tuple[str, str]]" = {
    "DATABASE_URL": (
        "sqlite:///STATE/db.sqlite3",
        "the database: sqlite:////absolute/path or postgres://user@host/name",
    ),
    "POLLER_STATE_DIR": ("", "folder for everything that is written at run time"),
    "POLLER_EXPORTER": (
        "DiscordChatExporter.Cli",
        "the exporter's command line, split as a shell splits words",
    ),
    "POLLER_EXPORT_TIMEOUT": ("120", "seconds that one export may take before it is ended"),
    "POLLER_RUN_BUDGET": ("240", "seconds after which a poll takes on no further window"),
    "POLLER_WINDOW": ("30", "trailing window that every poll reads, in seconds"),
    "POLLER_OVERLAP": ("30", "how far each window reaches back over the last one, in seconds"),
    "POLLER_MAX_SPAN": ("600", "longest single window, in seconds"),
    "POLLER_BACKOFF_CAP": ("600", "longest wait between attempts on a failing feed, in seconds"),
    "POLLER_PARALLEL": ("4", "how many exports run side by side"),
    "POLLER_CHANNELS": ("", "channel ids for sessions that name none, separated by commas"),
    "DISCORD_TOKEN": ("", "Discord's token; on a server use the credential file instead"),
    "DISCORD_TOKEN_FILE": ("", "a file that holds Discord's token"),
    "POLLER_SECRET_KEY": ("", "key that signs web sessions; made in the state folder if unset"),
    "POLLER_SECRET_KEY_FILE": ("", "a file that holds that key"),
    "POLLER_ALLOWED_HOSTS": ("localhost", "host names the web side answers to, by commas"),
    "POLLER_PUBLIC": ("false", "true lets everybody read the web pages without a login"),
    "POLLER_TIME_ZONE": ("UTC", "time zone of times that are typed without an offset"),
    "POLLER_PING_URL": ("", "dead-man's switch that every run pings, as healthchecks.io has it"),
    "POLLER_METRICS_TEXTFILE": ("", "file ending in .prom that runs write for node_exporter"),
    "POLLER_METRICS_TOKEN": ("", "bearer token that opens the page /metrics to Prometheus"),
    "POLLER_METRICS_TOKEN_FILE": ("", "a file that holds that token"),
    "POLLER_KEEP_POLLS": ("90", "days after which `prune` removes the records of polls"),
    "POLLER_KEEP_MESSAGES": ("", "days after which `prune` removes messages; empty keeps them"),
}


class Settings:
    """The settings, checked. Times are whole seconds; `channels` are Discord's channel ids.

    The token is not among them: `token()` reads it when an exporter is about to start, so that
    no object that could be printed holds it.
    """

    def __init__(self, environ: "Mapping[str, str]") -> None:
        """Given the process's environment, check and keep it; raise ConfigurationError."""
        for name in environ:
            if name.startswith("POLLER_") and name not in NAMES:
                raise ConfigurationError(
                    f"{name} is not a setting of discord-poller: correct its name or remove it."
                )
        self._environ = environ
        self.state_dir = _state_dir(environ)
        self.database_url = environ.get("DATABASE_URL") or f"sqlite:///{self.state_dir}/db.sqlite3"
        if not self.database_url.startswith(("sqlite:///", "postgres://", "postgresql://")):
            raise ConfigurationError(
                "DATABASE_URL must begin with sqlite:/// or postgres://: correct it."
            )
        if self.database_url == "sqlite:///":
            raise ConfigurationError(
                "DATABASE_URL names no file: write sqlite:////absolute/path or remove it."
            )
        self.exporter = self._value("POLLER_EXPORTER")
        self.export_timeout_s = self._seconds("POLLER_EXPORT_TIMEOUT", 1, 3600)
        self.run_budget_s = self._seconds("POLLER_RUN_BUDGET", 1, 86400)
        self.window_s = self._seconds("POLLER_WINDOW", 1, 3600)
        self.overlap_s = self._seconds("POLLER_OVERLAP", 0, 3600)
        self.max_span_s = self._seconds("POLLER_MAX_SPAN", 2, 86400)
        self.backoff_cap_s = self._seconds("POLLER_BACKOFF_CAP", 30, 86400)
        self.parallel = self._parsed("POLLER_PARALLEL", _whole(1, 64))
        self.channels = self._parsed("POLLER_CHANNELS", _snowflakes)
        self.allowed_hosts = [
            host.strip() for host in self._value("POLLER_ALLOWED_HOSTS").split(",") if host.strip()
        ]
        self.public = self._parsed("POLLER_PUBLIC", _boolean)
        self.time_zone = self._parsed("POLLER_TIME_ZONE", _time_zone)
        self.ping_url = environ.get("POLLER_PING_URL", "")
        if self.ping_url and not self.ping_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                "POLLER_PING_URL must begin with http:// or https://: correct it."
            )
        self.metrics_textfile = self._parsed("POLLER_METRICS_TEXTFILE", _textfile)
        self.keep_polls_days = self._parsed("POLLER_KEEP_POLLS", _whole(1, 36500))
        self.keep_messages_days = self._parsed("POLLER_KEEP_MESSAGES", _days_or_none)
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

    def _value(self, name: str) -> str:
        return self._environ.get(name) or NAMES[name][0]

    def _parsed(self, name: str, parse: "Callable[[str], Parsed]") -> "Parsed":
        value = self._value(name)
        try:
            return parse(value)
        except ValueError as error:
            raise ConfigurationError(f"{name}={value!r} {error}: correct it.") from None

    def _seconds(self, name: str, least: int, most: int) -> int:
        return self._parsed(name, _whole(least, most))


def snowflake(text: str) -> int:
    """Given a Discord id as text, return it; raise ValueError with the end of a sentence."""
    if not (_is_number(text) and 0 < int(text) <= SNOWFLAKE_MAX):
        raise ValueError("is not a Discord id (digits only, as Discord's «Copy ID» gives it)")
    return int(text)


def _state_dir(environ: "Mapping[str, str]") -> str:
    folder = environ.get("POLLER_STATE_DIR") or environ.get("STATE_DIRECTORY", "").split(":")[0]
    return os.path.abspath(folder or f"{CHECKOUT}/var")


def _secret_in(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{what} ({path}) cannot be read: check that the file exists and who may read it."
        ) from None


def _is_number(text: str) -> bool:
    """Digits, and few enough that Python takes them for a number."""
    return text.isascii() and text.isdigit() and len(text) < 100


def _whole(least: int, most: int) -> "Callable[[str], int]":
    def parse(text: str) -> int:
        if not (_is_number(text) and least <= int(text) <= most):
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _days_or_none(text: str) -> "int | None":
    return _whole(1, 36500)(text) if text else None


def _textfile(path: str) -> str:
    # node_exporter reads no other files of its folder.
    if path and not (path.startswith("/") and path.endswith(".prom")):
        raise ValueError("is not an absolute path that ends in .prom")
    return path


def _snowflakes(text: str) -> "list[int]":
    words = text.replace(",", " ").split()
    return list(dict.fromkeys(snowflake(word) for word in words))


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
