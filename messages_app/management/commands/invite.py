"""Tells the address with which the bot is invited to a guild."""

from __future__ import annotations

import os
from typing import Any

from messages_app.discord.invite import invite_address
from messages_app.exporter.builtin import client_of, explained
from messages_app.management.base import PollerCommand


class Command(PollerCommand):
    help = (
        "Asks Discord whose the token is, and tells the address with which the owner of a guild "
        "invites that bot, with exactly the permissions that reading takes. Example: invite"
    )
    needs_the_schema = False

    def handle(self, *_args: str, **_options: Any) -> str:
        client = client_of(self.poller, os.environ)
        try:
            with explained(self.poller.export_timeout_s) as patience:
                return invite_address(client, patience)
        finally:
            client.close()
