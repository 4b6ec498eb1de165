"""What a text costs grows with its length and no faster, whatever stands in it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.attack.text_rules import SIZES

ROOT = Path(__file__).parents[2]
# A text four times as long: four times the work, and a little for what grows by the logarithm.
MOST_GROWTH = 4.2
# Two minutes of CPU, under which another load may lie; a rule that grows by the square takes more.
LIMIT_S = 1500


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, int]]:
    """How many instructions each rule took for each piece, by the characters of the text."""
    folder = tmp_path_factory.mktemp("counted")
    environ = {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "POLLER_STATE_DIR": str(folder),
    }
    counter = [
        *("valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={folder}/dump"),
        *("--zero-before=getloadavg", "--dump-before=ctermid"),
    ]
    program = [sys.executable, "-m", "tests.attack.text_rules"]
    done = subprocess.run(
        counter + program, env=environ, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    for number, line in enumerate(done.stdout.splitlines(), 1):
        name, size = line.split("\t")
        dump = (folder / f"dump.{number}").read_text(encoding="ascii", errors="replace")
        summary = re.search(r"^summary: (\d+)$", dump, re.MULTILINE)
        assert summary, name
        counts[name][int(size)] = int(summary[1])
    return counts


def test_no_rule_reads_a_text_more_than_once_for_each_of_its_parts(
    counted: dict[str, dict[int, int]],
) -> None:
    short, long = SIZES
    growth = {name: round(of[long] / of[short], 3) for name, of in counted.items()}
    assert {name: by for name, by in growth.items() if by > MOST_GROWTH} == {}
