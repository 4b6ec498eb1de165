"""The command line: the gate first, Django only when something is due.

`manage.py` in a checkout and on a server, `discord-poller` where it was installed as a package.
"""

import os
import sys

# Commands that are run often or on much, and need no application of the web side.
LEAN = {"poll_recent_messages", "import_messages", "export_messages", "session", "status"}


def main(argv: "list[str] | None" = None) -> int:
    """Run the command of these arguments, the process's own if None; return the exit status."""
    if argv is None:
        argv = sys.argv
    if argv[1:2] == ["replay"]:
        from messages_app.replay.cli import main as replay

        return replay(argv[2:])
    if argv[1:2] == ["install-exporter"]:
        from messages_app.installing.cli import main as install_exporter

        return install_exporter(argv[2:])
    if argv[1:2] == ["exporter"]:
        from messages_app.exporter.cli import main as exporter

        return exporter(argv[2:])
    if argv[1:] == ["--version"]:
        from messages_app.version import VERSION

        print(f"discord-poller {VERSION}")
        return 0
    from messages_app.gate import add_site_packages, idle_answer

    if argv[1:] == ["poll_recent_messages"]:
        answer = idle_answer(os.environ)
        if answer is not None:
            if "NOTIFY_SOCKET" in os.environ:
                from messages_app.notify import notify_status

                notify_status(os.environ, answer)
            try:  # noqa: SIM105 - contextlib would cost as much as the gate itself
                print(answer, flush=True)
            except BrokenPipeError:
                pass
            os._exit(0)  # taking the interpreter down in order would cost a seventh of the tick
    add_site_packages()
    settings = "config.lean" if LEAN.intersection(argv[1:2]) else "config.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    from django.core.management import execute_from_command_line

    from messages_app.database.outage import outages_explained
    from messages_app.errors import PollerError

    try:
        with outages_explained():  # by Django's own commands, too
            execute_from_command_line(argv)
    except PollerError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0
