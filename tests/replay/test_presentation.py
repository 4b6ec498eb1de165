"""What depends on the run and not on the message: offsets, addresses, markup, a later version."""

from typing import Any

from messages_app.replay import shapes

from .stand_in import CHANNEL, StandIn


def local_export(stand_in: StandIn, zone: str) -> dict[str, Any]:
    """The first message of an export without --utc in this time zone."""
    stand_in.play()
    words = ("export", "--channel", CHANNEL, "--format", "Json", "--output", str(stand_in.path))
    return stand_in.call(*words, TZ=zone).messages[0]


def test_without_utc_timestamps_have_the_machines_offset(stand_in: StandIn) -> None:
    stand_in.chat.post(1.25, "helo", edits=[(61, "hello")])
    message = local_export(stand_in, "Asia/Kolkata")
    assert message["timestamp"] == "2026-11-23T17:30:01.25+05:30"
    assert message["timestampEdited"] == "2026-11-23T17:31:01+05:30"


def test_with_utc_foreign_offsets_are_normalised(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello", message={"timestamp": "2026-11-23T13:00:01.1234567+01:00"})
    assert stand_in.export().messages[0]["timestamp"] == "2026-11-23T12:00:01.1234567+00:00"


def test_a_timestamp_that_is_none_is_left_alone(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello", message={"timestamp": "soon"})
    assert local_export(stand_in, "Asia/Kolkata")["timestamp"] == "soon"


def test_attachment_addresses_are_signed_anew_in_every_run(stand_in: StandIn) -> None:
    attachment = shapes.attachment(CHANNEL, 5, "photo.jpg", 1000)
    stand_in.chat.post(1, message={"attachments": [attachment]})
    one, other = (stand_in.export().messages[0]["attachments"][0]["url"] for _ in range(2))
    assert one != other
    assert one.partition("?")[0] == other.partition("?")[0] == attachment["url"]
    for name in ("?ex=", "&is=", "&hm="):
        assert name in one


def test_avatar_addresses_differ_in_every_run_and_nothing_else_does(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello")
    one, other = (stand_in.export().messages[0] for _ in range(2))
    assert one["author"].pop("avatarUrl") != other["author"].pop("avatarUrl")
    assert one == other


def test_markdown_false_keeps_the_text_as_typed(stand_in: StandIn) -> None:
    typed = "<@1> <@!1> <#5> <@&6> <:podium:7> <a:spin:8> <t:1790000000:R>"
    stand_in.chat.post(1, typed)
    assert stand_in.export().texts == [typed]


def test_markdown_flattens_mentions_to_todays_names(stand_in: StandIn) -> None:
    bruno = shapes.user("Bruno")
    text = f"<@{bruno['id']}> and <@999> in <#5>, <@&6>: <:podium:7> <t:1790000000>"
    stand_in.chat.post(1, text, message={"mentions": [bruno]})
    stand_in.play()
    run = stand_in.call(*stand_in.words()[:-2])
    expected = "@Bruno and @Unknown in #deleted-channel, @deleted-role: :podium: 09/21/2026 14:13"
    assert run.texts == [expected]


def test_the_version_to_come_has_a_key_that_nobody_knows(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "yes")
    keys = list(stand_in.export(REPLAY_VERSION="2.48").messages[0])
    assert keys[keys.index("attachments") + 1] == "components"
