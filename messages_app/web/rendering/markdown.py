"""Discord's markdown as safe HTML, by markdown-it-py taught Discord's dialect.

Whatever the text, only the tags and attributes of ALLOWED come out (a property test holds this).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from messages_app.web.rendering import discord_blocks, discord_inlines
from messages_app.web.rendering.bounds import AMONG_OTHERS, Bounds
from messages_app.web.rendering.clock import ViewerClock

ALLOWED: Mapping[str, frozenset[str]] = {
    "a": frozenset({"href", "rel", "target"}),
    "br": frozenset(),
    "blockquote": frozenset(),
    "code": frozenset(),
    "div": frozenset({"class"}),
    "em": frozenset(),
    "img": frozenset({"class", "src", "alt", "title", "loading", "width", "height"}),
    "li": frozenset(),
    "ol": frozenset({"start"}),
    "pre": frozenset({"tabindex"}),
    "s": frozenset(),
    "small": frozenset(),
    "span": frozenset({"class", "tabindex", "title"}),
    "strong": frozenset(),
    "time": frozenset({"datetime", "title"}),
    "u": frozenset(),
    "ul": frozenset(),
}

# Discord allows 4,000 characters; far longer texts come from files only and are shown as typed,
# so that no text can make the parser work for seconds.
LONGEST_PARSED = 10_000
EXCERPT_LENGTH, LONGEST_EXCERPT_READ = 120, 500
# Where Discord keeps pictures, and those that it fetches from elsewhere for its own viewers.
PICTURE_HOSTS = tuple(
    f"https://{host}/"
    for host in (
        "cdn.discordapp.com",
        "media.discordapp.net",
        "images-ext-1.discordapp.net",
        "images-ext-2.discordapp.net",
    )
)
EMOJI_HOST = "https://cdn.discordapp.com/emojis"

_PLAIN = re.compile(r"[^\\*_~|`<>\[\]:@#+\-\d\n]*")
_SPOILER = re.compile(r"\|\|.+?(?:\|\||$)", re.DOTALL)
_USER = re.compile(r"<@!?(\d{1,19})>", re.ASCII)
_EMOJI = re.compile(r"<a?(:\w{2,32}:)\d{1,20}>", re.ASCII)
_ONLY_EMOJI = re.compile(
    r"(?:<a?:\w{2,32}:\d{1,20}>|[\u2600-\u27bf\U0001f1e6-\U0001faff\u200d\ufe0f\s]){1,60}"
)


@dataclass(frozen=True)
class Names:
    """Who and what the ids in a text are: names by Discord id, for people, roles and channels."""

    users: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """How messages are to be shown: the viewer's clock, whether pictures may be loaded, how much.

    And whether what was deleted or edited away is hidden from the viewer.
    """

    clock: ViewerClock
    pictures: bool = False
    bounds: Bounds = AMONG_OTHERS
    hides_deleted: bool = False


def to_html(text: str, names: Names, setting: Setting) -> str:
    """Given a message's text as typed, return its HTML."""
    if not text or text.isspace():
        return ""
    if len(text) > LONGEST_PARSED:
        html = as_typed(text)
    elif _PLAIN.fullmatch(text):  # most of a chat is, and the parser costs 50 times as much
        html = f"<div>{escape(text)}</div>"
    else:
        html = str(_parser().render(text, {"names": names, "setting": setting}))
    return f'<div class="jumbo">{html}</div>' if _ONLY_EMOJI.fullmatch(text) else html


def as_typed(text: str) -> str:
    """The text's HTML without a look at its markdown, but for spoilers, which stay covered."""
    return "<div>" + escape(_covered(text)).replace("\n", "<br>") + "</div>"


def to_excerpt(text: str, names: Names) -> str:
    """The beginning of a text on one line, as plain text; spoilers stay covered."""
    text = _covered(text[:LONGEST_EXCERPT_READ])
    text = _USER.sub(lambda found: "@" + names.users.get(int(found[1]), "unknown-user"), text)
    text = _EMOJI.sub(r"\1", text)
    return " ".join(text.split())[:EXCERPT_LENGTH]


def _covered(text: str) -> str:
    return _SPOILER.sub("\u2587\u2587\u2587", text)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero", {"breaks": True, "html": False})
    parser.enable(["list", "newline", "escape", "backticks", "strikethrough", "emphasis"])
    discord_blocks.teach(parser)
    discord_inlines.teach(parser)
    for name, render in {
        "strong_open": _strong_open,
        "strong_close": _strong_close,
        "link_open": _link_open,
        "fence": _fence,
        "mention": _mention,
        "emoji": _emoji,
        "timestamp": _timestamp,
    }.items():
        parser.add_render_rule(name, _rule(render))
    return parser


def _rule(render: Callable[[Token, Any], str]) -> Callable[..., str]:
    """`render`, which wants a token and the environment, as markdown-it calls it."""

    def rule(
        _renderer: object, tokens: Sequence[Token], index: int, _options: object, env: Any
    ) -> str:
        return render(tokens[index], env)

    return rule


def _strong_open(token: Token, _env: Any) -> str:
    return "<u>" if token.markup == "__" else "<strong>"


def _strong_close(token: Token, _env: Any) -> str:
    return "</u>" if token.markup == "__" else "</strong>"


def _link_open(token: Token, _env: Any) -> str:
    href = escape(str(token.attrs["href"]))
    return f'<a href="{href}" rel="noopener noreferrer nofollow" target="_blank">'


def _fence(token: Token, _env: Any) -> str:
    # The tab stop lets the keyboard scroll a long line.
    return f'<pre tabindex="0"><code>{escape(token.content)}</code></pre>'


def _mention(token: Token, env: Any) -> str:
    kind, discord_id = token.meta["kind"], token.meta["id"]
    names: Names = env["names"]
    if kind == "#":
        shown = "#" + names.channels.get(discord_id, "unknown-channel")
    elif kind == "@&":
        shown = "@" + names.roles.get(discord_id, "unknown-role")
    elif kind == "@":
        shown = "@" + names.users.get(discord_id, "unknown-user")
    else:
        shown = token.content
    return f'<span class="mention">{escape(shown)}</span>'


def _emoji(token: Token, env: Any) -> str:
    name, discord_id = token.meta["name"], token.meta["id"]
    return emoji_html(name, discord_id, token.meta["animated"], env["setting"].pictures)


def emoji_html(name: str, discord_id: int, animated: bool, pictures: bool) -> str:
    """A custom emoji: its picture where pictures may be loaded, its name otherwise."""
    shown = f":{escape(name)}:"
    if not pictures:
        return f'<span class="emoji-name">{shown}</span>'
    kind = "gif" if animated else "webp"
    return (
        f'<img class="emoji" src="{EMOJI_HOST}/{discord_id}.{kind}" alt="{shown}"'
        f' title="{shown}" loading="lazy" width="22" height="22">'
    )


def _timestamp(token: Token, env: Any) -> str:
    clock: ViewerClock = env["setting"].clock
    instant = token.meta["instant"]
    shown = clock.discord_style(instant, token.meta["style"])
    return (
        f'<time datetime="{instant.isoformat()}" title="{escape(clock.full(instant))}">'
        f"{escape(shown)}</time>"
    )
