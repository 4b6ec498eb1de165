"""What an import did, counted in messages."""

from typing import NamedTuple


class Tally(NamedTuple):
    """`edited` counts every difference that was stored, and messages that came back."""

    read: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    unchanged: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(*map(sum, zip(self, other, strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.read} read, {self.new} new, {self.edited} edited, {self.deleted} deleted, "
            f"{self.unchanged} unchanged"
        )
