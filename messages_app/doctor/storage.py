"""Where things are kept: the database, the free space, and who may read what."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from django.db import connection

from messages_app.database.outage import outages_explained
from messages_app.database.schema import check_schema
from messages_app.doctor.finding import Finding, bad, good
from messages_app.environment import Settings
from messages_app.errors import PollerError

# A session of a busy evening takes about a tenth of this.
LEAST_FREE_BYTES = 500_000_000
# Where the operator puts the token on a server; systemd hands it to the service.
SERVER_TOKEN = Path("/etc/discord-poller/discord-token")


def check_database() -> Iterator[Finding]:
    """Can the database be reached, does its schema fit, and does SQLite keep a WAL?"""
    try:
        with outages_explained():
            check_schema()
            if connection.vendor == "sqlite":
                mode = _asked("PRAGMA journal_mode")
            else:
                version = _asked("SHOW server_version")
    except PollerError as error:
        yield bad("database", str(error))
        return
    if connection.vendor != "sqlite":
        yield good("database", f"PostgreSQL {version} answers and is migrated")
        return
    path = connection.settings_dict["NAME"]
    if mode != "wal":
        yield bad(
            "database",
            f"{path} is in journal mode {mode} instead of WAL, so readers and the poller hold each "
            "other up: move it to a local disk, since network folders cannot have a WAL.",
        )
        return
    yield good("database", f"{path} can be read, is migrated, and keeps a WAL")


def _asked(question: str) -> str:
    """The one value that a statement of the database answers with."""
    with connection.cursor() as cursor:
        cursor.execute(question)
        (answer,) = cursor.fetchone()
    return str(answer)


def check_space(settings: Settings) -> Iterator[Finding]:
    """Is there room for exports and, on SQLite, for the database?"""
    folders = [Path(settings.state_dir)]
    if settings.sqlite_path:
        folders.append(Path(settings.sqlite_path).parent)
    devices: set[int] = set()
    for folder in folders:
        try:
            device = folder.stat().st_dev
            free = shutil.disk_usage(folder).free
        except OSError as error:
            yield bad("space", f"{folder} cannot be looked at ({error.strerror}): create it.")
            continue
        if device in devices:
            continue
        devices.add(device)
        megabytes = f"{free // 1_000_000} MB are free in {folder}"
        if free < LEAST_FREE_BYTES:
            yield bad("space", f"Only {megabytes}: free some, or `prune` old records.")
        else:
            yield good("space", megabytes)


def check_permissions(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """May nobody else read the secrets or write the state?"""
    state = Path(settings.state_dir)
    yield _state_finding(state)
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    for what, path, forbidden in (
        # The web side, which signs with the key, may have a user of its own in the group.
        ("secret key", Path(environ.get("POLLER_SECRET_KEY_FILE") or state / "secret-key"), 0o027),
        ("token", Path(environ.get("DISCORD_TOKEN_FILE") or SERVER_TOKEN), 0o077),
    ):
        # Owner and mode of systemd's credentials are its own affair.
        is_credential = bool(credentials) and path.is_relative_to(str(credentials))
        if not is_credential and (finding := _secret_finding(what, path, forbidden)):
            yield finding


def _state_finding(state: Path) -> Finding:
    try:
        mode = stat.S_IMODE(state.stat().st_mode)
    except OSError as error:
        return bad("permissions", f"{state} cannot be looked at ({error.strerror}): create it.")
    if mode & 0o002:  # its group may be the web side's
        return bad(
            "permissions",
            f"Others may write the state folder {state} (mode {mode:03o}): run `chmod o-w "
            f"{state}`.",
        )
    if not os.access(state, os.W_OK):
        return bad(
            "permissions",
            f"The state folder {state} cannot be written by this user: check its owner, or run "
            "this command as the poller's user.",
        )
    return good("permissions", f"not everybody may write the state folder {state}")


def _secret_finding(what: str, path: Path, forbidden: int) -> Finding | None:
    """Is this file closed to others? None where there is no file, which is told elsewhere."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except PermissionError:
        return good("permissions", f"{path} is closed to this user")
    except OSError:
        return None
    if mode & forbidden:
        return bad(
            "permissions",
            f"Others may read the {what} in {path} (mode {mode:03o}): run `chmod 600 {path}`.",
        )
    return good("permissions", f"the {what} in {path} is closed to others")
