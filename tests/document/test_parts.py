"""The parts of an export: what is good before a fault is given out, too."""

from __future__ import annotations

import errno
import io

from messages_app.document.parts import BATCH_SIZE, ExportEnd, parts_of
from messages_app.document.reader import ExportHeader
from tests.export_documents import FIRST_ID, as_exported, document, message


class FailingDisk(io.BytesIO):
    """Gives `good` bytes, then an I/O error."""

    def __init__(self, data: bytes, good: int) -> None:
        super().__init__(data)
        self._good = good

    def read(self, size: int | None = -1) -> bytes:
        given = super().read(min(size or 0, self._good - self.tell()))
        if not given:
            raise OSError(errno.EIO, "Input/output error")
        return given


def test_what_was_read_before_an_error_of_the_disk_is_given_out() -> None:
    data = as_exported(document(*(message(number) for number in range(1700))))
    good = data.index(str(FIRST_ID + 1500).encode())

    header, *batches, end = parts_of(FailingDisk(data, good))

    assert isinstance(header, ExportHeader)
    assert isinstance(end, ExportEnd)
    assert str(end.failure) == (
        "It cannot be read (Input/output error): check the file and its disk."
    )
    rows = [row for batch in batches if isinstance(batch, list) for row in batch]
    assert end.read_count == len(rows) > BATCH_SIZE
    assert [row[0] for row in rows] == [FIRST_ID + number for number in range(end.read_count)]
    assert end.read_count > 1400  # but for what the buffer still held
