"""When a call may be made, on a clock of the test's own."""

from __future__ import annotations

from messages_app.discord.limits import Limits, Route

MESSAGES = Route("channels/messages", "201")
OTHER = Route("channels/messages", "202")


def headers(
    remaining: int, reset_after: float, bucket: str = "b", limit: int = 5
) -> dict[str, str]:
    return {
        "x-ratelimit-bucket": bucket,
        "x-ratelimit-limit": "5",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset-after": str(reset_after),
    }


def test_calls_keep_the_own_pace() -> None:
    limits = Limits(20)
    assert limits.claim(MESSAGES, 0) == 0
    assert limits.claim(OTHER, 0) == 0.05
    assert limits.claim(OTHER, 0.05) == 0


def test_no_pace_comes_near_the_limit_of_all_calls() -> None:
    limits = Limits(1000)
    limits.claim(MESSAGES, 0)
    assert limits.claim(OTHER, 0) >= 1 / 45


def test_an_unknown_limit_is_learned_from_one_call() -> None:
    limits = Limits(45)
    assert limits.claim(MESSAGES, 0) == 0
    assert limits.claim(MESSAGES, 1) > 0
    limits.answered(MESSAGES, headers(4, 5), 1)
    assert limits.claim(MESSAGES, 1) == 0
    assert limits.claim(MESSAGES, 1.1) == 0


def test_an_exhausted_bucket_waits_for_its_reset_and_stops_no_other_channel() -> None:
    limits = Limits(45)
    limits.claim(MESSAGES, 0)
    limits.answered(MESSAGES, headers(0, 5), 0.5)
    assert limits.claim(MESSAGES, 1) == 4.5
    assert limits.claim(OTHER, 1) == 0
    assert limits.claim(MESSAGES, 5.5) == 0


def test_answers_that_overtake_one_another_never_give_calls_back() -> None:
    limits = Limits(45)
    limits.claim(MESSAGES, 0)
    limits.answered(MESSAGES, headers(2, 5), 0.1)
    assert limits.claim(MESSAGES, 0.2) == 0
    assert limits.claim(MESSAGES, 0.3) == 0
    limits.answered(MESSAGES, headers(0, 4.8), 0.4)
    limits.answered(MESSAGES, headers(1, 4.9), 0.5)
    assert limits.claim(MESSAGES, 0.6) > 4


def test_routes_that_share_a_bucket_wait_for_one_another() -> None:
    limits = Limits(45)
    one, two = Route("roles", "100"), Route("members", "100")
    for moment, route in enumerate((one, two)):
        limits.claim(route, moment)
        limits.answered(route, headers(1, 10, "shared"), moment)
    assert limits.claim(one, 3) == 0
    assert limits.claim(two, 4) > 0


def test_a_global_refusal_stops_every_route() -> None:
    limits = Limits(45)
    limits.claim(MESSAGES, 0)
    limits.refused(MESSAGES, 30, 0, everywhere=True)
    assert limits.claim(OTHER, 1) == 29


def test_a_refusal_of_one_route_stops_no_other() -> None:
    limits = Limits(45)
    limits.claim(MESSAGES, 0)
    limits.answered(MESSAGES, {}, 0)
    limits.refused(MESSAGES, 30, 0, everywhere=False)
    assert limits.claim(MESSAGES, 1) == 29
    assert limits.claim(OTHER, 1) == 0
