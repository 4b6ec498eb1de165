"""Discord's markdown comes out as safe HTML, whatever the text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages_app.web.rendering.clock import ViewerClock, zone_called
from messages_app.web.rendering.markdown import (
    ALLOWED,
    LONGEST_PARSED,
    Names,
    Setting,
    to_excerpt,
    to_html,
)

NAMES = Names(users={1: "Ann <b>"}, roles={2: "marshals"}, channels={3: "pits"})
UTC_SETTING = Setting(ViewerClock())


def html(text: str, setting: Setting = UTC_SETTING) -> str:
    return to_html(text, NAMES, setting).replace("\n", "")


SPOILER = '<span class="spoiler" tabindex="0" title="Spoiler">'


def mention(name: str) -> str:
    return f'<span class="mention">{name}</span>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain & <b>", "<div>plain &amp; &lt;b&gt;</div>"),
        ("**bold** *it* _it_", "<div><strong>bold</strong> <em>it</em> <em>it</em></div>"),
        ("__under__ ~~gone~~", "<div><u>under</u> <s>gone</s></div>"),
        ("***both***", "<div><em><strong>both</strong></em></div>"),
        ("||a **b**||", f"<div>{SPOILER}a <strong>b</strong></span></div>"),
        ("||not closed", "<div>||not closed</div>"),
        ("`a *b*`", "<div><code>a *b*</code></div>"),
        ("```py\nx < 1\n\n# y\n```", '<pre tabindex="0"><code>x &lt; 1\n\n# y</code></pre>'),
        ("a ```b``` c", '<div>a <pre tabindex="0"><code>b</code></pre> c</div>'),
        ("```never closed", "<div>```never closed</div>"),
        ("> q1\n> q2\nafter", "<blockquote><div>q1<br>q2</div></blockquote><div>after</div>"),
        (">not a quote", "<div>&gt;not a quote</div>"),
        (">>> a\n\nb", "<blockquote><div>a</div><div>b</div></blockquote>"),
        ("> > one deep", "<blockquote><div>&gt; one deep</div></blockquote>"),
        ("# Title\ntext", '<div class="h h1">Title</div><div>text</div>'),
        ("#no title", "<div>#no title</div>"),
        ("#### four", "<div>#### four</div>"),
        ("-# small", '<div class="subtext">small</div>'),
        ("- a\n- b\nafter", "<ul><li>a</li><li>b</li></ul><div>after</div>"),
        ("2. a\n3. b", '<ol start="2"><li>a</li><li>b</li></ol>'),
        ("a\nb\n\nc", "<div>a<br>b</div><div>c</div>"),
        (r"\*no\*", "<div>*no*</div>"),
        (r"¯\_(ツ)_/¯", "<div>¯_(ツ)_/¯</div>"),
        ("<@1> <@!1>", f"<div>{mention('@Ann &lt;b&gt;')} {mention('@Ann &lt;b&gt;')}</div>"),
        (
            "<@&2><#3>",
            '<div><span class="mention">@marshals</span><span class="mention">#pits</span></div>',
        ),
        ("<@99>", '<div><span class="mention">@unknown-user</span></div>'),
        ("@everyone", '<div><span class="mention">@everyone</span></div>'),
        ("someone@everyone", "<div>someone@everyone</div>"),
        ("go <:flag:123>!", '<div>go <span class="emoji-name">:flag:</span>!</div>'),
        ("[x](javascript:alert(1))", "<div>[x](javascript:alert(1))</div>"),
        ("<javascript:alert(1)>", "<div>&lt;javascript:alert(1)&gt;</div>"),
        (
            "![x](https://a.b/c.png)",
            "<div>!" + '<a href="https://a.b/c.png" '
            'rel="noopener noreferrer nofollow" target="_blank">x</a></div>',
        ),
        ("&amp;", "<div>&amp;amp;</div>"),
        ("   \n ", ""),
    ],
)
def test_a_text_is_rendered_as_discord_shows_it(text: str, expected: str) -> None:
    assert html(text) == expected.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("see https://a.b/c.", "https://a.b/c"),
        ("(https://a.b/c)", "https://a.b/c"),
        ("https://a.b/c_(d)", "https://a.b/c_(d)"),
        ("https://a.b/?x=1&y=*", "https://a.b/?x=1&amp;y="),
        ("<https://a.b>", "https://a.b"),
        ("[masked](https://a.b)", "https://a.b"),
        ("**https://a.b**", "https://a.b"),
        ("[a [b] c](https://a.b/(d))", "https://a.b/(d)"),
        ("[a](<https://a.b/c d>) [b]( https://a.b 'title' )", "https://a.b"),
        ("HTTPS://a.b", "HTTPS://a.b"),
    ],
)
def test_an_address_becomes_a_link(text: str, href: str) -> None:
    assert f'<a href="{href}" rel="noopener noreferrer nofollow" target="_blank">' in html(text)


@pytest.mark.parametrize(
    "text", ["xhttps://a.b", "https://", "[a]()", "[a](ftp://a.b)", r"[a\](https://"]
)
def test_what_is_no_address_becomes_no_link(text: str) -> None:
    assert "<a " not in html(text)


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        ("[https://discord.com](https://evil.example/x)", "evil.example"),
        ("[**discord.com**/login](https://evil.example)", "evil.example"),
        ("[discord\uff0ecom](https://evil.example)", "evil.example"),
        ("[https://discord.com](https://discord.com@evil.example)", "evil.example"),
        ("[https://a.b](https://a.b/)", ""),
        ("[the results](https://a.b)", ""),
        ("https://a.b", ""),
    ],
)
def test_a_link_whose_text_is_another_address_tells_where_it_leads(
    text: str, leads_to: str
) -> None:
    _, _, where = html(text).removesuffix("</div>").partition("</a> (leads to ")
    assert where.removesuffix(")") == leads_to


def test_an_address_within_a_link_is_no_other_link() -> None:
    assert html("[https://a.b](https://c.d) https://e.f").count("<a ") == 2


def test_a_timestamp_is_shown_in_the_viewers_time_zone() -> None:
    berlin = zone_called("Europe/Berlin")
    assert berlin
    shown = html("<t:1618953630:t>", Setting(ViewerClock(berlin)))
    assert ">23:20<" in shown
    assert 'datetime="2021-04-20T21:20:30+00:00"' in shown


def test_a_timestamp_outside_of_the_calendar_stays_text() -> None:
    assert html("<t:9999999999999>") == "<div>&lt;t:9999999999999&gt;</div>"


def test_custom_emoji_are_pictures_only_where_pictures_may_be_loaded() -> None:
    shown = html("<a:flag:123>", Setting(ViewerClock(), pictures=True))
    assert 'src="https://cdn.discordapp.com/emojis/123.gif"' in shown
    assert 'class="jumbo"' in shown


def test_a_text_longer_than_discord_allows_is_shown_as_typed() -> None:
    text = "**x** " * LONGEST_PARSED
    assert html(text) == f"<div>{text}</div>"


def test_an_excerpt_names_who_is_mentioned_and_keeps_a_spoiler_covered() -> None:
    text = "<@1> look <:flag:12>\n||the winner|| is ||open"
    assert (
        to_excerpt(text, NAMES) == "@Ann <b> look :flag: \u2587\u2587\u2587 is \u2587\u2587\u2587"
    )


MARKS = r"""
** * _ __ ~~ || ` ``` # ### -# - 1. [ ]( ) < > <@1> <@! <@&2> <#3> <:e:12> <a:e:12> >>>
<t:1618953630:F> <t: https:// http://a.b/?"'<> javascript: data:text/html, <script> </script>
<img/src=x/onerror=alert(1)> &lt; &#60; " ' \ @everyone onclick= style= x ! </div> <!-- -->
<![CDATA[ file: vbscript: ```js
"""
PIECES = st.sampled_from(
    [
        *MARKS.split(),
        " ",
        "  ",
        "\t",
        "\n",
        "\n\n",
        "\n> ",
        "\n# ",
        "\n- ",
        "\0",
        "\u202e",
        "\ud83d",
        "💥",
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200))


class _Checker(HTMLParser):
    """Fails at any tag, attribute or address that is not allowed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert name in ALLOWED[tag], (tag, name)
            if name == "href":
                assert value and value.lower().startswith(("http://", "https://")), value
            if name == "src":
                assert value and value.startswith("https://cdn.discordapp.com/emojis/"), value
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl!r}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data!r}")


@settings(max_examples=500, deadline=None)
@given(text=TEXTS, pictures=st.booleans())
def test_whatever_the_text_only_allowed_tags_and_attributes_come_out(
    text: str, pictures: bool
) -> None:
    checker = _Checker()
    checker.feed(to_html(text, NAMES, Setting(ViewerClock(), pictures)))
    checker.close()
    assert checker.open == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab &<>\"'", max_size=60).map("a".__add__))
def test_running_text_is_neither_lost_nor_changed(text: str) -> None:
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            seen.append(data)

    reader = Reader(convert_charrefs=True)
    reader.feed(to_html(text, NAMES, UTC_SETTING))
    reader.close()
    assert "".join("".join(seen).split()) == "".join(text.replace("\n", "").split())
