"""What the web side tells the journal: a sentence for what an operator or a peer can cause, the
whole traceback for a bug, and nothing about who asked for what.
"""

from __future__ import annotations

import logging

from django.core.exceptions import DisallowedHost

from messages_app.database.outage import outage_in


class Sentences(logging.Filter):
    """Lets errors pass, and makes one line of those that are no bug."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return False  # a page that is not there, a form that was refused
        error = record.exc_info[1] if record.exc_info else None
        sentence: object = outage_in(error)
        if isinstance(error, DisallowedHost):
            sentence = (
                "A request for another host was refused: if the name is this server's, add it to "
                "POLLER_ALLOWED_HOSTS."
            )
        if sentence:
            record.msg, record.args, record.exc_info = str(sentence), (), None
        return True


def write_sentences() -> None:
    """Have Django's records written to stderr so."""
    handler = logging.StreamHandler()
    handler.addFilter(Sentences())
    logging.getLogger("django").handlers = [handler]
