"""Where the document goes."""

import pytest

from .stand_in import CHANNEL, Run, StandIn, at


def export_to(stand_in: StandIn, output: str) -> Run:
    """A one-day export to this --output."""
    stand_in.play()
    words = ("export", "--channel", CHANNEL, "--format", "Json", "--output", output, "--utc")
    return stand_in.call(*words, "--after", at(0), "--before", at(60))


def test_parent_folders_are_made(stand_in: StandIn) -> None:
    assert export_to(stand_in, f"{stand_in.folder}/a/b/c.json").status == 0
    assert (stand_in.folder / "a/b/c.json").exists()


@pytest.mark.parametrize("output", ["out", "out.d", "new/"])
def test_a_folder_is_refused(stand_in: StandIn, output: str) -> None:
    (stand_in.folder / "out.d").mkdir()
    run = export_to(stand_in, f"{stand_in.folder}/{output}")
    assert run.status == 1
    assert "into a file only" in run.stderr


def test_a_percent_sign_begins_a_token_anywhere_in_the_path(stand_in: StandIn) -> None:
    export_to(stand_in, f"{stand_in.folder}/%c/x%c.json")
    assert (stand_in.folder / "200/x200.json").exists()


def test_two_percent_signs_are_one(stand_in: StandIn) -> None:
    export_to(stand_in, f"{stand_in.folder}/100%%c.json")
    assert (stand_in.folder / "100%c.json").exists()


def test_an_unknown_token_stays(stand_in: StandIn) -> None:
    export_to(stand_in, f"{stand_in.folder}/50%x.json")
    assert (stand_in.folder / "50%x.json").exists()


def test_an_existing_file_is_overwritten_in_place(stand_in: StandIn) -> None:
    stand_in.path.write_text("x" * 100_000)
    inode = stand_in.path.stat().st_ino
    assert export_to(stand_in, str(stand_in.path)).messages == []
    assert stand_in.path.stat().st_ino == inode


def test_a_document_that_is_no_scenario_is_refused(stand_in: StandIn) -> None:
    other = stand_in.export().path
    run = stand_in.call(*stand_in.words(), REPLAY_SCENARIO=str(other))
    assert (run.status, "is no scenario" in run.stderr) == (2, True)


def test_several_channels_into_one_file_are_refused(stand_in: StandIn) -> None:
    stand_in.scenario.channel("201")
    run = stand_in.export("--channel", "201")
    assert run.status == 1
    assert "neither a directory nor a template" in run.stderr


def test_a_file_that_cannot_be_written_is_status_1_with_a_trace(stand_in: StandIn) -> None:
    stand_in.path.write_text("")
    run = export_to(stand_in, f"{stand_in.path}/below.json")
    assert run.status == 1
    assert "System.IO.IOException" in run.stderr
