"""The key that signs web sessions: made once, kept in the state folder."""

import os
import secrets
from pathlib import Path


def stored_secret_key(state_dir: Path) -> str:
    """Return the key in `state_dir`, made on first use and readable by its owner only."""
    path = state_dir / "secret-key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        pass
    state_dir.mkdir(parents=True, exist_ok=True)
    draft = state_dir / f"secret-key.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(50))
    try:
        os.link(draft, path)  # whole or not at all, and the first of two processes wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii")
