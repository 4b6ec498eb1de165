"""systemd's message catalogue: one entry for each kind of event and error."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from messages_app import errors, events
from messages_app.environment import CHECKOUT
from messages_app.errors import PollerError

CATALOGUE = Path(CHECKOUT) / "systemd/discord-poller.catalog"
# What the records carry besides the fields that journald itself adds.
FIELDS = set(re.findall(r'"([A-Z_]+)":', Path(events.__file__).read_text(encoding="utf-8")))


def message_ids() -> set[str]:
    """The ids that the code can send."""
    of_errors = {
        value.message_id
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, PollerError) and value.message_id
    }
    return of_errors | {
        value
        for value in vars(events).values()
        if isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value)
    }


def entries() -> dict[str, str]:
    """The entries' texts by message id."""
    parts = re.split(r"^-- ([0-9a-f]{32})$", CATALOGUE.read_text(encoding="utf-8"), flags=re.M)
    assert len(set(parts[1::2])) == len(parts[1::2]), "an id has two entries"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_message_id_has_an_entry_and_no_entry_is_stale() -> None:
    assert entries().keys() == message_ids()


def test_no_two_kinds_share_a_message_id() -> None:
    ids = [
        *(value.message_id for value in PollerError.__subclasses__() if value.message_id),
        *(value for value in vars(events).values() if re.fullmatch("[0-9a-f]{32}", str(value))),
    ]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("message_id", sorted(message_ids()))
def test_an_entry_says_what_it_means_and_what_to_do(message_id: str) -> None:
    head, _, text = entries()[message_id].strip().partition("\n\n")
    assert head.startswith("Subject: ")
    assert "Defined-By: discord-poller" in head
    assert "\n\n" in text, "one paragraph says what it means, another what to do"
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("message_id", sorted(message_ids()))
def test_an_entry_refers_only_to_fields_that_are_sent(message_id: str) -> None:
    assert set(re.findall(r"@([A-Z_]+)@", entries()[message_id])) <= FIELDS


@pytest.mark.skipif(not shutil.which("journalctl"), reason="needs systemd's journalctl")
def test_systemd_compiles_and_shows_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/systemd/catalog").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOGUE, tmp_path / "usr/lib/systemd/catalog")
    compiled = subprocess.run(
        ["journalctl", "--update-catalog", f"--root={tmp_path}"], capture_output=True, text=True
    )
    assert (compiled.returncode, compiled.stderr) == (0, "")
    listed = subprocess.run(
        ["journalctl", "--list-catalog", f"--root={tmp_path}"], capture_output=True, text=True
    )
    ours = {line.split()[0] for line in listed.stdout.splitlines() if " discord-poller: " in line}
    assert ours == message_ids()
