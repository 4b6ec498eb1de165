"""A session whose messages cost as much as their authors can make them cost."""

from __future__ import annotations

# Run with Django's settings: 30 messages, each edited 360 times, then 100 that are newer.
FILL = """
import django
django.setup()
from datetime import timedelta
from messages_app.models import Revision
from tests.builders import at
from tests.web.builders import make_message, past_session
past_session()
text = "||a||" * 800
Revision.objects.bulk_create(
    (
        Revision(message=message, content=text, replaced_at=at(1))
        for message in [make_message(at(0) + timedelta(seconds=n), text) for n in range(30)]
        for _ in range(360)
    ),
    batch_size=1000,
)
for number in range(30, 130):
    make_message(at(0) + timedelta(seconds=number), "&" * 4000, embeds=[{"description": text}] * 10)
"""
