"""A storm of logins leaves the pages answering, and its limits hold whatever its headers claim."""

from __future__ import annotations

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from messages_app.web.throttle import MOST_FAILURES_OF_ADDRESS
from tests.attack.attacker import Target
from tests.attack.test_stalled_clients import everybody_else_is_answered

ATTACKERS, EACH = 24, 3


def log_in(target: Target, name: str, headers: dict[str, str]) -> int:
    """Try a password as a browser does, with a form's token; return the status."""
    client = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    try:
        client.request("GET", "/login/", headers=headers)
        page = client.getresponse()
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())[:1]
        cookie = (page.getheader("Set-Cookie") or "").partition(";")[0]
        form = {"csrfmiddlewaretoken": token, "username": name, "password": "guess"}
        told = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        client.request("POST", "/login/", urlencode(form), headers | told)
        answer = client.getresponse()
        answer.read()
        return answer.status
    finally:
        client.close()


def test_a_storm_of_logins_from_many_addresses(target: Target) -> None:
    def storm(number: int) -> list[int]:
        claimed = {"X-Forwarded-For": f"198.51.100.{number}"}
        return [log_in(target, f"name-{number}", claimed) for _ in range(EACH)]

    with ThreadPoolExecutor(ATTACKERS) as attackers:
        storms = [attackers.submit(storm, number) for number in range(ATTACKERS)]
        while not all(each.done() for each in storms):
            everybody_else_is_answered(target)
        statuses = [status for each in storms for status in each.result()]
    assert set(statuses) <= {200, 503}
    assert {200, 503} <= set(statuses), "some are checked, others told to come back"


def test_headers_that_only_look_like_a_proxys_change_nothing(target: Target) -> None:
    statuses = [
        log_in(target, f"name-{number}", {"X_Forwarded_For": f"198.51.100.{number}"})
        for number in range(MOST_FAILURES_OF_ADDRESS + 1)
    ]
    assert statuses == [200] * MOST_FAILURES_OF_ADDRESS + [429]
