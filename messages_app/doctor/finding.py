"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Whether it is well; SKIPPED is what cannot or need not be checked here."""

    GOOD = "good"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One line: `subject` is what was looked at; a BAD sentence says what to do, too."""

    subject: str
    state: State
    sentence: str


def good(subject: str, sentence: str) -> Finding:
    return Finding(subject, State.GOOD, sentence)


def bad(subject: str, sentence: str) -> Finding:
    return Finding(subject, State.BAD, sentence)


def skipped(subject: str, sentence: str) -> Finding:
    return Finding(subject, State.SKIPPED, sentence)
