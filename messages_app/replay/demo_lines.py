"""What people say in the built-in demo: scenes of a bicycle race, eight lines each.

The fourth line of each scene is edited and the seventh deleted, so that whoever watches for half a
minute sees both happen.

In a text, `{@Ana}` mentions Ana, `{:podium:}` is a custom emoji, `{n}` the scene's rider number,
`{lap}` its lap.
"""

from typing import NamedTuple

LINES_PER_SCENE = 8


class Line(NamedTuple):
    """One message of a scene. Most real messages have no text; here it is a good third."""

    author: str
    text: str = ""
    photo: str = ""
    sticker: str = ""
    card: tuple[str, str] | None = None
    kind: str = "Default"
    # How many lines back the message is that this one answers; 0 is no answer.
    reply: int = 0
    reactions: str = ""
    # What it said until it was edited.
    first: str = ""
    deleted: bool = False
    pinned: bool = False


BOT = "RaceBot"

SCENES: tuple[tuple[Line, ...], ...] = (
    (
        Line("Ana", "Good morning everyone! Gates are open, the sun is out ☀️", reactions="☀👋"),
        Line("Bruno", "Anyone near the harbour? What does the wind look like?"),
        Line("Chidi", photo="harbour_wind.jpg"),
        Line(
            "Chidi",
            "Cross wind from the left, that will hurt on the pier.",
            reply=2,
            first="Cross wind from the right, that will hurt on the pier.",
        ),
        Line("Dara", photo="flags.jpg"),
        Line("Bruno", "Ouch. Thanks {@Chidi} 🙏", reactions="🙏"),
        Line("Goro", "does anybody have the phone number of", deleted=True),
        Line(BOT, card=("Start list", "148 riders signed on, 3 did not start.")),
    ),
    (
        Line(BOT, "🏁 Lap {lap}: gap to the leaders 1:24", reactions="🔥"),
        Line("Fatima", "They let number {n} go?!", reactions="😮"),
        Line("Emil", "Nobody wants to chase before the climb.", reply=1),
        Line("Fatima", "1:30 now", first="1:20 now"),
        Line("Dara", photo="breakaway.png", reactions="🔥👏"),
        Line("Goro", photo="feed_zone.jpg"),
        Line("Bruno", "wrong channel, sorry", deleted=True),
        Line("Ana", "{:podium:} my money is on {n}", reactions="👍"),
    ),
    (
        Line("Goro", photo="climb_1.jpg"),
        Line("Goro", photo="climb_2.jpg", reactions="😍"),
        Line("Ana", "These are gorgeous, where are you standing?", reply=1),
        Line(
            "Goro",
            "Third bend, next to the bakery. Come over!",
            reply=1,
            first="Second bend, next to the bakery.",
        ),
        Line("Goro", photo="climb_3.jpg"),
        Line("Emil", photo="bakery.jpg", reactions="😋"),
        Line("Chidi", photo="blurred.jpg", deleted=True),
        Line("Dara", "Save me a cinnamon roll {@Emil}"),
    ),
    (
        Line("Hana", "Joined the server.", kind="GuildMemberJoin"),
        Line("Ana", "Welcome {@Hana}! Programme and map are in the pins.", reactions="👋👋"),
        Line("Hana", "Hi all! First time here, when do the juniors start?"),
        Line(
            "Dara",
            "14:15, from the lighthouse.",
            reply=1,
            first="14:30, from the lighthouse.",
        ),
        Line("Emil", photo="programme.pdf", pinned=True),
        Line("Emil", "Pinned a message.", kind="ChannelPinnedMessage"),
        Line("Bruno", "14:00 I think", deleted=True),
        Line("Hana", sticker="Thank you", reactions="🙂"),
    ),
    (
        Line(BOT, "⚠️ Crash reported at km 31, race continues."),
        Line("Bruno", "Is everybody ok?", reactions="🙏"),
        Line("Chidi", "I can see it from here, both are up again."),
        Line("Chidi", "number {n} has a broken wheel", first="number {n} is out"),
        Line("Chidi", photo="wheel_change.jpg", reactions="👏"),
        Line("Fatima", "Fastest wheel change I have ever seen.", reply=1),
        Line("Emil", "was that the same corner as last year?", deleted=True),
        Line(BOT, card=("Medical update", "Both riders are back in the race.")),
    ),
    (
        Line("Dara", photo="crowd.jpg"),
        Line("Emil", photo="cowbell.mp4", reactions="😂🔔"),
        Line("Fatima", "My ears 😂", reply=1),
        Line("Emil", "It gets louder on the climb", first="It gets louder on the clibm"),
        Line("Fatima", kind="8"),
        Line("Ana", "Thanks for the boost {@Fatima}! {:podium:}", reactions="💜"),
        Line("Dara", photo="crowd.jpg", deleted=True),
        Line("Bruno", photo="sky.jpg"),
    ),
    (
        Line("Bruno", "Poll: who takes the sprint at lap {lap}?"),
        Line("Hana", "{n}!", reply=1),
        Line("Goro", photo="yellow_team.jpg"),
        Line(
            "Emil",
            "Not today. The yellow team has three in front.",
            reply=2,
            first="Not today. The yellow team has two in front.",
        ),
        Line(BOT, kind="46"),
        Line("Emil", "Told you 😎", reactions="😎👏"),
        Line("Hana", "ok I did not see that coming", deleted=True),
        Line("Ana", "Results are on <https://example.org/results>, live."),
    ),
    (
        Line("Chidi", "Rain at the lighthouse 🌧️"),
        Line("Goro", photo="rain.jpg"),
        Line("Fatima", "Tyres {@Bruno}?"),
        Line(
            "Bruno",
            "4.8 bar in front, 5.0 in the rear.",
            reply=1,
            first="5.8 bar in front, 5.0 in the rear.",
        ),
        Line("Dara", "Same here, umbrellas everywhere", reply=4),
        Line("Goro", photo="umbrellas.jpg", reactions="☔"),
        Line("Chidi", "they are stopping the race?!", deleted=True),
        Line("Ana", "Race control says: no changes to the course.", reactions="👍"),
    ),
    (
        Line(BOT, "🔔 Last lap! {n} leads by 0:12", reactions="🔥🔔"),
        Line("Ana", "GO GO GO", reactions="🔥🔥"),
        Line("Hana", photo="last_lap.jpg"),
        Line("Emil", "They are coming back", first="They are comming back"),
        Line("Fatima", "No way. No way!"),
        Line("Dara", photo="finish.jpg", reactions="😍🏁👏"),
        Line("Chidi", "I think it was the other one", deleted=True),
        Line(BOT, card=("Photo finish", "Number {n} by half a wheel.")),
    ),
    (
        Line("Ana", "What a finish! {:podium:} Congratulations, number {n}!", reactions="👏👏👏"),
        Line("Goro", photo="podium.jpg", reactions="😍"),
        Line("Hana", "I am crying a little", reactions="🥲"),
        Line("Emil", "Photos go to the archive, yes?", first="Photos go where?"),
        Line("Ana", "All of them, tonight.", reply=1),
        Line("Goro", photo="podium_2.jpg"),
        Line("Bruno", "second again", deleted=True),
        Line("Dara", sticker="High five"),
    ),
)
