"""The command `discord-poller`, as an operator types it."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.export_documents import as_exported, document, message
from tests.system.machine import wait_until
from tests.system.server import CHANNEL, Server

MAY_NOT = 126


def test_it_acts_as_the_service_does(server: Server) -> None:
    assert "Race day" in server.command("session", "list")
    who = "import os; print(os.geteuid(), os.environ['STATE_DIRECTORY'], os.getcwd())"
    printed = server.command("shell", "--verbosity", "0", "--command", who).split()
    uid = server.machine.sh("id -u discord-poller").strip()
    assert printed[-3:] == [uid, "/var/lib/discord-poller", "/"]


def test_it_passes_on_standard_input_output_and_the_status(server: Server) -> None:
    server.command("poll_recent_messages", "--now")
    exported = server.machine.sh("discord-poller export_messages --session 1 2>/dev/null")
    assert exported.startswith("{")
    assert server.machine.run("discord-poller", "session", "show", "987", check=False).returncode
    server.settings({"POLLER_WINDOW": "soon"})
    assert "POLLER_WINDOW" in server.command("session", "list", status=78)


def test_it_tells_others_than_root_in_one_sentence_and_helps_everybody(server: Server) -> None:
    nobody = ["runuser", "-u", "nobody", "--", "discord-poller"]
    refused = server.machine.run(*nobody, "session", "list", check=False)
    assert refused.returncode == MAY_NOT
    assert refused.stdout == ""
    assert refused.stderr == (
        "discord-poller: only root can act as the service's user: "
        "run sudo discord-poller session list\n"
    )
    for words in (["--help"], ["help"], ["session", "--help"], ["session", "add", "--help"]):
        assert "session" in server.machine.run(*nobody, *words).stdout


def test_an_export_on_standard_input_is_imported(server: Server) -> None:
    export = as_exported(document(message())).decode()
    assert server.command("import_messages", "-", stdin=export).startswith("1 read, 1 new")


@pytest.mark.parametrize(
    ("words", "process"),
    [
        ("poll_recent_messages --now", " replay "),
        ("import_messages -", "reader_process"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_it_started(
    server: Server, number: signal.Signals, words: str, process: str
) -> None:
    server.fault("hang-tree")
    # Python starts it inside: a shell's background processes cannot be interrupted.
    script = (
        "import pathlib, subprocess, sys, time\n"
        "number, *words = sys.argv[1:]\n"
        "command = subprocess.Popen(['discord-poller', *words], stdin=subprocess.PIPE)\n"
        "while not pathlib.Path('/tmp/signal-it').exists(): time.sleep(0.1)\n"
        "command.send_signal(int(number))\n"
        "print(command.wait(timeout=20))\n"
    )
    arguments = ["python3", "-c", script, f"{int(number)}", *words.split()]
    server.machine.run("rm", "--force", "/tmp/signal-it")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(server.machine.run, *arguments)
        try:
            wait_until(lambda: process in server.processes(), "it is under way")
        finally:
            server.machine.write("/tmp/signal-it", "")
        assert running.result().stdout == f"{128 + number}\n"
    assert server.processes() == ""


def test_the_first_command_makes_the_database(server: Server) -> None:
    server.settings({"DATABASE_URL": "sqlite:////var/lib/discord-poller/first.sqlite3"})
    server.machine.run("systemctl", "stop", "poller-migrate.service")
    server.add_session("--channel", CHANNEL)
    assert "Race day" in server.command("session", "list")
    server.settings()


def test_the_manual_and_the_completion_are_there(server: Server) -> None:
    assert "DISCORD-POLLER(8)" in server.machine.run("man", "discord-poller").stdout
    completed = server.machine.run(
        "bash",
        "-euc",
        ". /usr/local/share/bash-completion/completions/discord-poller;"
        "COMP_WORDS=(discord-poller sess) COMP_CWORD=1; _discord_poller; echo ${COMPREPLY[@]}",
    )
    assert completed.stdout == "session\n"
