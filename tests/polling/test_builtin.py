"""Polls by the built-in exporter: few calls, proofs, and what a lost permission does not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from messages_app.models import Feed, Guild, Member, Message, Poll
from messages_app.replay.discord import access
from tests.polling.played_discord import PlayedDiscord, played_discord
from tests.simulation import at, covered_at

HOUR_S = 3600


@pytest.fixture
def hour(tmp_path: Path, environ: dict[str, str]) -> Iterator[PlayedDiscord]:
    """An hour of two channels."""
    with played_discord(tmp_path / "replay", environ, HOUR_S) as simulation:
        yield simulation


def shown() -> list[str]:
    return list(Message.objects.shown().order_by("discord_id").values_list("content", flat=True))


def test_a_tick_stores_what_is_new_and_says_which_exporter_was_used(hour: PlayedDiscord) -> None:
    hour.channel(201).post(5, "hello")
    hour.channel(202).post(6, "ahoy")
    hour.schedule()

    assert hour.tick(30.4).status == 0

    assert shown() == ["hello", "ahoy"]
    assert set(Poll.objects.values_list("exporter", flat=True)) == {"builtin"}
    fields = [event.fields for event in hour.events if "EXPORTER" in event.fields]
    assert {each["EXPORTER"] for each in fields} == {"builtin"}


def test_a_window_is_covered_as_far_as_discords_clock_had_come(hour: PlayedDiscord) -> None:
    hour.schedule()
    hour.discord.world.clock_error_s = -8

    hour.tick(30.4)

    assert Poll.objects.count() == 2, "what is left is the next run's"
    for feed in Feed.objects.all():
        assert feed.coverage.windows[-1].end == at(22)


def test_a_clock_far_ahead_of_discords_covers_nothing_that_is_still_to_come(
    hour: PlayedDiscord,
) -> None:
    hour.clock_error_s = lambda _true_s: 900.0
    hour.channel(201).post(20, "soon")
    hour.schedule()

    assert hour.tick(30).status == 0

    assert shown() == ["soon"]
    for feed in Feed.objects.all():
        assert feed.coverage.windows[-1].end == at(30)


def test_a_quiet_tick_is_one_call_for_all_channels(hour: PlayedDiscord) -> None:
    hour.schedule()
    hour.tick(30)
    hour.asked()

    hour.tick(60)

    assert hour.asked() == ["/guilds/100/channels"]


def test_names_outlast_a_run(hour: PlayedDiscord) -> None:
    hour.schedule()
    for second in range(0, 120, 3):
        hour.channel(201).post(second, f"at {second}", author=f"Author {second % 40}")
    hour.tick(30)
    hour.tick(60)
    assert Guild.objects.count() == 1
    assert Member.objects.exists()
    for second in (90, 120):
        hour.tick(second)
    hour.asked()

    hour.tick(121)

    assert not [path for path in hour.asked() if "members" in path]


@pytest.mark.parametrize("denied", [access.VIEW, access.HISTORY], ids=["view", "history"])
def test_a_permission_that_is_lost_deletes_and_covers_nothing(
    hour: PlayedDiscord, denied: int
) -> None:
    hour.channel(201).post(5, "hello")
    hour.schedule()
    hour.tick(30)
    covered = {feed.pk: feed.coverage for feed in Feed.objects.all()}
    hour.discord.world.change(channel="201", deny=denied, start_ms=0)

    outcome = hour.tick(60)

    assert outcome.status == 69
    assert shown() == ["hello"]
    feed = Feed.objects.get(channel_id=201)
    assert feed.coverage == covered[feed.pk]
    assert "permission" in feed.error
    assert Feed.objects.get(channel_id=202).coverage.windows[-1].end == covered_at(60)


def test_the_only_message_of_a_channel_that_is_deleted_is_deleted_here(hour: PlayedDiscord) -> None:
    hour.channel(201).post(5, "oops", deleted_at=45)
    hour.schedule()
    hour.tick(30)
    assert shown() == ["oops"]

    hour.tick(60)

    assert shown() == []


def test_a_session_is_closed_equal_to_discord(hour: PlayedDiscord) -> None:
    channel = hour.channel(201)
    for second in range(0, HOUR_S, 50):
        channel.post(
            second,
            f"at {second}",
            edits=[(min(second + 700, HOUR_S), "edited")] if second % 300 == 0 else [],
            deleted_at=min(second + 900, HOUR_S) if second % 350 == 0 else None,
        )
    session = hour.schedule()

    for second in (*range(30, 1200, 30), *range(2400, HOUR_S + 90, 30)):
        hour.tick(second)

    hour.assert_closed_and_covered(session)
    hour.assert_equal_to_discord()
