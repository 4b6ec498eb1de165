"""Discord's blocks for markdown-it-py: quotes, headings, subtext, code blocks, paragraphs.

Quotes, headings and code blocks stand at the left edge only, as on Discord, not inside a list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

if TYPE_CHECKING:
    from markdown_it.ruler import RuleOptionsType

HEADING = re.compile(r"(#{1,3}) +(\S.*)")
SUBTEXT = re.compile(r"-# +(\S.*)")
LANGUAGE = re.compile(r"[\w+.#-]{1,20}\n")


def teach(parser: MarkdownIt) -> None:
    interrupting: RuleOptionsType = {"alt": ["paragraph", "list"]}
    ruler = parser.block.ruler
    ruler.at("paragraph", _paragraph)
    ruler.before("list", "discord_fence", _fence, interrupting)
    ruler.before("list", "discord_quote", _quote, interrupting)
    ruler.before("list", "discord_heading", _heading, interrupting)
    ruler.before("list", "discord_subtext", _subtext, interrupting)


def code_of(fenced: str) -> str:
    """Given what stands between two fences, return the code without its language."""
    code = LANGUAGE.sub("", fenced, count=1) if LANGUAGE.match(fenced) else fenced
    return code.removeprefix("\n").removesuffix("\n")


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] : state.eMarks[line]]


def _fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A code block whose closing fence ends a line; others are found within the paragraph."""
    begin = state.bMarks[start]
    if state.level or not state.src.startswith("```", begin):
        return False
    close = state.src.find("```", begin + 3)
    if close < 0:
        return False
    last = next(line for line in range(start, end) if state.eMarks[line] >= close)
    if state.src[close + 3 : state.eMarks[last]].strip():
        return False
    if not silent:
        token = state.push("fence", "code", 0)
        token.content = code_of(state.src[begin + 3 : close])
        state.line = last + 1
    return True


def _quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Lines that begin with «> », or all that follows «>>> »."""
    first = _line(state, start)
    if state.level or "quoted" in state.env or not first.startswith(("> ", ">>> ")):
        return False
    if silent:
        return True
    if first.startswith(">>> "):
        after = end
        text = state.src[state.bMarks[start] + 4 : state.eMarks[end - 1]]
    else:
        after = start
        while after < end and _line(state, after).startswith("> "):
            after += 1
        text = "\n".join(_line(state, line)[2:] for line in range(start, after))
    state.push("blockquote_open", "blockquote", 1)
    env = {**state.env, "quoted": True}  # a quote within a quote is text, as on Discord
    state.md.block.parse(text, state.md, env, state.tokens)
    state.push("blockquote_close", "blockquote", -1)
    state.line = after
    return True


def _heading(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    match = None if state.level else HEADING.fullmatch(_line(state, start))
    if match and not silent:
        _push_line(state, start, match[2], f"h h{len(match[1])}")
    return bool(match)


def _subtext(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    match = None if state.level else SUBTEXT.fullmatch(_line(state, start))
    if match and not silent:
        _push_line(state, start, match[1], "subtext")
    return bool(match)


def _push_line(state: StateBlock, line: int, text: str, css_class: str) -> None:
    # A message's headings are no headings of the page, hence <div>.
    state.push("styled_open", "div", 1).attrSet("class", css_class)
    _push_inline(state, text)
    state.push("styled_close", "div", -1)
    state.line = line + 1


def _paragraph(state: StateBlock, start: int, _end: int, _silent: bool) -> bool:
    """Lines up to an empty one, another block, or the end of the list item that they are in."""
    terminators = state.md.block.ruler.getRules("paragraph")
    outer, state.parentType = state.parentType, "paragraph"
    after = start + 1
    fences = _line(state, start).count("```")
    last_fence = state.src.rfind("```") if fences else -1
    while after < state.lineMax:
        # An open code block goes on over empty lines, as long as it is closed somewhere.
        is_open = fences % 2 and last_fence >= state.bMarks[after]
        if not is_open and (
            state.isEmpty(after)
            or state.sCount[after] < state.blkIndent
            or any(rule(state, after, state.lineMax, True) for rule in terminators)
        ):
            break
        fences += (more := _line(state, after).count("```"))
        if more:
            last_fence = max(last_fence, state.src.rfind("```"))
        after += 1
    state.parentType = outer
    state.line = after
    state.push("paragraph_open", "div", 1)
    _push_inline(state, state.getLines(start, after, state.blkIndent, False).strip())
    state.push("paragraph_close", "div", -1)
    return True


def _push_inline(state: StateBlock, text: str) -> None:
    token = state.push("inline", "", 0)
    token.content = text
    token.children = []
