"""`session`: what is typed is what is scheduled, and what cannot be meant changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messages_app.management.base import utc_now
from messages_app.models import Channel, Feed, Obstacle, Session
from messages_app.windows import Coverage, Window
from tests.builders import at, make_feed, make_session
from tests.commands import Commands, Manage

TIMES = ("session", "add", "Race", "--start", "2026-05-01T18:00", "--end", "2026-05-01T20:00")
RACE = (*TIMES, "--channel", "201")
SIX = datetime(2026, 5, 1, 18, tzinfo=UTC)
EIGHT = datetime(2026, 5, 1, 20, tzinfo=UTC)


def add(title: str, start: datetime, end: datetime) -> Session:
    return Session.objects.create(title=title, start_time=start, end_time=end)


def state() -> list[object]:
    """All that `session` may change."""
    return [
        *Session.objects.order_by("id").values(),
        *Feed.objects.order_by("id").values(),
        *Channel.objects.order_by("discord_id").values(),
    ]


def test_what_the_exporter_could_not_parse_is_tried_again_at_once(commands: Commands) -> None:
    assert commands("session", "retry") == "No message is left out.\n"
    feed = make_feed(make_session())
    now = at(10)
    Obstacle.objects.create(
        feed=feed, words="x", found_at=now, low=now, high=now, back=50, reach=0, left=now
    )
    assert commands("session", "retry") == "1 place is read again at the next poll.\n"
    assert Obstacle.objects.due(utc_now()).count() == 1


def test_a_session_is_added_with_its_channels(commands: Commands) -> None:
    output = commands(*RACE, "--channel", "201", "--channel", "202", "--channel", "201")

    session = Session.objects.get()
    assert (session.title, session.start_time, session.end_time) == ("Race", SIX, EIGHT)
    assert list(session.feeds.values_list("channel_id", flat=True)) == [201, 202]
    assert output.startswith(
        f"Added: session {session.pk} «Race», 2026-05-01 18:00:00 to 20:00:00 UTC, 2 channels: "
    )
    assert output.count("\n") == 1


def test_a_session_without_channels_is_refused_unless_the_settings_name_some(
    commands: Commands,
) -> None:
    assert "name one with --channel ID" in commands(*TIMES, status=2)
    assert state() == []

    commands(*TIMES, POLLER_CHANNELS="201")
    assert not Session.objects.get().feeds.exists(), "it takes them when it is polled"


@pytest.mark.parametrize("given_up", [False, True])
def test_a_session_without_channels_is_never_called_complete(
    commands: Commands, given_up: bool
) -> None:
    session = add("Race", SIX, EIGHT)
    Session.objects.update(closed_at=EIGHT + timedelta(days=1), given_up=given_up)

    assert commands("session", "list").endswith("0 channels: over, without channels\n")
    assert "complete" not in commands("session", "show", str(session.pk))


def test_the_documented_example_works(commands: Commands) -> None:
    commands(*TIMES, "--channel", "81384788765712384")

    assert Feed.objects.get().channel_id == 81384788765712384


@pytest.mark.parametrize(
    ("zone", "typed", "instant"),
    [
        ("UTC", "2026-05-01T18:00", SIX),
        ("UTC", "2026-05-01 18:00:00", SIX),
        ("UTC", "20260501T1800Z", SIX),
        ("Europe/Berlin", "2026-05-01T20:00", SIX),
        ("Europe/Berlin", "2026-05-01T19:00+01:00", SIX),
        ("Asia/Kathmandu", "2026-05-01T23:45", SIX),
    ],
)
def test_times_have_an_offset_or_are_in_the_configured_zone(
    commands: Commands, zone: str, typed: str, instant: datetime
) -> None:
    output = commands(
        *("session", "add", "Race", "--start", typed, "--end", "2026-05-01T20:00Z"),
        *("--channel", "201"),
        POLLER_TIME_ZONE=zone,
    )

    assert Session.objects.get().start_time == instant
    assert "2026-05-01 18:00:00 to 20:00:00 UTC" in output


BAD_TIMES = {
    "tomorrow": "is not a time",
    "": "is not a time",
    "2026-05-01T25:00": "is not a time",
    "2026-02-30T18:00": "is not a time",
    "1777658400": "is not a time",
    "0001-01-01T00:00+23:00": "is not in Discord's time",
    "0001-01-01": "is not in Discord's time",
    "9999-12-31T23:59-12:00": "is not in Discord's time",
    "1970-01-01T00:00": "is not in Discord's time",
    "2084-01-01T00:00Z": "is not in Discord's time",
    "2026-03-29T02:30": "skipped or shown twice",
    "2026-10-25T02:30": "skipped or shown twice",
}


@pytest.mark.parametrize("typed", BAD_TIMES)
@pytest.mark.parametrize("option", ["--start", "--end"])
def test_a_time_that_cannot_be_meant_is_refused(
    commands: Commands, option: str, typed: str
) -> None:
    times = {"--start": "2026-01-01T00:00", "--end": "2026-12-01T00:00"} | {option: typed}
    arguments = [word for pair in times.items() for word in pair]

    output = commands(
        "session", "add", "Race", *arguments, status=2, POLLER_TIME_ZONE="Europe/Berlin"
    )

    assert output.startswith(f"{option} ")
    assert BAD_TIMES[typed] in output
    assert output.count("\n") == 1
    assert state() == []


def test_the_hours_beside_a_skipped_and_a_doubled_one_are_taken(commands: Commands) -> None:
    commands(
        *("session", "add", "Race", "--start", "2026-03-29T01:59", "--end", "2026-10-25T03:00"),
        *("--channel", "201"),
        POLLER_TIME_ZONE="Europe/Berlin",
    )

    session = Session.objects.get()
    assert session.start_time == datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    assert session.end_time == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("end", ["2026-05-01T18:00", "2026-05-01T17:59:59.999"])
def test_an_end_that_is_not_after_the_start_is_refused(commands: Commands, end: str) -> None:
    output = commands(*TIMES[:-1], end, "--channel", "201", status=2)

    assert "must be later than the start (2026-05-01 18:00:00 UTC)" in output
    assert state() == []


@pytest.mark.parametrize("title", ["", "  \t", "x" * 201, "two\nlines", "red\x1b[31m", "\udcff"])
def test_a_title_that_is_no_line_of_text_is_refused(commands: Commands, title: str) -> None:
    output = commands(*RACE[:2], title, *RACE[3:], status=2)

    assert output.startswith("A session's title ")
    assert state() == []


@pytest.mark.parametrize(
    "title", ["x" * 200, "🏁 Grand Prix 👩‍👩‍👧", "--", "\N{ARABIC LETTER AIN}"]
)
def test_any_line_of_text_is_a_title(commands: Commands, title: str) -> None:
    commands("session", "add", *RACE[3:], "--", title)

    assert Session.objects.get().title == title


@pytest.mark.parametrize("channel", ["general", "0", "-5", "9223372036854775808", "", "<#201>"])
def test_what_is_no_channel_id_is_refused(commands: Commands, channel: str) -> None:
    output = commands(*RACE, f"--channel={channel}", status=2)

    assert "is not a Discord id" in output
    assert state() == []


def test_an_overlap_is_refused_unless_it_is_allowed(commands: Commands) -> None:
    other = add("Lecture", SIX + timedelta(hours=1), EIGHT + timedelta(hours=1))

    output = commands(*RACE, status=2)
    assert f"Session {other.pk} «Lecture» overlaps (2026-05-01 19:00:00 to 21:00:00 UTC)" in output
    assert Session.objects.count() == 1

    commands(*RACE, "--allow-overlap")
    assert Session.objects.count() == 2


def test_sessions_that_only_touch_do_not_overlap(commands: Commands) -> None:
    add("Before", SIX - timedelta(hours=1), SIX)
    add("After", EIGHT, EIGHT + timedelta(hours=1))

    commands(*RACE)


def test_an_edit_into_another_session_is_refused_and_changes_nothing(commands: Commands) -> None:
    add("Lecture", EIGHT, EIGHT + timedelta(hours=1))
    race = add("Race", SIX, EIGHT)
    before = state()
    longer = ("session", "edit", str(race.pk), "--end", "2026-05-01T20:30", "--title", "Long race")

    assert "overlaps" in commands(*longer, "--channel", "201", status=2)
    assert state() == before

    commands(*longer, "--allow-overlap")
    race.refresh_from_db()
    assert (race.title, race.end_time) == ("Long race", EIGHT + timedelta(minutes=30))


def test_a_title_can_be_changed_while_another_session_overlaps(commands: Commands) -> None:
    race = add("Race", SIX, EIGHT)
    add("Lecture", SIX, EIGHT)

    output = commands("session", "edit", str(race.pk), "--title", "Regatta")

    assert output.startswith(f"Changed: session {race.pk} «Regatta», ")


def test_an_edit_of_nothing_is_refused(commands: Commands) -> None:
    race = add("Race", SIX, EIGHT)

    assert "Nothing is to be changed" in commands("session", "edit", str(race.pk), status=2)


@pytest.mark.parametrize("options", [("--start", ""), ("--end", ""), ("--title", "")])
def test_an_empty_option_is_not_taken_for_none(
    commands: Commands, options: tuple[str, str]
) -> None:
    race = add("Race", SIX, EIGHT)
    before = state()

    commands("session", "edit", str(race.pk), *options, status=2)

    assert state() == before


def test_an_edit_replaces_the_channels_it_names_and_leaves_the_others_progress(
    commands: Commands,
) -> None:
    commands(*RACE, "--channel", "201", "--channel", "202")
    session = Session.objects.get()
    session.feeds.filter(channel_id=202).update(failures=3)

    commands("session", "edit", str(session.pk), "--channel", "202", "--channel", "203")

    assert list(session.feeds.values_list("channel_id", "failures")) == [(202, 3), (203, 0)]
    assert Channel.objects.filter(pk=201).exists()


def closed_session() -> Session:
    """A session that was covered and swept to its end."""
    session = add("Race", SIX, EIGHT)
    session.closed_at = EIGHT + timedelta(minutes=1)
    session.save()
    whole = Coverage([Window(SIX, EIGHT)]).to_json()
    channel = Channel.objects.create(pk=201)
    Feed.objects.create(
        session=session, channel=channel, covered_windows=whole, swept_windows=whole
    )
    return session


@pytest.mark.parametrize(
    "change",
    [("--end", "2026-05-01T20:01"), ("--start", "2026-05-01T17:59"), ("--channel", "202")],
)
def test_a_closed_session_opens_again_where_it_has_more_to_read(
    commands: Commands, change: tuple[str, str]
) -> None:
    session = closed_session()

    commands("session", "edit", str(session.pk), *change)

    session.refresh_from_db()
    assert session.closed_at is None


@pytest.mark.parametrize("change", [("--title", "Regatta"), ("--channel", "201")])
def test_a_closed_session_stays_closed_where_nothing_is_left_to_read(
    commands: Commands, change: tuple[str, str]
) -> None:
    session = closed_session()

    commands("session", "edit", str(session.pk), *change)

    session.refresh_from_db()
    assert session.closed_at is not None


def test_a_live_session_ends_now(commands: Commands) -> None:
    now = datetime.now(UTC)
    session = add("Race", now - timedelta(hours=1), now + timedelta(hours=1))

    output = commands("session", "end", str(session.pk))

    session.refresh_from_db()
    assert now - timedelta(seconds=1) < session.end_time <= datetime.now(UTC)
    assert output.startswith(f"Ended: session {session.pk} «Race», ")
    assert output.endswith("over, not closed yet\n")


def test_a_live_session_ends_although_another_overlaps_it(commands: Commands) -> None:
    now = datetime.now(UTC)
    session = add("Race", now - timedelta(hours=1), now + timedelta(hours=1))
    add("Lecture", now - timedelta(hours=1), now + timedelta(hours=1))

    commands("session", "end", str(session.pk))


@pytest.mark.parametrize(("hours", "words"), [(1, "has not begun"), (-3, "is over already")])
def test_only_a_live_session_can_be_ended(commands: Commands, hours: int, words: str) -> None:
    start = datetime.now(UTC) + timedelta(hours=hours)
    session = add("Race", start, start + timedelta(hours=1))
    before = state()

    assert words in commands("session", "end", str(session.pk), status=2)
    assert state() == before


@pytest.mark.parametrize("session_id", ["7", "0", "-1", "99999999999999999999", "9" * 400])
@pytest.mark.parametrize(
    "action", [("show",), ("end",), ("edit", "--title", "Regatta")], ids=lambda action: action[0]
)
def test_a_session_that_is_not_there_is_named(
    commands: Commands, action: tuple[str, ...], session_id: str
) -> None:
    output = commands("session", *action, session_id, status=2)

    assert output == (f"There is no session {session_id}: `session list` shows those there are.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("session",),
        ("session", "remove", "1"),
        ("session", "show"),
        ("session", "show", "first"),
        ("session", "show", "9" * 5000),
        ("session", "add", "Race"),
        ("session", "add", "Race", "--start", "2026-05-01T18:00"),
        ("session", "list", "--all"),
    ],
)
def test_a_command_line_that_is_not_understood_is_refused(
    commands: Commands, arguments: tuple[str, ...]
) -> None:
    commands(*arguments, status=2)

    assert state() == []


def test_the_list_has_the_newest_first_and_says_where_it_is_empty(commands: Commands) -> None:
    assert commands("session", "list") == ("No session is scheduled: add one with `session add`.\n")
    add("Old", SIX - timedelta(days=7), EIGHT - timedelta(days=7))
    add("New", SIX, EIGHT)

    old, new = reversed(commands("session", "list").splitlines())
    assert "«Old», 2026-04-24 18:00:00 to 20:00:00 UTC, 0 channels" in old
    assert "«New»" in new


def test_the_details_show_coverage_and_gaps(commands: Commands) -> None:
    session = closed_session()
    half = Coverage([Window(SIX + timedelta(minutes=10), EIGHT)]).to_json()
    session.feeds.update(covered_windows=half, failures=2, error="Discord was away.")

    output = commands("session", "show", str(session.pk))

    assert "channel 201: covered until 2026-05-01 18:00:00 UTC" in output
    assert "gap of 600 s: 2026-05-01 18:00:00 to 18:10:00 UTC" in output
    assert "2 failed polls in a row: Discord was away." in output


def test_as_a_process_it_keeps_to_one_line_and_its_exit_status(manage: Manage) -> None:
    assert manage(*RACE).count("\n") == 1
    assert manage(*RACE, status=2).count("\n") == 1
    assert "the following arguments are required" in manage("session", "add", status=2)
    assert "There is no session 99999999999999999999" in manage(
        "session", "show", "99999999999999999999", status=2
    )


def test_a_title_typed_in_another_encoding_is_a_sentence(manage: Manage) -> None:
    arguments = ["Gr\udcfcn" if word == "Race" else word for word in RACE]

    assert "A session's title is one line of text" in manage(*arguments, status=2)
