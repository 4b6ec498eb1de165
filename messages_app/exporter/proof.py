"""What an export of DiscordChatExporter proves: the rules, without effects.

It reads pages of a hundred messages and takes an empty one for the end. So it ends without an error
also where the account may not read what was posted, or may no longer: a document of a full page or
more tells nothing of what is behind its last message, and an empty one proves nothing by itself.
Two things do: the exporter's own words, which come from the channel's last message id and need no
permission, where no message is stored that should have been shown; and a probe, an export that
begins afterwards and shows any message of the channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from messages_app.snowflakes import instant_of
from messages_app.windows import Window, to_milliseconds

# How the exporter says that a channel's last message is older than the window.
NO_LATER_MESSAGE = "does not contain any messages within the specified period"
_FIRST_REACH = timedelta(days=1)
_GROWTH = 8
_MILLISECOND = timedelta(milliseconds=1)
_PAGE = 100


def told_part(window: Window, count: int, last_at: datetime | None) -> Window:
    """The beginning of `window` of which a document of `count` messages tells.

    `last_at` is when the last of them was posted, which is read again with what is behind it. It
    tells of a millisecond in any case, so that reading advances.
    """
    if count < _PAGE or last_at is None or window.end - last_at <= _MILLISECOND:
        return window
    return Window(window.start, max(to_milliseconds(last_at), window.start + _MILLISECOND))


def is_proved_empty(*, is_said: bool, is_one_stored: bool, is_one_shown: bool) -> bool:
    """Whether an empty window is known to be empty.

    `is_said`: the exporter said NO_LATER_MESSAGE. `is_one_stored`: a message is stored in the
    window that is not known to be deleted. `is_one_shown`: a probe has shown one elsewhere.
    """
    return is_one_shown or (is_said and not is_one_stored)


def probes(
    channel_id: int, window: Window, known_elsewhere: Sequence[datetime], until: datetime | None
) -> Iterator[Window]:
    """The windows to try for a message of the channel, the likeliest first.

    The first are the milliseconds of messages that are known outside of `window`; then what came
    after the window and before `until`, where something is known to have; the others reach back
    from the window's start, ever further, to the channel's birth.
    """
    for instant in map(to_milliseconds, known_elsewhere):
        yield Window(instant, instant + _MILLISECOND)
    if until and until > window.end:
        yield Window(window.end, until)
    begun, end, reach = birth(channel_id), window.start, _FIRST_REACH
    while end > begun:
        start = max(end - reach, begun)
        yield Window(start, end)
        end, reach = start, reach * _GROWTH


def birth(channel_id: int) -> datetime:
    """When a channel was made, which its id tells."""
    return instant_of(channel_id)
