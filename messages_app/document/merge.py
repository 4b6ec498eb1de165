"""What is known of a message from all the exports that showed it, in whatever order they come.

Each key of the message object is taken from the one sighting that counts most for it, by a total
order of sightings. So merging in any order, and again, comes to the same.

- The words (text, files, embeds, and when they were edited) are those of the latest edit. A
  sighting in which all of them are empty counts least: an account that may not see them shows that.
- Of one edit, the text with the most of Discord's own marks counts, then the longest: mentions that
  an exporter flattened, and other words for system messages, are no other text. Files and embeds
  with links count before those with the paths of downloaded files; embeds come and go.
- Anything else is as it was seen last by an exporter that writes the key at all. A kind that an
  older release knows by its number only keeps its name. Reactions that are told without who reacted
  keep who did.

Nothing of Django is imported here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from messages_app.document.times import instant

Object = dict[str, Any]

EDITED, CONTENT, FILES, EMBEDS, REACTIONS = (
    *("timestampEdited", "content", "attachments", "embeds", "reactions"),
)
WORDS = frozenset({EDITED, CONTENT, FILES, EMBEDS})
# What `Known.kept` tells beside keys: who reacted, apart from how many did; when the words were
# first seen, which is no message's key.
REACTING = "reactions.users"
FIRST = "words.first"
# The order in which the exporter writes its keys; what it does not know follows by the alphabet.
_ORDER = (
    *("id", "type", "timestamp", EDITED, "callEndedTimestamp", "isPinned", CONTENT, "author"),
    *(FILES, EMBEDS, "stickers", REACTIONS, "mentions", "reference", "forwardedMessage"),
    *("interaction", "inlineEmojis"),
)
_PLACES = {key: place for place, key in enumerate(_ORDER)}

# What Discord itself writes into a text, and an exporter may flatten.
_MARK = re.compile(r"<(?:@[!&]?\d+|#\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|/[^<>]+:\d+|id:\w+)>")


@dataclass(frozen=True)
class Known:
    """A message object as it is known, `seen_at` being its latest sighting.

    `kept` tells of each key that is from an earlier sighting when that was.
    """

    value: Object
    seen_at: datetime
    kept: Mapping[str, datetime] = field(default_factory=dict)

    def seen(self, key: str) -> datetime:
        return self.kept.get(key, self.seen_at)

    @property
    def edited_at(self) -> datetime | None:
        text = self.value.get(EDITED)
        try:
            return instant(text) if text else None
        except (TypeError, ValueError):
            return None

    @property
    def has_words(self) -> bool:
        return any(map(self.value.get, (CONTENT, FILES, EMBEDS)))

    @property
    def words_rank(self) -> tuple[bool, float]:
        """Sorts sightings by whose words count."""
        edited_at = self.edited_at
        return self.has_words, edited_at.timestamp() if edited_at else float("-inf")


def merged(one: Known, other: Known) -> Known:
    """Given two states of knowledge of one message, return what is known from both."""
    seen_at = max(one.seen_at, other.seen_at)
    seen: dict[str, datetime] = {}
    value: Object = {}
    for key in dict.fromkeys((*one.value, *other.value, EMBEDS)):
        winner = _winner(key, one, other)
        if key in winner.value:
            value[key] = winner.value[key]
        if key not in (EDITED, CONTENT, FILES):  # of which it does not matter when
            seen[key] = _seen_alike(key, one, other) or winner.seen(key)
    _tell_who_reacted(value, seen, one, other)
    seen[FIRST] = _first_seen(one, other)
    kept = {key: moment for key, moment in seen.items() if moment != seen_at}
    return Known(_as_exported(value, one, other), seen_at, kept)


def rank_of_text(text: Any) -> tuple[int, int, str]:
    """Sorts the texts of one edit by how much they tell."""
    marks = len(_MARK.findall(text)) if isinstance(text, str) else 0
    shown = json.dumps(text or "", sort_keys=True)
    return marks, len(shown), shown


def rank_of_files(files: Any) -> tuple[bool, bool, int, str]:
    """Sorts the files of one edit by how much they tell: none at all least."""
    shown = json.dumps(files or [], sort_keys=True)
    return bool(files), not holds_paths(files), len(shown), shown


def holds_paths(value: Any) -> bool:
    """Whether a `url` at any depth is no address but the path of a file that was downloaded."""
    if isinstance(value, list):
        return any(map(holds_paths, value))
    if not isinstance(value, dict):
        return False
    url = value.get("url")
    is_path = isinstance(url, str) and url != "" and "://" not in url
    return is_path or any(map(holds_paths, value.values()))


def _same(key: str, one: Known, other: Known) -> bool:
    return key in one.value and key in other.value and one.value[key] == other.value[key]


def _seen_alike(key: str, one: Known, other: Known) -> datetime | None:
    """When the value that both have was seen last, None where they differ."""
    if not _same(key, one, other) or (key in WORDS and one.words_rank != other.words_rank):
        return None
    return max(one.seen(key), other.seen(key))


def _winner(key: str, one: Known, other: Known) -> Known:
    """Whose value counts; it does not matter where they are the same."""
    if key in WORDS and one.words_rank != other.words_rank:
        return max(one, other, key=lambda known: known.words_rank)
    if _same(key, one, other):
        return one
    return max(one, other, key=lambda known: _rank(key, known))


def _rank(key: str, known: Known) -> tuple[Any, ...]:
    value = known.value.get(key)
    if key == CONTENT:
        return rank_of_text(value)
    if key == FILES:
        return rank_of_files(value)
    shown = json.dumps(value, sort_keys=True)
    if key == EDITED:
        return (shown,)
    is_told = key in known.value if key == EMBEDS else value is not None
    is_better = not holds_paths(value)
    if key == "type":
        is_better = isinstance(value, str) and not value.isdigit()
    return is_told, key in known.value, is_better, known.seen(key), shown


def _first_seen(one: Known, other: Known) -> datetime:
    """When the words that count were first seen."""
    if one.words_rank == other.words_rank:
        return min(one.seen(FIRST), other.seen(FIRST))
    return max(one, other, key=lambda known: known.words_rank).seen(FIRST)


def _tell_who_reacted(value: Object, seen: dict[str, datetime], one: Known, other: Known) -> None:
    """Put who reacted into the reactions, from the latest sighting that knew."""
    knowing = [known for known in (one, other) if _reacting(known)]
    if not knowing or not isinstance(value.get(REACTIONS), list):
        return
    knower = max(knowing, key=lambda known: (known.seen(REACTING), json.dumps(_reacting(known))))
    users = _reacting(knower)
    told = [
        {**reaction, "users": users[_emoji(reaction)]}
        for reaction in value[REACTIONS]
        if isinstance(reaction, dict) and _emoji(reaction) in users
    ]
    if told:
        by_emoji = {_emoji(reaction): reaction for reaction in told}
        value[REACTIONS] = [
            by_emoji.get(_emoji(reaction), reaction) if isinstance(reaction, dict) else reaction
            for reaction in value[REACTIONS]
        ]
        seen[REACTING] = knower.seen(REACTING)


def _reacting(known: Known) -> dict[str, Any]:
    """Who reacted, by emoji, where the sighting knew."""
    reactions = known.value.get(REACTIONS)
    if not isinstance(reactions, list):
        return {}
    return {
        _emoji(reaction): reaction["users"]
        for reaction in reactions
        if isinstance(reaction, dict) and "users" in reaction
    }


def _emoji(reaction: Object) -> str:
    emoji = reaction.get("emoji")
    if not isinstance(emoji, dict):
        return json.dumps(emoji)
    return json.dumps(emoji.get("id") or emoji.get("name"))


def _as_exported(value: Object, one: Known, other: Known) -> Object:
    """The value with its keys in the order of the sighting that it is, else in the exporter's."""
    for known in sorted((one, other), key=lambda known: known.seen_at, reverse=True):
        if value == known.value:
            return known.value
    return dict(
        sorted(value.items(), key=lambda item: (_PLACES.get(item[0], len(_PLACES)), item[0]))
    )
