"""Whether the web side's optional libraries are installed; cheap to import."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("markdown_it", "whitenoise")


def missing_libraries(*more: str) -> list[str]:
    """The libraries of the extra `web` that this Python lacks, or of `more`."""
    return [name for name in (*more, *NEEDED) if find_spec(name) is None]
