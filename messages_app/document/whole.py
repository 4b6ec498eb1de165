"""A stored message with all that hangs on it, as one line of JSON: what `export_messages --raw`
writes and `import_messages --raw` reads, so that nothing is lost between two databases.

    {"discord_poller": 1, "channel": {…}, "message": {…}, "changed_at": …, "deleted_at": …,
     "former": […], "absences": […], "kept": {…}}

`message` is the object as exported; the others are the columns of the tables, in models.py's words.
Nothing of Django is imported here.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from messages_app.document.message import (
    MessageError,
    message_from,
    storable_json,
    storable_text,
)
from messages_app.document.reader import WHOLE_MARK, ExportHeader
from messages_app.document.rows import Row, rows_of
from messages_app.document.times import instant
from messages_app.document.versions import Version
from messages_app.snowflakes import id_in

LAYOUT = 1


class Former(NamedTuple):
    """A former version of a message."""

    content: str
    edited_at: datetime | None
    replaced_at: datetime
    shown: str | None


class Gone(NamedTuple):
    """A time in which a message was not shown."""

    last_seen_at: datetime | None
    missed_at: datetime
    back_at: datetime | None


class Whole(NamedTuple):
    """A message, its channel with the names of its newest export, and what hangs on it."""

    channel: ExportHeader
    row: Row
    deleted_at: datetime | None
    former: list[Former]
    absences: list[Gone]
    kept: dict[str, datetime]


def to_line(
    raw: str,
    changed_at: datetime,
    deleted_at: datetime | None,
    channel: ExportHeader,
    former: Iterable[Former],
    absences: Iterable[Gone],
    kept: Mapping[str, datetime],
) -> dict[str, Any]:
    """Given what is stored of a message and hangs on it, return the object of its line."""
    return {
        WHOLE_MARK: LAYOUT,
        "channel": {
            "id": str(channel.channel_id),
            "name": channel.channel_name,
            "category": channel.category,
            "guild_id": str(channel.guild_id),
            "guild_name": channel.guild_name,
            "named_at": _text(channel.exported_at),
        },
        "message": json.loads(raw),
        "changed_at": _text(changed_at),
        "deleted_at": _text(deleted_at),
        "former": [
            {
                "content": each.content,
                "edited_at": _text(each.edited_at),
                "replaced_at": _text(each.replaced_at),
                "shown": each.shown and json.loads(each.shown),
            }
            for each in former
        ],
        "absences": [
            {name: _text(moment) for name, moment in each._asdict().items()} for each in absences
        ],
        "kept": {key: _text(moment) for key, moment in kept.items()},
    }


def from_line(line: bytes) -> Whole:
    """What a line holds; raise MessageError with the end of a sentence about it."""
    try:
        return _whole(json.loads(line))
    except RecursionError:
        raise MessageError("is nested too deeply") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, MessageError):
            raise
        raise MessageError("is not what `export_messages --raw` writes") from None


def _whole(value: dict[str, Any]) -> Whole:
    if value[WHOLE_MARK] != LAYOUT:
        raise MessageError("is of another release's layout: import it with that one")
    message = message_from(value["message"])
    channel = value["channel"]
    channel_id = _id(channel["id"])
    return Whole(
        ExportHeader(
            channel_id,
            "",
            storable_text(channel["name"]),
            storable_text(channel["category"]),
            id_in(channel["guild_id"]) or 0,
            storable_text(channel["guild_name"]),
            _time(channel["named_at"]),
        ),
        rows_of([message], channel_id, instant(value["changed_at"]))[0],
        _time(value["deleted_at"]),
        [_former(each) for each in value["former"]],
        [
            Gone(_time(each["last_seen_at"]), instant(each["missed_at"]), _time(each["back_at"]))
            for each in value["absences"]
        ],
        {storable_text(key): instant(text) for key, text in value["kept"].items()},
    )


def _former(value: dict[str, Any]) -> Former:
    shown = value["shown"]
    former = Former(
        storable_text(value["content"]),
        _time(value["edited_at"]),
        instant(value["replaced_at"]),
        None if shown is None else storable_json(shown),
    )
    version = Version.of(former.edited_at, former.content, former.replaced_at, former.shown)
    if not all(isinstance(each, list | None) for each in (version.files, version.embeds)):
        raise ValueError("no files or embeds")
    return former


def _id(value: Any) -> int:
    found = id_in(value)
    if found is None:
        raise ValueError("no id")
    return found


def _time(text: str | None) -> datetime | None:
    return None if text is None else instant(text)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
