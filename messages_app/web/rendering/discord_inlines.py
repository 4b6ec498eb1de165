"""Discord's inline marks for markdown-it-py: spoilers, mentions, emoji, timestamps, bare links."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from messages_app.web.rendering.discord_blocks import code_of

# Where running text stops because a rule may begin.
_STOP = re.compile(r"[\n\\*_~|`<\[\]:@!]")
_MENTION = re.compile(r"<(@&|@|#)!?(\d{1,20})>")
_COMMAND = re.compile(r"<(/[\w -]{1,100}):\d{1,20}>")
_GUIDE = re.compile(r"<id:(browse|customize|guide|home|linked-roles)(?::\d{1,20})?>")
_EMOJI = re.compile(r"<(a?):(\w{2,32}):(\d{1,20})>", re.ASCII)
_TIMESTAMP = re.compile(r"<t:(-?\d{1,13})(?::([tTdDfFsSR]))?>", re.ASCII)
_EVERYONE = re.compile(r"(?<!\w)@(?:everyone|here)\b")
_URL = re.compile(r"://[^\s<>\"`|]+")
_ANGLE = re.compile(r"<(https?://[^\s<>]+)>", re.IGNORECASE)
# Where «[text]» leads: an address with one level of brackets, and a title that is not shown.
_TARGET = re.compile(
    r"\(\s*(?:<(https?://[^\s<>]+)>|(https?://[^\s()<>]*+(?:\([^\s()<>]*+\)[^\s()<>]*+)*+))"
    r"(?:\s+\"[^\"]*+\"|\s+'[^']*+')?\s*\)",
    re.IGNORECASE,
)
# Whatever people take for an address: a scheme, or a name with a dot in it.
_LIKE_ADDRESS = re.compile(r"://|\w\.\w\w")
# A backslash takes its meaning from what follows it.
_BRACKET = re.compile(r"\\.|[\[\]]", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def teach(parser: MarkdownIt) -> None:
    ruler = parser.inline.ruler
    ruler.at("text", _text)
    for name, rule in {
        "discord_fence": _fence,
        "discord_spoiler": _spoiler,
        "discord_mention": _mention,
        "discord_emoji": _emoji,
        "discord_timestamp": _timestamp,
        "discord_link": _link,
        "discord_angle": _angle,
    }.items():
        ruler.before("backticks", name, rule)
    ruler.after("text", "discord_url", _url)


def _text(state: StateInline, silent: bool) -> bool:
    stop = _STOP.search(state.src, state.pos, state.posMax)
    end = stop.start() if stop else state.posMax
    if end == state.pos:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _url(state: StateInline, silent: bool) -> bool:
    """A bare address: the colon comes after the scheme, which is pending as text by then."""
    if silent or not state.src.startswith("://", state.pos):
        return False
    scheme = _scheme_before(state.src, state.pos)
    if not scheme or not state.pending.endswith(scheme) or _is_in_link(state):
        return False
    rest = _URL.match(state.src, state.pos, state.posMax)
    tail = _without_closing_marks(rest[0]) if rest else ""
    if len(tail) <= len("://"):
        return False
    state.pending = state.pending[: -len(scheme)]
    _push_link(state, scheme + tail)
    state.pos += len(tail)
    return True


def _scheme_before(src: str, colon: int) -> str:
    """The http or https, as typed, that ends at the colon and is no part of a longer word."""
    for scheme in ("https", "http"):
        start = colon - len(scheme)
        if start >= 0 and src[start:colon].lower() == scheme:
            before = src[start - 1 : start]
            return "" if before.isascii() and before.isalnum() else src[start:colon]
    return ""


def _angle(state: StateInline, silent: bool) -> bool:
    """An address in angle brackets, which Discord shows without a preview."""
    found = _ANGLE.match(state.src, state.pos, state.posMax)
    if not found or _is_in_link(state):
        return False
    if not silent:
        _push_link(state, found[1])
    state.pos = found.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:
    """«[text](address)»; no link stands within another one."""
    if state.src[state.pos] != "[":
        return False
    close = _partners(state).get(state.pos, state.posMax)
    if close + 1 >= state.posMax or _is_in_link(state):
        return False
    target = _TARGET.match(state.src, close + 1, state.posMax)
    if not target:
        return False
    if not silent:
        outer_end = state.posMax
        href = state.md.normalizeLink(target[1] or target[2])
        state.push("link_open", "a", 1).attrs = {"href": href}
        text = state.src[state.pos + 1 : close]
        state.pos, state.posMax = state.pos + 1, close
        state.md.inline.tokenize(state)
        state.push("link_close", "a", -1)
        state.posMax = outer_end
        if where := _elsewhere(text, href):
            state.push("text", "", 0).content = f" (leads to {where})"
    state.pos = target.end()
    return True


def _elsewhere(text: str, href: str) -> str:
    """Where a link leads whose text is, or looks like, another address; else nothing."""
    read = unicodedata.normalize("NFKC", text)
    if not _LIKE_ADDRESS.search(read) or read.strip("/ ").lower() == href.strip("/").lower():
        return ""
    try:
        return urlsplit(href).hostname or href
    except ValueError:
        return href


def _partners(state: StateInline) -> dict[int, int]:
    """Where each square bracket of the text is closed; found once, in one go over it."""
    found: dict[int, int] | None = vars(state).get("discord_partners")
    if found is None:
        found, opened = {}, []
        for bracket in _BRACKET.finditer(state.src):
            if bracket[0] == "[":
                opened.append(bracket.start())
            elif bracket[0] == "]" and opened:
                found[opened.pop()] = bracket.start()
        vars(state)["discord_partners"] = found
    return found


def _push_link(state: StateInline, address: str) -> None:
    state.push("link_open", "a", 1).attrs = {"href": state.md.normalizeLink(address)}
    state.push("text", "", 0).content = address
    state.push("link_close", "a", -1)


def _is_in_link(state: StateInline) -> bool:
    """Whether a link is open here; each token is looked at once."""
    seen: int
    is_open: bool
    seen, is_open = vars(state).get("discord_link", (0, False))
    for token in state.tokens[seen:]:
        if token.type in ("link_open", "link_close"):
            is_open = token.type == "link_open"
    vars(state)["discord_link"] = (len(state.tokens), is_open)
    return is_open


def _without_closing_marks(tail: str) -> str:
    """The address without the punctuation of the sentence around it."""
    tail = tail.rstrip("*_~.,:;!?'")
    if tail.endswith((")", "]")) and "(" not in tail and "[" not in tail:
        tail = tail.rstrip(")]").rstrip("*_~.,:;!?'")
    return tail


def _fence(state: StateInline, silent: bool) -> bool:
    if not state.src.startswith("```", state.pos):
        return False
    close = state.src.find("```", state.pos + 3, state.posMax)
    if close < 0 or not state.src[state.pos + 3 : close].strip():
        return False
    if not silent:
        state.push("fence", "code", 0).content = code_of(state.src[state.pos + 3 : close])
    state.pos = close + 3
    return True


def _spoiler(state: StateInline, silent: bool) -> bool:
    if not state.src.startswith("||", state.pos):
        return False
    outer_end = state.posMax
    close = state.src.find("||", state.pos + 3, outer_end)
    if close < 0:
        return False
    if not silent:
        start = state.pos + 2
        opening = state.push("spoiler_open", "span", 1)
        # The tab stop lets the keyboard uncover it: the style sheet does so on focus.
        opening.attrs = {"class": "spoiler", "tabindex": "0", "title": "Spoiler"}
        state.pos, state.posMax = start, close
        state.md.inline.tokenize(state)
        state.push("spoiler_close", "span", -1)
        state.posMax = outer_end
    state.pos = close + 2
    return True


def _mention(state: StateInline, silent: bool) -> bool:
    src, pos = state.src, state.pos
    if match := _EVERYONE.match(src, pos):
        kind, discord_id, shown = "", 0, match[0]
    elif match := _MENTION.match(src, pos):
        kind, discord_id, shown = match[1], int(match[2]), match[0]
    elif match := _COMMAND.match(src, pos):
        kind, discord_id, shown = "", 0, match[1]
    elif match := _GUIDE.match(src, pos):
        kind, discord_id, shown = "", 0, f"#{match[1]}"
    else:
        return False
    if match.end() > state.posMax:
        return False
    if not silent:
        token = state.push("mention", "", 0)
        token.meta = {"kind": kind, "id": discord_id}
        token.content = shown
    state.pos = match.end()
    return True


def _emoji(state: StateInline, silent: bool) -> bool:
    match = _EMOJI.match(state.src, state.pos, state.posMax)
    if not match:
        return False
    if not silent:
        token = state.push("emoji", "", 0)
        token.meta = {"animated": bool(match[1]), "name": match[2], "id": int(match[3])}
    state.pos = match.end()
    return True


def _timestamp(state: StateInline, silent: bool) -> bool:
    match = _TIMESTAMP.match(state.src, state.pos, state.posMax)
    if not match:
        return False
    try:
        instant = _EPOCH + timedelta(seconds=int(match[1]))
    except OverflowError:
        return False
    if not 1 < instant.year < 9999:  # a time zone could push it over the calendar's edge
        return False
    if not silent:
        state.push("timestamp", "", 0).meta = {"instant": instant, "style": match[2] or "f"}
    state.pos = match.end()
    return True
