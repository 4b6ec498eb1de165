"""A message looks the same by its form as by the exported object that the form was made of."""

from __future__ import annotations

import json

import pytest

from messages_app.document import raw_json
from messages_app.document.shown_form import shown_form
from messages_app.models import Message
from messages_app.web.rendering.clock import ViewerClock
from messages_app.web.rendering.html import messages_html
from messages_app.web.rendering.markdown import Names, Setting
from messages_app.web.rendering.shown import Surroundings, shown
from tests.database.landed import ROWS

MESSAGES = ROWS["messages_app_message"]


@pytest.mark.parametrize("pictures", [False, True])
def test_what_the_former_release_stored_looks_as_it_did(pictures: bool) -> None:
    setting = Setting(ViewerClock(), pictures=pictures)
    around = Surroundings(Names({}, {}, {}), {}, {})
    looks = set()
    for values in MESSAGES["rows"]:
        row = dict(zip(MESSAGES["columns"], values, strict=True))
        message = Message(**row | {"deleted_at": None, "edited_at": None})
        message.timestamp = Message._meta.get_field("timestamp").to_python(f"{row['timestamp']}Z")
        by_object, by_form = (
            messages_html([shown(message, raw_json.parsed(text), around, setting)])
            for text in (message.raw, shown_form(raw_json.parsed(message.raw)))
        )
        assert by_form == by_object, json.dumps(row)
        looks.add(by_form)
    assert len(looks) == len(MESSAGES["rows"]) > 30
