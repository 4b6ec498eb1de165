"""The fingerprint: equal for two exports of one message unless it was really edited."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.export_documents import (
    Json,
    as_exported,
    attachment,
    document,
    embed,
    emoji,
    fingerprint_of,
    message,
    minified,
    picture,
    reaction,
    reader_of,
    rich_message,
    sticker,
    user,
)

Change = Callable[[Any], Any]


def changed(change: Change) -> Json:
    """A rich message with one thing changed."""
    built = rich_message()
    change(built)
    return built


def is_an_edit(before: Json, after: Json) -> bool:
    return fingerprint_of(before) != fingerprint_of(after)


@pytest.mark.parametrize(
    ("exported", "pinned"),
    [
        (message(), 7009890802186921052),
        (
            message(content="gr\u00fc\u00dfe \N{CHEQUERED FLAG}\0", isPinned=True),
            -6708523819005900977,
        ),
        (message(author=None, timestampEdited="2024-04-27T18:00:05.1239Z"), -3162040492210414200),
        (rich_message(), 4248673650312098090),
    ],
)
def test_the_canon_is_the_one_that_stored_fingerprints_were_made_by(
    exported: Json, pinned: int
) -> None:
    """A change here shows every stored message as edited: make it only with a migration."""
    assert fingerprint_of(exported) == pinned


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    program = (
        "from tests.export_documents import fingerprint_of, rich_message; "
        "print(fingerprint_of(rich_message()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) == fingerprint_of(rich_message())


def test_the_fingerprint_fits_a_signed_column_of_64_bits() -> None:
    prints = [fingerprint_of(message(content=str(n))) for n in range(64)]
    assert all(-(2**63) <= one < 2**63 for one in prints)
    assert min(prints) < 0 < max(prints)
    assert len(set(prints)) == 64


VOLATILE: dict[str, Change] = {
    "avatar": lambda m: m["author"].update(avatarUrl="https://cdn.discordapp.com/b.png"),
    "nickname": lambda m: m["author"].update(nickname="Renamed"),
    "user name": lambda m: m["author"].update(name="renamed"),
    "discriminator": lambda m: m["author"].update(discriminator="1234"),
    "colour": lambda m: m["author"].update(color=None),
    "bot flag": lambda m: m["author"].update(isBot=True),
    "roles": lambda m: m["author"].update(roles=[]),
    "roles not written": lambda m: m["author"].pop("roles"),
    "mentioned user's name": lambda m: m["mentions"][0].update(nickname="Renamed"),
    "order of mentions": lambda m: m["mentions"].reverse(),
    "reacting user's name": lambda m: m["reactions"][0]["users"][0].update(name="renamed"),
    "order of reacting users": lambda m: m["reactions"][0]["users"].reverse(),
    "emoji's picture": lambda m: m["reactions"][0]["emoji"].update(imageUrl="local.svg"),
    "emoji's code": lambda m: m["reactions"][0]["emoji"].pop("code"),
    "interacting user's name": lambda m: m["interaction"]["user"].update(name="renamed"),
    "sticker's file": lambda m: m["stickers"][0].update(sourceUrl="local.png"),
    "inline emojis": lambda m: m.pop("inlineEmojis"),
    "embed's inline emojis": lambda m: m["embeds"][0].pop("inlineEmojis"),
    "embed's pictures, told once": lambda m: m["embeds"][0].pop("images"),
    "embed's icon": lambda m: m["embeds"][0]["author"].update(iconUrl="local.png"),
    "kind of reference told": lambda m: m["reference"].update(type="Default"),
    "attachment's signature": lambda m: m["attachments"][0].update(
        url="https://cdn.discordapp.com/attachments/1/1/photo.png?ex=99&is=98&hm=cd"
    ),
    "attachment downloaded": lambda m: m["attachments"][0].update(url="media/photo.png"),
    "form of the edit's time": lambda m: m.update(timestampEdited="2024-04-27T20:00:05.500+02:00"),
    "below a millisecond": lambda m: m.update(timestampEdited="2024-04-27T18:00:05.5004Z"),
    "form of the time": lambda m: m.update(timestamp="2024-04-27T18:00:00.123Z"),
    "form of an embed's time": lambda m: m["embeds"][0].update(timestamp="2024-04-27T18:00:00Z"),
    "form of a forwarded time": lambda m: m["forwardedMessage"].update(
        timestamp="2024-04-27T18:00:00+01:00"
    ),
    "order of keys": lambda m: [m.update({key: m.pop(key)}) for key in sorted(m)],
    "unknown key that says nothing": lambda m: m.update(poll=None, flags=[], isTts=False, x={}),
}


@pytest.mark.parametrize("change", VOLATILE.values(), ids=VOLATILE)
def test_what_changes_without_an_edit_does_not_count(change: Change) -> None:
    assert not is_an_edit(rich_message(), changed(change))


MEANINGFUL: dict[str, Change] = {
    "type": lambda m: m.update(type="Default"),
    "content": lambda m: m.update(content="other"),
    "content emptied": lambda m: m.update(content=""),
    "edited again": lambda m: m.update(timestampEdited="2024-04-27T18:00:06.5+00:00"),
    "no longer edited": lambda m: m.update(timestampEdited=None),
    "unpinned": lambda m: m.update(isPinned=False),
    "call ended": lambda m: m.update(callEndedTimestamp="2024-04-27T18:00:06+00:00"),
    "another author": lambda m: m["author"].update(id="5"),
    "attachment removed": lambda m: m["attachments"].pop(),
    "another attachment": lambda m: m["attachments"][0].update(id="5"),
    "attachment's name": lambda m: m["attachments"][0].update(fileName="other.png"),
    "attachment's size": lambda m: m["attachments"][0].update(fileSizeBytes=1),
    "size of zero": lambda m: m["attachments"][0].update(fileSizeBytes=0),
    "embed removed": lambda m: m["embeds"].clear(),
    "embed's text": lambda m: m["embeds"][0].update(description="other"),
    "embed's author": lambda m: m["embeds"][0]["author"].update(name="other"),
    "embed's address": lambda m: m["embeds"][0].update(url="https://example.org/results?race=8"),
    "embed's picture": lambda m: m["embeds"][0]["image"].update(
        picture("https://example.org/b.png")
    ),
    "embed's time": lambda m: m["embeds"][0].update(timestamp="2024-04-27T18:00:01Z"),
    "embed's field": lambda m: m["embeds"][0]["fields"][0].update(value="Eight"),
    "embed's footer": lambda m: m["embeds"][0]["footer"].update(text="Official"),
    "another sticker": lambda m: m["stickers"][0].update(id="5"),
    "reaction's emoji": lambda m: m["reactions"][0]["emoji"].update(name="\N{THUMBS DOWN SIGN}"),
    "reaction's count": lambda m: m["reactions"][0].update(count=9),
    "another reacting user": lambda m: m["reactions"][0]["users"][0].update(id="5"),
    "reaction removed": lambda m: m["reactions"].clear(),
    "another mention": lambda m: m["mentions"][0].update(id="5"),
    "another reference": lambda m: m["reference"].update(messageId="5"),
    "kind of reference": lambda m: m["reference"].update(type="Forward"),
    "no reference": lambda m: m.pop("reference"),
    "forwarded text": lambda m: m["forwardedMessage"].update(content="other"),
    "forwarded time": lambda m: m["forwardedMessage"].update(timestamp="2024-04-27T17:00:01Z"),
    "interaction's name": lambda m: m["interaction"].update(name="other"),
    "interaction's user": lambda m: m["interaction"]["user"].update(id="5"),
    "unknown key": lambda m: m.update(poll={"question": "Who?"}),
    "unknown key that is zero": lambda m: m.update(flags=0),
}


@pytest.mark.parametrize("change", MEANINGFUL.values(), ids=MEANINGFUL)
def test_every_real_edit_counts(change: Change) -> None:
    assert is_an_edit(rich_message(), changed(change))


@pytest.mark.parametrize("key", ["thing", "things", "files"])
def test_an_unknown_object_counts_with_all_that_it_holds(key: str) -> None:
    """Only an attachment's address is told by its id."""

    def holding(**changes: Any) -> Json:
        thing = {"id": "5", "url": "https://example.org/a", "fileName": "a", "size": 1} | changes
        return message(**{key: [thing] if key == "things" else thing})

    for changes in ({"id": "6"}, {"url": "https://example.org/b"}, {"fileName": "b"}, {"size": 2}):
        assert is_an_edit(holding(), holding(**changes)), changes


def test_every_real_edit_differs_from_every_other() -> None:
    prints = {fingerprint_of(changed(change)) for change in MEANINGFUL.values()}
    assert len(prints) == len(MEANINGFUL)


def test_two_exports_that_differ_by_addresses_and_names_alone_are_equal() -> None:
    def altered(value: Any) -> Any:
        if isinstance(value, list):
            return [altered(item) for item in value]
        if not isinstance(value, dict):
            return value
        altered_value = {key: altered(item) for key, item in value.items()}
        for key in {"avatarUrl", "iconUrl", "imageUrl", "sourceUrl", "nickname"} & set(value):
            altered_value[key] = "another"
        if "fileName" in value:
            altered_value["url"] += "0&format=webp"
        return altered_value

    assert not is_an_edit(rich_message(), altered(rich_message()))


def test_a_message_without_the_keys_of_newer_exporters_is_the_same_message() -> None:
    newer = dict.fromkeys(["mentions", "stickers", "inlineEmojis", "callEndedTimestamp"], ...)
    assert not is_an_edit(message(), message(**newer))
    assert not is_an_edit(message(), message(**newer, isPinned=..., embeds=None))


def test_an_old_exporters_embed_which_shows_only_the_proxied_address_is_the_same() -> None:
    address = "https://example.org/a.png"
    old = picture(address)
    del old["canonicalUrl"]
    assert not is_an_edit(
        message(embeds=[embed()]), message(embeds=[embed(image=old, images=None)])
    )
    proxied = "https://images-ext-2.discordapp.net/external/other/%3Fw%3D1/https/example.org/a.png"
    before = picture("https://example.org/a.png?w=1")
    after = before | {"url": proxied}
    del after["canonicalUrl"]
    assert not is_an_edit(message(embeds=[{"image": before}]), message(embeds=[{"image": after}]))


@pytest.mark.parametrize("host", ["cdn.discordapp.com", "media.discordapp.net"])
def test_an_embedded_file_of_discord_is_its_path(host: str) -> None:
    first = "https://cdn.discordapp.com/attachments/1/2/a.gif?ex=1&is=2&hm=3&"
    second = f"https://{host}/attachments/1/2/a.gif?ex=4&is=5&hm=6&"
    other = f"https://{host}/attachments/1/3/a.gif?ex=4&is=5&hm=6&"
    assert not is_an_edit(message(embeds=[{"url": first}]), message(embeds=[{"url": second}]))
    assert is_an_edit(message(embeds=[{"url": first}]), message(embeds=[{"url": other}]))


def test_an_address_within_the_text_is_text() -> None:
    first = "https://cdn.discordapp.com/attachments/1/2/a.gif?ex=1"
    second = "https://cdn.discordapp.com/attachments/1/2/a.gif?ex=2"
    assert is_an_edit(message(content=first), message(content=second))


def test_a_renamed_emoji_or_sticker_is_the_same() -> None:
    def with_emoji(**changes: Any) -> Json:
        return message(reactions=[reaction(user(), emoji=emoji(**changes))])

    assert not is_an_edit(with_emoji(id="5", name="old"), with_emoji(id="5", name="new"))
    assert is_an_edit(with_emoji(id="5"), with_emoji(id="6"))
    assert is_an_edit(with_emoji(id="", name="a"), with_emoji(id=None, name="b"))
    assert not is_an_edit(
        message(stickers=[sticker(name="old")]), message(stickers=[sticker(name="new")])
    )


def test_users_under_keys_that_are_not_known_yet_are_their_ids_too() -> None:
    before = message(poll={"voters": [user(1)]})
    assert not is_an_edit(before, message(poll={"voters": [user(1, nickname="Renamed")]}))
    assert is_an_edit(before, message(poll={"voters": [user(2)]}))


def test_names_of_users_without_an_id_do_not_count() -> None:
    nameless = [{"name": "before"}]
    renamed = [{"name": "after"}]
    assert not is_an_edit(message(mentions=nameless), message(mentions=renamed))
    assert not is_an_edit(message(author=nameless[0]), message(author=renamed[0]))


@pytest.mark.parametrize("odd", [5, "text", None, True, [1, [2]], {"id": [1]}, [None], [[]]])
def test_values_of_an_unexpected_shape_are_fingerprinted_as_they_are(odd: Any) -> None:
    for key in ("attachments", "embeds", "reactions", "mentions", "reference", "interaction"):
        assert fingerprint_of(message(**{key: odd})) == fingerprint_of(message(**{key: odd}))
        assert is_an_edit(message(**{key: odd}), message(**{key: "another"}))


def test_the_shortcut_and_the_general_reader_agree() -> None:
    for exported in (message(), rich_message(), message(attachments=[attachment()])):
        (by_layout,) = reader_of(as_exported(document(exported)))
        (in_general,) = reader_of(minified(document(json.loads(json.dumps(exported)))))
        assert by_layout == in_general
