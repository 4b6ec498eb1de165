"""The address that invites the bot to a guild, with the permissions that reading takes."""

from __future__ import annotations

from urllib.parse import urlencode

from messages_app.discord import guilds, permissions
from messages_app.discord.client import Client, Patience
from messages_app.discord.limits import Route
from messages_app.snowflakes import id_in


def invite_address(client: Client, patience: Patience) -> str:
    """Ask which application the token is of; raise as `Client.get` does."""
    answer = client.get("/applications/@me", Route("applications/@me"), patience).value
    if not isinstance(answer, dict) or id_in(answer.get("id")) is None:
        raise guilds.odd_answer()
    wanted = {"client_id": answer["id"], "scope": "bot", "permissions": permissions.INVITED}
    return f"https://discord.com/oauth2/authorize?{urlencode(wanted)}"
