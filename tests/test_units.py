"""The unit files themselves: the traps of timers and oneshots, which systemd does not complain of.

Each rule is shown to find its fault in a broken copy of a shipped unit.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from messages_app.doctor.host import MEMORY_OF_ONE, TASKS_OF_ONE
from messages_app.environment import CHECKOUT, ROWS
from messages_app.windows import PERIOD_S

SYSTEMD = Path(CHECKOUT) / "systemd"
COMMAND = Path(CHECKOUT) / "packaging" / "discord-poller.in"
# Storing what the last export of a run brought, and ending, within the service's time limit.
SLACK_S = 40
UNITS = {
    path.name.removesuffix(".in"): path.read_text(encoding="utf-8")
    for path in sorted(SYSTEMD.iterdir())
    if re.search(r"\.(service|timer|target|socket)(\.in)?$", path.name)
}
Settings = dict[str, list[str]]


def settings(text: str) -> Settings:
    """The settings of a unit file by name, each with its values in their order."""
    found: Settings = defaultdict(list)
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found[name].append(value)
    return found


def seconds(span: str) -> float:
    """A time span of systemd's, such as `100ms`, `30s` or `30min`; infinity where it is that."""
    factors = {"ms": 0.001, "s": 1, "": 1, "min": 60, "h": 3600, "infinity": float("inf")}
    number, unit = re.fullmatch(r"(\d*)([a-z]*)", span).groups()  # type: ignore[union-attr]
    return float(number or 1) * factors[unit]


def complaints(name: str, text: str) -> set[str]:
    """What is wrong with a unit, in a few words each."""
    found = settings(text)
    check = {"timer": timer_complaints, "service": service_complaints}.get(name.rpartition(".")[2])
    documented = found["Documentation"] == ["man:discord-poller(8)"]
    return (check(found) if check else set()) | (set() if documented else {"no documentation"})


def timer_complaints(found: Settings) -> set[str]:
    wrong = set()
    if not found["OnBootSec"] and not found["OnCalendar"]:
        wrong.add("no first trigger")
    if found["Persistent"] and not found["OnCalendar"]:
        wrong.add("Persistent= on a monotonic timer")
    if found["OnActiveSec"]:
        wrong.add("an extra run at every daemon-reload")
    if found["OnUnitActiveSec"] and seconds((found["AccuracySec"] or ["1min"])[0]) > 0.1:
        wrong.add("the default accuracy, or little better")
    return wrong


def service_complaints(found: Settings) -> set[str]:
    wrong = set()
    if found["Type"] == ["oneshot"]:
        if seconds((found["TimeoutStartSec"] or ["infinity"])[0]) == float("inf"):
            wrong.add("no start timeout")
        if found["Restart"]:
            wrong.add("the timer is the retry")
    if found["LimitCORE"] != ["0"]:
        wrong.add("core dumps")
    if found["ProtectSystem"] != ["strict"]:
        wrong.add("no sandbox")
    return wrong


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_none_of_the_faults(name: str) -> None:
    assert complaints(name, UNITS[name]) == set()


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "complaint"),
    [
        ("poller.timer", "OnBootSec=15s\n", "", "no first trigger"),
        ("poller.timer", r"\[Timer\]\n", "[Timer]\nPersistent=true\n", "Persistent= on a monoton"),
        ("poller.timer", "OnBootSec=15s", "OnActiveSec=1s", "an extra run at every daemon-reload"),
        ("poller.timer", "AccuracySec=.*\n", "", "the default accuracy"),
        ("poller.timer", "AccuracySec=.*", "AccuracySec=1s", "the default accuracy"),
        ("poller.service", "TimeoutStartSec=.*\n", "", "no start timeout"),
        ("poller.service", "TimeoutStartSec=.*", "TimeoutStartSec=infinity", "no start timeout"),
        ("poller.service", "Type=oneshot\n", "Type=oneshot\nRestart=on-failure\n", "the timer is"),
        ("poller.service", "LimitCORE=0\n", "", "core dumps"),
        ("poller.service", "ProtectSystem=.*\n", "", "no sandbox"),
        ("poller-migrate.service", "TimeoutStartSec=.*\n", "", "no start timeout"),
        ("poller-prune.timer", "OnCalendar=.*\n", "", "no first trigger"),
        ("poller.target", "Documentation=.*\n", "", "no documentation"),
    ],
)
def test_a_broken_copy_is_found_out(
    name: str, pattern: str, replacement: str, complaint: str
) -> None:
    broken, count = re.subn(pattern, replacement, UNITS[name])
    assert count, f"{name} has nothing like {pattern}"
    assert any(found.startswith(complaint) for found in complaints(name, broken))


def test_the_period_is_the_timers_wherever_it_is_told() -> None:
    assert seconds(settings(UNITS["poller.timer"])["OnUnitActiveSec"][0]) == PERIOD_S
    for path in (
        *("systemd/poller.timer", "systemd/poller.conf", "systemd/discord-poller.catalog"),
        *("README.md", "docs/commands.md", "packaging/discord-poller.8"),
    ):
        text = (Path(CHECKOUT) / path).read_text(encoding="utf-8")
        assert f"{PERIOD_S} seconds" in re.sub(r"\s+", " ", text), path


def test_a_poll_fits_into_the_time_limit_of_its_service() -> None:
    limit_s = seconds(settings(UNITS["poller.service"])["TimeoutStartSec"][0])
    defaults = [ROWS[name].default for name in ("POLLER_RUN_BUDGET", "POLLER_EXPORT_TIMEOUT")]
    assert limit_s >= sum(float(default) for default in defaults) + SLACK_S


def test_the_default_number_of_exporters_fits_into_what_the_service_may_have() -> None:
    poll = settings(UNITS["poller.service"])
    at_once = int(ROWS["POLLER_PARALLEL"].default) + 1
    assert poll["MemoryMax"] == [f"{at_once * MEMORY_OF_ONE // 1024**2}M"]
    assert poll["TasksMax"] == [f"{at_once * TASKS_OF_ONE}"]
    assert poll["OOMPolicy"] == ["continue"], "one exporter is killed, not the run"


def test_a_poll_waits_for_the_migration_and_is_repeated_without_end() -> None:
    poll = settings(UNITS["poller.service"])
    assert poll["Requires"] == ["poller-migrate.service"]
    assert "poller-migrate.service" in poll["After"][0].split()
    assert poll["StartLimitIntervalSec"] == ["0"]
    assert not poll["RemainAfterExit"], "such a service runs once"


def test_the_filler_follows_each_migration_and_runs_once() -> None:
    migration, filler = (settings(UNITS[f"poller-{name}.service"]) for name in ("migrate", "fill"))
    assert migration["Wants"] == ["poller-fill.service"]
    assert filler["Requires"] == ["poller-migrate.service"], "started anew, it starts this anew"
    assert filler["RemainAfterExit"] == ["yes"], "or each tick would start it again"


def test_the_services_agree_about_the_folder_that_they_share() -> None:
    modes = {
        name: settings(text)["StateDirectoryMode"]
        for name, text in UNITS.items()
        if settings(text)["StateDirectory"] == ["discord-poller"]
    }
    assert len(modes) >= 3
    assert len({tuple(mode) for mode in modes.values()}) == 1, modes


def test_the_command_has_the_settings_and_the_token_of_the_service() -> None:
    given = settings(
        "\n".join(re.findall(r"--property='?([^'\s]*)'?", COMMAND.read_text(encoding="utf-8")))
    )
    service = settings(UNITS["poller.service"])
    names = ("LoadCredential", "LoadCredentialEncrypted", "SetCredential", "EnvironmentFile")
    for name in (*names, "StateDirectory", "StateDirectoryMode", "LimitCORE", "UMask"):
        assert sorted(given[name]) == sorted(service[name]), name


def test_the_target_stops_every_unit() -> None:
    for name, text in UNITS.items():
        if name != "poller.target":
            assert "poller.target" in settings(text)["PartOf"], name


def test_every_unit_is_installed_and_uninstalled_and_nothing_stays_but_settings(
    tmp_path: Path,
) -> None:
    make = ["make", "--silent", f"DESTDIR={tmp_path}"]
    subprocess.run([*make, "install-files"], cwd=CHECKOUT, check=True)
    units = tmp_path / "usr/local/lib/systemd/system"
    installed = {path.name: path.read_text() for path in units.iterdir() if path.is_file()}
    assert installed.keys() == UNITS.keys()
    assert not [name for name, text in installed.items() if re.search(r"@\w+@", text)]
    subprocess.run([*make, "uninstall"], cwd=CHECKOUT, check=True)
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["etc/discord-poller/poller.conf"]


def test_edited_settings_survive_an_installation(tmp_path: Path) -> None:
    conf = tmp_path / "etc/discord-poller/poller.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("POLLER_WINDOW=45\n")
    make = ["make", "--silent", f"DESTDIR={tmp_path}"]
    for target in ("install-files", "install-files", "uninstall"):
        subprocess.run([*make, target], cwd=CHECKOUT, check=True)
        assert conf.read_text() == "POLLER_WINDOW=45\n"


def test_poller_conf_shows_every_setting_with_its_default() -> None:
    text = (SYSTEMD / "poller.conf").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))
    # The token is no setting for a file that a group may read; the comment says where it goes.
    expected = {name: row.default for name, row in ROWS.items() if name != "DISCORD_TOKEN"}
    assert "in DISCORD_TOKEN" in text
    state = "/var/lib/discord-poller"
    expected |= {
        "POLLER_STATE_DIR": state,
        "DATABASE_URL": f"sqlite:///{state}/db.sqlite3",
    }
    # What other programs read from the environment, as an example.
    expected |= {"HTTPS_PROXY": "http://proxy.example.org:3128"}
    assert shown == expected
