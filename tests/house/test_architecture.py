"""The map of the house: its paths exist, its wings are all there, and imports point down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT

ROOT = Path(CHECKOUT)
APP = ROOT / "messages_app"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
MAP = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
SOURCES = sorted(
    path.relative_to(ROOT)
    for path in [ROOT / "manage.py", *APP.rglob("*.py"), *(ROOT / "config").rglob("*.py")]
    if path != APP / "__init__.py"
)
PATH = re.compile(r"[\w./-]*(?:/|\.(?:py|md|toml|conf|catalog|css|timer|bash|8|in))")


SHUT = "| from | never reaches | because |"


def table(head: str) -> list[list[str]]:
    """The rows of the table that begins with this head."""
    text = MAP.partition(f"{head}\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in text.splitlines()[1:]]


def named(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def found(path: str) -> Path:
    """Where a path of the map is; it may not be there."""
    return ROOT / path if (ROOT / path).exists() else APP / path


FLOORS = {
    found(room).relative_to(ROOT): level
    for level, (_floor, rooms, _reason) in enumerate(table("| floor | rooms | reason |"))
    for room in named(rooms)
}


def room_of(module: Path) -> Path:
    """The innermost room of the map that a file stands in."""
    homes = [home for home in (module, *module.parents) if home in FLOORS]
    assert homes, f"{module} has no floor yet: give it one in docs/architecture.md"
    return homes[0]


def file_of(name: str) -> Path | None:
    """The file of one of our modules, by its dotted name; None for any other name."""
    path = Path(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if name and (ROOT / file).is_file():
            return file
    return None


def names_imported(module: Path) -> Iterator[str]:
    """Every dotted name that a file imports, inside of functions too."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inside if file_of(name)]
            yield from modules or [node.module]


IMPORTS = {module: set(names_imported(module)) for module in SOURCES}


def reached_from(room: Path) -> dict[str, str]:
    """What the files of a room import, directly or through others, each with the way there."""
    start = [module for module in SOURCES if room in (module, *module.parents)]
    ways = {name: f"{module}: {name}" for module in start for name in IMPORTS[module]}
    todo = list(ways)
    while todo:
        name = todo.pop()
        file = file_of(name)
        for further in IMPORTS.get(file, ()) if file else ():
            if further not in ways:
                ways[further] = f"{ways[name]} → {further}"
                todo.append(further)
    return ways


def complaint(module: Path, imported: str) -> str:
    """What is wrong with this import of a file, or nothing."""
    file = file_of(imported)
    if file is None or file == Path("messages_app/__init__.py"):
        return ""
    here, there = room_of(module), room_of(file)
    if here == there or FLOORS[here] < FLOORS[there]:
        return ""
    return f"{module} imports {imported}, which is not on a lower floor"


@pytest.mark.parametrize("module", SOURCES, ids=str)
def test_imports_point_down(module: Path) -> None:
    complaints = [complaint(module, name) for name in sorted(IMPORTS[module])]
    assert [text for text in complaints if text] == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("messages_app/windows.py", "messages_app.models"),
        ("messages_app/document/rows.py", "messages_app.database.store"),
        ("messages_app/reporting/feeds.py", "messages_app.polling.turns"),
        ("messages_app/web/filters.py", "messages_app.web.views.session"),
        ("messages_app/replay/cli.py", "messages_app.installing.cli"),
    ],
)
def test_an_import_that_points_up_or_aside_is_found(module: str, imported: str) -> None:
    assert complaint(Path(module), imported)


@pytest.mark.parametrize(("room", "shut"), [named(f"{row[0]} {row[1]}") for row in table(SHUT)])
def test_some_doors_stay_shut(room: str, shut: str) -> None:
    behind = {Path(shut), found(shut).relative_to(ROOT)}
    for name, way in reached_from(found(room).relative_to(ROOT)).items():
        file = file_of(name) or Path(*name.split("."))
        assert behind.isdisjoint((file, *file.parents)), way


@pytest.mark.parametrize("program", ["replay", "installing"])
def test_only_the_command_line_knows_the_programs_beside(program: str) -> None:
    folder, package = Path("messages_app", program), f"messages_app.{program}"
    outside = [module for module in SOURCES if folder not in module.parents]
    knowing = [m for m in outside if any(name.startswith(package) for name in IMPORTS[m])]
    assert knowing == [Path("messages_app/command_line.py")]


def test_a_way_through_others_is_found() -> None:
    assert "django.db" in reached_from(Path("messages_app/events.py"))


def test_every_wing_is_told_and_has_a_floor() -> None:
    folders = {path for path in APP.iterdir() if (path / "__init__.py").is_file()}
    told = {found(named(row[0])[0]) for row in table("| wing | what lives there |")}
    assert folders == told
    for module in SOURCES:
        room_of(module)


def test_every_path_of_the_map_is_there() -> None:
    paths = [name for name in named(MAP) if PATH.fullmatch(name)]
    assert len(paths) > 100
    assert [path for path in paths if not found(path).exists()] == []


def test_a_name_that_follows_a_path_is_in_that_file() -> None:
    pairs = re.findall(r"`([^`]+)` `(\w+)`", MAP)
    assert len(pairs) > 15
    for path, name in pairs:
        assert re.search(rf"\b{name}\b", found(path).read_text(encoding="utf-8")), (path, name)


def test_fifteen_changes_and_more_have_a_place_to_start() -> None:
    rows = table("| to change | start here | and then |")
    assert len(rows) >= 15
    assert all(PATH.fullmatch(named(start)[0]) for _, start, _ in rows)


def test_the_bench_builds_on_the_tests_and_only_its_own_test_knows_it() -> None:
    tests = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")]
    knowing = [path for path in tests if any(n.startswith("bench") for n in names_imported(path))]
    assert knowing == [Path("tests/test_bench.py")]
