"""Properties of the reader: any bytes in, messages or one clear error out, in bounded memory."""

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from messages_app.document import json_stream
from messages_app.document.fast_layout import ExporterLayout
from messages_app.document.reader import ExportedMessage, ExportReader
from messages_app.errors import ExportUnusable
from tests.export_documents import (
    Json,
    as_exported,
    attachment,
    document,
    fingerprint_of,
    message,
    minified,
    rich_message,
    user,
)

SECRET = "hunter2secret"

moderately = settings(
    max_examples=200,
    deadline=None,
    # The one fixture used only makes the buffer small, the same for every example.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=[3, 64, 64 * 1024])
def read_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read in pieces of this many bytes, so that every place of a document meets an end of one."""
    size: int = request.param
    monkeypatch.setattr(json_stream, "READ_BYTES", size)
    return size


class ShortReads(io.RawIOBase):
    """Gives the data in pieces of the given sizes, whatever was asked for."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = iter(sizes)

    def read(self, size: int = -1) -> bytes:
        size = min(size, next(self._sizes, size))
        piece, self._data = self._data[:size], self._data[size:]
        return piece


def outcome(stream: Any) -> tuple[list[ExportedMessage], str]:
    """Read all; return the messages and the error's sentence, "" without one."""
    reader = ExportReader(stream, max_value_chars=200_000)
    messages = []
    error = ""
    try:
        for one in reader:
            messages.append(one)
    except ExportUnusable as fault:
        error = str(fault)
    assert reader.read_count == len(messages)
    return messages, error


def outcome_of(data: bytes) -> tuple[list[ExportedMessage], str]:
    return outcome(io.BytesIO(data))


texts = st.text(st.characters(codec=None), max_size=12)
finite_floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | finite_floats | texts
names = st.sampled_from([*sorted(rich_message()), "name", "url", "users", "emoji", "images"])
jsons = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)
times = st.builds(
    lambda ms, offset_h: datetime.fromtimestamp(
        ms / 1000, timezone(timedelta(hours=offset_h))
    ).isoformat(),
    st.integers(1_420_070_400_000, 4_000_000_000_000),
    st.sampled_from([0, 2, -5.5]),
)
users = st.builds(lambda number, name: user(number, nickname=name), st.integers(1, 9), texts)
plain_messages = st.builds(
    lambda number, author, **rest: message(number, author=author, **rest),
    number=st.integers(0, 10**6),
    author=users,
    content=texts,
    type=st.sampled_from(["Default", "Reply", "8"]),
    timestamp=times,
    timestampEdited=st.none() | times,
    isPinned=st.booleans(),
)
odd_messages = st.builds(
    lambda base, changes: base | changes,
    plain_messages,
    st.dictionaries(names | texts, jsons, max_size=4),
)


@moderately
@given(st.binary(max_size=300))
@example(b"")
@example(b'{"channel":{"id":"5"},"messages":[')
def test_any_bytes_give_messages_or_one_clear_error(data: bytes) -> None:
    messages, error = outcome_of(data)
    assert messages == []
    assert error.endswith(".")


VALID = as_exported(
    document(
        message(1, content=SECRET, author=user(1, name=SECRET, nickname=SECRET)),
        rich_message(2, content=SECRET),
        message(3, content=SECRET),
    )
)


@moderately
@given(
    st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 9), st.binary(max_size=3)),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_document_gives_messages_or_one_clear_error(
    damages: list[tuple[int, int, bytes]],
) -> None:
    data = VALID
    for place, removed, inserted in damages:
        data = data[:place] + inserted + data[place + removed :]
    messages, error = outcome_of(data)
    assert len(messages) <= 3
    assert SECRET not in error
    for one in messages:
        assert isinstance(json.loads(one.raw), dict)


@moderately
@given(st.dictionaries(st.sampled_from(sorted(document())) | texts, jsons), st.booleans())
def test_any_json_object_gives_messages_or_one_clear_error(root: Json, complete: bool) -> None:
    if complete:
        root = document() | root
    outcome_of(minified(root))


@moderately
@given(odd_messages)
def test_an_odd_message_is_kept_whole_or_named(odd: Json) -> None:
    for write in (as_exported_in_ascii, minified):
        messages, error = outcome_of(write(document(odd)))
        if error:
            assert "Message 1 of the export" in error
        else:
            (only,) = messages
            assert json.loads(only.raw) == odd
            for text in (only.raw, only.content, only.author_name, only.type):
                assert "\0" not in text
                text.encode()


def as_exported_in_ascii(value: Json) -> bytes:
    """As the exporter lays it out, with escapes, for texts that UTF-8 cannot hold."""
    return json.dumps(value, indent=2).encode()


@moderately
@given(st.lists(plain_messages | odd_messages, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_the_layout_of_the_document_makes_no_difference(messages: list[Json], end: str) -> None:
    exported = document(*messages)
    indented = as_exported_in_ascii(exported).replace(b"\n", end.encode())
    assert outcome_of(indented) == outcome_of(minified(exported))


@moderately
@given(plain_messages)
def test_the_shortcut_takes_every_plain_message(plain: Json) -> None:
    text = as_exported_in_ascii(document(plain)).decode()
    first = text.index("{", text.index('"messages"'))
    taken = ExporterLayout(text, first).take(text, first)
    assert taken is not None
    assert taken[0] == only_message_of(minified(document(plain)))


def only_message_of(data: bytes) -> ExportedMessage:
    messages, error = outcome_of(data)
    assert error == ""
    (only,) = messages
    return only


CUTTABLE = document(message(1), rich_message(2, content="\N{CHEQUERED FLAG} \u00e9"), message(3))


@pytest.mark.parametrize("write", [as_exported, minified])
def test_a_document_cut_anywhere_gives_its_first_messages_and_says_it_is_cut(
    write: Callable[[Json], bytes],
) -> None:
    data = write(CUTTABLE)
    whole, error = outcome_of(data)
    assert (len(whole), error) == (3, "")
    known = 0
    for length in range(1, len(data)):
        messages, error = outcome_of(data[:length])
        assert "cut short" in error, length
        assert messages == whole[: len(messages)]
        assert len(messages) >= known
        known = len(messages)
    assert known == 3


def test_how_the_document_is_cut_into_reads_makes_no_difference(read_bytes: int) -> None:
    for data in (as_exported(CUTTABLE), minified(CUTTABLE), VALID[:-300], b"\xef\xbb\xbf" + VALID):
        expected, error = outcome_of(data)
        for size in (1, 2, 7, 100, 4096):
            stream = ShortReads(data, [size] * (len(data) // size + 1))
            assert outcome(stream) == (expected, error), (read_bytes, size)


def test_a_number_that_lies_across_two_reads_is_read_whole(read_bytes: int) -> None:
    for spaces in range(8):
        data = minified(document(messageCount=7654321)).replace(
            b":765", b": " + b" " * spaces + b"765"
        )
        reader = ExportReader(io.BytesIO(data))
        assert list(reader) == []
        assert reader.declared_count == 7654321, (read_bytes, spaces)


SEEN_IN_ONE_READ = outcome_of(VALID)


@moderately
@given(sizes=st.lists(st.integers(1, 400), max_size=60))
def test_reads_of_any_size_make_no_difference(read_bytes: int, sizes: list[int]) -> None:
    assert outcome(ShortReads(VALID, sizes)) == SEEN_IN_ONE_READ


@moderately
@given(data=st.data())
def test_small_reads_find_the_same_fault_of_a_damaged_document(
    read_bytes: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(VALID) - 1))
    damaged = VALID[:place] + data.draw(st.binary(max_size=2)) + VALID[place + 1 :]
    small = outcome_of(damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "READ_BYTES", 1024 * 1024)
        assert outcome_of(damaged) == small


def in_ascii(value: Json) -> int:
    """The fingerprint of a message whose texts UTF-8 may not hold."""
    return only_message_of(minified(document(value))).fingerprint


@moderately
@given(plain_messages, texts)
def test_a_renamed_author_is_no_edit(plain: Json, text: str) -> None:
    renamed = user(nickname=text, name=text, color=text, avatarUrl=text, roles=[{"name": text}])
    renamed["id"] = plain["author"]["id"]
    assert in_ascii(plain | {"author": renamed}) == in_ascii(plain)


@moderately
@given(rich=st.permutations(sorted(rich_message().items())))
def test_the_order_of_keys_is_no_edit(rich: list[tuple[str, Any]]) -> None:
    assert fingerprint_of(dict(rich)) == fingerprint_of(rich_message())


@moderately
@given(texts, texts)
def test_another_text_is_an_edit(first: str, second: str) -> None:
    is_the_same = in_ascii(message(content=first)) == in_ascii(message(content=second))
    assert is_the_same == (first == second)


@moderately
@given(st.lists(jsons, max_size=2), jsons)
def test_what_stands_under_an_unknown_key_counts(others: list[Any], value: Any) -> None:
    changed = message(unknown=[others, value])
    assert in_ascii(changed) == in_ascii(changed | {"nothing": None})
    assert in_ascii(changed) != in_ascii(message())


@moderately
@given(st.text("0123456789abcdef", min_size=1, max_size=16), st.integers(0, 2**40))
def test_a_signature_is_no_edit_but_a_size_is(signature: str, size: int) -> None:
    url = f"https://cdn.discordapp.com/attachments/1/1/photo.png?ex={signature}&hm={signature}"
    before = message(attachments=[attachment()])
    signed_anew = message(attachments=[attachment(url=url)])
    resized = message(attachments=[attachment(fileSizeBytes=size)])
    assert fingerprint_of(before) == fingerprint_of(signed_anew)
    assert (fingerprint_of(before) == fingerprint_of(resized)) == (size == 12345)
