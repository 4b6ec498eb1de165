"""Scheduling sessions: add, edit and end them, with what each change means for their feeds."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce

from django.db import transaction

from messages_app.errors import UsageError
from messages_app.models import CLOSING_FIELDS, Channel, Feed, Session
from messages_app.windows import Coverage, Window, to_milliseconds

# Discord's ids count from the first instant, and databases hold them until shortly after the last.
DISCORD_TIMES = Window(datetime(2015, 1, 1, tzinfo=UTC), datetime(2084, 1, 1, tzinfo=UTC))
TITLE_CHARACTERS = 200


def add_session(
    title: str,
    window: Window,
    channel_ids: Sequence[int],
    *,
    fallback: Sequence[int] = (),
    allow_overlap: bool = False,
) -> Session:
    """Schedule a session; raise UsageError where another one overlaps it, or it has no channels.

    One that names none takes those of `fallback`, which is POLLER_CHANNELS, when it is polled.
    """
    check_channels(channel_ids, fallback)
    with transaction.atomic():
        check_schedule(title, window, None, allow_overlap=allow_overlap)
        session = Session.objects.create(title=title, start_time=window.start, end_time=window.end)
        set_channels(session, channel_ids)
    return session


def edit_session(
    session: Session,
    title: str,
    window: Window,
    channel_ids: Sequence[int] | None,
    *,
    fallback: Sequence[int] = (),
    allow_overlap: bool = False,
) -> None:
    """Change a session; `channel_ids` replace its channels unless None. Raise UsageError.

    What a session covers depends on its times and channels, so a change of them opens it again
    and has it swept anew.
    """
    if channel_ids is not None:
        check_channels(channel_ids, fallback)
    with transaction.atomic():
        _lock(session)
        moved = window != session.window
        if session.is_archive and (moved or _differ(session, channel_ids)):
            raise UsageError(
                f"Session {session.pk} is an archive: its times and channels are those of its "
                "files; import more with --session-title, or change its title."
            )
        if moved or title != session.title:
            check_schedule(title, window, session, allow_overlap=allow_overlap or not moved)
        session.title = title
        session.start_time, session.end_time = window
        session.save(update_fields=("title", "start_time", "end_time"))
        if channel_ids is not None:
            set_channels(session, channel_ids)
        reopen_if_unswept(session, moved=moved)


def _lock(session: Session) -> None:
    """Bring it up to date, and keep pollers from closing it until the transaction's end."""
    if Session.objects.locked(session.pk) is None:
        raise UsageError(f"Session {session.pk} is gone: it was removed meanwhile.")
    session.refresh_from_db()


def archive(title: str, spans: Mapping[int, Window], now: datetime) -> Session:
    """Make a closed session of what was imported: its channels, and when their messages are from.

    An archive of this title takes it in. An archive is never polled and has no gaps.
    """
    with transaction.atomic():
        check_title(title)
        session = Session.objects.filter(title=title, is_archive=True).order_by("id").first()
        windows = [*spans.values(), *([session.window] if session else [])]
        start, end = reduce(Window.around, windows)
        # What a file says to be from the future would make the session a coming one.
        window = Window(start, max(min(end, now), start + timedelta(milliseconds=1)))
        if session is None:
            session = Session(title=title, is_archive=True)
        session.start_time, session.end_time = window
        session.closed_at = now
        session.save()
        for channel_id in spans:
            Feed.objects.get_or_create(session=session, channel_id=channel_id)
        whole = Coverage([window]).to_json()
        session.feeds.update(covered_windows=whole, swept_windows=whole)
    return session


def _differ(session: Session, channel_ids: Sequence[int] | None) -> bool:
    return channel_ids is not None and set(channel_ids) != set(
        session.feeds.values_list("channel_id", flat=True)
    )


def set_channels(session: Session, channel_ids: Sequence[int]) -> None:
    """Make these the session's channels; one that goes takes its progress, not its messages."""
    session.feeds.exclude(channel_id__in=channel_ids).delete()
    for channel_id in channel_ids:
        channel, _ = Channel.objects.get_or_create(pk=channel_id)
        Feed.objects.get_or_create(session=session, channel=channel)


def end_session(session: Session, now: datetime) -> None:
    """End a live session at `now`; raise UsageError where it is not live."""
    if session.start_time >= to_milliseconds(now):
        raise UsageError(
            f"Session {session.pk} has not begun: change its times with `session edit`."
        )
    if session.end_time <= now:
        raise UsageError(f"Session {session.pk} is over already.")
    window = Window(session.start_time, to_milliseconds(now))
    edit_session(session, session.title, window, None, allow_overlap=True)


def reopen_if_unswept(session: Session, *, moved: bool) -> None:
    """Open a closed session again where its times were moved or a feed of it was never swept.

    For a transaction that has changed the session already, so that nobody closes it meanwhile.
    """
    if moved:
        session.feeds.update(swept_windows=[])
    is_unswept = any(feed.swept.gaps(session.window) for feed in session.feeds.all())
    # As the database has it: a poller may have closed the session since it was read.
    session.refresh_from_db(fields=CLOSING_FIELDS)
    if (moved or session.closed_at) and is_unswept and not session.is_archive:
        session.reopen()
        session.save(update_fields=CLOSING_FIELDS)


def check_schedule(
    title: str, window: Window, session: Session | None, *, allow_overlap: bool
) -> None:
    """Raise UsageError where a session (None: a new one) cannot be scheduled so."""
    check_title(title)
    if window.end <= window.start:
        raise UsageError(
            f"The end ({window.end:%Y-%m-%d %H:%M:%S} UTC) must be later than the start "
            f"({window.start:%Y-%m-%d %H:%M:%S} UTC)."
        )
    if window.within(DISCORD_TIMES) != window:
        raise UsageError(
            f"A session lies in the years {DISCORD_TIMES.start.year} to "
            f"{DISCORD_TIMES.end.year - 1}: correct its times."
        )
    if allow_overlap:
        return
    others = Session.objects.overlapping(window)
    if session:
        others = others.exclude(pk=session.pk)
    if other := others.first():
        raise UsageError(
            f"Session {other.pk} «{other.title}» overlaps ({other.window}) and only one session is "
            "polled at a time: choose other times, or allow it with --allow-overlap."
        )


def check_channels(channel_ids: Sequence[int], fallback: Sequence[int]) -> None:
    """Raise UsageError where a session would have no channels, nor POLLER_CHANNELS any."""
    if not channel_ids and not fallback:
        raise UsageError(
            "A session without channels would read nothing: name one with --channel ID, or set "
            "POLLER_CHANNELS."
        )


def check_title(title: str) -> None:
    """Raise UsageError where a session cannot have this title."""
    if not title.strip() or len(title) > TITLE_CHARACTERS:
        raise UsageError(f"A session's title has 1 to {TITLE_CHARACTERS} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in title):
        raise UsageError("A session's title is one line of text, without control characters.")
