"""The published figures are those of the last bench, and the picture shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.freshness import ages_s, p99
from bench.results import Row, load, markdown, pages, svg, with_table
from messages_app.environment import CHECKOUT

DOCS = Path(CHECKOUT) / "docs"


@pytest.mark.parametrize("path", pages(DOCS), ids=lambda path: path.name)
def test_the_pages_hold_the_table_of_the_last_bench(path: Path) -> None:
    page = path.read_text()
    assert page == with_table(page, load(DOCS))
    assert markdown(load(DOCS)) in page


def test_the_picture_is_of_the_last_bench() -> None:
    assert (DOCS / "performance.svg").read_text() == svg(load(DOCS))


def test_messages_are_stored_soon_after_they_are_posted(
    environ: dict[str, str], tmp_path: Path
) -> None:
    ages = ages_s(tmp_path, environ, minutes=4)
    assert len(ages) == 240
    assert 30 < p99(ages) <= 36


def test_a_missed_target_is_told() -> None:
    assert Row("slow", 3, 2, "s").is_met is False
    assert Row("fast", 0.3, 0.4, "", is_floor=True).is_met is False
    assert Row("none", 0, 0, "").is_met
    assert "(missed)" in svg([Row("slow", 3, 2, "s")])
