"""What an exporter is told of a job besides its window."""

from __future__ import annotations

from messages_app.exporter.export import NOTHING_MORE, Demand, Exporter, Stored
from messages_app.models import Message, Poll
from messages_app.polling.intake import Job
from messages_app.snowflakes import instant_of


def demand_of(exporter: Exporter, job: Job) -> Demand:
    """Which messages are to be expected, and whether the channel itself is to be asked."""
    if not exporter.makes_demands_count:
        # The search for a message in the way reads beyond what counts, and has its own proofs.
        if job.obstacle_id:
            return NOTHING_MORE
        return Demand(stored=lambda: _stored(job), asked_at=job.asked_at)
    stored = Message.objects.of_channels(job.window, [job.channel_id]).shown()
    return Demand(
        frozenset(stored.values_list("discord_id", flat=True)),
        must_ask=job.purpose == Poll.Purpose.SWEEP,
    )


def _stored(job: Job) -> Stored:
    """What is stored of the job's channel now."""
    window = job.window
    inside = Message.objects.of_channels(window, [job.channel_id]).shown()
    shown = Message.objects.shown().filter(channel_id=job.channel_id)
    newest = shown.order_by("-timestamp").values_list("timestamp", flat=True)
    later = newest.filter(timestamp__gte=window.end).first()
    outside = [later or newest.filter(timestamp__lt=window.start).first()]
    if job.feed and job.feed.shown_id:
        outside.append(instant_of(job.feed.shown_id))
    return Stored(inside.exists(), [each for each in outside if each and each not in window])
