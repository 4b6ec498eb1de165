"""The database of DATABASE_URL as Django wants it told, and how its connections are set up."""

from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from messages_app.errors import ConfigurationError

# A writer waits this long for another writer of the same SQLite file before it gives up.
BUSY_TIMEOUT_S = 20
CONNECT_TIMEOUT_S = 10
# A server that is gone without a word is noticed after 30 s, whether an answer or the receipt of a
# question is waited for. Names and units are libpq's, whose defaults are hours; what DATABASE_URL
# says counts.
LIBPQ_OPTIONS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def django_database(url: str) -> dict[str, Any]:
    """Given DATABASE_URL, return the entry of Django's DATABASES; raise ConfigurationError."""
    if url.startswith("sqlite:///"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": {"timeout": BUSY_TIMEOUT_S},
        }
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(
            "DATABASE_URL is not a valid address: write postgres://user:password@host:port/name."
        ) from None
    if not any(find_spec(driver) for driver in ("psycopg2", "psycopg")):
        raise ConfigurationError(
            "DATABASE_URL is of PostgreSQL, whose driver is missing: install python3-psycopg2, or "
            "with pip psycopg2-binary."
        )
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise ConfigurationError(
            "DATABASE_URL names no database: write postgres://user:password@host:port/name."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": options.pop("port", str(port or "")),
        "OPTIONS": {**LIBPQ_OPTIONS, **options},
        # Behind pgbouncer a connection is another one after each transaction.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


def prepare_sqlite(connection: Any, **_signal: object) -> None:
    """Set up a fresh SQLite connection (receiver of Django's `connection_created`).

    WAL lets the web side read while the poller writes. With it, `synchronous=NORMAL` can lose the
    last transactions in a power cut but never breaks one apart, and since coverage moves in the
    transaction that stores its messages, what is lost is read again.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
