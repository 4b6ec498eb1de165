"""Permissions as Discord documents them, beside a second computation written apart."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from messages_app.discord import permissions
from messages_app.replay.discord import access

GUILD, ME, BITS = "100", "9", [1 << 3, 1 << 10, 1 << 16, 1 << 20]
some_bits = st.sets(st.sampled_from(BITS)).map(sum).map(str)
roles = st.fixed_dictionaries(
    dict.fromkeys((GUILD, "1", "2"), some_bits),
).map(lambda given: [{"id": role, "permissions": bits} for role, bits in given.items()])
overwrite = st.fixed_dictionaries(
    {"id": st.sampled_from([GUILD, "1", "2", "3", ME, "8"]), "deny": some_bits, "allow": some_bits}
).map(lambda each: {**each, "type": 1 if each["id"] in (ME, "8") else 0})


@given(
    roles,
    st.lists(overwrite, unique_by=lambda each: each["id"]),
    st.sets(st.sampled_from(["1", "2"])),
    st.sampled_from(["5", ME]),
)
def test_both_computations_agree(
    guild_roles: list[dict[str, Any]],
    overwrites: list[dict[str, Any]],
    my_roles: set[str],
    owner_id: str,
) -> None:
    guild = {"id": GUILD, "owner_id": owner_id, "roles": guild_roles}
    channel = {"permission_overwrites": overwrites}
    theirs = access.permissions(guild, channel, ME, sorted(my_roles))
    base = permissions.in_guild(GUILD, guild_roles, my_roles, owner=owner_id == ME)
    mine = permissions.in_channel(base, overwrites, GUILD, ME, my_roles)
    for bit in BITS[1:]:
        assert bool(mine & bit) == bool(theirs & bit)
    for kind in (0, 2, 13):
        may = access.may_view(theirs) and access.may_read(theirs, kind)
        assert (permissions.missing(mine, kind) == []) == may


def test_what_is_missing_is_named_as_discord_names_it() -> None:
    assert permissions.missing(0, 2) == ["View Channel", "Read Message History", "Connect"]
    assert permissions.missing(permissions.VIEW_CHANNEL, 0) == ["Read Message History"]
    assert permissions.missing(permissions.EVERYTHING, 13) == []


def test_a_members_own_overwrite_goes_before_those_of_its_roles() -> None:
    view = str(permissions.VIEW_CHANNEL)
    overwrites = [
        {"id": ME, "type": 1, "deny": "0", "allow": view},
        {"id": "1", "type": 0, "deny": view, "allow": "0"},
        {"id": GUILD, "type": 0, "deny": view, "allow": "0"},
    ]
    assert permissions.in_channel(0, overwrites, GUILD, ME, ["1"]) == permissions.VIEW_CHANNEL
