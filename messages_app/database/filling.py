"""Fills in the forms of messages that a former release stored, newest first.

It can be ended at any instruction and goes on where it was, also beside another host's; it reads
messages by their bytes, and leaves the machine to polls while there is one. Once all messages have
their forms, the former search goes. Whenever it is started again, it looks through what was stored
since: a run of the former release may have gone on beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Case, F, Min, Value, When
from django.utils import timezone

from messages_app.database.forms import fill_forms, sources
from messages_app.database.search import has_former_search
from messages_app.document.form import FORM_VERSION
from messages_app.keyset import Bytes
from messages_app.models import Feed, Filling, Message, Poll
from messages_app.snowflakes import LARGEST_ID, first_id

# Messages that are looked at together, and bytes of their objects that are in memory at once.
MOST_MESSAGES = 500
MOST_BYTES = 4 * 1024 * 1024
# While a poll is under way, a batch is followed by a rest of so many times what it took.
REST = 4
# A message that somebody is changing is looked at again: so often, after so many seconds each.
MOST_LOOKS = 5
PAUSE_S = 1.0
# An import by hand is recorded with its beginning, and may take as long as this.
LONGEST_RUN = timedelta(days=1)

FORMER_SEARCH = {
    "sqlite": (
        "DROP TRIGGER IF EXISTS messages_app_search_update",
        "DROP TRIGGER IF EXISTS messages_app_search_delete",
        "DROP TABLE IF EXISTS messages_app_search",
    ),
    "postgresql": ("DROP INDEX CONCURRENTLY IF EXISTS messages_app_search",),
}

Sleep = Callable[[float], None]


def fill(told: Callable[[Filling], None], now: datetime, sleep: Sleep = time.sleep) -> int:
    """Make the forms of all messages that lack one; return of how many.

    `told` hears how far it is after each batch of the first time.
    """
    filling, _ = Filling.objects.get_or_create(
        version=FORM_VERSION, defaults={"messages": Message.objects.count(), "started_at": now}
    )
    if filling.finished_at:
        made = _look_again(filling, now, sleep)
    else:
        made = _look_through(filling, told, sleep)
        Filling.objects.filter(pk=filling.pk).update(finished_at=timezone.now())
    if has_former_search():
        _drop_former_search()
    return made


def progress() -> Filling | None:
    """The filling of this release that is not finished, None where there is nothing to fill in."""
    filling = Filling.objects.filter(version=FORM_VERSION).first()
    if filling:
        return None if filling.finished_at else filling
    if not (has_former_search() or Filling.objects.exists()):
        return None
    return Filling(version=FORM_VERSION, messages=0, started_at=timezone.now())


def _look_through(filling: Filling, told: Callable[[Filling], None], sleep: Sleep) -> int:
    """Go through all messages from where it was, and note down how far it is."""
    made = 0
    while batch := _fill_batch(_below(filling.reached), 0, sleep):
        made += batch.made
        # Where another host was faster, it goes on from where that is.
        Filling.objects.filter(pk=filling.pk, reached=filling.reached).update(
            reached=batch.reached, filled=F("filled") + batch.messages
        )
        filling.refresh_from_db()
        told(filling)
    return made


def _look_again(filling: Filling, now: datetime, sleep: Sleep) -> int:
    """Go through what runs may have stored since it was last gone through."""
    runs = Poll.objects.filter(started_at__gte=filling.started_at - LONGEST_RUN)
    oldest = runs.aggregate(oldest=Min("window_start"))["oldest"]
    if oldest is None:
        return 0
    made, reached = 0, None
    while batch := _fill_batch(_below(reached), first_id(oldest), sleep):
        made += batch.made
        reached = batch.reached
    Filling.objects.filter(pk=filling.pk).update(started_at=now)
    return made


class _Batch(NamedTuple):
    """`reached` is the id of its last message."""

    messages: int
    made: int
    reached: int


def _fill_batch(newest: int, oldest: int, sleep: Sleep) -> _Batch | None:
    """Fill in the next messages from the id `newest` down; None where no one is left."""
    made = 0
    for _ in range(MOST_LOOKS):
        began = time.monotonic()
        ids, lacking = _next(newest, oldest)
        if not ids:
            return None
        filled = fill_forms(list(sources(lacking)))
        made += filled
        if _is_polled(timezone.now()):
            sleep(REST * (time.monotonic() - began))
        if filled == len(lacking):
            break
        sleep(PAUSE_S)
    return _Batch(len(ids), made, ids[-1])


def _next(newest: int, oldest: int) -> tuple[list[int], list[int]]:
    """The ids of the next messages from `newest` down, and those of them that lack a form.

    Not more than what may be in memory at once, but one in any case.
    """
    is_filled = When(
        form__fingerprint=F("fingerprint"), form__version__gte=FORM_VERSION, then=Value(None)
    )
    found = (
        Message.objects.filter(discord_id__gte=oldest, discord_id__lte=newest)
        .order_by("-discord_id")
        .annotate(lacking_bytes=Case(is_filled, default=Bytes(F("raw"))))
        .values_list("discord_id", "lacking_bytes")[:MOST_MESSAGES]
    )
    ids: list[int] = []
    lacking: list[int] = []
    room = MOST_BYTES
    for discord_id, lacking_bytes in found:
        room -= lacking_bytes or 0
        if room < 0 and ids:
            break
        ids.append(discord_id)
        if lacking_bytes is not None:
            lacking.append(discord_id)
    return ids, lacking


def _below(reached: int | None) -> int:
    return LARGEST_ID if reached is None else reached - 1


def _is_polled(now: datetime) -> bool:
    return Feed.objects.filter(lease_until__gt=now).exists()


def _drop_former_search() -> None:
    statements = FORMER_SEARCH[connection.vendor]
    if connection.vendor == "postgresql":  # beside writers, which no transaction allows
        with connection.cursor() as cursor:
            cursor.execute(statements[0])
        return
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
