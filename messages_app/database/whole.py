"""Whole messages out of the database and into it: with former versions, absences and deletions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from messages_app.database.channels import LONG_AGO, store_channel
from messages_app.database.learn import kept_in, kept_of
from messages_app.database.store import store_batch
from messages_app.document.reader import ExportHeader
from messages_app.document.rows import MessageRow
from messages_app.document.whole import Former, Gone, Whole, to_line
from messages_app.models import Absence, Channel, Kept, Message, Revision
from messages_app.tally import Tally


def lines_of(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """Given stored messages, yield the objects of their lines."""
    ids = [message.pk for message in messages]
    channels = Channel.objects.in_bulk({message.channel_id for message in messages})
    kept = Kept.objects.in_bulk(ids)
    former: dict[int, list[Former]] = {}
    for one in Revision.objects.filter(message__in=ids).order_by("pk"):
        former.setdefault(one.message_id, []).append(
            Former(one.content, one.edited_at, one.replaced_at, one.shown)
        )
    absences: dict[int, list[Gone]] = {}
    for absence in Absence.objects.filter(message__in=ids).order_by("pk"):
        absences.setdefault(absence.message_id, []).append(
            Gone(absence.last_seen_at, absence.missed_at, absence.back_at)
        )
    for message in messages:
        yield to_line(
            message.raw,
            message.changed_at,
            message.deleted_at,
            _header_of(channels[message.channel_id]),
            former.get(message.pk, ()),
            absences.get(message.pk, ()),
            kept_in(kept.get(message.pk), message.fingerprint),
        )


def store_wholes(wholes: Sequence[Whole]) -> Tally:
    """Store messages with all that hangs on them; their ids are unique.

    Where a message is stored already, the line is one more sighting of it, and what hangs on it is
    added where it is not there. The caller owns the transaction.
    """
    for channel in {whole.channel: None for whole in wholes}:
        store_channel(channel, channel.exported_at, is_history=True)
    by_id = {whole.row[0]: whole for whole in wholes}
    stored = set(Message.objects.filter(pk__in=by_id).values_list("pk", flat=True))
    tally = store_batch(
        [whole.row for whole in wholes],
        is_history=True,
        kept={discord_id: whole.kept for discord_id, whole in by_id.items()},
    )
    new_kept = (
        kept_of(discord_id, MessageRow._make(whole.row).fingerprint, whole.kept)
        for discord_id, whole in by_id.items()
        if whole.kept and discord_id not in stored
    )
    # Another host may have stored one of them meanwhile, and then knows more of it.
    Kept.objects.bulk_create(new_kept, ignore_conflicts=True)
    _delete(by_id)
    _hang_on(by_id)
    return tally


def _delete(by_id: dict[int, Whole]) -> None:
    """Mark those as deleted that nobody saw after their deletion."""
    gone: dict[datetime, list[int]] = {}
    for discord_id, whole in by_id.items():
        if whole.deleted_at:
            gone.setdefault(whole.deleted_at, []).append(discord_id)
    for deleted_at, ids in gone.items():
        shown = Message.objects.filter(pk__in=ids, changed_at__lte=deleted_at).shown()
        shown.update(deleted_at=deleted_at)


def _hang_on(by_id: dict[int, Whole]) -> None:
    """Add the former versions and absences that are not known."""
    former = Revision.objects.filter(message__in=by_id)
    known_edits = set(former.values_list("message_id", "edited_at"))
    Revision.objects.bulk_create(
        Revision(message_id=discord_id, **each._asdict())
        for discord_id, whole in by_id.items()
        for each in whole.former
        if (discord_id, each.edited_at) not in known_edits
    )
    absences = Absence.objects.filter(message__in=by_id)
    known_absences = set(absences.values_list("message_id", "missed_at"))
    Absence.objects.bulk_create(
        Absence(message_id=discord_id, **each._asdict())
        for discord_id, whole in by_id.items()
        for each in whole.absences
        if (discord_id, each.missed_at) not in known_absences
    )


def _header_of(channel: Channel) -> ExportHeader:
    named_at = None if channel.named_at == LONG_AGO else channel.named_at
    return ExportHeader(
        channel.pk,
        "",
        channel.name,
        channel.category,
        channel.guild_id or 0,
        channel.guild_name,
        named_at,
    )
