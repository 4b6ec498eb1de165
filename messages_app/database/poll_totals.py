"""What polls add up to, kept and pruned ones together: counters that never go back."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db.models import Count, F, Q, Sum

from messages_app.models import Poll, PollQuerySet, PrunedPolls

# The upper bounds of the histograms' buckets, in milliseconds. They must not change: the totals of
# pruned polls were counted by them.
BUCKETS_MS = (500, 1000, 2500, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000)
# The fields that make a histogram each, and those that are summed up.
TIMES = ("duration_ms", "exporter_ms")
CHANGES = ("new", "edited", "deleted", "unchanged")
SUCCESS = "success"

# By key: `polls:OUTCOME`, `duration_ms:sum`, `duration_ms:le:500`, …, `messages:new`, …
Totals = Counter[str]


def all_totals() -> Totals:
    """The totals of every poll there ever was."""
    return totals_of(Poll.objects.all()) + pruned_totals()


def pruned_totals() -> Totals:
    """The totals of the pruned polls."""
    row = PrunedPolls.objects.first()
    return Counter(row.totals if row else {})


def fold_in(polls: PollQuerySet) -> int:
    """Remove these polls and keep what they add up to; return how many they were.

    The caller owns the transaction. The row of the totals is written first: so two hosts that
    prune at once wait for each other, and no poll is counted twice.
    """
    PrunedPolls.objects.get_or_create(pk=1)
    row = PrunedPolls.objects.filter(pk=1)
    row.update(totals=F("totals"))
    totals = totals_of(polls)
    row.update(totals=dict(pruned_totals() + totals))
    removed, _ = polls.delete()
    return removed


def totals_of(polls: PollQuerySet) -> Totals:
    """The totals of these polls, from one pass over the table."""
    sums = {f"{time}:sum": Sum(time) for time in TIMES}
    counts = {
        f"{time}:le:{bound}": Count("pk", filter=Q(**{f"{time}__lte": bound}))
        for time in TIMES
        for bound in BUCKETS_MS
    }
    changes = {f"messages:{change}": Sum(f"messages_{change}") for change in CHANGES}
    by_outcome = polls.order_by().values("error_kind").annotate(polls=Count("pk"))
    totals: Totals = Counter()
    for row in by_outcome.annotate(**sums, **counts, **changes):
        numbers: dict[str, Any] = dict(row)
        outcome = numbers.pop("error_kind") or SUCCESS
        totals[f"polls:{outcome}"] += numbers.pop("polls")
        totals.update(numbers)
    return totals
