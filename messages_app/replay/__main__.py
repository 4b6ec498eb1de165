"""`python -m messages_app.replay`: the stand-in exporter as a program."""

import sys

from messages_app.replay.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
