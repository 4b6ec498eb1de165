"""Discord's ids: which text is one, and which instants they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages_app.snowflakes import EPOCH_MS, LARGEST_ID, LOW_BITS, first_id, id_in, id_typed

EPOCH = datetime(2015, 1, 1)  # noqa: DTZ001 - hypothesis wants its bounds naive
NO_IDS = ["", "0", "-1", "1.0", "٣", "²", "abc", "1 ", str(LARGEST_ID + 1), "9" * 5000]


@pytest.mark.parametrize("text", NO_IDS)
def test_what_is_no_discord_id_is_refused(text: str) -> None:
    assert id_in(text) is None
    with pytest.raises(ValueError, match="is not a Discord id"):
        id_typed(text)


def test_a_number_is_no_id_since_it_may_have_been_rounded() -> None:
    assert id_in(81384788765712384) is None
    assert id_in(None) is None


def test_the_largest_discord_id_is_taken() -> None:
    assert id_in(str(LARGEST_ID)) == id_typed(str(LARGEST_ID)) == LARGEST_ID


@given(
    st.integers(EPOCH_MS, 4_000_000_000_000),
    st.integers(0, 2**LOW_BITS - 1),
    st.datetimes(EPOCH, datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_an_id_is_at_or_after_the_first_id_if_its_instant_is(
    made_ms: int, low: int, bound: datetime
) -> None:
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=made_ms)
    made_id = (made_ms - EPOCH_MS) << LOW_BITS | low
    assert (made_id >= first_id(bound)) == (made >= bound)
    assert made_id >= first_id(made)


def test_before_discord_there_was_no_id() -> None:
    assert first_id(datetime(2014, 1, 1, tzinfo=UTC)) == 0
