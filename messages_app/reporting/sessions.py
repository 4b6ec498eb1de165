"""A session in words: one line for lists, and the details with coverage and gaps."""

from __future__ import annotations

from datetime import datetime, timedelta

from messages_app.models import Obstacle, Phase, Session
from messages_app.reporting.feeds import FeedState, feed_states


def session_line(session: Session, now: datetime) -> str:
    """For example: session 3 «Race», 2026-05-01 18:00:00 to 20:00:00 UTC, 1 channel: live."""
    count = session.feeds.count()
    channels = "1 channel" if count == 1 else f"{count} channels"
    return (
        f"session {session.pk} «{session.title}», {session.window}, {channels}: "
        f"{session_state(session, now, has_channels=count > 0)}"
    )


def session_state(session: Session, now: datetime, *, has_channels: bool) -> str:
    """The state in words, for example "live, 42 min left" or "closed, complete"."""
    phase = session.phase(now)
    if phase in (Phase.CLOSED, Phase.GIVEN_UP) and not has_channels:
        return "over, without channels"
    return {
        Phase.COMING: f"starts in {duration(session.start_time - now)}",
        Phase.LIVE: f"live, {duration(session.end_time - now)} left",
        Phase.OVER: "over, not closed yet",
        Phase.CLOSED: "closed, complete",
        Phase.GIVEN_UP: "given up with gaps",
        Phase.ARCHIVE: "an archive",
    }[phase]


def session_details(session: Session, now: datetime) -> str:
    """The line, then each feed: how far it is covered and swept, its gaps and its last failure."""
    lines = [session_line(session, now)]
    obstacles = Obstacle.objects.filter(feed__session=session).select_related("feed")
    for feed in feed_states(session, now):
        lines += _feed_lines(feed, session, now)
        lines += [
            f"    the exporter cannot parse a message («{each.words}»): {each.gap} is left out, "
            f"and tried again from {each.retry_at:%Y-%m-%d %H:%M} UTC on"
            for each in obstacles
            if each.feed.channel_id == feed.channel_id and each.gap and each.retry_at
        ]
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
    if session.is_archive:
        return [f"  {name}: imported from files"]
    if now <= session.start_time:
        return [f"  {name}: not begun"]
    until = feed.gaps[0].start if feed.gaps else feed.covered_to
    lines = [f"  {name}: covered until {until:%Y-%m-%d %H:%M:%S} UTC"]
    lines += [f"    gap of {gap.seconds:.0f} s: {gap}" for gap in feed.gaps]
    if session.phase(now) is Phase.OVER:
        lines.append(f"    still to be read again: {feed.unswept_s:.0f} s")
    if feed.error:
        lines.append(f"    {feed.failures} failed polls in a row: {feed.error}")
    return lines
