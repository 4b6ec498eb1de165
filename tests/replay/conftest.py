"""The stand-in exporter for each test."""

from pathlib import Path

import pytest

from .stand_in import StandIn


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """A stand-in whose channel 200 is empty until the test posts in it."""
    return StandIn(tmp_path)
