#!/usr/bin/env python3
"""The command line of a checkout: `messages_app/command_line.py`, found beside this file."""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from messages_app.command_line import main

    sys.exit(main())
