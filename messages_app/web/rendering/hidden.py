"""What is left of a deleted message for those who may not see what was deleted."""

from __future__ import annotations

import copy

from messages_app.models import Message

# The type of a message that was emptied, on pages and in what programs get.
HIDDEN = "Hidden"


def emptied(message: Message) -> Message:
    """The message, or if it was deleted a copy that tells its place, its time and nothing else."""
    if message.deleted_at is None:
        return message
    hidden = copy.copy(message)
    hidden.type = HIDDEN
    hidden.edited_at = None
    hidden.author_id = None
    hidden.author_name = ""
    hidden.content = ""
    hidden.has_attachments = False
    hidden.fingerprint = 0
    hidden.raw = "{}"
    return hidden
