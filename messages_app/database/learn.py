"""What an export tells of messages that are stored already, merged with what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from messages_app.document.merge import CONTENT, EDITED, FILES, FIRST, Known, merged
from messages_app.document.message import is_spoken, message_from, storable_json
from messages_app.document.rows import MessageRow, Row, rows_of, time_of
from messages_app.document.versions import Version, former_versions
from messages_app.models import Absence, Kept, Message, Revision
from messages_app.tally import Tally

# What is noted most often, and is no key.
ONLY_FIRST = f'{{"{FIRST}"'


class LearnedRow(NamedTuple):
    """A row as it is to be stored, and whether it is deleted."""

    row: Row
    deleted_at: datetime | None


@dataclass
class Learned:
    """What is to be stored: rows by the caller, what hangs on them by `store`."""

    tally: Tally = field(default_factory=Tally)
    rows: list[LearnedRow] = field(default_factory=list)
    _new_revisions: list[Revision] = field(default_factory=list)
    _changed_revisions: list[Revision] = field(default_factory=list)
    _new_absences: list[Absence] = field(default_factory=list)
    _changed_absences: list[Absence] = field(default_factory=list)
    _kept: list[Kept] = field(default_factory=list)
    _no_longer_kept: list[int] = field(default_factory=list)

    def store(self) -> None:
        Revision.objects.bulk_create(self._new_revisions)
        Revision.objects.bulk_update(self._changed_revisions, ("content", "replaced_at", "shown"))
        Absence.objects.bulk_create(self._new_absences)
        Absence.objects.bulk_update(self._changed_absences, ("last_seen_at", "back_at"))
        if self._no_longer_kept:
            Kept.objects.filter(pk__in=self._no_longer_kept).delete()
        Kept.objects.bulk_create(
            self._kept,
            update_conflicts=True,
            update_fields=("fingerprint", "seen"),
            unique_fields=("message",),
        )


def channel_of(discord_id: int, stored: int, shown: int) -> int:
    """Where a message was said that two channels' exports show.

    A thread's export begins with the message that it was begun from, whose id is the thread's; that
    message was said in the parent.
    """
    return shown if stored == discord_id else stored


def kept_of(discord_id: int, fingerprint: int, kept: Mapping[str, datetime]) -> Kept:
    """The row that notes what `Known.kept` tells of a message."""
    seen = storable_json({key: kept[key].isoformat() for key in sorted(kept)})
    return Kept(message_id=discord_id, fingerprint=fingerprint, seen=seen)


def kept_in(kept: Kept | None, fingerprint: int) -> dict[str, datetime]:
    """What the row notes of a message with this fingerprint."""
    if kept is None or kept.fingerprint != fingerprint:
        return {}
    return {key: datetime.fromisoformat(text) for key, text in json.loads(kept.seen).items()}


def mixed_of(ids: Sequence[int]) -> frozenset[int]:
    """Those of the messages of which some key is from an earlier export than the row.

    An export that shows what is stored may still tell that this key was seen later.
    """
    kept = Kept.objects.filter(pk__in=ids).exclude(
        Q(seen__startswith=ONLY_FIRST) & ~Q(seen__contains=",")
    )
    return frozenset(kept.values_list("pk", flat=True))


def learn(
    rows: Sequence[Row],
    *,
    is_history: bool,
    now: datetime | None,
    kept: Mapping[int, Mapping[str, datetime]],
) -> Learned:
    """Given rows that differ from what is stored, lock that, and return what both come to."""
    shown = {row.discord_id: row for row in map(MessageRow._make, rows)}
    learned = Learned()
    for stored in _locked(shown):
        row = shown[stored.pk]
        sighting = Known(json.loads(row.raw), time_of(row.changed_at), kept.get(stored.pk, {}))
        _learn_one(learned, stored, row, sighting, is_history=is_history, now=now)
    return learned


@dataclass(frozen=True)
class _Stored:
    """A stored message with what hangs on it."""

    message: Message
    kept: Kept | None
    revisions: Sequence[Revision]
    absences: Sequence[Absence]

    @property
    def pk(self) -> int:
        return self.message.pk

    @property
    def seen(self) -> dict[str, datetime]:
        return kept_in(self.kept, self.message.fingerprint)


def _locked(ids: Iterable[int]) -> list[_Stored]:
    """The messages, locked until the end of the transaction, in one order for all writers."""
    messages = Message.objects.filter(pk__in=list(ids)).order_by("pk")
    if connection.features.has_select_for_update:
        messages = messages.select_for_update()
    found = list(messages)
    ids = [message.pk for message in found]
    kept = {one.message_id: one for one in Kept.objects.filter(message__in=ids)}
    revisions: dict[int, list[Revision]] = {}
    for revision in Revision.objects.filter(message__in=ids).order_by("pk"):
        revisions.setdefault(revision.message_id, []).append(revision)
    absences: dict[int, list[Absence]] = {}
    for absence in Absence.objects.filter(message__in=ids).order_by("pk"):
        absences.setdefault(absence.message_id, []).append(absence)
    return [
        _Stored(
            message,
            kept.get(message.pk),
            revisions.get(message.pk, ()),
            absences.get(message.pk, ()),
        )
        for message in found
    ]


def _learn_one(
    learned: Learned,
    stored: _Stored,
    row: MessageRow,
    sighting: Known,
    *,
    is_history: bool,
    now: datetime | None,
) -> None:
    message = stored.message
    known = _known(stored, sighting, now)
    both = merged(known, sighting)
    deleted_at = message.deleted_at
    is_back = deleted_at is not None and (
        sighting.seen_at > deleted_at or _is_to_come(deleted_at, now)
    )
    exported = message_from(both.value)
    is_changed = exported.fingerprint != message.fingerprint
    is_edit = is_changed and known.has_words and both.words_rank > known.words_rank
    channel_id = channel_of(message.pk, message.channel_id, row.channel_id)
    (new_row,) = rows_of([exported], channel_id, both.seen_at)
    is_seen_otherwise = is_history and (both.seen_at, both.kept) != (known.seen_at, known.kept)
    is_written = (
        is_changed
        or is_back
        or channel_id != message.channel_id
        or is_seen_otherwise
        or (is_history and exported.raw != message.raw)
    )
    if is_written:
        learned.rows.append(LearnedRow(new_row, None if is_back else deleted_at))
        _keep(learned, stored, both, exported.fingerprint, is_history=is_history)
    has_versions = _learn_versions(learned, stored, known, sighting, both)
    has_absences = _learn_absences(learned, stored, known, sighting, is_back=is_back)
    is_edited = is_edit or is_back
    learned.tally = learned.tally.plus(
        Tally(
            read=0,
            edited=int(is_edited),
            unchanged=int(not (is_edited or is_changed or has_versions or has_absences)),
            blank=int(_is_blanked(known, sighting) and is_spoken(row.type)),
        )
    )


def _is_blanked(known: Known, sighting: Known) -> bool:
    """Whether a message lost its text and files; an embed alone may be taken away by anybody."""
    had_some = any(map(known.value.get, (CONTENT, FILES)))
    return had_some and not sighting.has_words


def _known(stored: _Stored, sighting: Known, now: datetime | None) -> Known:
    """What is stored of a message; where its object is unreadable, what its columns tell."""
    message = stored.message
    try:
        value = json.loads(message.raw)
    except ValueError:
        edited_at = message.edited_at and message.edited_at.isoformat()
        value = {EDITED: edited_at, CONTENT: message.content}
    seen_at = message.changed_at
    if _is_to_come(seen_at, now):  # written by a host whose clock was ahead
        seen_at = min(seen_at, sighting.seen_at - timedelta(microseconds=1))
    return Known(value, seen_at, stored.seen)


def _is_to_come(moment: datetime, now: datetime | None) -> bool:
    return now is not None and moment > now


def _keep(
    learned: Learned, stored: _Stored, both: Known, fingerprint: int, *, is_history: bool
) -> None:
    """Note which keys are from another sighting than the row.

    That of the first sighting is of use where older files are imported later: for polls, which
    change reactions all the time, it is not worth a row.
    """
    if both.kept.keys() - {FIRST} or (both.kept and is_history):
        learned._kept.append(kept_of(stored.pk, fingerprint, both.kept))
    elif stored.kept:
        learned._no_longer_kept.append(stored.pk)


def _learn_versions(
    learned: Learned, stored: _Stored, known: Known, sighting: Known, both: Known
) -> bool:
    """Note the versions that became former; return whether there is something to note."""
    versions = [
        Version.of(one.edited_at, one.content, one.replaced_at, one.shown)
        for one in stored.revisions
    ]
    changed = former_versions(versions, known, sighting, both)
    by_edit = {revision.edited_at: revision for revision in reversed(stored.revisions)}
    for version in changed:
        values: dict[str, Any] = {
            "content": version.content,
            "replaced_at": version.replaced_at,
            "shown": version.to_json(),
        }
        if revision := by_edit.get(version.edited_at):
            for name, value in values.items():
                setattr(revision, name, value)
            learned._changed_revisions.append(revision)
        else:
            learned._new_revisions.append(
                Revision(message_id=stored.pk, edited_at=version.edited_at, **values)
            )
    return bool(changed)


def _learn_absences(
    learned: Learned, stored: _Stored, known: Known, sighting: Known, *, is_back: bool
) -> bool:
    """Note how long the message was not shown; return whether there is something to note."""
    missed_at = stored.message.deleted_at
    if is_back and missed_at:
        learned._new_absences.append(
            Absence(
                message_id=stored.pk,
                last_seen_at=min(known.seen_at, missed_at),
                missed_at=missed_at,
                back_at=max(sighting.seen_at, missed_at),
            )
        )
    changed = False
    for absence in stored.absences:
        before, after = absence.last_seen_at, absence.back_at
        if sighting.seen_at <= absence.missed_at:
            absence.last_seen_at = max(sighting.seen_at, before or sighting.seen_at)
        elif after:
            absence.back_at = min(sighting.seen_at, after)
        if (absence.last_seen_at, absence.back_at) != (before, after):
            learned._changed_absences.append(absence)
            changed = True
    return changed or is_back
