"""A session in words: one line for lists, and the details with coverage and gaps."""

from __future__ import annotations

from datetime import datetime, timedelta

from messages_app.models import Session
from messages_app.reporting.feeds import FeedState, feed_states


def session_line(session: Session, now: datetime) -> str:
    """For example: session 3 «Race», 2026-05-01 18:00:00 to 20:00:00 UTC, 1 channel: live."""
    count = session.feeds.count()
    channels = "1 channel" if count == 1 else f"{count} channels"
    return (
        f"session {session.pk} «{session.title}», {session.window}, {channels}: "
        f"{session_state(session, now)}"
    )


def session_state(session: Session, now: datetime) -> str:
    """The state in words, for example "live, 42 min left" or "closed, complete"."""
    if session.closed_at:
        return "given up with gaps" if session.given_up else "closed, complete"
    if now < session.start_time:
        return f"starts in {duration(session.start_time - now)}"
    if now < session.end_time:
        return f"live, {duration(session.end_time - now)} left"
    return "over, not closed yet"


def session_details(session: Session, now: datetime) -> str:
    """The line, then each feed: how far it is covered and swept, its gaps and its last failure."""
    lines = [session_line(session, now)]
    for feed in feed_states(session, now):
        lines += _feed_lines(feed, session, now)
    return "\n".join(lines)


def duration(length: timedelta) -> str:
    """For example "42 s", "12 min", "3 h 5 min", "2 d 4 h": as coarse as people speak."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def _feed_lines(feed: FeedState, session: Session, now: datetime) -> list[str]:
    name = f"channel {feed.channel_id}"
    if feed.channel_name:
        name += f" (#{feed.channel_name})"
    if now <= session.start_time:
        return [f"  {name}: not begun"]
    until = feed.gaps[0].start if feed.gaps else feed.covered_to
    lines = [f"  {name}: covered until {until:%Y-%m-%d %H:%M:%S} UTC"]
    lines += [f"    gap of {gap.seconds:.0f} s: {gap}" for gap in feed.gaps]
    if now >= session.end_time and not session.closed_at:
        lines.append(f"    still to be read again: {feed.unswept_s:.0f} s")
    if feed.error:
        lines.append(f"    {feed.failures} failed polls in a row: {feed.error}")
    return lines
