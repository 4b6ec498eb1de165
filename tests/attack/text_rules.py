"""Feeds every rule that reads strangers' text with hostile text, between two calls that mark it.

valgrind counts the instructions between the marks; standard output names each measurement.
"""

from __future__ import annotations

import gc
import io
import json
import os
import re
from contextlib import suppress
from datetime import UTC

import django

django.setup()

# Below: their models need Django's settings.
from messages_app.database.search import terms  # noqa: E402
from messages_app.discord.emoji import emojis_in  # noqa: E402
from messages_app.document.fingerprint import canonical_part  # noqa: E402
from messages_app.document.form import FormSource, form_of  # noqa: E402
from messages_app.document.json_stream import JsonStream  # noqa: E402
from messages_app.document.merge import rank_of_text  # noqa: E402
from messages_app.document.times import instant  # noqa: E402
from messages_app.document.words import phrase_of  # noqa: E402
from messages_app.errors import ExportUnusable  # noqa: E402
from messages_app.exporter.failures import explanation  # noqa: E402
from messages_app.file_export import KEYS, write_csv  # noqa: E402
from messages_app.typed_times import instant_typed  # noqa: E402
from messages_app.web.filters import QUESTION  # noqa: E402
from messages_app.web.rendering.clock import ViewerClock  # noqa: E402
from messages_app.web.rendering.markdown import Names, Setting, to_html  # noqa: E402

# Characters of a short and a long text.
SIZES = (500, 2000)
# Repeated to fill a text; a pair fills one half each.
PIECES = [
    *(
        "a",
        "a ",
        "0",
        ":",
        "?",
        "? ",
        "?!",
        "?(",
        "'",
        '"',
        '"a ',
        "\\",
        "\\\\",
        "&",
        "<",
        ">",
        "#",
    ),
    *("[", "]", "[a](", "[a](http://b", "[](http://b)", "((", "[[", "![", "](http://a.b)"),
    *("*", "**", "*a ", "*a*", "**a", "_", "__a", "~~", "~~a", "***a_", "||", "||a", "||a||", "|"),
    *("`", "`a", "``a`", "```", "```a", "```\n", "```a\n\n", "\n", "\n\n", "\n> ", "> ", ">>> "),
    *("- ", "\n- ", "\n  - ", "1. ", "\n1. a\n", "# ", "\n# a", "-# ", "a\n", "\n\n- a\n\n"),
    *(
        "<@",
        "<@1>",
        "<@&",
        "<#1",
        "<:",
        "<:a",
        "<:aa:",
        "<a:aa:1",
        "<t:1",
        "<t:1:F>",
        "</a",
        "<id:",
    ),
    *("@everyone", "@here", "http", "https://", "http://a", "http://a.b ", "://", "<http://a", "@"),
    *(
        "a://",
        "http://a(",
        "http://a)",
        "http://a.",
        "HTTPS://cdn.discordapp.com/attachments/",
        "{",
        "%3F",
    ),
    *(
        "C++",
        "++",
        ".a",
        "#1",
        "\u0301",
        "e\u0301",
        "日",
        "ก",
        "😀",
        "😀\u200d",
        "🇩",
        "\u00df",
        "ﷺ",
    ),
    *("\x1b[", "aException", "aException: ", "' failed: ", "Access to '", "a (", ": ", "ERROR:"),
    *("1-", "2026-", "T00:", "+00", "\ud83d", "\0", "\u202e", "\u2028"),
]
PAIRS = [
    *(("[", "]"), ("[", "](http://a)"), ("||a", "||"), ("*", "_"), ("`", "``a"), ("(", ")")),
    *(("<a:aa", ">"), ("http://a", "*"), ("```", "\n\n"), ("> ", "\n"), ("?", '"'), ("\\", "`")),
]
SETTING = Setting(ViewerClock())
ROW = dict.fromkeys(KEYS) | {"author": {}}


def read(text: str) -> None:
    """A message of an export, and an export that is the text."""
    for document in (json.dumps({"content": text}), text):
        with suppress(ExportUnusable):
            JsonStream(io.BytesIO(document.encode(errors="replace"))).value()
    for read_time in (instant, lambda typed: instant_typed(typed, UTC, "UTC")):
        with suppress(ValueError):
            read_time(text)
    canonical_part("url", "https://" + text)
    rank_of_text(text)
    emojis_in("<é" + text)


def stored(text: str) -> None:
    raw = json.dumps({"content": text, "embeds": [{"title": text}]})
    form_of(FormSource(1, 1, None, 1, False, 0, raw))


def searched(text: str) -> None:
    re.search(QUESTION, text)
    terms(text)
    phrase_of(text)
    write_csv([ROW | {"content": text}], io.StringIO())


def said_by_the_exporter(text: str) -> None:
    explanation(1, text)
    explanation(1, f"a.aException: {text}")


def shown(text: str) -> None:
    to_html(text, Names(), SETTING)


RULES = (read, stored, searched, said_by_the_exporter, shown)


def filled(piece: str, size: int) -> str:
    """The piece over and over, and at last what disappoints whoever hoped for an end."""
    return (piece * size)[: size - 1] + "x"


def main() -> None:
    texts = [(repr(piece), [filled(piece, size) for size in SIZES]) for piece in PIECES]
    for pair in PAIRS:
        halves = [[filled(half, size // 2) for half in pair] for size in SIZES]
        texts.append((repr(pair), ["".join(each) for each in halves]))
    for rule in RULES:  # what is made once is not counted
        for _, (text, _) in texts[::5]:
            rule(text)
    gc.disable()
    for rule in RULES:
        for piece, sized in texts:
            for size, text in zip(SIZES, sized, strict=True):
                os.getloadavg()
                rule(text)
                os.ctermid()
                print(f"{rule.__name__}: {piece}\t{size}")


if __name__ == "__main__":
    main()
