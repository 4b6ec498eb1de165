"""Who may see and change what, and what the browser is told to refuse."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client

from messages_app.models import Session
from messages_app.web import throttle
from tests.web.builders import live_session, make_message, past_session

if TYPE_CHECKING:  # older releases of pytest-django name no such thing
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

READING = ["/", "/sessions/{id}/", "/sessions/{id}/download/jsonl/", "/messages/{message}/"]
JSON = ["/api/sessions/", "/api/state/", "/api/sessions/{id}/messages/", "/sessions/{id}/live/"]


def paths(templates: list[str]) -> list[str]:
    session, _ = past_session()
    message = make_message(session.start_time)
    return [path.format(id=session.pk, message=message.pk) for path in templates]


@pytest.fixture
def public(settings: Settings) -> None:
    settings.POLLER = SimpleNamespace(public=True, public_deleted=False, time_zone="UTC")


def test_every_page_asks_for_a_login(client: Client) -> None:
    for path in paths([*READING, "/schedule/", "/admin/", "/no-such-page/"][:-1]):
        response = client.get(path)
        assert response.status_code == 302, path
        assert response["Location"].startswith(("/login/?next=", "/admin/login/")), path


def test_the_api_answers_401_without_a_login(client: Client) -> None:
    for path in paths(JSON):
        response = client.get(path)
        assert response.status_code == 401, path
        assert response.json() == {"error": "Log in first."}


def test_public_opens_reading(client: Client, public: None) -> None:
    for path in paths([*READING, *JSON]):
        assert client.get(path).status_code in (200, 302), path
    assert "Log in" in client.get("/").content.decode()


def test_public_quotes_no_failure(client: Client, public: None, operator: User) -> None:
    session, feed = live_session()
    feed.failures, feed.error = 1, "The exporter said «secret»."
    feed.save()
    address = f"/api/sessions/{session.pk}/"
    (channel,) = client.get(address).json()["channels"]
    assert (channel["failures"], channel["error"]) == (1, None)
    client.force_login(operator)
    (channel,) = client.get(address).json()["channels"]
    assert channel["error"] == feed.error


def test_public_does_not_open_writing(client: Client, public: None) -> None:
    session, _ = past_session()
    for path in ("/schedule/", f"/schedule/{session.pk}/", "/schedule/notes/"):
        assert client.get(path).status_code == 403
    assert client.post("/schedule/", {"title": "Mine"}).status_code == 403
    assert client.post(f"/schedule/{session.pk}/end/").status_code == 403
    assert Session.objects.count() == 1
    assert client.get("/admin/").status_code == 302


def test_a_person_without_the_permission_may_read_and_not_schedule(client: Client) -> None:
    client.force_login(User.objects.create_user("guest"))
    page = client.get("/").content.decode()
    assert "Schedule" not in page
    response = client.get("/schedule/")
    assert response.status_code == 403
    assert "Your account may look" in response.content.decode()


def test_a_login_leads_to_the_page_that_was_asked_for(client: Client, operator: User) -> None:
    session, _ = past_session()
    asked = f"/sessions/{session.pk}/?newest"
    form = client.get(asked)["Location"]
    answer = client.post(form, {"username": "ada", "password": "race-day-2026", "next": asked})
    assert answer["Location"] == asked
    assert client.get(asked).status_code == 200


def test_a_login_does_not_lead_elsewhere(client: Client, operator: User) -> None:
    form = {"username": "ada", "password": "race-day-2026", "next": "https://elsewhere.example/"}
    assert client.post("/login/", form)["Location"] == "/"


def test_logins_are_refused_after_too_many_failures(client: Client, operator: User) -> None:
    wrong = {"username": "ada", "password": "guess"}
    for _ in range(throttle.MOST_FAILURES_OF_ADDRESS):
        assert client.post("/login/", wrong).status_code == 200
    right = {"username": "ada", "password": "race-day-2026"}
    refused = client.post("/login/", right)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "600"
    assert client.post("/login/", right, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_behind_a_proxy_the_limit_counts_the_address_that_the_proxy_saw(
    client: Client, operator: User
) -> None:
    wrong = {"username": "x", "password": "guess"}
    for _ in range(throttle.MOST_FAILURES_OF_ADDRESS):
        client.post("/login/", wrong, HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2")
    blocked = client.post("/login/", wrong, HTTP_X_FORWARDED_FOR="192.0.2.9, 192.0.2.2")
    assert blocked.status_code == 429
    free = client.post("/login/", wrong, HTTP_X_FORWARDED_FOR="192.0.2.2, 192.0.2.1")
    assert free.status_code == 200


def test_one_name_cannot_be_tried_from_many_addresses(client: Client, operator: User) -> None:
    wrong = {"username": "ada", "password": "guess"}
    for number in range(throttle.MOST_FAILURES_OF_NAME):
        client.post("/login/", wrong, REMOTE_ADDR=f"192.0.2.{number}")
    assert client.post("/login/", wrong, REMOTE_ADDR="198.51.100.1").status_code == 429


@pytest.mark.parametrize("other", [" ada ", "\uff21da", "ADA", "\u3000ada\xa0"])
def test_a_name_has_one_limit_however_it_is_written(
    client: Client, operator: User, other: str
) -> None:
    for number in range(throttle.MOST_FAILURES_OF_NAME):
        wrong = {"username": other, "password": "guess"}
        client.post("/login/", wrong, REMOTE_ADDR=f"192.0.2.{number}")
    right = {"username": "ada", "password": "race-day-2026"}
    assert client.post("/login/", right, REMOTE_ADDR="198.51.100.1").status_code == 429


def test_an_ipv6_network_has_one_limit_and_so_has_an_ipv4_address_in_disguise(
    client: Client, operator: User
) -> None:
    def status(address: str) -> int:
        wrong = {"username": address, "password": "guess"}
        return client.post("/login/", wrong, REMOTE_ADDR=address).status_code

    for number in range(throttle.MOST_FAILURES_OF_ADDRESS):
        assert status(f"2001:db8:0:1::{number:x}") == 200
        assert status("192.0.2.1" if number % 2 else "::ffff:192.0.2.1") == 200
    assert status("2001:db8:0:1:ffff::1") == 429
    assert status("2001:db8:0:2::1") == 200
    assert status("::ffff:192.0.2.1") == 429
    assert status("192.0.2.2") == 200


def test_no_number_of_other_failures_makes_one_forgotten(
    client: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "COUNTERS", 64)
    for _ in range(throttle.MOST_FAILURES_OF_ADDRESS):
        client.post("/login/", {"username": "x", "password": "guess"})
    for number in range(300):
        wrong = {"username": f"filler-{number}", "password": "guess"}
        client.post("/login/", wrong, REMOTE_ADDR=f"198.51.{number // 256}.{number % 256}")
    assert len(throttle._failures) <= 2 * 64
    right = {"username": "ada", "password": "race-day-2026"}
    assert client.post("/login/", right).status_code == 429


def test_who_logs_in_again_and_again_is_not_blocked(client: Client, operator: User) -> None:
    right = {"username": "ada", "password": "race-day-2026"}
    for _ in range(throttle.MOST_FAILURES_OF_NAME + 1):
        assert client.post("/login/", right).status_code == 302
        client.logout()


def test_failures_are_forgotten(
    client: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(throttle.MOST_FAILURES_OF_ADDRESS):
        client.post("/login/", {"username": "ada", "password": "guess"})
    later = time.monotonic() + throttle.FORGOTTEN_AFTER_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    right = {"username": "ada", "password": "race-day-2026"}
    assert client.post("/login/", right).status_code == 302


def test_who_may_not_administer_gets_a_page_and_no_loop(client: Client) -> None:
    viewer = User.objects.create_user("ben", password="race-day-2026")
    client.force_login(viewer)
    for path in ("/admin/", "/admin/messages_app/session/", "/admin/login/"):
        answer = client.get(path, follow=True)
        assert len(answer.redirect_chain) <= 1
        assert answer.status_code == 403
        assert "Your account may look" in answer.content.decode()


def test_who_may_administer_does(client: Client, operator: User) -> None:
    client.force_login(operator)
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/login/?next=/admin/", follow=True).status_code == 200


def test_the_admins_login_is_the_one_with_the_limit(client: Client) -> None:
    response = client.get("/admin/login/?next=/admin/")
    assert response["Location"] == "/login/?next=/admin/"


def test_no_page_allows_inline_code_or_anything_from_elsewhere(browser: Client) -> None:
    session, _ = past_session()
    for path in ("/", f"/sessions/{session.pk}/", "/schedule/", "/admin/", "/login/", "/nowhere/"):
        response = browser.get(path)
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert response["X-Frame-Options"] == "DENY"
        assert response["X-Content-Type-Options"] == "nosniff"
        page = response.content.decode()
        if not path.startswith("/admin"):
            assert " style=" not in page
            assert "<style" not in page
            assert " onclick=" not in page


def test_static_files_are_served_and_need_no_login(client: Client) -> None:
    for name in ("web.css", "web.js", "mark.svg"):
        response = client.get(f"/static/web/{name}")
        assert response.status_code == 200
        response.close()


def check_deploy(**environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        env={"PATH": "/usr/bin:/bin", **environ},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("hosts", ["localhost", "poller.example.org,localhost"])
def test_djangos_deployment_check_has_nothing_to_say(tmp_path: Path, hosts: str) -> None:
    said = check_deploy(POLLER_STATE_DIR=str(tmp_path), POLLER_ALLOWED_HOSTS=hosts)
    assert "no issues" in said


@pytest.mark.parametrize("command", ["migrate", "poll_recent_messages", "session list"])
def test_commands_do_without_the_libraries_of_the_web_side(tmp_path: Path, command: str) -> None:
    run_without_libraries(tmp_path, "migrate --verbosity 0")
    imported = run_without_libraries(tmp_path, command)
    # `migrate` runs Django's checks, which look at the addresses and the template tags.
    allowed = (
        ["installed", "rendering", "rendering.clock", "template_tags"]
        if command == "migrate"
        else []
    )
    assert imported <= {f"messages_app.web.{name}" for name in allowed}


def run_without_libraries(state: Path, command: str) -> set[str]:
    """Run a command where those cannot be imported; return what of the web side it imported."""
    program = (
        "import sys\n"
        "for name in ('markdown_it', 'whitenoise', 'waitress'): sys.modules[name] = None\n"
        "from messages_app.command_line import main\n"
        f"assert not main(['manage.py', *{command.split()}])\n"
        "print()\n"
        "ours = (name for name in sys.modules if name.startswith('messages_app.web.'))\n"
        "print('imported', *ours)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "/usr/bin:/bin", "POLLER_STATE_DIR": str(state)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # Where the gate answers, the process ends behind its line.
    last = done.stdout.splitlines()[-1].split()
    return set(last[1:]) if last[0] == "imported" else set()
