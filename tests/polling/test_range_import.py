"""`import_messages --start --end`: which channels, in which chunks, counted for which feed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from messages_app.environment import Settings
from messages_app.errors import ConfigurationError, UsageError
from messages_app.models import Channel, Feed, Message, Poll, Session
from messages_app.polling.range_import import Part, RangeImport, parts_of
from messages_app.polling.run_folder import Run
from messages_app.replay.scenario import Scenario
from messages_app.scheduling import add_session
from messages_app.windows import Coverage, Window
from tests.commands import Commands, Manage
from tests.simulation import START, Simulation, at

LENGTH_S = 1500


@pytest.fixture
def simulation(tmp_path: Path, commands: Commands) -> Simulation:
    """Two channels with a message every 10 s, from before the session until after it."""
    simulation = Simulation(tmp_path / "replay", commands.environ, LENGTH_S)
    for channel_id in simulation.channel_ids:
        for second in range(-100, LENGTH_S + 100, 10):
            simulation.channel(channel_id).post(second, f"at {second}")
    return simulation


def span(start_s: float, end_s: float) -> Window:
    return Window(at(start_s), at(end_s))


def import_range(
    simulation: Simulation,
    window: Window,
    session: Session | None = None,
    channel_ids: Sequence[int] = (),
    **environ: str,
) -> RangeImport:
    """Import a range a day after the session."""
    now = START + timedelta(days=1)
    environ = simulation.environ | {
        "REPLAY_SCENARIO": str(simulation.folder / "scenario.json"),
        "REPLAY_LOG": str(simulation.folder / "calls.log"),
        "REPLAY_NOW": now.isoformat(),
        **environ,
    }
    settings = Settings(environ)
    parts = parts_of(window, session, channel_ids, settings.channels)
    with Run.of(settings) as run:
        ranges = RangeImport(settings, environ, run, lambda: now, simulation.events.append)
        ranges.import_parts(parts)
    assert list((Path(settings.state_dir) / "runs").iterdir()) == []
    return ranges


def feed_of(session: Session, channel_id: int) -> Feed:
    return session.feeds.get(channel_id=channel_id)


# Which channels, and what of the range counts for which feed.


def described(parts: Sequence[Part]) -> list[tuple[int, float, float, int | None]]:
    return [
        (
            part.channel_id,
            (part.window.start - START).total_seconds(),
            (part.window.end - START).total_seconds(),
            part.feed.session_id if part.feed else None,
        )
        for part in parts
    ]


def test_a_range_without_a_session_is_of_the_sessions_that_it_meets(db: None) -> None:
    first = add_session("First", span(0, 100), [201])
    second = add_session("Second", span(100, 200), [202])
    add_session("Third", span(300, 400), [203])

    assert described(parts_of(span(50, 150), None, [], [7])) == [
        (201, 50, 100, first.pk),
        (201, 100, 150, None),
        (202, 100, 150, second.pk),
        (202, 50, 100, None),
    ]


def test_named_channels_are_the_only_ones(db: None) -> None:
    session = add_session("Session", span(0, 100), [201, 202])

    assert described(parts_of(span(0, 100), None, [202, 999], [7])) == [
        (202, 0, 100, session.pk),
        (999, 0, 100, None),
    ]


def test_a_named_session_is_the_only_one(db: None) -> None:
    session = add_session("Session", span(0, 100), [201])
    add_session("Other", span(0, 100), [201, 202], allow_overlap=True)

    assert described(parts_of(span(0, 100), session, [], [])) == [(201, 0, 100, session.pk)]
    assert described(parts_of(span(0, 100), session, [201], [])) == [(201, 0, 100, session.pk)]


def test_a_channel_of_two_sessions_counts_for_both(db: None) -> None:
    one = add_session("One", span(0, 100), [201])
    two = add_session("Two", span(50, 150), [201], allow_overlap=True)

    assert described(parts_of(span(0, 150), None, [], [])) == [
        (201, 0, 100, one.pk),
        (201, 50, 150, two.pk),
    ]


def test_outside_of_every_session_the_configured_channels_are_imported(db: None) -> None:
    assert described(parts_of(span(0, 100), None, [], [7, 8])) == [
        (7, 0, 100, None),
        (8, 0, 100, None),
    ]


@pytest.mark.parametrize(
    ("window", "channel_ids", "words"),
    [
        (span(0, 100), [999], "Channel 999 is not one of session"),
        (span(100, 200), [201], "is at another time"),
        (span(-100, 0), [], "is at another time"),
    ],
)
def test_a_session_that_does_not_fit_is_refused(
    db: None, window: Window, channel_ids: list[int], words: str
) -> None:
    session = add_session("Session", span(0, 100), [201])

    with pytest.raises(UsageError, match=words):
        parts_of(window, session, channel_ids, [7])


def test_where_no_channel_is_known_one_has_to_be_named(db: None) -> None:
    with pytest.raises(UsageError, match="No channel is known for that time"):
        parts_of(span(0, 100), None, [], [])


# The import itself.


def test_a_range_is_stored_and_counted_for_its_feeds(simulation: Simulation) -> None:
    session = simulation.schedule()

    ranges = import_range(simulation, session.window, session)

    assert ranges.status == 0
    assert str(ranges.tally) == "300 read, 300 new, 0 edited, 0 deleted, 0 unchanged"
    simulation.assert_equal_to_discord()
    for feed in session.feeds.all():
        assert feed.coverage == Coverage([session.window])
        assert feed.swept == Coverage()
        assert feed.lease_until is None
    polls = Poll.objects.filter(succeeded=True, purpose=Poll.Purpose.IMPORT)
    assert polls.count() == 6
    assert len(simulation.events) == 6


def test_no_window_is_longer_than_the_longest(simulation: Simulation) -> None:
    session = simulation.schedule()

    import_range(simulation, session.window, session, [201])

    assert simulation.asked_windows() == [span(0, 600), span(600, 1200), span(1200, 1500)]


def test_what_lies_outside_of_the_session_is_stored_and_counts_for_none(
    simulation: Simulation,
) -> None:
    session = simulation.schedule()

    import_range(simulation, span(-50, 50), session, [201])

    assert Message.objects.count() == 10
    assert feed_of(session, 201).coverage == Coverage([span(0, 50)])
    assert Poll.objects.filter(feed=None, channel_id=201, succeeded=True).count() == 1


def test_an_unknown_channel_becomes_known(simulation: Simulation) -> None:
    simulation.schedule()
    simulation.scenario.channel("999").post(5, "elsewhere")
    simulation.scenario.save(simulation.folder / "scenario.json")
    import_range(simulation, span(0, 50), None, [999])

    assert Channel.objects.get(pk=999).name == "channel-999"
    assert Message.objects.get(channel_id=999).content == "elsewhere"


def test_a_range_again_finds_edits_and_deletions(simulation: Simulation) -> None:
    simulation.channel(201).post(5, "to be edited", edits=[(90_000, "edited")])
    simulation.channel(201).post(6, "to be deleted", deleted_at=90_000)
    session = simulation.schedule()
    import_range(simulation, span(0, 10), session, [201])

    later = (START + timedelta(days=2)).isoformat()
    ranges = import_range(simulation, span(0, 10), session, [201], REPLAY_NOW=later)

    assert str(ranges.tally) == "2 read, 0 new, 1 edited, 1 deleted, 1 unchanged"


# An exporter that hangs costs the test real time. The others get all theirs on a busy machine.
IMPATIENT = {"POLLER_EXPORT_TIMEOUT": "1", "POLLER_RUN_BUDGET": "1"}
STATUSES = {
    "quiet": 0,
    "slow:0.1": 0,
    "drip:0.1": 0,
    "stderr-flood": 0,
    "no-file": 65,
    "empty-file": 65,
    "garbage": 65,
    "cut-zero-exit": 65,
    "wrong-count": 65,
    "other-channel": 65,
    "not-found": 69,
    "forbidden": 69,
    "unreadable": 69,
    "server-error:0": 69,
    "rate-limited:0": 69,
    "network-down:0": 69,
    "crash-half": 69,
    "killed": 69,
    "hang": 75,
    "bad-token": 77,
}


@pytest.mark.parametrize("fault", STATUSES)
def test_every_fault_has_its_status_and_only_a_proved_window_counts(
    simulation: Simulation, fault: str
) -> None:
    session = simulation.schedule()

    limits = IMPATIENT if fault == "hang" else {}
    ranges = import_range(simulation, span(0, 100), session, [201], REPLAY_FAULT=fault, **limits)

    assert ranges.status == STATUSES[fault]
    feed = feed_of(session, 201)
    assert feed.coverage == Coverage([] if ranges.status else [span(0, 100)])
    assert (feed.lease_until, feed.failures, feed.next_attempt_at) == (None, 0, None)
    poll = Poll.objects.get()
    assert poll.succeeded is not bool(ranges.status)
    assert bool(poll.error) is bool(ranges.status)
    assert "the.test.token" not in poll.error + str(simulation.events)


@pytest.mark.parametrize("fault", ["crash-half", "killed", "cut-zero-exit", "wrong-count"])
def test_the_messages_of_an_incomplete_export_are_stored(
    simulation: Simulation, fault: str
) -> None:
    session = simulation.schedule()

    import_range(simulation, span(0, 100), session, [201], REPLAY_FAULT=fault)

    assert Message.objects.count() == (10 if fault == "wrong-count" else 5)
    assert not Message.objects.exclude(deleted_at=None).exists()


@pytest.mark.parametrize("fault", ["crash-half", "killed", "cut-zero-exit", "garbage", "quiet"])
def test_an_export_that_shows_too_little_deletes_nothing(
    simulation: Simulation, fault: str
) -> None:
    session = simulation.schedule()
    import_range(simulation, span(0, 100), session, [201])
    before = list(Message.objects.order_by("discord_id").values())

    import_range(simulation, span(0, 100), session, [201], REPLAY_FAULT=fault)

    assert list(Message.objects.order_by("discord_id").values()) == before


def test_one_failing_channel_does_not_stop_the_other_and_the_worst_status_counts(
    simulation: Simulation,
) -> None:
    session = simulation.schedule()

    ranges = import_range(
        simulation,
        span(0, 1200),
        session,
        REPLAY_FAULT="garbage@201,killed@202",
        POLLER_PARALLEL="1",
    )
    assert ranges.status == 69

    ranges = import_range(simulation, span(0, 1200), session, REPLAY_FAULT="garbage@201")
    assert ranges.status == 65
    assert feed_of(session, 201).coverage == Coverage()
    assert feed_of(session, 202).coverage == Coverage([span(0, 1200)])


def test_a_refused_token_is_tried_no_further(simulation: Simulation) -> None:
    session = simulation.schedule()

    ranges = import_range(
        simulation, session.window, session, REPLAY_FAULT="bad-token", POLLER_PARALLEL="1"
    )

    assert ranges.status == 77
    assert len(simulation.calls()) == 1


def test_an_exporter_that_cannot_be_started_leaves_no_lease(
    simulation: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = simulation.schedule()
    (tmp_path / "exporter").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "exporter").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match="cannot be started"):
        import_range(simulation, span(0, 100), session, [201], POLLER_EXPORTER="exporter")

    assert feed_of(session, 201).lease_until is None


def test_a_session_that_was_given_up_is_whole_once_its_last_gap_is_filled(
    simulation: Simulation,
) -> None:
    session = simulation.schedule()
    Session.objects.update(closed_at=at(LENGTH_S) + timedelta(days=1), given_up=True)

    import_range(simulation, session.window, session, [201])
    session.refresh_from_db()
    assert session.given_up

    import_range(simulation, session.window, session, [202])
    session.refresh_from_db()
    assert not session.given_up
    assert session.closed_at is not None


# Leases.


def hold_lease(feed: Feed, until: datetime) -> None:
    Feed.objects.filter(pk=feed.pk).update(lease_holder="elsewhere:1:x", lease_until=until)


def test_a_feed_that_another_run_works_on_is_waited_for(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = simulation.schedule()
    feed = feed_of(session, 201)
    hold_lease(feed, START + timedelta(days=1, seconds=30))
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        assert Message.objects.filter(channel_id=201).count() == 0
        if len(pauses) == 3:
            Feed.objects.filter(pk=feed.pk).update(lease_until=None)

    monkeypatch.setattr(time, "sleep", pause)
    ranges = import_range(simulation, span(0, 100), session, [201])

    assert len(pauses) == 3
    assert ranges.status == 0
    assert Message.objects.filter(channel_id=201).count() == 10


def test_while_one_feed_is_held_the_others_are_imported_and_in_the_end_that_is_told(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = simulation.schedule()
    hold_lease(feed_of(session, 201), START + timedelta(days=1, seconds=30))
    # Its patience, the time limit and a margin, is used up at once.
    monkeypatch.setattr("messages_app.polling.range_import.MARGIN_S", -120)

    ranges = import_range(simulation, span(0, 100), session)

    assert ranges.status == 75
    assert feed_of(session, 202).coverage == Coverage([span(0, 100)])
    assert feed_of(session, 201).coverage == Coverage()
    assert feed_of(session, 201).lease_holder == "elsewhere:1:x"
    assert "channel 201: run elsewhere:1:x is working on it" in simulation.events[-1].sentence


def test_a_feed_that_was_taken_over_meanwhile_is_left_alone(simulation: Simulation) -> None:
    session = simulation.schedule()
    feed = feed_of(session, 201)
    clock_reads = 0
    now = START + timedelta(days=1)

    def clock() -> datetime:
        nonlocal clock_reads
        clock_reads += 1
        if clock_reads == 2:  # the first read was for the claim, this one is for taking it in
            hold_lease(feed, now + timedelta(seconds=60))
        return now

    environ = simulation.environ | {
        "REPLAY_SCENARIO": str(simulation.folder / "scenario.json"),
        "REPLAY_NOW": now.isoformat(),
    }
    settings = Settings(environ)
    with Run.of(settings) as run:
        ranges = RangeImport(settings, environ, run, clock, simulation.events.append)
        ranges.import_parts(parts_of(span(0, 100), session, [201], []))

    assert ranges.status == 75
    assert not Message.objects.exists()
    feed.refresh_from_db()
    assert feed.coverage == Coverage()
    assert feed.lease_holder == "elsewhere:1:x"


# As a process.


@pytest.fixture
def an_hour_ago(tmp_path: Path, manage: Manage) -> datetime:
    """A channel 201 with ten messages from an hour ago on, played to `manage`."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    scenario = Scenario(start)
    for second in range(10):
        scenario.channel("201").post(second, f"at {second}")
    scenario.save(tmp_path / "scenario.json")
    manage.environ["REPLAY_SCENARIO"] = str(tmp_path / "scenario.json")
    return start


def range_arguments(start: datetime) -> tuple[str, ...]:
    end = start + timedelta(seconds=60)
    return "import_messages", "--start", start.isoformat(), "--end", end.isoformat()


def test_the_command_imports_a_range_and_tells_of_it(manage: Manage, an_hour_ago: datetime) -> None:
    output = manage(*range_arguments(an_hour_ago), "--channel", "201")

    told, tally = sorted(output.splitlines(), reverse=True)
    assert told.startswith("No session, channel 201, import by hand ")
    assert tally.startswith("10 read, 10 new, 0 edited, 0 deleted, 0 unchanged, in ")
    assert Message.objects.count() == 10
    assert list((Path(manage.environ["POLLER_STATE_DIR"]) / "runs").iterdir()) == []


def test_the_configured_channels_are_those_of_a_range_without_any(
    manage: Manage, an_hour_ago: datetime
) -> None:
    assert "10 new" in manage(*range_arguments(an_hour_ago), POLLER_CHANNELS="201")


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (65, {"REPLAY_FAULT": "garbage"}),
        (69, {"REPLAY_FAULT": "network-down:0"}),
        (75, {"REPLAY_FAULT": "hang", "POLLER_EXPORT_TIMEOUT": "1"}),
        (77, {"REPLAY_FAULT": "bad-token"}),
        (78, {"DISCORD_TOKEN": ""}),
        (78, {"POLLER_EXPORTER": "/nowhere/exporter"}),
    ],
)
def test_the_command_exits_with_the_status_of_what_went_wrong(
    manage: Manage, an_hour_ago: datetime, status: int, trouble: dict[str, str]
) -> None:
    output = manage(*range_arguments(an_hour_ago), "--channel", "201", status=status, **trouble)

    assert "the.test.token" not in output


def test_an_end_in_the_future_is_now(manage: Manage, an_hour_ago: datetime) -> None:
    end = datetime.now(UTC) + timedelta(days=1)

    manage(
        *("import_messages", "--start", an_hour_ago.isoformat(), "--end", end.isoformat()),
        *("--channel", "201"),
        POLLER_MAX_SPAN="86400",
    )

    assert Poll.objects.get().window_end <= datetime.now(UTC)


def test_what_an_export_did_not_tell_of_is_a_chunk_of_its_own(simulation: Simulation) -> None:
    """Each export ends behind its first page of a hundred, as where a permission is lost."""
    simulation.schedule()
    unkind = {"REPLAY_FAULT": "history-lost", "POLLER_MAX_SPAN": "3600"}
    import_range(simulation, span(-100, LENGTH_S + 100), None, [201], **unkind)
    assert Message.objects.count() == len(range(-100, LENGTH_S + 100, 10)) == 170
    assert span(990, LENGTH_S) in simulation.asked_windows()
