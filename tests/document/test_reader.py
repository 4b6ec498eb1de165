"""The reader of the exporter's document: what is valid is given out whole."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from messages_app.document.fast_layout import ExporterLayout
from messages_app.document.reader import ExportedMessage
from tests.export_documents import (
    CHANNEL_ID,
    FIRST_ID,
    as_exported,
    attachment,
    document,
    emoji,
    message,
    minified,
    reaction,
    read_message,
    reader_of,
    rich_message,
    user,
)


def test_a_plain_message_is_given_out_in_all_its_fields() -> None:
    exported = message(author=user(1, id="77"))
    given = read_message(exported)
    assert given == ExportedMessage(
        discord_id=FIRST_ID,
        type="Default",
        timestamp=datetime(2024, 4, 27, 18, 0, 0, 123000, tzinfo=UTC),
        edited_at=None,
        author_id=77,
        author_name="Nickname 1",
        content="text 0",
        has_attachments=False,
        fingerprint=given.fingerprint,
        raw=json.dumps(exported, separators=(",", ":")),
    )


def test_a_rich_message_is_kept_whole() -> None:
    exported = rich_message()
    given = read_message(exported)
    assert json.loads(given.raw) == exported
    assert given.raw == json.dumps(exported, separators=(",", ":"), ensure_ascii=False)
    assert given.type == "Reply"
    assert given.has_attachments
    assert given.content == exported["content"]
    assert given.edited_at == datetime(2024, 4, 27, 18, 0, 5, 500000, tzinfo=UTC)


def test_the_header_says_which_channel_it_is_and_when_it_was_exported() -> None:
    header = reader_of(document(message())).header()
    assert header.channel_id == CHANNEL_ID
    assert header.channel_type == "GuildTextChat"
    assert header.channel_name == "live"
    assert header.category == "Races"
    assert header.guild_id == 866
    assert header.guild_name == "Guild"
    assert header.exported_at == datetime(2024, 4, 28, 8, 0, 0, 123456, tzinfo=UTC)


def test_the_header_can_be_read_before_and_after_the_messages() -> None:
    reader = reader_of(document(message()))
    before = reader.header()
    assert len(list(reader)) == 1
    assert reader.header() == before


def test_direct_messages_belong_to_no_guild() -> None:
    guild = {"id": "0", "name": "Direct Messages"}
    assert reader_of(document(guild=guild)).header().guild_id == 0


def test_a_trimmed_header_needs_only_the_channel() -> None:
    trimmed = document(
        message(), guild=..., dateRange=..., exportedAt=..., channel={"id": "5"}, messageCount=...
    )
    reader = reader_of(trimmed)
    assert reader.header() == (5, "", "", "", 0, "", None, None)
    assert len(list(reader)) == 1
    assert reader.declared_count is None


@pytest.mark.parametrize("untold", [..., None, ""])
def test_an_export_need_not_say_when_it_was_made(untold: Any) -> None:
    assert reader_of(document(message(), exportedAt=untold)).header().exported_at is None


def test_an_export_of_a_quiet_window_holds_no_messages() -> None:
    reader = reader_of(document())
    assert list(reader) == []
    assert reader.read_count == reader.declared_count == 0


def test_a_wrong_count_is_told_but_is_no_fault() -> None:
    reader = reader_of(document(message(), messageCount=3))
    assert len(list(reader)) == 1
    assert (reader.read_count, reader.declared_count) == (1, 3)


def test_a_message_that_is_there_twice_is_given_out_twice() -> None:
    assert [m.discord_id for m in reader_of(document(message(), message()))] == [FIRST_ID] * 2


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_breaks_of_either_system_take_the_shortcut(newline: str) -> None:
    text = as_exported(document(message(1), rich_message(2)), newline).decode()
    first = text.index("{", text.index('"messages"'))
    layout = ExporterLayout(text, first)
    taken = layout.take(text, first)
    assert taken is not None
    assert taken[0] == read_message(message(1))
    taken = layout.take(text, taken[1] + len(layout.separator))
    assert taken is not None
    assert taken[0] == read_message(rich_message(2))


def test_a_minified_document_gives_the_same_messages() -> None:
    exported = document(message(1), rich_message(2), message(3))
    assert list(reader_of(minified(exported))) == list(reader_of(exported))


def test_a_byte_order_mark_is_skipped() -> None:
    assert len(list(reader_of(b"\xef\xbb\xbf" + as_exported(document(message()))))) == 1


def test_keys_of_the_document_may_come_in_another_order_and_unknown_ones_too() -> None:
    exported = document(message())
    shuffled = {"messageCount": 1, "schema": {"v": [1, 2.5]}, "schema2": -1}
    for key in ("exportedAt", "channel", "guild", "messages"):
        shuffled[key] = exported[key]
    shuffled["signature"] = 12
    reader = reader_of(shuffled)
    assert reader.header().channel_name == "live"
    assert len(list(reader)) == reader.declared_count == 1


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_text_is_a_text(text: str) -> None:
    assert read_message(message(content=text)).content == text


@pytest.mark.parametrize("kind", ["8", "46", "ThreadCreated", "Some New Kind"])
def test_an_unknown_type_stays_as_exported(kind: str) -> None:
    assert read_message(message(type=kind)).type == kind


@pytest.mark.parametrize("kind", [..., "", None])
def test_a_document_that_tells_no_type_holds_ordinary_messages(kind: Any) -> None:
    assert read_message(message(type=kind)).type == "Default"


def test_a_type_that_was_written_as_a_number_is_that_number() -> None:
    assert read_message(message(type=8)).type == "8"


def test_unknown_keys_are_kept() -> None:
    exported = message(poll={"question": "Who?", "answers": [1, 2.5, None]})
    assert json.loads(read_message(exported).raw)["poll"] == exported["poll"]


def test_a_message_needs_only_its_id_and_its_time() -> None:
    given = read_message({"id": "5", "timestamp": "2024-04-27T18:00:00Z"})
    assert (given.discord_id, given.type, given.content) == (5, "Default", "")
    assert (given.author_id, given.author_name, given.has_attachments) == (None, "", False)


@pytest.mark.parametrize(
    ("author", "name"),
    [
        (user(nickname="Nick", name="Name"), "Nick"),
        (user(nickname="", name="Name"), "Name"),
        (user(nickname=None, name="Name"), "Name"),
        (user(nickname=5), ""),
        ({"id": "5"}, ""),
        (None, ""),
        ("somebody", ""),
        ([], ""),
    ],
)
def test_the_authors_name_is_the_nickname_else_the_name(author: Any, name: str) -> None:
    assert read_message(message(author=author)).author_name == name


@pytest.mark.parametrize("author_id", [None, "", "x", 5, "0", str(2**63), "-5", "\u0665"])
def test_an_author_without_a_snowflake_is_nobody(author_id: Any) -> None:
    assert read_message(message(author={"id": author_id})).author_id is None


@pytest.mark.parametrize("write", [as_exported, minified])
def test_nul_characters_are_shown_in_texts_and_escaped_in_the_raw_object(write: Any) -> None:
    exported = message(content="a\0b", author=user(nickname="n\0"), type="t\0")
    (given,) = reader_of(write(document(exported, guild={"id": "0", "name": "g\0"})))
    assert given.content == "a\u2400b"
    assert given.author_name == "n\u2400"
    assert given.type == "t\u2400"
    assert "\0" not in given.raw
    assert json.loads(given.raw) == exported


@pytest.mark.parametrize("kind", ["Default", "odd kind"])
def test_lone_surrogates_are_shown_in_texts_and_escaped_in_the_raw_object(kind: str) -> None:
    text = json.dumps(document(message(content="?", type=kind)), indent=2)
    (given,) = reader_of(text.replace('"?"', r'"a\uDE00b\ud83d"').encode())
    assert given.content == "a\ufffdb\ufffd"
    given.raw.encode()
    assert json.loads(given.raw)["content"] == "a\ude00b\ud83d"
    assert r"a\ude00b\ud83d" in given.raw


@pytest.mark.parametrize("escaped", [True, False])
def test_emoji_survive_written_as_themselves_or_as_escapes(escaped: bool) -> None:
    text = json.dumps(document(message(content="\N{CHEQUERED FLAG}!")), ensure_ascii=escaped)
    (given,) = reader_of(text.encode())
    assert given.content == "\N{CHEQUERED FLAG}!"
    assert "\N{CHEQUERED FLAG}" in given.raw


def test_a_message_of_90_kilobytes_with_232_reaction_users_is_whole() -> None:
    exported = message(reactions=[reaction(*(user(n) for n in range(232)))])
    data = as_exported(document(message(1), exported, message(2)))
    assert len(data) > 90_000
    given = list(reader_of(data))
    assert len(given) == 3
    assert json.loads(given[1].raw) == exported


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-04-27T18:00:00Z", datetime(2024, 4, 27, 18, tzinfo=UTC)),
        ("2024-04-27T18:00:00+00:00", datetime(2024, 4, 27, 18, tzinfo=UTC)),
        ("2024-04-27T18:00:00.5+00:00", datetime(2024, 4, 27, 18, 0, 0, 500000, tzinfo=UTC)),
        ("2024-04-27T18:00:00.05Z", datetime(2024, 4, 27, 18, 0, 0, 50000, tzinfo=UTC)),
        ("2024-04-27T18:00:00.123456Z", datetime(2024, 4, 27, 18, 0, 0, 123456, tzinfo=UTC)),
        ("2024-04-27T18:00:00.1234567Z", datetime(2024, 4, 27, 18, 0, 0, 123456, tzinfo=UTC)),
        ("2024-04-27T20:00:00+02:00", datetime(2024, 4, 27, 18, tzinfo=UTC)),
        ("2024-04-27T12:30:00.25-05:30", datetime(2024, 4, 27, 18, 0, 0, 250000, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("write", [as_exported, minified])
def test_times_are_read_in_every_form_the_exporter_writes(
    text: str, expected: datetime, write: Any
) -> None:
    (given,) = reader_of(write(document(message(timestamp=text, timestampEdited=text))))
    assert given.timestamp == given.edited_at == expected
    assert given.timestamp.tzinfo is UTC


def test_an_author_who_is_renamed_within_the_document_is_shown_under_both_names() -> None:
    older, newer = (user(1, nickname=name) for name in ("Older", "Newer"))
    exported = document(message(1, author=older), message(2, author=newer))
    assert [one.author_name for one in reader_of(exported)] == ["Older", "Newer"]
    assert [json.loads(one.raw) for one in reader_of(exported)] == exported["messages"]


def test_a_key_that_is_there_twice_counts_as_the_last_one_says() -> None:
    text = as_exported(document(message(content="first"))).decode()
    twice = text.replace('"attachments": []', '"content": "last",\n      "attachments": []')
    (given,) = reader_of(twice.encode())
    assert given.content == "last"


def test_an_attachment_without_a_text_is_a_message() -> None:
    given = read_message(message(content="", attachments=[attachment()]))
    assert given.has_attachments
    assert given.content == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"mentions": ..., "reference": ..., "stickers": ..., "inlineEmojis": ...},  # before 2.25
        {"inlineEmojis": ..., "author": user(roles=...)},  # before 2.40
        {"reactions": [{"emoji": emoji(), "count": 2}]},  # before 2.40.4
    ],
)
def test_exports_of_old_versions_are_read(changes: dict[str, Any]) -> None:
    changes = {key: value for key, value in changes.items() if key != "author"} | {
        "author": {key: value for key, value in user().items() if key != "roles"}
    }
    exported = document(message(**changes), exportedAt=...)
    reader = reader_of(exported)
    assert reader.header().exported_at is None
    assert [json.loads(one.raw) for one in reader] == exported["messages"]


def test_reading_needs_nothing_of_django() -> None:
    program = (
        "import sys, messages_app.document.reader_process; "
        "sys.exit(any(name.partition('.')[0] == 'django' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
