"""The reader of the exporter's document: what is valid is given out whole, what is not is named."""

import io
import json

import pytest

from messages_app.errors import ExportUnusable
from messages_app.export_file import ExportReader


def test_an_empty_file_is_named_as_such() -> None:
    with pytest.raises(ExportUnusable, match="empty"):
        ExportReader(io.BytesIO(b"")).header()


def test_messages_are_given_out_with_their_texts() -> None:
    message = {"id": "5", "timestamp": "2024-05-01T12:00:00Z", "content": "hello"}
    document = {"channel": {"id": "7", "name": "race"}, "messages": [message], "messageCount": 1}
    reader = ExportReader(io.BytesIO(json.dumps(document).encode()))
    assert reader.header().channel_name == "race"
    assert [message.content for message in reader] == ["hello"]
    assert reader.read_count == reader.declared_count == 1
