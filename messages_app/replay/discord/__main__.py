"""`python -m messages_app.replay.discord --port 8400`: the demo's Discord on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import TOKEN, World
from messages_app.replay.playing import read_conversation


def main(argv: list[str]) -> int:
    """Serve REPLAY_SCENARIO until a signal comes; print the settings that use it."""
    parser = argparse.ArgumentParser(prog="replay.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--channel", action="append", required=True)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--certificate", help="a PEM file")
    parser.add_argument("--key", help="its key's file")
    options = parser.parse_args(argv)
    world = World(read_conversation(os.environ), options.channel, token=options.token)
    certificate = (options.certificate, options.key) if options.certificate else None
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(0))
    with DiscordServer(world, port=options.port, certificate=certificate) as server:
        print(f"POLLER_DISCORD_API={server.url}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
