"""The words of a text as search knows them: folded and split, the same for both engines.

A text and a query go through the same rules, so that what was typed finds what was said:

- Case, accents, width and ligatures do not count, nor do an emoji's colour and style.
- A word is letters and digits of any script. Signs that belong to it make a second word of it:
  `C++` is `c++` and `c`, `#12` is `#12` and `12`, `.NET` is `.net` and `net`.
- Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without blanks: a run of characters is
  its pairs and its last character, so that any part of it can be found.
- An emoji is a word; one of a server is `:name:` and the words of its name. Markup that Discord
  shows as something else (mentions, times) is none.

No word holds a blank, a quote or a backslash. Nothing of Django is imported here.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

# Beyond these PostgreSQL clips positions or refuses the message; SQLite is told no more.
MOST_WORDS = 16_000
MOST_OF_ONE_WORD = 255
LONGEST_WORD_BYTES = 1_000
# Characters of all texts of a message. Longer ones come from files only.
LONGEST_TEXT = 100_000

# Begins a term, which stands among the words on PostgreSQL. No word begins with it.
TERM_MARK = "\ue000"
# Stands between two texts of a message, so that no phrase is found across them. No word holds it.
BREAK = "\ue001"

# Scripts without blanks; marks that Python does not take for letters; signs that are words.
_RUN = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = (
    "\u0900-\u0963\u0966-\u096f\u0971-\u0dff\u0f18-\u0fbc\u1b00-\u1b59\u1c00-\u1c37\ua8e0-\ua8f1"
)
_SIGN = "[\u00a9\u00ae\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff]"
_FLAG = "[\U0001f1e6-\U0001f1ff]"

_MARKUP = r"<(?:@[!&]?|\#|t:-?)[0-9]{1,20}(?::[a-z])?>"
_EMOJI = r"<a?:([a-z0-9_]{2,32}):[0-9]{1,20}>|(?<![a-z0-9_]):([a-z0-9_]{2,32}):(?![a-z0-9_])"
_LETTER = f"[^\\W_{_RUN}]"
_WORD = f"(?:{_LETTER}++|[{_MARKS}]++)++"
# Each alternative is possessive: whatever the text, it is passed over once.
_ASCII = re.compile(
    rf"{_MARKUP}|{_EMOJI}|((?:(?<![a-z0-9])[#.])?[a-z0-9]++(?:[+#]++(?![a-z0-9]))?)"
)
_ANY = re.compile(
    rf"{_MARKUP}|{_EMOJI}|((?:(?<!\w)[#.])?{_WORD}(?:[+#]++(?!\w))?)"
    rf"|([{_RUN}]++)|({_FLAG}{{2}}|{_SIGN}(?:\u200d{_SIGN})*+)"
)
# Where none of these stands in an ASCII text, it is nothing but plain words.
_SPECIAL = re.compile(r"[<#+]|:[a-z0-9_]|(?<![a-z0-9])\.[a-z0-9]")
_PLAIN = re.compile(r"[a-z0-9]+")

# Letters that are accented without being composed of a letter and an accent.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i"}
    | {"ð": "d", "æ": "ae", "œ": "oe", "þ": "th"}
)
# Accents of Latin, Greek and Cyrillic, vowel signs of Hebrew and Arabic, the styles and colours of
# emoji, characters without a shape of their own.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f\u00ad\u034f\u061c\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
)

# The words that one piece of a text makes; a run is told from the others.
_Group = tuple[list[str], bool]


def folded(text: str) -> str:
    """The text without what does not count."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    # What casefolding made of it can be composed again: only then are all accents by themselves.
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", text)


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of all texts of a message, within the bounds, a BREAK between two texts."""
    words: list[str] = []
    room = LONGEST_TEXT
    for text in texts:
        if not text:
            continue
        if words:
            words.append(BREAK)
        plain = folded(text[:room])[:room]
        room -= len(plain)
        if plain.isascii() and not _SPECIAL.search(plain):
            words += _PLAIN.findall(plain)
        else:
            words += [word for group, _ in _groups(plain) for word in group]
        if room <= 0 or len(words) > MOST_WORDS:
            break
    # Most messages are too short to pass any of the bounds.
    return words if LONGEST_TEXT - room <= MOST_OF_ONE_WORD else _bounded(words)


def phrase_of(text: str, *, is_open: bool = False) -> tuple[list[str], bool]:
    """Given what is searched for, return the words that have to follow one another.

    And whether the last one is but the beginning of a word: where the text `is_open`, for the word
    is still being typed, or ends with a single character of a script without blanks.
    """
    groups = list(_groups(folded(text[:LONGEST_TEXT])[:LONGEST_TEXT]))
    if not groups:
        return [], False
    last, is_run = groups[-1]
    if is_run:
        # Its last character stands by itself where a run ends, and what was typed need not end one.
        tail, is_prefix = (last[:-1], False) if len(last) > 1 else (last, True)
    else:
        # The beginning of `#12` is not followed by a whole `12`.
        tail, is_prefix = (last[:1] if is_open else last), is_open
    before = [word for group, _ in groups[:-1] for word in group]
    return _bounded([*before, *tail]), is_prefix


def vector(words: Iterable[str], terms: Iterable[str]) -> str:
    """PostgreSQL's `tsvector` of words and terms, as a literal."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for place, word in enumerate(words, 1):
        places[word].append(str(place))
    lexemes = [f"'{word}':{','.join(where)}" for word, where in places.items()]
    return " ".join([*lexemes, *(f"'{TERM_MARK}{term}'" for term in terms)])


def _groups(text: str) -> Iterator[_Group]:
    pattern = _ASCII if text.isascii() else _ANY
    for match in pattern.finditer(text):
        kind = match.lastindex
        if kind is None:  # markup
            continue
        found = match[kind]
        if kind < 3:
            yield [f":{found}:", *_PLAIN.findall(found)], False
        elif kind == 3:
            core = found.strip("#.+")
            yield ([found] if found == core else [found, core]), False
        elif kind == 4:
            yield [*map("".join, pairwise(found)), found[-1]], True
        else:
            yield [found], False


def _bounded(words: list[str]) -> list[str]:
    """The words as they are kept: not too long, not too often, not too many."""
    kept = []
    counts: defaultdict[str, int] = defaultdict(int)
    for word in words:
        cut = word.encode()[:LONGEST_WORD_BYTES].decode(errors="ignore")
        counts[cut] += 1
        if counts[cut] <= MOST_OF_ONE_WORD:
            kept.append(cut)
    return kept[:MOST_WORDS]
