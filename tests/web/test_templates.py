"""The templates are readable."""

from __future__ import annotations

from pathlib import Path

from messages_app.environment import CHECKOUT

LONGEST_LINE = 160


def test_no_line_of_a_template_is_longer_than_an_eye_can_follow() -> None:
    templates = list((Path(CHECKOUT) / "messages_app/web/templates").rglob("*.html"))
    assert len(templates) > 15
    for path in templates:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert len(line) <= LONGEST_LINE, f"{path.name}: {line}"
