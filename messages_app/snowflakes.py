"""Discord's ids: each holds the millisecond in which it was made. Cheap to import, for the gate."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

# The beginning of Discord's time, in milliseconds since 1970.
EPOCH_MS = 1_420_070_400_000
# The bits below the milliseconds, which tell apart what was made in one of them.
LOW_BITS = 22
# PostgreSQL's bigint and SQLite's integer end here; Discord's ids reach it in the year 2084.
LARGEST_ID = 2**63 - 1


def id_in(value: object) -> "int | None":
    """Given an id as exports and addresses hold it, return its number; None unless it is one.

    That is text of digits, 1 to LARGEST_ID. A JSON number is none: programs that write ids as
    numbers round them to 53 bits.
    """
    if not isinstance(value, str) or len(value) > 19 or not (value.isascii() and value.isdigit()):
        return None
    number = int(value)
    return number if 0 < number <= LARGEST_ID else None


def id_typed(text: str) -> int:
    """Given an id as a person typed it, return it; raise ValueError with the end of a sentence."""
    number = id_in(text)
    if number is None:
        raise ValueError("is not a Discord id (digits only, as Discord's «Copy ID» gives it)")
    return number


def instant_of(snowflake: int) -> "datetime":
    """The millisecond in which an id was made."""
    from datetime import UTC, datetime, timedelta

    since_1970 = timedelta(milliseconds=EPOCH_MS + (snowflake >> LOW_BITS))
    return datetime(1970, 1, 1, tzinfo=UTC) + since_1970


def first_id(instant: "datetime") -> int:
    """The least id that something made at `instant` or later can have."""
    from datetime import UTC, datetime, timedelta

    # Whole numbers, since a float of this size is a fraction of a millisecond off; rounded up.
    since_1970_ms = -((datetime(1970, 1, 1, tzinfo=UTC) - instant) // timedelta(milliseconds=1))
    return max(since_1970_ms - EPOCH_MS, 0) << LOW_BITS
