"""Schedules sessions: add, list, show, edit, end; retry reads again what was left out."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from messages_app.errors import UsageError
from messages_app.management.base import (
    PollerCommand,
    channel_ids,
    found_session,
    parse_time,
    utc_now,
)
from messages_app.models import Session
from messages_app.polling.obstacles import retry_all
from messages_app.reporting.sessions import session_details, session_line
from messages_app.scheduling import add_session, edit_session, end_session
from messages_app.windows import Window


class Command(PollerCommand):
    help = (
        "Schedules sessions. Times have an offset or are in POLLER_TIME_ZONE. Example: "
        "session add 'Spring race' --start 2026-05-01T18:00 --end 2026-05-01T20:00 "
        "--channel 81384788765712384"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        add = actions.add_parser("add", help="schedule a session")
        add.add_argument("title")
        _add_options(add, is_new=True)
        actions.add_parser("list", help="list the sessions, the newest first")
        retry = "read again at the next poll what the exporter could not parse"
        actions.add_parser("retry", help=retry)
        for action, text in (
            ("show", "show a session: its channels, coverage and gaps"),
            ("edit", "change a session"),
            ("end", "end a live session now"),
        ):
            subparser = actions.add_parser(action, help=text)
            subparser.add_argument("id", type=int)
            if action == "edit":
                subparser.add_argument("--title")
                _add_options(subparser, is_new=False)

    def handle(self, *_args: str, **options: Any) -> str:
        now = utc_now()
        action: str = options["action"]
        if action == "list":
            return "\n".join(session_line(session, now) for session in Session.objects.all()) or (
                "No session is scheduled: add one with `session add`."
            )
        if action == "retry":
            count = retry_all(now)
            places = "1 place is" if count == 1 else f"{count} places are"
            return f"{places} read again at the next poll." if count else "No message is left out."
        if action == "add":
            return f"Added: {session_line(self._add(options), now)}"
        session = found_session(options["id"])
        if action == "show":
            return session_details(session, now)
        if action == "end":
            end_session(session, now)
            return f"Ended: {session_line(session, now)}"
        self._edit(session, options)
        return f"Changed: {session_line(session, now)}"

    def _add(self, options: dict[str, Any]) -> Session:
        return add_session(
            options["title"],
            Window(self._time(options, "start"), self._time(options, "end")),
            channel_ids(options["channel"]),
            fallback=self.poller.channels,
            allow_overlap=options["allow_overlap"],
        )

    def _edit(self, session: Session, options: dict[str, Any]) -> None:
        if all(options[name] in (None, []) for name in ("title", "start", "end", "channel")):
            raise UsageError("Nothing is to be changed: give --title, --start, --end or --channel.")
        start = session.start_time if options["start"] is None else self._time(options, "start")
        end = session.end_time if options["end"] is None else self._time(options, "end")
        edit_session(
            session,
            session.title if options["title"] is None else options["title"],
            Window(start, end),
            channel_ids(options["channel"]) if options["channel"] else None,
            allow_overlap=options["allow_overlap"],
        )

    def _time(self, options: dict[str, Any], name: str) -> datetime:
        return parse_time(options[name], f"--{name}", self.poller.time_zone)


def _add_options(parser: ArgumentParser, *, is_new: bool) -> None:
    parser.add_argument("--start", required=is_new, metavar="ISO", help="when it begins")
    parser.add_argument("--end", required=is_new, metavar="ISO", help="when it is over")
    parser.add_argument(
        "--channel", action="append", default=[], metavar="ID", help="a channel; may be repeated"
    )
    parser.add_argument(
        "--allow-overlap", action="store_true", help="even if another session overlaps"
    )
