"""How pages show messages: from their stored forms, never from the exported objects.

An object has no bound, a form has. Only where a form is missing or out of date, since a former
release stored the message or changed it, is it made of the object, by the same function.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from messages_app.document import raw_json
from messages_app.document.form import FORM_VERSION
from messages_app.document.raw_json import Object
from messages_app.document.shown_form import shown_form
from messages_app.keyset import in_pieces
from messages_app.models import Form, Message


def shown_forms(discord_ids: Sequence[int]) -> dict[int, Object]:
    """The shown forms of the messages, by their ids."""
    current = Form.objects.filter(
        message__in=list(discord_ids),
        fingerprint=F("message__fingerprint"),
        version__gte=FORM_VERSION,
    )
    forms = {pk: raw_json.parsed(shown) for pk, shown in current.values_list("pk", "shown")}
    if lacking := [discord_id for discord_id in discord_ids if discord_id not in forms]:
        for rows in in_pieces(Message.objects.filter(pk__in=lacking)):
            for row in rows:
                forms[row.pk] = raw_json.parsed(shown_form(raw_json.parsed(row.raw)))
    return forms
