"""The form that schedules a session: what was typed, what it means, what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.http import QueryDict

from messages_app.errors import UsageError
from messages_app.models import Session
from messages_app.reporting.sessions import duration
from messages_app.scheduling import check_schedule
from messages_app.snowflakes import id_typed
from messages_app.typed_times import TimeProblem, instant_typed
from messages_app.web.rendering.clock import ViewerClock, zone_called
from messages_app.windows import Window

LONG = timedelta(hours=24)


@dataclass(frozen=True)
class Typed:
    """The fields as typed. Times are local to `zone`, or carry an offset."""

    title: str = ""
    start: str = ""
    end: str = ""
    zone: str = "UTC"
    channels: str = ""
    allow_overlap: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> Typed:
        ids = [*query.getlist("channel"), query.get("channels", "")]
        return cls(
            title=query.get("title", "").strip(),
            start=query.get("start", ""),
            end=query.get("end", ""),
            zone=query.get("zone", "").strip(),
            channels=" ".join(part for part in ids if part),
            allow_overlap="allow_overlap" in query,
        )

    @classmethod
    def from_session(cls, session: Session, clock: ViewerClock) -> Typed:
        def local(instant: datetime) -> str:
            return f"{instant.astimezone(clock.zone):%Y-%m-%dT%H:%M:%S}"

        ids = session.feeds.values_list("channel_id", flat=True)
        return cls(
            title=session.title,
            start=local(session.start_time),
            end=local(session.end_time),
            zone=clock.zone_name,
            channels=" ".join(str(channel_id) for channel_id in ids),
        )


@dataclass(frozen=True)
class Note:
    """A sentence about what was typed; `kind` is bad (cannot be saved), warn, or fine."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Checked:
    """What was typed, understood; `window` is None where a time is missing or wrong."""

    notes: Sequence[Note]
    window: Window | None
    channel_ids: Sequence[int]
    overlaps: bool = False

    @property
    def can_be_saved(self) -> bool:
        return self.window is not None and not any(note.kind == "bad" for note in self.notes)


def check(typed: Typed, session: Session | None, now: datetime) -> Checked:
    """Given the form of a new session (None) or of an existing one, say what it means."""
    notes: list[Note] = []
    window = _window(typed, notes)
    channel_ids = _channel_ids(typed.channels, notes)
    overlaps = False
    if window:
        notes += _meaning(window, now)
        try:
            check_schedule(typed.title or "?", window, session, allow_overlap=True)
            others = Session.objects.overlapping(window)
            if session:
                others = others.exclude(pk=session.pk)
            for other in others[:3]:
                overlaps = True
                # One that was allowed once stays allowed as long as the times stay.
                may = typed.allow_overlap or (session and session.window == window)
                kind = "warn" if may else "bad"
                notes.append(
                    Note(
                        kind,
                        f"«{other.title}» ({other.window}) overlaps, and only one session is "
                        "polled at a time. Choose other times, or allow it below.",
                    )
                )
        except UsageError as error:
            notes.append(Note("bad", str(error)))
    if not channel_ids and not any(note.kind == "bad" for note in notes):
        if settings.POLLER.channels:
            kind, instead = "warn", "those of the setting POLLER_CHANNELS are polled."
        else:
            kind, instead = "bad", "name one, since the setting POLLER_CHANNELS names none either."
        notes.append(Note(kind, f"No channel is named: {instead}"))
    return Checked(notes, window, channel_ids, overlaps)


def _window(typed: Typed, notes: list[Note]) -> Window | None:
    zone = zone_called(typed.zone)
    if zone is None:
        notes.append(Note("bad", f"“{typed.zone}” is not a time zone, such as Europe/Berlin."))
        return None
    instants = []
    for label, text in (("start", typed.start), ("end", typed.end)):
        if not text:
            continue
        try:
            instants.append(instant_typed(text, zone, typed.zone))
        except TimeProblem as problem:
            notes.append(Note("bad", f"The {label} {text} {problem}."))
    if len(instants) < 2:
        return None
    start, end = instants
    if end <= start:
        notes.append(Note("bad", "The end must be later than the start."))
        return None
    return Window(start, end)


def _meaning(window: Window, now: datetime) -> list[Note]:
    """What the times mean in UTC, and whatever about them is likely to be a slip."""
    length = duration(window.end - window.start)
    notes = [Note("fine", f"{window}, {length} long.")]
    if window.end <= now:
        notes.append(Note("warn", "It is over already: it will be fetched once, as it is now."))
    elif window.start <= now:
        notes.append(
            Note("warn", f"It began {duration(now - window.start)} ago: it is live at once.")
        )
    else:
        notes.append(Note("fine", f"It begins in {duration(window.start - now)}."))
    if window.end - window.start > LONG:
        notes.append(Note("warn", f"{length} is long for a session: is the end's date right?"))
    return notes


def _channel_ids(text: str, notes: list[Note]) -> list[int]:
    ids = []
    for word in text.replace(",", " ").split():
        try:
            ids.append(id_typed(word))
        except ValueError as problem:
            notes.append(Note("bad", f"The channel “{word[:40]}” {problem}."))
    return list(dict.fromkeys(ids))
