"""The documentation is complete: nothing that an operator can meet is missing there."""

from __future__ import annotations

import argparse
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from messages_app import errors
from messages_app.environment import CHECKOUT, ROWS
from messages_app.errors import PollerError
from messages_app.exporter.cli import _parser as exporter_parser
from messages_app.file_export import KEYS
from messages_app.installing.cli import _parser as installer_parser
from messages_app.management import commands
from messages_app.reporting.timer import TimerState
from messages_app.version import VERSION
from tests.commands import MANAGE
from tests.reporting.everything import all_metrics_text, make_everything, metric_families
from tests.test_catalogue import FIELDS, message_ids

DOCS = Path(CHECKOUT) / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMANDS = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
# What runs without Django, and its parser.
PROGRAMS = {"install-exporter": installer_parser, "exporter": exporter_parser}
# Django documents its own command.
DJANGOS_OWN = {"migrate": {"--no-backup"}}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of all tables' rows."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def parser_of(command: str) -> argparse.ArgumentParser:
    if command in PROGRAMS:
        return PROGRAMS[command]()
    return load_command_class("messages_app", command).create_parser("manage.py", command)


def all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of its subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                yield from all_actions(subparser)
        else:
            yield action


def words_of(command: str) -> set[str]:
    """The options and positional arguments of a command, less those that every command has."""
    words = {_word(action) for action in all_actions(parser_of(command))}
    djangos = {_word(action) for action in BaseCommand().create_parser("", "")._actions}
    if command in DJANGOS_OWN:
        return words & DJANGOS_OWN[command]
    return words - ({"-h"} if command in PROGRAMS else djangos)


def options_of(command: str) -> set[str]:
    """Its options, in all long spellings, less those that every command has."""
    options = words_of(command)
    actions = all_actions(parser_of(command))
    spellings = {o for a in actions if _word(a) in options for o in a.option_strings}
    return {spelling for spelling in spellings if spelling.startswith("--")}


def _word(action: argparse.Action) -> str:
    return action.option_strings[0] if action.option_strings else str(action.metavar or action.dest)


@pytest.mark.parametrize("command", [*COMMANDS, *PROGRAMS])
def test_every_command_is_documented_with_its_arguments(command: str) -> None:
    section = sections(page("commands.md"))[command]
    documented = {re.split(r"[` ]", row[0].strip("`"))[0] for row in rows(section)} - {
        "option",
        "argument",
    }
    assert documented == words_of(command)


def test_no_command_is_documented_that_is_not_there() -> None:
    assert set(sections(page("commands.md"))) == {*COMMANDS, *PROGRAMS}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_an_example(command: str) -> None:
    if command != "migrate":
        assert f"Example: {command}" in re.sub(r"\s+", " ", parser_of(command).format_help())


@pytest.mark.parametrize("command", [*COMMANDS, *PROGRAMS])
def test_the_manual_has_every_command_with_its_options(command: str) -> None:
    text = (Path(CHECKOUT) / "packaging/discord-poller.8").read_text(encoding="utf-8")
    section = text.replace("\\-", "-").partition(".SH COMMANDS")[2].partition(".SH UNITS")[0]
    entries = [e for e in section.split(".TP\n") if re.match(rf'\.BR? "?{command}\b', e)]
    assert entries
    assert set(re.findall(r"--[a-z0-9-]+", "".join(entries))) == options_of(command)


@pytest.mark.parametrize("command", [*COMMANDS, *PROGRAMS])
def test_the_completion_has_every_command_with_its_options(command: str) -> None:
    assert completed(command[:-1]) == {command}
    subcommands = completed(command, "") if command == "session" else {""}
    offered = set().union(*(completed(command, *sub.split(), "--") for sub in subcommands))
    assert offered - {"--help"} == options_of(command)


def completed(*words: str) -> set[str]:
    """What bash offers where this was typed, the last word being unfinished."""
    script = '. "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _discord_poller; '
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    file = f"{CHECKOUT}/packaging/discord-poller.bash"
    done = subprocess.run(
        ["bash", "-euc", script, "bash", file, "discord-poller", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows(page("settings.md"))[1:]}
    assert documented == {name: row.default for name, row in ROWS.items()}


def test_every_setting_is_documented_with_its_meaning() -> None:
    for name, _default, words in rows(page("settings.md"))[1:]:
        assert words.replace("`", "").startswith(ROWS[name.strip("`")].meaning), name


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((Path(CHECKOUT) / "pyproject.toml").read_text(encoding="utf-8"))
    changelog = Path(CHECKOUT) / "packaging/debian/changelog"
    packaged = re.search(r"\((.*)-\d+\)", changelog.read_text(encoding="utf-8"))
    assert packaged and project["project"]["version"] == packaged[1] == VERSION
    told = subprocess.run([sys.executable, MANAGE, "--version"], capture_output=True, text=True)
    assert told.stdout == f"discord-poller {VERSION}\n"


def error_classes() -> list[type[PollerError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, PollerError)
    ]


def test_every_key_of_the_exported_data_is_documented() -> None:
    keys = page("api.md").partition("the keys of `export_messages`: ")[2]
    assert re.findall(r"`(\w+)`", keys)[: len(KEYS)] == list(KEYS)


def test_every_exit_status_is_documented_with_its_kind() -> None:
    documented = {(row[0], row[1].strip("`")) for row in rows(page("exit-status.md"))[1:]}
    expected = {(str(error.status), error.kind) for error in error_classes()}
    assert documented == expected | {("0", "")}


def test_every_journal_field_is_documented() -> None:
    documented = {row[0].strip("`") for row in rows(sections(page("journal.md"))["Fields"])[1:]}
    assert documented == FIELDS | {"MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER"}


def test_every_entry_of_the_catalogue_is_documented() -> None:
    documented = {row[0].strip("`") for row in rows(sections(page("journal.md"))["Events"])[1:]}
    assert documented == message_ids()


@pytest.mark.django_db
def test_every_metric_is_documented_with_its_type_and_labels() -> None:
    make_everything()
    text = all_metrics_text()
    documented = {
        row[0].strip("`"): (row[1], set(re.findall(r"`(\w+)`", row[2])))
        for row in rows(page("metrics.md"))[1:]
    }
    expected = {name: (kind, labels(text, name)) for name, kind in metric_families(text).items()}
    assert documented == expected


def labels(text: str, family: str) -> set[str]:
    samples = re.findall(rf"^{family}(?:_bucket)?{{(.*)}} ", text, re.MULTILINE)
    return {label for sample in samples for label in re.findall(r'(\w+)="', sample)} - {"le"}


def test_every_state_of_the_timer_is_documented() -> None:
    for state in TimerState:
        assert f"`{state.value}`" in page("metrics.md")
    states = json.loads(page("status.schema.json"))["properties"]["timer"]["properties"]["state"]
    assert set(states["enum"]) == {state.value for state in TimerState}


def test_every_alert_is_documented_with_its_severity() -> None:
    rules = (Path(CHECKOUT) / "monitoring/discord-poller.rules.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"alert: (\w+)\n(?:.*\n)*?\s+severity: (\w+)", rules)
    documented = [(row[0].strip("`"), row[1]) for row in rows(page("monitoring.md"))[1:]]
    assert documented == alerts


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_the_pages_lead_somewhere(path: Path) -> None:
    # A picture is made by its own target, and may not be there yet.
    targets: list[str] = re.findall(r"(?<!!)\[[^]]+\]\(([^)#:]+)\)", path.read_text("utf-8"))
    assert [target for target in targets if not (DOCS / target).exists()] == []


def test_make_help_lists_every_target_under_its_group() -> None:
    makefiles = [Path(CHECKOUT) / "Makefile", *(Path(CHECKOUT) / "packaging").glob("*.mk")]
    told = re.findall(r"^([a-z-]+):.*## ", "\n".join(map(Path.read_text, makefiles)), re.MULTILINE)
    shown = subprocess.run(
        ["make", "--silent", "help"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    ).stdout
    assert sorted(re.findall(r"^  ([a-z-]+) ", shown, re.MULTILINE)) == sorted(told)
    groups = re.findall(r"^(\w.*)$", shown, re.MULTILINE)
    assert len(groups) == len(set(groups)) and "Other" not in groups


def test_the_changelog_tells_of_this_version_first() -> None:
    text = (Path(CHECKOUT) / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+) \(", text, re.MULTILINE)[0] == VERSION
