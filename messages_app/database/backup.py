"""A copy of the SQLite database, taken before a migration changes it."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from messages_app.errors import DatabaseUnavailable

SUFFIX = ".before-upgrade"


def back_up(database: Path) -> Path:
    """Copy the database beside itself, in place of an older copy, and return the copy's path.

    It is whole or not there, whoever writes in the database meanwhile, and as open to others as
    the database, whose place it may have to take. Raise DatabaseUnavailable where it cannot be
    made; the older copy is still there then.
    """
    backup = Path(f"{database}{SUFFIX}")
    draft = Path(f"{backup}.unfinished")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(draft)) as copy:
            source.backup(copy)
        shutil.copymode(database, draft)
        _sync(draft)
        draft.replace(backup)
        _sync(backup.parent)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DatabaseUnavailable(
            f"The database cannot be copied to {backup} before it is migrated ({reason}): make "
            "room there, or run `migrate --no-backup`; nothing was changed."
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    return backup


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
