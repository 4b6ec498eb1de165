"""The stand-in's run: from the command line to the sentences and the exit status."""

import os
import sys
import time
from collections.abc import Callable, Mapping

from messages_app.replay import arguments as command_line
from messages_app.replay import call_log, output_path
from messages_app.replay.arguments import Arguments
from messages_app.replay.export import Export, sleep_for_ever
from messages_app.replay.faults import FaultPlan, Faults, read_plan
from messages_app.replay.playing import read_clock, read_conversation
from messages_app.replay.presentation import QUIET_IS_FINE, Presentation, Version, parse_version
from messages_app.replay.problems import (
    EXCEPTION,
    ChannelFailed,
    CommandRefused,
    Crashed,
    Misconfigured,
)
from messages_app.replay.script import ChannelInfo, Conversation

# The real one prints a box here, which is why nobody should read its standard output.
_BANNER = """\
+------------------------------------------------------------+
|  DiscordChatExporter prints a banner of its author here.   |
|  This is its stand-in, which talks to nobody.              |
+------------------------------------------------------------+
"""
_FLOOD = "warn: replay exporter: this line is here to fill the pipe to its brim\n" * 60_000
_TRACE = """
   at DiscordChatExporter.Core.Discord.DiscordClient.GetResponseAsync(String url)
   at DiscordChatExporter.Cli.Commands.ExportChannelsCommand.ExecuteAsync(IConsole console)
   at CliFx.CliApplication.RunAsync(ApplicationSchema schema, CommandInput input)"""


def main(argv: list[str]) -> int:
    """Run the stand-in with the words after the program's name; return its exit status.

    0 and 1 are the exporter's, 2 says that a REPLAY_ setting cannot be meant.
    """
    try:
        return _run(argv, os.environ)
    except Misconfigured as problem:
        _complain(f"replay exporter: {problem}")
        return 2
    except CommandRefused as refusal:
        _complain(f"{refusal}")
    except Crashed as crash:
        _complain(f"ERROR\n{crash}{_TRACE}")
    except KeyboardInterrupt:
        _complain("The operation was canceled.")
    return 1


def _run(argv: list[str], environment: Mapping[str, str]) -> int:
    started_ms = read_clock(environment)
    plan = read_plan(environment.get("REPLAY_FAULT", ""), started_ms)
    version = parse_version(environment.get("REPLAY_VERSION", ""))
    if argv == ["--version"]:
        _say("v" + ".".join(map(str, version)))
        return 0
    _record(argv, environment, plan, started_ms)
    conversation = read_conversation(environment)
    arguments = command_line.parse(argv, environment)
    faults = _faults_of_all(plan, arguments)
    if arguments.banner:
        _say(_BANNER)
    time.sleep(faults.slow_s)
    if faults.any_of("stderr-flood"):
        sys.stderr.write(_FLOOD)
    presentation = Presentation.of_run(
        utc=arguments.utc,
        markdown=arguments.markdown,
        version=version,
        now_ms=read_clock(environment),
    )
    channels = _resolve(conversation, arguments, plan, version)
    return _export_all(
        channels,
        lambda channel: Export(
            conversation, channel, arguments, presentation, plan.of(channel.channel_id)
        ).write(),
        is_lenient=faults.any_of("failed-zero-exit"),
    )


def _record(
    argv: list[str], environment: Mapping[str, str], plan: FaultPlan, started_ms: int
) -> None:
    more: dict[str, object] = {"token": bool(environment.get("DISCORD_TOKEN"))}
    plays_a_tree = any(
        faults.any_of("hang-tree") for faults in (plan.everywhere, *plan.by_channel.values())
    )
    if plays_a_tree:
        more["grandchild"] = _fork_sleeper()
    path = environment.get("REPLAY_LOG", "")
    if path:
        call_log.append(path, argv, started_ms, plan.text, **more)


def _fork_sleeper() -> int:
    """Start a process that sleeps, in this process group and holding its pipes open."""
    pid = os.fork()
    if pid == 0:
        sleep_for_ever()
    return pid


def _faults_of_all(plan: FaultPlan, arguments: Arguments) -> Faults:
    """The faults that one of the channels meets: those that come before any of them."""
    faults = [plan.of(channel_id) for channel_id in arguments.channels]
    names = frozenset().union(*(one.names for one in faults))
    return Faults(names, max(one.slow_s for one in faults))


def _resolve(
    conversation: Conversation, arguments: Arguments, plan: FaultPlan, version: Version
) -> list[ChannelInfo]:
    """Look the channels up; one that cannot be had ends the run, whatever the others are like."""
    _say("Resolving channel(s)...")
    channels: list[ChannelInfo] = []
    for asked in arguments.channels:
        faults, url = plan.of(asked), f"channels/{asked}"
        if faults.any_of("not-allowed-to-start"):
            raise CommandRefused("Failed to create CoreCLR, HRESULT: 0x8007054F")
        if faults.any_of("bad-token", "mistaken-token"):
            raise Crashed(f"{EXCEPTION}: Authentication token is invalid.")
        _give_up_asking(faults, url)
        if faults.any_of("crash"):
            raise Crashed("System.InvalidOperationException: Sequence contains no elements")
        if faults.any_of("empty-category"):
            continue
        found = conversation.channels(asked)
        if faults.any_of("not-found") or not found:
            older = f"Requested resource '{url}' does not exist."
            raise Crashed(_since_245(version, _failed(url, "not found"), older))
        if faults.any_of("forbidden"):
            older = f"Access to '{url}' is forbidden."
            raise Crashed(_since_245(version, _failed(url, "forbidden"), older))
        channels.extend(found)
    if len(channels) > 1 and not output_path.holds_several(arguments.output):
        raise CommandRefused(
            "Attempted to export multiple channels, but the output path is neither a directory "
            f"nor a template. Provided output path: '{arguments.output}'."
        )
    return channels


def _give_up_asking(faults: Faults, url: str) -> None:
    """Fail as it does once it has repeated a request often enough, in silence till then."""
    time.sleep(faults.silent_s)
    if faults.any_of("network-down"):
        name = "System.Net.Http.HttpRequestException"
        raise Crashed(f"{name}: Name or service not known (discord.com:443)")
    if faults.any_of("untrusted-tls"):
        name = "System.Net.Http.HttpRequestException"
        raise Crashed(f"{name}: The SSL connection could not be established, see inner exception.")
    if faults.any_of("server-error"):
        answer = "Response content: upstream connect error"
        raise Crashed(f"{_failed(url, 'service unavailable')}\n{answer}")
    if faults.any_of("rate-limited"):
        answer = 'Response content: {"message": "You are being rate limited."}'
        raise Crashed(f"{_failed(url, 'too many requests')}\n{answer}")


def _failed(url: str, how: str) -> str:
    return f"{EXCEPTION}: Request to '{url}' failed: {how}."


def _since_245(version: Version, sentence: str, older: str) -> str:
    return sentence if version >= QUIET_IS_FINE else f"{EXCEPTION}: {older}"


def _export_all(
    channels: list[ChannelInfo],
    export: Callable[[ChannelInfo], str | None],
    *,
    is_lenient: bool,
) -> int:
    """Export each channel and report; fail only when every channel failed, or not even then."""
    warnings: list[str] = []
    errors: list[str] = []
    _say(f"Exporting {len(channels)} channel(s)...")
    for channel in channels:
        name = f"{channel.category} / {channel.name}"
        try:
            warning = export(channel)
        except ChannelFailed as failure:
            errors.append(f"{name}: {failure}")
        else:
            warnings.extend([f"{name}: {warning}"] if warning else [])
    _say(f"Successfully exported {len(channels) - len(errors)} channel(s).")
    for title, lines in (
        ("Warnings reported for the following channel(s):", warnings),
        ("Failed to export the following channel(s):", errors),
    ):
        if lines:
            _complain("\n".join((title, *lines, "")))
    if len(errors) >= len(channels) and not is_lenient:
        raise CommandRefused("Export failed.")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
