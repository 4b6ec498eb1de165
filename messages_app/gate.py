"""The gate: is anything due? Asked before Django is loaded, which costs twenty times the answer.

Standard library only (and psycopg2 where the database is PostgreSQL), and of that no more than the
question needs: an import costs more than the query. The gate may say "idle" only where the whole
command would do nothing and print the same line; whenever it is in doubt it hands over.
"""

import os
import sys
import time

from messages_app.environment import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    # A row of QUESTION.
    Found = tuple[Any, ...]

# The schema that this code was written for; a test compares it with the migrations.
LATEST_MIGRATION = "0010_sight"
LATEST_MIGRATION_QUERY = "SELECT max(name) FROM django_migrations WHERE app = 'messages_app'"

# The questions of `SessionQuerySet`: live, to_close (or `ObstacleQuerySet.due`, or closed_after,
# where a clock was ahead), coming. One statement sees one moment.
QUESTION = f"""
SELECT ({LATEST_MIGRATION_QUERY}),
 EXISTS (SELECT 1 FROM messages_app_session WHERE start_time <= {{now}} AND end_time > {{now}}),
 EXISTS (SELECT 1 FROM messages_app_session WHERE closed_at IS NULL AND end_time <= {{now}})
  OR EXISTS (SELECT 1 FROM messages_app_obstacle WHERE retry_at <= {{now}})
  OR EXISTS (SELECT 1 FROM messages_app_session
   WHERE closed_at > {{soon}} AND is_archive IS NOT TRUE){{clocks_differ}},
 {{next_start}}
"""  # noqa: S608 - names of our own only
NEXT_START = "(SELECT min(start_time) FROM messages_app_session WHERE start_time > {now})"

# The lowest of the bytes that SQLite locks in a database file, and how many they are.
LOCK_BYTES_START, LOCK_BYTES = 0x40000000, 512
# A file's times are this coarse at worst; what is older shows the next write by a change.
TIME_STEP_NS = 2_000_000_000
# A server that takes longer to answer is left to Django, which waits longer and then complains.
CONNECT_TIMEOUT_S = 5
# Readings of clocks that agree may differ by this much: windows.py's CLOCK_SLACK_S.
CLOCK_SLACK_US = 2_000_000
# Where the server's clock differs by as much, Django tells it: clock_check.py's REFUSED_FROM_S.
CLOCKS_DIFFER_S = 30
CLOCKS_DIFFER = (
    f" OR abs(extract(epoch FROM clock_timestamp() - %(now)s::timestamptz)) >= {CLOCKS_DIFFER_S}"
)
# What the address of a server may hold where libpq and Django read it alike.
PLAIN_ADDRESS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_:[]")
# Servers older than this are refused by one of the Django versions that we support.
OLDEST_SERVER = 140000

_AS_ZEROS = str.maketrans("123456789", "000000000")


def idle_sentence(next_start: "str | None") -> str:
    """The line of an idle tick; `next_start` is "YYYY-MM-DD HH:MM:SS…" in UTC, None without one."""
    if next_start is None:
        return "No session is live, and none is scheduled."
    return f"No session is live; the next one starts at {next_start[:19]} UTC."


def idle_answer(environ: "Mapping[str, str]", now_us: "int | None" = None) -> "str | None":
    """What `poll_recent_messages` prints where it would do nothing else, or None: load Django.

    `now_us` is the time in microseconds since 1970, by default the machine's.
    """
    is_now = now_us is None
    if now_us is None:
        now_us = time.time_ns() // 1000
    try:
        settings = Settings(environ)
        if not _has_secret_key(settings) or _owes_a_sign_of_life(settings, now_us):
            return None
        now, soon = _instant(now_us), _instant(now_us + CLOCK_SLACK_US)
        path = settings.sqlite_path
        if path is None:
            found = _ask_postgresql(settings.database_url, now, soon, is_now=is_now)
        else:
            found = _ask_sqlite(os.path.realpath(path), now, soon)
    except Exception:  # whatever is wrong, Django meets it again, and explains it
        return None
    if found is None:
        return None
    migration, is_live, is_to_close, next_start = found
    if migration != LATEST_MIGRATION or is_live or is_to_close:
        return None
    if next_start is not None and not _is_plain(next_start):
        return None
    return idle_sentence(next_start)


def add_site_packages() -> None:
    """Make installed packages importable where Python was started with -S, so as to be fast."""
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()


def _has_secret_key(settings: Settings) -> bool:
    """Whether Django finds the key that signs web sessions, or else it would write a new one."""
    path = f"{settings.state_dir}/secret-key"
    return bool(settings.secret_key() or (os.access(path, os.R_OK) and _size(path)))


def _owes_a_sign_of_life(settings: Settings, now_us: int) -> bool:
    """Whether a dead-man's switch or the metrics must hear of an idle tick again."""
    if not (settings.ping_url or settings.metrics_textfile):
        return False
    from messages_app.heartbeat import is_heartbeat_due

    return is_heartbeat_due(settings, now_us / 1_000_000)


def _instant(now_us: int) -> str:
    """The time as Django writes it into SQLite; PostgreSQL reads it as UTC with "+00"."""
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now_us // 1_000_000))
    microsecond = now_us % 1_000_000
    return f"{text}.{microsecond:06}" if microsecond else text


def _is_plain(text: str) -> bool:
    """Whether Django shows this time of the database just as it is written there."""
    return text.translate(_AS_ZEROS) in ("0000-00-00 00:00:00", "0000-00-00 00:00:00.000000")


def _ask_sqlite(path: str, now: str, soon: str) -> "Found | None":
    """Given the real path of the file (its -wal stands beside it), read it and write nothing.

    SQLite itself would make a -wal and a -shm file for one reader and remove them again, at every
    tick. So, with `immutable`, it is told to look at the main file alone and to lock nothing. That
    is the whole truth while the -wal is empty or missing, and it is in one piece unless somebody
    moves a -wal into it meanwhile, which would have changed the file's time.

    Where a -wal holds something (another program has the database open, or was killed),
    `readonly_shm` lets SQLite take part in its own locking as a reader that cannot write to the
    -shm file. Where that is missing, SQLite refuses.
    """
    import _sqlite3  # the package sqlite3 around it would import datetime as well

    before = _settled(path)
    mode = "mode=ro&readonly_shm=1" if before is None else "immutable=1"
    if before is None and not _size(f"{path}-wal"):
        return None
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = _sqlite3.connect(f"file://{quoted}?{mode}", timeout=0, uri=True)
    try:
        next_start = NEXT_START.format(now=":now")
        question = QUESTION.format(
            now=":now", soon=":soon", clocks_differ="", next_start=next_start
        )
        found: Found = connection.execute(question, {"now": now, "soon": soon}).fetchone()
    finally:
        connection.close()
    if before is not None and _settled(path) != before:
        return None
    return found


def _settled(path: str) -> "tuple[int, ...] | None":
    """What would change if the database file did; None where the file alone cannot be trusted.

    That is: it is not in WAL mode (Django would change that), has a -wal or a journal to take in,
    is locked as a whole (Django would wait in vain), or was written to so recently that the next
    write might show the same time.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if os.pread(descriptor, 2, 18) != b"\x02\x02":
            return None
        os.lseek(descriptor, LOCK_BYTES_START, os.SEEK_SET)
        os.lockf(descriptor, os.F_TEST, LOCK_BYTES)  # raises where another process locks it
    finally:
        os.close(descriptor)
    if _size(f"{path}-wal") or _size(f"{path}-journal"):
        return None
    if abs(time.time_ns() - status.st_mtime_ns) < TIME_STEP_NS:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _size(path: str) -> int:
    """The file's size in bytes, 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _ask_postgresql(url: str, now: str, soon: str, *, is_now: bool) -> "Found | None":
    """Given DATABASE_URL, ask the server; None where Django might read the address differently.

    Where it `is_now`, the server's clock must agree.
    """
    server, _, rest = url.partition("://")[2].partition("/")
    name, _, options = rest.partition("?")
    if not name or "+" in options or "#" in url or "?" in server or not url.isprintable():
        return None
    if not PLAIN_ADDRESS.issuperset(server.rpartition("@")[2]):
        return None
    add_site_packages()
    import psycopg2

    connection = psycopg2.connect(
        url, connect_timeout=CONNECT_TIMEOUT_S, tcp_user_timeout=CONNECT_TIMEOUT_S * 1000
    )
    try:
        if connection.server_version < OLDEST_SERVER:
            return None
        connection.autocommit = True  # or else BEGIN would be a round trip of its own
        cursor = connection.cursor()
        next_start = NEXT_START.format(now="%(now)s")
        as_text = f"to_char({next_start} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        question = QUESTION.format(
            now="%(now)s",
            soon="%(soon)s",
            clocks_differ=CLOCKS_DIFFER if is_now else "",
            next_start=as_text,
        )
        cursor.execute(question, {"now": f"{now}+00", "soon": f"{soon}+00"})
        return cursor.fetchone()
    finally:
        connection.close()
