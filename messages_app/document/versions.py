"""The former versions of an edited message, from all the exports that showed them.

A version is what stood between two edits by the author: there is one for each `timestampEdited`
that was seen, whatever the order. Nothing of Django is imported here.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messages_app.document.merge import (
    CONTENT,
    EDITED,
    EMBEDS,
    FILES,
    FIRST,
    Known,
    holds_paths,
    rank_of_files,
    rank_of_text,
)
from messages_app.document.message import storable_json, storable_text


@dataclass(frozen=True)
class Version:
    """What a message said from `edited_at` on (None: as it was posted).

    Files and embeds are lists as exported, None where they were not kept; `first_seen_at` and
    `embeds_seen_at` are None where that is not known.
    """

    edited_at: datetime | None
    content: str
    replaced_at: datetime
    files: Any = None
    embeds: Any = None
    first_seen_at: datetime | None = None
    embeds_seen_at: datetime | None = None

    def to_json(self) -> str | None:
        """Its files and embeds and when it was seen, None where nothing of it is known."""
        if self.first_seen_at is None:
            return None
        return storable_json(
            {
                FILES: self.files,
                EMBEDS: self.embeds,
                "firstSeenAt": self.first_seen_at.isoformat(),
                "embedsSeenAt": (self.embeds_seen_at or self.first_seen_at).isoformat(),
            }
        )

    @classmethod
    def of(
        cls, edited_at: datetime | None, content: str, replaced_at: datetime, shown: str | None
    ) -> "Version":
        """The version of a stored row."""
        if shown is None:
            return cls(edited_at, content, replaced_at)
        value = json.loads(shown)
        return cls(
            edited_at,
            content,
            replaced_at,
            value.get(FILES),
            value.get(EMBEDS),
            *(datetime.fromisoformat(value[key]) for key in ("firstSeenAt", "embedsSeenAt")),
        )


def former_versions(
    stored: Iterable[Version], known: Known, sighting: Known, now_known: Known
) -> list[Version]:
    """Given those that are stored, and a message before and after a sighting, return all that are
    former now, without the stored ones that stay as they are.
    """
    stored = list(stored)
    found = {version.edited_at: version for version in reversed(stored)}
    for seen in (known, sighting):
        is_former = seen.has_words and seen.words_rank < now_known.words_rank
        if is_former and not (EDITED not in seen.value and _says_the_same(seen, now_known)):
            version = _version(seen)
            former = found.get(seen.edited_at)
            found[seen.edited_at] = _both(former, version) if former else version
    moments = [
        (version.edited_at, version.first_seen_at)
        for version in found.values()
        if version.first_seen_at
    ]
    if now_known.has_words:
        moments.append((now_known.edited_at, now_known.seen(FIRST)))
    if sighting.has_words:
        moments.append((sighting.edited_at, sighting.seen_at))
    all_known = [_replaced(version, moments) for version in found.values()]
    return [version for version in all_known if version not in stored]


def _version(seen: Known) -> Version:
    content = seen.value.get(CONTENT)
    return Version(
        seen.edited_at,
        storable_text(content) if isinstance(content, str) else "",
        datetime.max.replace(tzinfo=seen.seen_at.tzinfo),
        seen.value.get(FILES) or [],
        seen.value.get(EMBEDS),
        seen.seen(FIRST),
        seen.seen(EMBEDS),
    )


def _says_the_same(seen: Known, other: Known) -> bool:
    """Whether a sighting that tells nothing of edits shows the words that are known."""
    return (seen.value.get(CONTENT) or "") == (other.value.get(CONTENT) or "")


def _both(one: Version, other: Version) -> Version:
    """What is known of one version from both."""
    firsts = [version.first_seen_at for version in (one, other) if version.first_seen_at]
    content = max((one.content, other.content), key=rank_of_text)
    told = [version for version in (one, other) if version.first_seen_at]
    files = max((version.files for version in told), key=rank_of_files, default=None)
    latest = max(
        told,
        key=lambda version: (
            version.embeds is not None,
            not holds_paths(version.embeds),
            version.embeds_seen_at,
            json.dumps(version.embeds, sort_keys=True),
        ),
        default=one,
    )
    return Version(
        one.edited_at,
        content,
        min(one.replaced_at, other.replaced_at),
        files,
        latest.embeds,
        min(firsts, default=None),
        latest.embeds_seen_at,
    )


def _replaced(version: Version, moments: Iterable[tuple[datetime | None, datetime]]) -> Version:
    """The version, told when a later one was first seen."""
    later = [seen_at for edited_at, seen_at in moments if _is_later(edited_at, version.edited_at)]
    replaced_at = min([version.replaced_at, *later])
    return Version(**{**version.__dict__, "replaced_at": replaced_at})


def _is_later(edited_at: datetime | None, than: datetime | None) -> bool:
    return edited_at is not None and (than is None or edited_at > than)
