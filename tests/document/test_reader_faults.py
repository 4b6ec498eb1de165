"""The reader of faulty and endless documents: one clear sentence, and little memory."""

import io
import json
import tracemalloc
from typing import Any

import pytest

from messages_app.document import json_stream
from messages_app.document.reader import ExportReader
from messages_app.errors import ExportUnusable
from tests.export_documents import (
    as_exported,
    document,
    message,
    minified,
    reader_of,
    user,
)


def error_of(data: Any) -> str:
    with pytest.raises(ExportUnusable) as caught:
        list(reader_of(data))
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ...}, "has no id"),
        ({"id": None}, "has no id"),
        ({"id": ""}, "has an id that is not a snowflake"),
        ({"id": "0"}, "has an id that is not a snowflake"),
        ({"id": "12a"}, "has an id that is not a snowflake"),
        ({"id": "-5"}, "has an id that is not a snowflake"),
        ({"id": "\u0665"}, "has an id that is not a snowflake"),
        ({"id": str(2**63)}, "has an id that is not a snowflake"),
        ({"id": "9" * 5000}, "has an id that is not a snowflake"),
        ({"id": 1233822720000000001}, "has an id that is not a snowflake"),
        ({"timestamp": ...}, "has no timestamp"),
        ({"timestamp": None}, "has no timestamp"),
        ({"timestamp": "yesterday"}, "has a timestamp that is not a time with an offset"),
        ({"timestamp": "2024-04-27T18:00:00"}, "has a timestamp that is not a time"),
        ({"timestamp": "2024-04-27"}, "has a timestamp that is not a time"),
        ({"timestamp": "2024-02-30T18:00:00Z"}, "has a timestamp that is not a time"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "has a timestamp that is not a time"),
        ({"timestamp": 1714240800}, "has a timestamp that is not a time"),
        ({"timestampEdited": "later"}, "has a timestampEdited that is not a time"),
        ({"callEndedTimestamp": []}, "has a callEndedTimestamp that is not a time"),
        ({"content": ["secret"]}, "has a content that is not text"),
        ({"type": {"secret": 1}}, "has a type that is not text"),
        ({"type": True}, "has a type that is not text"),
    ],
)
def test_an_impossible_message_is_named_and_costs_itself_alone(
    change: dict[str, Any], reason: str
) -> None:
    impossible = message(2, **{"content": "secret"} | change)
    reader = reader_of(document(message(1), impossible, message(3)))
    given = []
    with pytest.raises(ExportUnusable, match=f"Message 2 of the export {reason}") as caught:
        for one in reader:
            given.append(one.content)
    assert given == ["text 1", "text 3"]
    assert "secret" not in str(caught.value)
    assert reader.read_count == 2


def test_of_many_impossible_messages_some_are_named_and_the_others_counted() -> None:
    messages = [message(n, **({} if n % 3 else {"id": None})) for n in range(30)]
    sentence = error_of(document(*messages))
    assert sentence.startswith("Message 1 of the export has no id, message 4 of the export has")
    assert "message 13 of the export has no id, and 5 more are no better: all others" in sentence


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5000])
def test_a_number_that_cannot_be_kept_costs_its_message_alone(number: str) -> None:
    text = as_exported(document(message(1), message(2, x="?"), message(3))).decode()
    reader = reader_of(text.replace('"?"', number).encode())
    given = []
    with pytest.raises(ExportUnusable, match="Message 2 of the export holds a number beyond"):
        for one in reader:
            given.append(one.content)
    assert given == ["text 1", "text 3"]


def test_an_enormous_whole_number_is_kept() -> None:
    huge = 10**400
    (only,) = reader_of(document(message(attachments=[{"fileSizeBytes": huge}])))
    assert json.loads(only.raw)["attachments"] == [{"fileSizeBytes": huge}]


@pytest.mark.parametrize("place", ["top", "inside", "in a message"])
@pytest.mark.parametrize("number", ["1.5", "-1", "1e5", "1E+5", "12.25e-3", "0", "-0.5"])
def test_a_number_may_be_cut_anywhere_by_the_end_of_the_buffer(number: str, place: str) -> None:
    for cut in range(len(number) + 3):
        filler, rest = {
            "top": ("", f'"score":{number},"messages":[],"messageCount":0}}'),
            "inside": ("", f'"score":[{number}],"messages":[],"messageCount":0}}'),
            "in a message": (
                '"messages":[',
                f'{{"x":{number},"id":"5","timestamp":"2024-04-27T18:00:00Z"}}]}}',
            ),
        }[place]
        head = f'{{"guild":{{"id":"1"}},"channel":{{"id":"5"}},"pad":"%s",{filler}'
        pad = json_stream.READ_BYTES - len(head % "") - rest.index(number) - cut
        whole = (head % ("x" * pad) + rest).encode()
        assert whole.index(number.encode(), len(head) + pad - 2) + cut == json_stream.READ_BYTES

        found = list(reader_of(whole))

        if found:
            assert json.loads(found[0].raw)["x"] == json.loads(number)


@pytest.mark.parametrize(
    "foreign",
    [
        message(author=..., authorId="7"),
        message(author=..., author_id="7"),
        message(author={"id": "7", "username": "ann", "global_name": "Ann"}),
        message(timestampEdited=..., edited_timestamp=None),
    ],
)
def test_another_layout_is_refused_and_not_half_understood(foreign: dict[str, Any]) -> None:
    reader = reader_of(document(foreign, message(2)))
    with pytest.raises(ExportUnusable, match="laid out as another program does it"):
        list(reader)
    assert reader.read_count == 0


def test_messages_before_a_cut_are_given_out() -> None:
    data = as_exported(document(*(message(n) for n in range(300))))
    given = []
    with pytest.raises(ExportUnusable, match="cut short"):
        for one in reader_of(data[: len(data) // 2]):
            given.append(one.content)
    assert given == [f"text {n}" for n in range(len(given))]
    assert 145 <= len(given) <= 150


@pytest.mark.parametrize("entry", ["text", None, 5, []])
def test_an_entry_that_is_no_object_is_named(entry: Any) -> None:
    assert "Message 1 of the export is not an object" in error_of(document(entry))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"  <html>", "HTML"),
        (b"Error: the token was refused", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"\0\0\0\0", "not a JSON object"),
        (b"{}", "it holds no messages"),
        (b"{", "cut short"),
        (b'{"guild', "cut short"),
        (b'{"messages": []}', "does not name its channel before its messages"),
        (b'{"messages": [], "channel": {"id": "5"}}', "does not name its channel before"),
        (b'{"channel": {"id": "5"}}', "it holds no messages"),
        (b'{"channel": {"id": "5"}, "messages": {}}', "its messages are not a list"),
        (b'{"channel": {"id": "5"}, "messages": null}', "its messages are not a list"),
        (b'{"channel": 5, "messages": []}', "its channel is not an object"),
        (b'{"channel": {}, "messages": []}', "its channel's id is not a snowflake"),
        (b'{"channel": {"id": "general"}, "messages": []}', "its channel's id is not a snowflake"),
        (b'{"channel": {"id": "5"}, "guild": [1], "messages": []}', "its guild is not an object"),
        (b'{"channel": {"id": "5"}, "guild": {"id": "x"}, "messages": []}', "its guild's id"),
        (b'{"channel": {"id": "5"}, "exportedAt": "now", "messages": []}', "its exportedAt"),
        (b'{"channel": {"id": "5"}, "messages": [], "guild": {}}', "its guild follows"),
        (b'{"channel": {"id": "5"}, "messages": [], "messages": []}', "two messages"),
        (b'{"channel": {"id": "5"}, "channel": {"id": "6"}, "messages": []}', "two channel"),
        (b'{"channel": {"id": "5"}, "messages": [], "messageCount": "1"}', "messageCount"),
        (b'{"channel": {"id": "5"}, "messages": [], "messageCount": -1}', "messageCount"),
        (b'{"channel": {"id": "5"}, "messages": [], "messageCount": true}', "messageCount"),
        (b'{"channel": {"id": "5"}, "messages": [], "messageCount": 1e3}', "messageCount"),
        (b'{"channel": {"id": "5"}, "messages": [,]}', "not valid JSON at character 39"),
        (b'{"channel": {"id": "5"}, "messages": []', "cut short"),
        (b'{"channel": {"id": "5"}, "messages": [], }', "not valid JSON at character 42"),
        (b'{"channel": {"id": "5"} "messages": []}', "not valid JSON at character 25"),
        (b'{"channel": {"id": "5"}, "messages": []} x', "Something follows"),
        (b'{"channel": {"id": "5"}, "messages": []}{}', "Something follows"),
        (b'{"channel": {"id": "5"}, "messages": []}\0\0', "Something follows"),
        (b'{"channel": {"id": "5"}, "messages": []}\xff', "Something follows"),
        (b'{"channel": {"id": "5"}, "x": NaN, "messages": []}', "number beyond any meaning"),
        (b'{"channel": {"id": "5"}, "x": -Infinity, "messages": []}', "number beyond"),
        (b'{"channel": {"id": "5"}, "x": 1e999, "messages": []}', "number beyond any meaning"),
        (b'{"x": ' + b"9" * 5000 + b"}", "number beyond any meaning"),
        (b'{"x": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"x": ' + b'{"a":' * 200_000, "nested too deeply"),
        (b'{"x": "\x01"}', "not valid JSON"),
        (b'{"x": "\\q"}', "not valid JSON"),
        (b'{"x": "\\u12', "cut short"),
        (b'{"x": "\xc3', "cut short"),
        (b'{"x": "\xff"}', "not UTF-8"),
        ('{"x": "é"}'.encode("utf-16"), "not UTF-8"),
        (b"\x1f\x8b\x08\x00", "is compressed (gzip): unpack it"),
        (b"PK\x03\x04\x14", "is compressed (zip): unpack it"),
        (b"BZh91AY", "is compressed (bzip2): unpack it"),
        (b"\xfd7zXZ\x00", "is compressed (xz): unpack it"),
        (b"\x28\xb5\x2f\xfd\x04", "is compressed (Zstandard): unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "is compressed (7-Zip): unpack it"),
        (b"Rar!\x1a", "is compressed (RAR): unpack it"),
    ],
)
def test_what_is_no_export_is_named_in_one_sentence(data: bytes, reason: str) -> None:
    sentence = error_of(data)
    assert reason in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_message_nested_too_deeply_is_named() -> None:
    nested: Any = []
    for _ in range(120):
        nested = [nested]
    assert len(list(reader_of(document(message(x=nested))))) == 1
    text = minified(document(message(x="?"))).decode()
    deep = text.replace('"?"', "[" * 5000 + "]" * 5000)
    assert "nested too deeply" in error_of(deep.encode())


def test_a_comma_that_is_missing_after_the_author_is_a_fault() -> None:
    text = as_exported(document(message())).decode()
    without = text.replace('},\n      "attachments"', '}\n      "attachments"')
    assert without != text
    assert "not valid JSON" in error_of(without.encode())


def test_text_before_invalid_utf8_is_still_read() -> None:
    data = as_exported(document(message(1), message(2)))
    cut = data.rindex(b"text 2")
    reader = reader_of(data[:cut] + b"\xff" + data[cut:])
    with pytest.raises(ExportUnusable, match="not UTF-8"):
        list(reader)
    assert reader.read_count == 1


class EndlessStream(io.RawIOBase):
    """Gives `first`, then `rest` for ever, and knows how much was taken."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self._next = first
        self._rest = rest
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        while len(self._next) < size:
            self._next += self._rest * (1 + size // len(self._rest))
        given, self._next = self._next[:size], self._next[size:]
        self.taken += len(given)
        return given


@pytest.mark.parametrize("rest", [b"a", b"[],", b'{"a":1},', b" ", "\N{CHEQUERED FLAG}".encode()])
def test_a_value_without_an_end_is_given_up_at_the_bound(rest: bytes) -> None:
    opening = b'{"x": "' if rest[0] not in b'[{ "' else b'{"x": ['
    opening += b" " if rest == b" " else b""
    stream = EndlessStream(opening, b"1, " if rest == b" " else rest)
    with pytest.raises(ExportUnusable, match="single value of more than 300,000 characters"):
        list(ExportReader(stream, max_value_chars=300_000))  # type: ignore[arg-type]
    assert stream.taken < 4 * 900_000


def test_a_long_value_is_asked_for_in_ever_larger_pieces() -> None:
    """Each new piece means to scan the value again: with equal ones that would be quadratic."""
    data = as_exported(document(message(content="x" * 3_000_000)))
    stream = CountedReads(data)
    assert len(list(ExportReader(stream))) == 1
    assert stream.count < 12


class CountedReads(io.BytesIO):
    count = 0

    def read(self, size: int | None = -1) -> bytes:
        self.count += 1
        return super().read(size)


def test_memory_does_not_grow_with_the_document() -> None:
    head = as_exported(document("?")).decode().partition('"?"')[0]
    body = json.dumps(message(), indent=2).replace("\n", "\n    ")
    stream = EndlessStream(head.encode(), (body + ",\n    ").encode())
    tracemalloc.start()
    try:
        for number, _ in enumerate(ExportReader(stream)):  # type: ignore[arg-type]
            if number == 1_000:
                tracemalloc.reset_peak()
                early = tracemalloc.get_traced_memory()[0]
            if number == 12_000:
                break
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stream.taken > 9_000_000
    assert peak < early + 3 * json_stream.READ_BYTES * 4 + 100_000


def test_authors_are_not_remembered_without_a_bound() -> None:
    messages = [message(n, author=user(n, name="n" * 5_000)) for n in range(2_000)]
    data = as_exported(document(*messages))
    tracemalloc.start()
    try:
        assert sum(1 for _ in reader_of(data)) == 2_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * 1024 * 1024
