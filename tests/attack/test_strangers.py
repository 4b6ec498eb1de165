"""Whoever is not logged in finds nothing of what was deleted or edited away, wherever he looks."""

from __future__ import annotations

import html
import re
import subprocess
from urllib.parse import urljoin, urlsplit

import pytest

from tests.activation import activated
from tests.attack.attacker import Target
from tests.attack.conftest import migrated

# Stands in all that is to be hidden; its beginning finds it, and does not hold it.
SECRET, SEARCH = "xyzzy", "xyzz"
MOST_ADDRESSES = 300
FILL = """
import django
django.setup()
from datetime import timedelta
from messages_app.models import Revision
from tests.builders import at, make_feed
from tests.web.builders import CHANNEL_ID, live_session, make_message, past_session
def fill(start, channel_id=CHANNEL_ID):
    told = {"channel_id": channel_id}
    def second(number):
        return start + timedelta(seconds=number)
    gone = make_message(
        second(1), "xyzzy?", {"id": "666", "name": "xyzzy", "nickname": "xyzzy", "isBot": False},
        deleted_at=second(60),
        attachments=[{"id": "1", "fileName": "xyzzy.png", "url": "https://a.b/xyzzy"}],
        embeds=[{"title": "xyzzy", "description": "xyzzy"}], stickers=[{"name": "xyzzy"}],
        reactions=[{"emoji": {"name": "xyzzy"}, "count": 1}],
        mentions=[{"id": "667", "name": "xyzzy"}], **told)
    make_message(
        second(2), "an answer", type="Reply", reference={"messageId": str(gone.pk)}, **told)
    edited = make_message(second(3), "now", **told)
    Revision.objects.create(message=edited, content="xyzzy before", replaced_at=second(9))
    make_message(second(4), "quite harmless? <@666>", **told)
session, _ = past_session()
fill(session.start_time)
session, feed = live_session()
fill(session.start_time)
feed.failures, feed.error = 3, "xyzzy said the exporter"
feed.save()
"""


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return migrated(tmp_path_factory.mktemp("state"), FILL)


def looked_at(target: Target) -> dict[str, str]:
    """What stands at every address that the pages lead to, and at those that programs ask."""
    waiting = [
        "/",
        "/api/sessions/",
        "/api/state/",
        "/metrics",
        "/health/",
        "/admin/",
        "/schedule/",
    ]
    for session in (1, 2):
        page, api = f"/sessions/{session}/", f"/api/sessions/{session}/"
        waiting += [page, f"{page}live/?version=0-0-0", api, f"{api}messages/"]
        waiting += [f"{page}download/{kind}/" for kind in ("jsonl", "csv", "html")]
        for query in (f"text={SEARCH}", f"author={SEARCH}", "author=666", "questions=on"):
            waiting += [f"{page}?{query}", f"{api}messages/?{query}"]
        waiting += [f"{page}?attachments=on", f"{api}messages/?attachments=on"]
    seen: dict[str, str] = {}
    while waiting and len(seen) < MOST_ADDRESSES:
        path = waiting.pop()
        if path in seen:
            continue
        status, body = target.get(path)
        assert status < 500, path
        seen[path] = text = body.decode()
        links = re.findall(r'(?:href|action)="([^"]*)"', text)
        links += [
            f"/messages/{pk}/{end}"
            for pk in re.findall(r' id="m(\d+)"', text)
            for end in ("", "all/")
        ]
        for link in links:
            where = urlsplit(urljoin(path, html.unescape(link)))
            if not where.netloc and where.path.startswith("/") and "/static/" not in where.path:
                waiting.append(where.path + (f"?{where.query}" if where.query else ""))
    return seen


def telling(seen: dict[str, str]) -> set[str]:
    """The paths whose answers hold the secret."""
    return {path for path, text in seen.items() if SECRET in text}


def test_a_stranger_finds_no_word_of_what_was_deleted_or_edited_away(
    public: dict[str, str],
) -> None:
    with activated(public, stderr=subprocess.PIPE) as (port, process):
        seen = looked_at(Target(port, process))
    assert telling(seen) == set()
    assert seen["/sessions/1/"].count('<li class="message') == 4
    for session in (1, 2):
        for query in (f"text={SEARCH}", f"author={SEARCH}", "author=666", "attachments=on"):
            assert "No message passes these filters" in seen[f"/sessions/{session}/?{query}"]
            assert '"messages": []' in seen[f"/api/sessions/{session}/messages/?{query}"]
        questions = seen[f"/sessions/{session}/?questions=on"]
        assert questions.count('<li class="message') == 1


def test_where_the_operator_says_so_strangers_see_it(public: dict[str, str]) -> None:
    told = {**public, "POLLER_PUBLIC_DELETED": "true"}
    with activated(told, stderr=subprocess.PIPE) as (port, process):
        seen = looked_at(Target(port, process))
    page, api = "/sessions/1/", "/api/sessions/1/messages/"
    downloads = {f"{page}download/{kind}/" for kind in ("jsonl", "csv", "html")}
    searches = {f"{page}?text={SEARCH}", f"{api}?text={SEARCH}", f"{page}?attachments=on"}
    assert {page, api, *downloads, *searches} <= telling(seen)
    # What the exporter said is for those who are logged in.
    assert not any("said the exporter" in text for text in seen.values())
