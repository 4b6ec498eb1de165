"""Shows the product at work: schedules a short session, polls it to its end, lists what came."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from messages_app.database.clock import Clocks
from messages_app.environment import Settings, is_package
from messages_app.errors import ConfigurationError
from messages_app.events import Event
from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, own_command, utc_now
from messages_app.models import Message, Session
from messages_app.polling.poll import poll_recent
from messages_app.scheduling import add_session
from messages_app.windows import Window

TITLE = "Demo"
REPLAY_CHANNELS = (81384788765712384, 81384788765712385)
# A session that is seen from its beginning to its end in half a minute.
BEGUN_S, LASTS_S, PERIOD_S = 60, 21, 4
PACE = {"POLLER_WINDOW": "40", "POLLER_OVERLAP": "5", "POLLER_CLOSING_DELAY": "5"}
NEWEST_SHOWN = 10


class Command(PollerCommand):
    help = (
        "Polls a short session before your eyes: one of the replay exporter where no token is "
        "configured, else a real one of POLLER_CHANNELS. Example: demo"
    )

    def handle(self, *_args: str, **_options: Any) -> str:
        environ, channels = self._what_to_poll()
        # What an interrupted demo left would be polled instead of this one.
        Session.objects.filter(title=TITLE).delete()
        now = utc_now().replace(microsecond=0)
        window = Window(now - timedelta(seconds=BEGUN_S), now + timedelta(seconds=LASTS_S))
        session = add_session(TITLE, window, channels, allow_overlap=True)
        self._say(f"Scheduled session {session.pk}, {window}. It is live now; polling it:\n")
        with interruptible():
            self._poll_to_its_end(session, environ)
        self._show_newest(session)
        return self._farewell(session)

    def _what_to_poll(self) -> tuple[Mapping[str, str], list[int]]:
        if self.poller.token() is not None:
            if not self.poller.channels:
                raise ConfigurationError(
                    "A token is configured but no channel: set POLLER_CHANNELS to the channel ids "
                    "to poll."
                )
            return {**os.environ, **PACE}, self.poller.channels
        self._say("No Discord token is configured: a replayed conversation stands in for Discord.")
        replay = shlex.join([*own_command(), "replay"])
        own = {"POLLER_EXPORTER": replay, "DISCORD_TOKEN": "replay"}
        return {**os.environ, **PACE, **own}, list(REPLAY_CHANNELS)

    def _poll_to_its_end(self, session: Session, environ: Mapping[str, str]) -> None:
        settings = Settings(environ)
        give_up_at = utc_now() + timedelta(seconds=LASTS_S + 60)
        while session.closed_at is None and utc_now() < give_up_at:
            started = time.monotonic()
            outcome = poll_recent(
                settings, environ, Clocks(utc_now), self._show_event, ignore_backoff=True
            )
            self._say(f"{_clock(utc_now())}  {outcome.sentence}\n")
            session.refresh_from_db()
            if session.closed_at is None:
                time.sleep(max(PERIOD_S - (time.monotonic() - started), 0))

    def _show_newest(self, session: Session) -> None:
        messages = Message.objects.of_session(session).select_related("channel")
        newest = list(messages.order_by("-timestamp", "-discord_id")[:NEWEST_SHOWN])
        self._say(f"The newest {len(newest)} messages in the database:")
        for message in reversed(newest):
            text = message.content.replace("\n", " ")[:60] or f"[{_without_text(message)}]"
            mark = "deleted" if message.deleted_at else "edited" if message.edited_at else ""
            when = _clock(message.timestamp)
            self._say(
                f"  {when}  {message.channel!s:<12} {message.author_name:<10.10} {mark:<8} {text}"
            )

    def _farewell(self, session: Session) -> str:
        command = "discord-poller" if is_package() else ".venv/bin/python manage.py"
        return (
            f"\nThe database is {self.poller.database_url}. Type next:\n"
            f"  {command} session show {session.pk}\n"
            f"  {command} export_messages --session {session.pk} --format csv\n"
            f"  {'discord-poller help' if is_package() else 'make help'}"
        )

    def _show_event(self, event: Event) -> None:
        self._say(f"{_clock(utc_now())}  {event.sentence}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _clock(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}"


def _without_text(message: Message) -> str:
    return "attachment" if message.has_attachments else message.type
