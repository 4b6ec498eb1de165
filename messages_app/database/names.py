"""The names that the built-in exporter knows, kept over runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import itemgetter

from messages_app.discord import people
from messages_app.discord.names import NAMES_AGE_S, GuildNames, Names
from messages_app.models import Channel, Guild, Member

NAMES_AGE = timedelta(seconds=NAMES_AGE_S)
# More than that many members of a guild are not kept in a run's memory; the newest are.
MOST_MEMBERS = 20_000


def load_names(now: datetime) -> Names:
    """The names that are young enough at `now`, and which guild each known channel is in."""
    names = Names(
        guild_of={
            str(channel_id): str(guild_id)
            for channel_id, guild_id in Channel.objects.exclude(guild_id=None).values_list(
                "discord_id", "guild_id"
            )
        }
    )
    for guild in Guild.objects.all():
        names.guilds[str(guild.discord_id)] = GuildNames(
            str(guild.discord_id),
            guild.name,
            guild.icon,
            str(guild.owner_id or ""),
            tuple(guild.roles),
            guild.read_at,
            str(guild.bot_id or ""),
        )
    young = Member.objects.filter(read_at__gt=now - NAMES_AGE, read_at__lte=now)
    for member in young.order_by("-read_at")[:MOST_MEMBERS]:
        names.members.setdefault(str(member.guild_id), {})[str(member.user_id)] = people.Member(
            member.nick, member.avatar, tuple(member.roles), member.read_at
        )
    return names


def save_names(names: Names, now: datetime) -> None:
    """Keep what was learned since it was saved last; members that are too old are forgotten.

    In one order, so that hosts that learn the same at the same time do not wait for each other.
    """
    new_guilds, names.new_guilds = names.new_guilds, {}
    new_members, names.new_members = names.new_members, {}
    if new_guilds:
        Guild.objects.bulk_create(
            [_guild_row(guild) for _, guild in sorted(new_guilds.items())],
            update_conflicts=True,
            unique_fields=["discord_id"],
            update_fields=["name", "icon", "owner_id", "roles", "bot_id", "read_at"],
        )
        Member.objects.filter(read_at__lt=now - 2 * NAMES_AGE).delete()
    if new_members:
        Member.objects.bulk_create(
            [
                Member(
                    guild_id=int(guild_id),
                    user_id=int(user_id),
                    nick=member.nick,
                    avatar=member.avatar,
                    roles=list(member.roles),
                    read_at=member.read_at or now,
                )
                for (guild_id, user_id), member in sorted(new_members.items(), key=itemgetter(0))
            ],
            update_conflicts=True,
            unique_fields=["guild_id", "user_id"],
            update_fields=["nick", "avatar", "roles", "read_at"],
        )


def _guild_row(guild: GuildNames) -> Guild:
    return Guild(
        discord_id=int(guild.guild_id),
        name=guild.name,
        icon=guild.icon,
        owner_id=int(guild.owner_id) if guild.owner_id else None,
        roles=list(guild.roles),
        bot_id=int(guild.bot_id) if guild.bot_id else None,
        read_at=guild.read_at,
    )
