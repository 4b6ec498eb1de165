"""The command line is DiscordChatExporter's, and so are its refusals."""

import pytest

from .stand_in import CHANNEL, StandIn


def test_a_plain_export_ends_with_status_0_and_counts_its_channels(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello")
    run = stand_in.export()
    assert run.status == 0
    assert run.texts == ["hello"]
    assert "Successfully exported 1 channel(s)." in run.stdout
    assert run.stderr == ""


def test_short_options_work(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello")
    stand_in.play()
    run = stand_in.call("export", "-c", CHANNEL, "-f", "json", "-o", str(stand_in.path))
    assert run.status == 0
    assert run.texts == ["hello"]


@pytest.mark.parametrize("word", ["--since", "--channel=200", "--utc=true", "-z"])
def test_an_unknown_option_is_refused_with_status_1(stand_in: StandIn, word: str) -> None:
    run = stand_in.export(word)
    assert run.status == 1
    assert "Unrecognized option(s):" in run.stderr
    assert word in run.stderr
    assert not stand_in.path.exists()


def test_a_missing_token_is_refused_with_status_1(stand_in: StandIn) -> None:
    run = stand_in.export(DISCORD_TOKEN="")
    assert run.status == 1
    assert "Missing required option(s):\n-t|--token" in run.stderr


def test_a_token_in_the_arguments_is_taken(stand_in: StandIn) -> None:
    run = stand_in.export("--token", "another", DISCORD_TOKEN="")
    assert run.status == 0


def test_a_missing_channel_is_refused_with_status_1(stand_in: StandIn) -> None:
    run = stand_in.call("export", "--format", "Json")
    assert run.status == 1
    assert "-c|--channel" in run.stderr


@pytest.mark.parametrize("text", ["abc", "2026-13-40", "yesterday", "99999999999999999999999"])
def test_a_bound_that_is_neither_id_nor_date_is_refused(stand_in: StandIn, text: str) -> None:
    run = stand_in.export("--after", text)
    assert run.status == 1
    assert f"Option --after cannot be set from the provided argument(s):\n<{text}>" in run.stderr
    assert f"Invalid snowflake '{text}'." in run.stderr


def test_two_values_for_a_single_option_are_refused(stand_in: StandIn) -> None:
    run = stand_in.export("--after", "1", "2")
    assert run.status == 1
    assert "expects a single argument, but provided with multiple:\n<1> <2>" in run.stderr


def test_a_flag_that_is_neither_true_nor_false_is_refused(stand_in: StandIn) -> None:
    run = stand_in.call(*stand_in.words()[:-1], "maybe")
    assert run.status == 1
    assert "String 'maybe' was not recognized as a valid Boolean." in run.stderr


def test_a_stray_word_is_refused(stand_in: StandIn) -> None:
    run = stand_in.call("export", "stray", "--channel", CHANNEL)
    assert run.status == 1
    assert "Unexpected parameter(s):\n<stray>" in run.stderr


def test_another_format_is_refused_with_a_hint(stand_in: StandIn) -> None:
    run = stand_in.call("export", "--channel", CHANNEL, "--output", str(stand_in.path))
    assert run.status == 1
    assert "add --format Json" in run.stderr


def test_the_banner_is_on_stdout_unless_silenced(stand_in: StandIn) -> None:
    assert "banner" in stand_in.export(FUCK_RUSSIA="").stdout
    assert "banner" not in stand_in.export(FUCK_RUSSIA="1").stdout


def test_the_scenario_is_asked_for_by_category_too(stand_in: StandIn) -> None:
    stand_in.scenario.channel("201").post(1, "in the other channel")
    stand_in.play()
    words = ("export", "--channel", "150", "--format", "Json", "--output")
    run = stand_in.call(*words, f"{stand_in.folder}/%c.json")
    assert run.status == 0
    assert "Exporting 2 channel(s)..." in run.stdout
    assert (stand_in.folder / "200.json").exists() and (stand_in.folder / "201.json").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLAY_NOW", "noon"),
        ("REPLAY_NOW", "2026-11-23T12:00:00"),
        ("REPLAY_FAULT", "explode"),
        ("REPLAY_FAULT", "slow:soon"),
        ("REPLAY_FAULT", "@/nowhere/schedule.json"),
        ("REPLAY_SCENARIO", "/nowhere/scenario.json"),
        ("REPLAY_VERSION", "newest"),
        ("REPLAY_LOG", "/nowhere/calls.log"),
    ],
)
def test_a_setting_of_the_stand_in_that_cannot_be_meant_is_status_2(
    stand_in: StandIn, name: str, value: str
) -> None:
    stand_in.play()
    run = stand_in.call(*stand_in.words(), **{name: value})
    assert run.status == 2
    assert run.stderr.startswith("replay exporter: ")
    assert "Traceback" not in run.stderr
