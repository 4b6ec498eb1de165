"""Names that were chosen to mislead change nothing of the line that they stand in."""

from __future__ import annotations

import io
import unicodedata

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from messages_app.file_export import exported, write_csv
from messages_app.inert import inert
from messages_app.models import Channel
from tests.web.builders import ANN, CHANNEL_ID, live_session, make_message

EVIL = "a\x1b[2J\r\nb\u202ec\x9b1md\u2028e\u2067"
SHOWN = "a\ufffd[2J\ufffd\ufffdb\ufffdc\ufffd1md\ufffde\ufffd"


@given(st.text())
def test_what_is_left_is_one_line_that_reads_from_its_beginning(name: str) -> None:
    left = inert(name)
    assert len(left) == len(name)
    assert len(left.splitlines()) <= 1
    for character in left:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        }


@pytest.mark.parametrize(
    "name", ["Zoë", "नमस्ते", "👩\u200d🚀", "\u0645\u06cc\u200c\u062e\u0648", "東京\u3000"]
)
def test_honest_names_stay_as_they_are(name: str) -> None:
    assert inert(name) == name


@pytest.mark.django_db
def test_a_channels_name_is_inert_on_a_terminal() -> None:
    session, feed = live_session()
    Channel.objects.filter(pk=CHANNEL_ID).update(name=EVIL)
    feed.refresh_from_db()
    assert str(feed.channel) == f"#{SHOWN}"
    out = io.StringIO()
    call_command("session", "show", str(session.pk), stdout=out)
    assert f"(#{SHOWN})" in out.getvalue()


@pytest.mark.django_db
def test_an_authors_name_is_inert_in_a_table() -> None:
    session, _ = live_session()
    message = make_message(session.start_time, "text", {**ANN, "nickname": EVIL})
    table = io.StringIO()
    write_csv([exported(message, session.pk)], table)
    assert SHOWN in table.getvalue()
    assert EVIL[1] not in table.getvalue()
