"""The units as they are shipped, at their real period."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from messages_app.windows import PERIOD_S
from tests.system.machine import wait_until
from tests.system.server import CHANNEL, Server

TICKS = 11


def test_ten_ticks_in_a_row_are_thirty_seconds_apart_and_bring_every_message(
    undisturbed: Server,
) -> None:
    server = undisturbed
    server.add_session("--channel", CHANNEL)
    server.wait_for_the_boot_to_be_past()
    server.mark()
    before = time.monotonic()
    server.enable()
    wait_until(server.polls, "the first poll", limit_s=10)
    assert server.starts()[0] - before < 2

    limit_s = TICKS * PERIOD_S + 30
    wait_until(lambda: len(server.starts()) >= TICKS, f"{TICKS} ticks", limit_s, every_s=3)
    starts = server.starts()
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(abs(gap - PERIOD_S) <= 1 for gap in gaps), gaps
    # The windows of the polls meet: nothing of these five minutes lies between two of them.
    wait_until(lambda: len(server.polls()) >= TICKS, "as many polls as ticks", limit_s=10)
    windows = [
        (datetime.fromisoformat(p["WINDOW_START"]), datetime.fromisoformat(p["WINDOW_END"]))
        for p in server.polls()
    ]
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(windows))
    assert windows[-1][1] - windows[0][0] > timedelta(seconds=PERIOD_S * (TICKS - 1))
    assert windows[-1][1] <= datetime.now(UTC) + timedelta(seconds=1)
