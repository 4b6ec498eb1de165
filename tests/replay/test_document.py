"""The bytes of the document: layout, keys and their order, escapes, and that it grows in place."""

import json
import subprocess
import time
from datetime import timedelta

from messages_app.replay import shapes

from .stand_in import CHANNEL, NOON, StandIn, at

EXPECTED = """\
{
  "guild": {
    "id": "100",
    "name": "Harbour Ride",
    "iconUrl": "https://cdn.discordapp.com/embed/avatars/0.png"
  },
  "channel": {
    "id": "200",
    "type": "GuildTextChat",
    "categoryId": "150",
    "category": "Live",
    "name": "race-chat",
    "topic": null
  },
  "dateRange": {
    "after": "2026-11-23T12:00:00+00:00",
    "before": "2026-11-23T12:01:00.5+00:00"
  },
  "exportedAt": "EXPORTED_AT",
  "messages": [
    {
      "id": "77",
      "type": "Default",
      "timestamp": "2026-11-23T12:00:01.25+00:00",
      "timestampEdited": null,
      "callEndedTimestamp": null,
      "isPinned": false,
      "content": "hello",
      "author": {
        "id": "1",
        "name": "ana"
      },
      "attachments": [],
      "embeds": [],
      "stickers": [],
      "reactions": [],
      "mentions": [],
      "inlineEmojis": []
    }
  ],
  "messageCount": 1
}"""


def test_the_layout_is_the_exporters_byte_for_byte(stand_in: StandIn) -> None:
    stand_in.chat.post(1.25, "hello", author={"id": "1", "name": "ana"}, message={"id": "77"})
    run = stand_in.export("--after", at(0), "--before", at(60.5))
    written = run.path.read_bytes()
    exported_at = run.document["exportedAt"]
    assert written == EXPECTED.replace("EXPORTED_AT", exported_at).encode()


def test_the_time_of_the_export_has_seven_digits_at_most(stand_in: StandIn) -> None:
    exported_at = stand_in.export(REPLAY_NOW="2026-11-23T12:10:00.123Z").document["exportedAt"]
    assert exported_at.startswith("2026-11-23T12:10:00.123")
    assert len(exported_at) <= len("2026-11-23T12:10:00.1234567+00:00")


def test_an_empty_list_of_messages_is_closed_on_its_line(stand_in: StandIn) -> None:
    written = stand_in.export().path.read_text()
    assert written.endswith('  "messages": [],\n  "messageCount": 0\n}')


def test_a_user_has_all_keys_and_no_roles_inside_a_reaction(stand_in: StandIn) -> None:
    reaction = shapes.reaction(shapes.emoji("🔥"), ["Bruno"])
    stand_in.chat.post(1, "hot", message={"reactions": [reaction]})
    message = stand_in.export().messages[0]
    keys = ["id", "name", "discriminator", "nickname", "color", "isBot", "roles", "avatarUrl"]
    assert list(message["author"]) == keys
    assert list(message["reactions"][0]) == ["emoji", "count", "users"]
    keys.remove("roles")
    assert list(message["reactions"][0]["users"][0]) == keys


def test_optional_keys_come_before_the_inline_emojis(stand_in: StandIn) -> None:
    reference = {"type": "Default", "messageId": "1", "channelId": "200", "guildId": "100"}
    stand_in.chat.post(1, "yes", kind="Reply", message={"reference": reference})
    assert list(stand_in.export().messages[0])[-3:] == ["mentions", "reference", "inlineEmojis"]


def test_what_dotnet_escapes_is_escaped_and_the_rest_is_utf_8(stand_in: StandIn) -> None:
    text = 'é ü 漢 \u200d "q" \\ \n\t\x00\x1f\x7f\xa0\u2028\ue000 🔥'
    stand_in.chat.post(1, text)
    run = stand_in.export()
    written = run.path.read_text(encoding="utf-8")
    expected = (
        'é ü 漢 \u200d \\"q\\" \\\\ \\n\\t\\u0000\\u001F\\u007F\\u00A0\\u2028\\uE000 \\uD83D\\uDD25'
    )
    assert f'"content": "{expected}"' in written
    assert run.texts == [text]


def test_a_lone_surrogate_leaves_as_an_escape(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "broken \ud83d emoji")
    assert '"broken \\uD83D emoji"' in stand_in.export().path.read_text(encoding="utf-8")


def test_the_file_begins_at_once_and_grows_message_by_message(stand_in: StandIn) -> None:
    for second in range(10):
        stand_in.chat.post(second, f"message {second}")
    stand_in.play()
    environment = {**stand_in.environment, "REPLAY_FAULT": "drip:5"}
    process = subprocess.Popen(stand_in.argv(*stand_in.words()), env=environment)
    try:
        sizes: set[int] = set()
        deadline = time.monotonic() + 10
        while len(sizes) < 3 and time.monotonic() < deadline:
            if stand_in.path.exists():
                sizes.add(stand_in.path.stat().st_size)
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert len(sizes) == 3
    assert stand_in.path.read_text().startswith('{\n  "guild"')


def test_a_huge_message_is_written_whole(stand_in: StandIn) -> None:
    names = [f"Fan {number}" for number in range(232)]
    stand_in.chat.post(
        1, "hot", message={"reactions": [shapes.reaction(shapes.emoji("🔥"), names)]}
    )
    run = stand_in.export()
    assert run.messages[0]["reactions"][0]["count"] == 232
    assert run.path.stat().st_size > 85_000


def test_the_document_equals_what_the_scenario_shows_but_for_avatars(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello <@1>", edits=[(5, "hello")])
    stand_in.chat.post(2, kind="8")
    written = stand_in.export().messages
    truth = stand_in.scenario.shown(CHANNEL, NOON + timedelta(seconds=600))
    for message in (*written, *truth):
        message["author"]["avatarUrl"] = "any"
    assert json.dumps(written) == json.dumps(truth)
