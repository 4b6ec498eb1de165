"""Small files in the state folder, where others may write, too, and plant links and pipes."""

import os
import secrets
from pathlib import Path


def read_own(path: Path, most: int = -1) -> str:
    """The file's text, its first `most` characters if that is not negative.

    Who may write in the folder cannot have another file read for it.

    Raise OSError or UnicodeDecodeError.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), encoding="ascii") as file:
        return file.read(most)


def written_beside(path: Path, text: str) -> Path:
    """A new file with `text`, readable by its owner only, to be put into the place of `path`."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return draft
