"""The exporter's arguments for one window of one channel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from messages_app.exporter.command import export_arguments
from messages_app.windows import Window

START = datetime(2026, 5, 1, 18, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(seconds=30))


def test_the_arguments_are_the_exporters() -> None:
    assert export_arguments(201, WINDOW, Path("/state/runs/1.json")) == [
        "export",
        *("--channel", "201"),
        *("--after", "2026-05-01T18:00:00.000+00:00"),
        *("--before", "2026-05-01T18:00:30.000+00:00"),
        *("--format", "Json"),
        *("--output", "/state/runs/1.json"),
        "--utc",
        *("--markdown", "false"),
    ]


def test_bounds_reach_out_to_whole_milliseconds() -> None:
    microsecond = timedelta(microseconds=1)
    arguments = export_arguments(201, Window(START + microsecond, WINDOW.end + microsecond), Path())

    assert "2026-05-01T18:00:00.000+00:00" in arguments
    assert "2026-05-01T18:00:30.001+00:00" in arguments
