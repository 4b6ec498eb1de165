"""The key that signs web sessions: made once, kept in the state folder."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from messages_app.errors import ConfigurationError
from messages_app.state_files import read_own, written_beside


def stored_secret_key(state_dir: Path) -> str:
    """Return the key in `state_dir`, made on first use and readable by its owner only.

    Raise ConfigurationError where the folder or the key cannot be used.
    """
    path = state_dir / "secret-key"
    try:
        key = _read_or_made(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(
            f"{path} cannot be read or made ({reason}): check POLLER_STATE_DIR and who may write "
            "there."
        ) from None
    if not key:
        raise ConfigurationError(f"{path} is empty: remove it, and a new key is made.")
    return key


def _read_or_made(path: Path) -> str:
    with suppress(FileNotFoundError):
        return read_own(path).strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = written_beside(path, secrets.token_urlsafe(50))
    try:
        os.link(draft, path)  # whole or not at all, and the first of two processes wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return read_own(path)
