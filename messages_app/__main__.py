"""`python -m messages_app`: the command line, where no manage.py is."""

import sys

from messages_app.command_line import main

if __name__ == "__main__":
    sys.exit(main())
