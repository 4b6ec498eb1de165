"""The key of web sessions: made once, private, and a sentence where it cannot be had."""

from pathlib import Path

import pytest

from messages_app.errors import ConfigurationError
from messages_app.secret_key import stored_secret_key


def test_the_key_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    key = stored_secret_key(tmp_path / "state")

    assert len(key) >= 50
    assert stored_secret_key(tmp_path / "state") == key
    assert (tmp_path / "state" / "secret-key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["secret-key"]


def test_a_state_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"Not a directory.*check POLLER_STATE_DIR"):
        stored_secret_key(tmp_path / "file" / "state")


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_key_is_never_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret-key").write_bytes(content)

    with pytest.raises(ConfigurationError, match="is empty: remove it"):
        stored_secret_key(tmp_path)


def test_a_damaged_key_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_bytes(b"\xff\xff")

    with pytest.raises(ConfigurationError, match="it is no text"):
        stored_secret_key(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("the first line of another file")
    (tmp_path / "secret-key").symlink_to("elsewhere")

    with pytest.raises(ConfigurationError, match="cannot be read"):
        stored_secret_key(tmp_path)
