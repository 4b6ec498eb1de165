"""What the bench found: rows against their targets, as a table, as JSON, and as a picture."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Row:
    """One measurement. `is_floor`: the target is the least that is wanted, else the most."""

    what: str
    measured: float
    target: float
    unit: str
    is_floor: bool = False

    @property
    def is_met(self) -> bool:
        return self.measured >= self.target if self.is_floor else self.measured <= self.target

    @property
    def of_target(self) -> float:
        """How much of the target is used up: 1 is just met, less is better."""
        if self.is_floor:
            return self.target / self.measured
        return self.measured / self.target if self.target else float(self.measured > 0)


def markdown(rows: Sequence[Row]) -> str:
    """The table of the documentation."""
    lines = ["| what | measured | target |", "|---|---|---|"]
    for row in rows:
        side = "at least" if row.is_floor else "at most"
        target = f"{side} {_number(row.target)} {row.unit}".rstrip()
        lines.append(
            f"| {row.what} | {_number(row.measured)} {row.unit}".rstrip() + f" | {target} |"
        )
    return "\n".join(lines) + "\n"


def save(rows: Sequence[Row], folder: Path) -> None:
    """Write the JSON, the picture, and the table into the README and the page about performance."""
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    document = {**machine, "rows": [asdict(row) for row in rows]}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (folder / "performance.json").write_text(text, encoding="utf-8")
    (folder / "performance.svg").write_text(svg(rows), encoding="utf-8")
    for page in pages(folder):
        page.write_text(with_table(page.read_text(encoding="utf-8"), rows), encoding="utf-8")


def pages(folder: Path) -> tuple[Path, Path]:
    """Those that show the table."""
    return folder / "performance.md", folder.parent / "README.md"


def load(folder: Path) -> list[Row]:
    """The rows of the last bench."""
    document = json.loads((folder / "performance.json").read_text(encoding="utf-8"))
    return [Row(**row) for row in document["rows"]]


def merged(rows: Sequence[Row], newer: Sequence[Row]) -> list[Row]:
    """`rows` with those that were measured again in their places, and new ones behind them."""
    again = {row.what: row for row in newer}
    return list(({row.what: row for row in rows} | again).values())


BEGIN, END = "<!-- table: made by make bench -->\n", "<!-- end of table -->\n"


def with_table(page: str, rows: Sequence[Row]) -> str:
    """`page` with its table replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + markdown(rows) + END + after


BAR, LEFT, WIDTH, LINE = 16, 470, 300, 26


def svg(rows: Sequence[Row]) -> str:
    """A bar per row: how much of its target is used up."""
    height = LINE * (len(rows) + 2)
    scale = WIDTH / max(1.25, *(row.of_target for row in rows))
    at_target = LEFT + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 130} {height}">',
        '<g font-family="sans-serif" font-size="12">',
        "<title>How much of each target is used up; shorter is better</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, row in enumerate(rows):
        top = LINE * (number + 1)
        length = max(row.of_target * scale, 1)
        beside = max(LEFT + length, at_target) + 6
        colour = "#2f6f4f" if row.is_met else "#b3402f"
        label = f"{_number(row.measured)} {row.unit}".rstrip() + ("" if row.is_met else " (missed)")
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 12}" text-anchor="end">{escape(row.what)}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{beside:.1f}" y="{top + 12}">{escape(label)}</text>',
        ]
    bottom = height - LINE
    parts += [
        f'<path d="M{at_target:.1f} {LINE - 8}V{bottom}" stroke="black" stroke-dasharray="4 3"/>',
        f'<text x="{at_target:.1f}" y="{LINE - 12}" text-anchor="middle">target</text>',
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _number(value: float) -> str:
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
