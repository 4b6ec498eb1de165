"""What an import did, counted in messages."""

from typing import NamedTuple


class Tally(NamedTuple):
    """Each message that was read is `new`, `edited`, `unchanged` or changed otherwise.

    `edited` counts edits by authors, and messages that came back. Otherwise changed are those with
    other reactions or pins, with an embed that came or went, or with an older version that became
    known. `blank` counts, of all these, those that were shown empty and had not been before.
    """

    read: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    unchanged: int = 0
    blank: int = 0

    @property
    def otherwise_changed(self) -> int:
        return max(0, self.read - self.new - self.edited - self.unchanged)

    def plus(self, other: "Tally") -> "Tally":
        return Tally(*map(sum, zip(self, other, strict=True)))

    def __str__(self) -> str:
        changed = f", {self.otherwise_changed} otherwise changed" if self.otherwise_changed else ""
        return (
            f"{self.read} read, {self.new} new, {self.edited} edited, {self.deleted} deleted, "
            f"{self.unchanged} unchanged{changed}"
        )
