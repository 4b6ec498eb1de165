"""Whatever happens to a run or to the timer, it polls on and knows its next moment."""

import time
from itertools import pairwise

import pytest

from tests.system.machine import Machine, wait_until
from tests.system.server import DROP_INS, INFINITY, PYTHON, UNIT_STARTING, Server

CONFIGURATION = 78


def test_enabling_the_timer_polls_at_once(server: Server) -> None:
    # systemd 257 skips the first trigger of a timer that it remembers to have triggered before.
    server.machine.reboot()
    server.drop_in("poller.timer", "")  # the real period: nothing but the first trigger may poll
    server.wait_for_the_boot_to_be_past()
    server.mark()
    before = time.monotonic()
    server.enable()
    server.wait_for_poll()
    assert server.starts()[0] - before < 2


def test_a_failing_run_is_followed_by_the_next(server: Server) -> None:
    server.fault("network-down:0")
    server.enable()
    server.wait_for_failure("exit-code")
    server.settings()
    # The feed waits 30 s after its first failure; the timer goes on meanwhile.
    server.assert_polls_on(limit_s=45)


def test_ten_failing_runs_in_a_row_are_followed_by_the_next(server: Server) -> None:
    server.drop_in("poller.timer", "[Timer]\nOnBootSec=\nOnBootSec=1s\nOnUnitActiveSec=0.5s\n")
    server.settings({"POLLER_MAX_SPAN": "no number"})
    server.enable()
    wait_until(lambda: len(server.failures()) >= 10, "ten failures", limit_s=30, every_s=0.5)
    assert set(server.failures()) == {"exit-code"}
    server.settings()
    server.assert_polls_on()


def test_a_killed_run_is_followed_by_the_next(server: Server) -> None:
    server.fault("hang-tree")
    server.enable()
    _wait_for_an_export(server)
    server.settings()  # before the next run, which may begin the instant that this one ends
    server.machine.run("systemctl", "kill", "--signal=KILL", "poller.service")
    server.wait_for_failure("signal")
    server.assert_polls_on()


def test_the_death_of_the_main_process_alone_leaves_no_exporter_behind(server: Server) -> None:
    server.fault("hang-deaf")
    server.machine.run("systemctl", "start", "--no-block", "poller.service")
    _wait_for_an_export(server)
    server.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "poller.service")
    wait_until(lambda: not server.processes(), "no process is left")


def test_a_run_longer_than_the_period_is_followed_by_the_next_without_overlap(
    server: Server,
) -> None:
    server.fault("slow:4")
    server.enable()
    server.wait_for_starts(3)
    starts = server.starts()
    assert all(later - earlier >= 4 for earlier, later in pairwise(starts))
    server.settings()
    server.assert_polls_on()


def test_a_run_that_hangs_is_ended_and_followed_by_the_next(server: Server) -> None:
    server.drop_in("poller.service", "[Service]\nTimeoutStartSec=4s\n")
    server.fault("hang-tree")
    server.enable()
    server.wait_for_failure("timeout")
    server.settings()
    server.assert_polls_on()


@pytest.mark.parametrize(
    "lines",
    [
        "systemctl restart poller.timer",
        "systemctl restart poller.service",
        "systemctl stop poller.timer poller.service; systemctl start poller.timer",
        "systemctl disable --now poller.timer; systemctl enable --now poller.timer",
        "systemctl restart poller-migrate.service",
        "systemctl daemon-reexec",
        "systemctl start poller.target; systemctl restart poller.target",
        "for verb in start stop start; do systemctl $verb poller.target; done",
    ],
)
def test_polling_goes_on_after(server: Server, lines: str) -> None:
    server.enable()
    server.wait_for_poll()
    server.machine.sh(lines)
    server.assert_polls_on()


def test_a_daemon_reload_starts_no_extra_run(server: Server) -> None:
    server.drop_in("poller.timer", "[Timer]\nOnBootSec=\nOnBootSec=1s\nOnUnitActiveSec=8s\n")
    server.enable()
    server.wait_for_poll()
    wait_until(server.next_is_finite, "the run is over")
    started = server.starts()
    for _ in range(3):
        server.machine.run("systemctl", "daemon-reload")
    assert server.next_is_finite()
    server.wait_for_starts(len(started) + 1)
    assert server.starts()[-1] - started[-1] > 7.9
    server.assert_polls_on()


def test_polling_goes_on_after_a_reboot(server: Server) -> None:
    server.enable()
    server.wait_for_poll()
    server.machine.reboot()
    # The drop-in is gone with /run: these are the units as shipped, 15 s after the boot.
    assert server.next_is_finite()
    server.assert_polls_on(limit_s=40)


def test_polling_goes_on_after_a_power_cut_in_the_middle_of_an_export(server: Server) -> None:
    server.fault("hang")
    server.enable()
    _wait_for_an_export(server)
    server.settings()
    server.machine.sh("sync")
    server.machine.crash()
    server.machine.boot()
    server.assert_polls_on(limit_s=40)


def test_polling_goes_on_once_a_full_disk_is_freed(server: Server) -> None:
    state = "/var/lib/discord-poller"
    # A .NET program of another test may have unpacked itself there.
    server.machine.sh(
        f"rm -rf {state}/.net; cp -a {state} /root/state;"
        f"mount -t tmpfs -o size=32m,mode=0755 tmpfs {state}"
    )
    try:
        server.machine.sh(f"cp -a /root/state/. {state}; chown discord-poller: {state}")
        server.enable()
        server.wait_for_poll()
        server.machine.run("dd", "if=/dev/zero", f"of={state}/ballast", "bs=1M", check=False)
        server.wait_for_failure("exit-code")
        server.machine.run("rm", f"{state}/ballast")
        server.assert_polls_on(limit_s=60)
    finally:
        server.machine.sh(
            "systemctl stop poller.timer poller.service;"
            f"cp -a {state}/. /root/state; umount {state};"
            f"cp -a /root/state/. {state}; rm -r /root/state"
        )


def test_polling_goes_on_once_postgresql_is_back(server: Server) -> None:
    server.machine.run(
        *("runuser", "-u", "postgres", "--", "psql", "--quiet", "--command"),
        'CREATE ROLE "discord-poller" LOGIN',
        *("--command", 'CREATE DATABASE poller OWNER "discord-poller"'),
    )
    server.settings({"DATABASE_URL": "postgres:///poller?host=/run/postgresql"})
    server.machine.run("systemctl", "stop", "poller-migrate.service")
    server.add_session("--channel", "200", title="On PostgreSQL")
    server.enable()
    server.wait_for_poll()

    server.machine.run("systemctl", "stop", "postgresql")
    server.wait_for_failure("exit-code")
    server.machine.run("systemctl", "start", "postgresql")
    server.assert_polls_on()

    # The same from the start: as at a boot at which the database comes up late.
    server.machine.sh(
        "systemctl stop poller.timer poller.service poller-migrate.service postgresql"
    )
    server.mark()
    server.machine.run("systemctl", "start", "poller.timer")
    server.wait_for_failure("exit-code", "poller-migrate.service")
    server.machine.run("systemctl", "start", "postgresql")
    server.assert_polls_on()


@pytest.mark.parametrize("line", ["POLLER_NO_SUCH_NAME=1", "POLLER_WINDOW=soon"])
def test_polling_goes_on_once_a_broken_poller_conf_is_mended(server: Server, line: str) -> None:
    name, _, value = line.partition("=")
    server.settings({name: value})
    server.enable()
    wait_until(server.exit_statuses, "a run fails")
    assert set(server.exit_statuses()) == {CONFIGURATION}
    told = [str(record["MESSAGE"]) for record in server.journal("-u", "poller.service")]
    assert any(name in message for message in told), told
    assert not any("Traceback" in message for message in told), told
    server.settings()
    server.assert_polls_on()


def test_the_filler_is_started_with_each_boot_and_upgrade_and_not_with_each_tick(
    server: Server,
) -> None:
    def fillings() -> int:
        return len(server.journal(f"MESSAGE_ID={UNIT_STARTING}", "UNIT=poller-fill.service"))

    server.machine.run("systemctl", "restart", "poller-migrate.service")
    wait_until(
        lambda: server.machine.show("poller-fill.service", "SubState") == "exited", "all is filled"
    )
    server.enable()
    server.wait_for_starts(3)
    assert fillings() == 1
    server.machine.run("systemctl", "restart", "poller-migrate.service")
    wait_until(lambda: fillings() == 2, "it is started again")


def test_starts_by_hand_do_not_lock_the_timer_out(server: Server) -> None:
    for _ in range(8):
        server.machine.run("systemctl", "start", "poller.service")
    server.enable()
    server.assert_polls_on()


@pytest.mark.parametrize("fault", ["hang", "hang-tree", "hang-deaf"])
def test_stopping_timer_and_service_leaves_no_process_behind(server: Server, fault: str) -> None:
    server.fault(fault)
    server.enable()
    _wait_for_an_export(server)
    began = time.monotonic()
    server.machine.run("systemctl", "stop", "poller.timer", "poller.service")
    assert time.monotonic() - began < 10
    assert server.processes() == ""
    # Stopped by the operator, not failed.
    assert server.machine.run("systemctl", "is-failed", "poller.service", check=False).returncode
    server.mark()
    time.sleep(3)
    assert server.starts() == []


def test_a_timer_without_its_first_trigger_is_told_from_a_good_one(machine: Machine) -> None:
    # What the tests above rely on: such a timer is active, systemd has no complaint, and only
    # its next moment shows that it never fires.
    machine.write(f"{DROP_INS}/trap.service", "[Service]\nType=oneshot\nExecStart=true\n")
    machine.write(f"{DROP_INS}/trap.timer", "[Timer]\nOnUnitActiveSec=1s\n")
    machine.sh("systemctl daemon-reload; systemctl start trap.timer")
    assert machine.show("trap.timer", "ActiveState") == "active"
    assert machine.show("trap.timer", "NextElapseUSecMonotonic") in INFINITY


def _wait_for_an_export(server: Server) -> None:
    command_line = f"{PYTHON} -I -S"
    wait_until(
        lambda: " replay " in server.processes() and command_line in server.processes(),
        "an export is under way",
    )
