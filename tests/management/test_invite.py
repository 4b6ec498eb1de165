"""`invite`: the address with which a guild's owner invites the bot."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from messages_app.discord import permissions
from messages_app.replay.discord.world import APPLICATION_ID
from tests.commands import Manage
from tests.polling.played_discord import played_discord


def test_the_address_asks_for_what_reading_takes_and_no_more(
    tmp_path: Path, manage: Manage
) -> None:
    with played_discord(tmp_path, manage.environ, 60) as simulation:
        output = manage("invite", POLLER_DISCORD_API=simulation.discord.url)

    address = urlsplit(output.strip())
    assert (address.scheme, address.path) == ("https", "/oauth2/authorize")
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert asked == {
        "client_id": APPLICATION_ID,
        "scope": "bot",
        "permissions": str(
            permissions.VIEW_CHANNEL | permissions.READ_MESSAGE_HISTORY | permissions.CONNECT
        ),
    }


def test_a_refused_token_is_told(tmp_path: Path, manage: Manage) -> None:
    with played_discord(tmp_path, manage.environ, 60) as simulation:
        url = simulation.discord.url
        output = manage("invite", status=77, POLLER_DISCORD_API=url, DISCORD_TOKEN="other")

    assert "Discord refused the token" in output
