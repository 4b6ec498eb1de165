"""Names that other people chose, as a terminal, a journal and a spreadsheet can bear them."""

import re

# What a terminal obeys, ends of lines, and what turns the direction of that which follows: a name
# with these in it could rewrite the line that it stands in. What joins letters or emoji may stay.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
SHOWN = "\ufffd"


def inert(name: str) -> str:
    """The name with each such character shown as U+FFFD."""
    return _OBEYED.sub(SHOWN, name)
