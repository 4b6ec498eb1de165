"""What the database holds: Session, Channel, Feed, Poll, PrunedPolls, Message, Revision.

Reads are named QuerySet methods, so that a question is asked the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q

from messages_app.database import check_constraint
from messages_app.tally import Tally
from messages_app.windows import Coverage, Window


class Channel(models.Model):
    """A Discord channel. Its names are those that the last export showed."""

    discord_id = models.BigIntegerField("Discord id", primary_key=True)
    name = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=200, blank=True)
    guild_id = models.BigIntegerField(null=True, blank=True)
    guild_name = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["guild_name", "name", "discord_id"]

    def __str__(self) -> str:
        return f"#{self.name}" if self.name else str(self.discord_id)


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self, now: datetime) -> SessionQuerySet:
        """Sessions with `start_time <= now < end_time`, the one to poll first."""
        return self.filter(start_time__lte=now, end_time__gt=now).order_by("start_time", "id")

    def to_close(self, now: datetime) -> SessionQuerySet:
        """Sessions that are over and not closed yet, oldest first."""
        return self.filter(closed_at=None, end_time__lte=now).order_by("end_time", "id")

    def coming(self, now: datetime) -> SessionQuerySet:
        """Sessions that have not begun, the next one first."""
        return self.filter(start_time__gt=now).order_by("start_time", "id")

    def overlapping(self, window: Window) -> SessionQuerySet:
        """Sessions that share an instant with `window`, oldest first."""
        return self.filter(start_time__lt=window.end, end_time__gt=window.start).order_by(
            "start_time", "id"
        )


class Session(models.Model):
    """A scheduled event; live while `start_time <= now < end_time`."""

    title = models.CharField(max_length=200)
    start_time = models.DateTimeField(help_text="UTC")
    end_time = models.DateTimeField(help_text="UTC; the session is live before this instant")
    channels = models.ManyToManyField(Channel, through="Feed", related_name="sessions")
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="when the closing sweep ended, or was given up"
    )
    given_up = models.BooleanField(
        default=False, help_text="closed with gaps, since it could not be swept within a day"
    )

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-start_time", "-id"]
        constraints = [
            check_constraint(Q(end_time__gt=F("start_time")), "session_ends_after_its_start")
        ]
        indexes = [
            models.Index(fields=["start_time", "end_time"], name="session_live"),
            models.Index(fields=["end_time"], condition=Q(closed_at=None), name="session_to_close"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (session {self.pk})"

    @property
    def window(self) -> Window:
        return Window(self.start_time, self.end_time)


class FeedQuerySet(models.QuerySet["Feed"]):
    def least_recently_polled_first(self) -> FeedQuerySet:
        return self.order_by(F("polled_at").asc(nulls_first=True), "id")

    def waiting(self, now: datetime, longest: timedelta) -> FeedQuerySet:
        """Feeds that are backing off after failures.

        A wait of more than `longest` is none: the clock was set back since it was written.
        """
        return self.filter(next_attempt_at__gt=now, next_attempt_at__lte=now + longest)

    def not_polled_elsewhere(self, now: datetime, host: str, within_s: float) -> FeedQuerySet:
        """Feeds but those that another host has polled in the last `within_s` seconds."""
        return self.exclude(
            ~Q(lease_holder__startswith=f"{host}:"),
            polled_at__gt=now - timedelta(seconds=within_s),
            polled_at__lte=now,
        )

    def free(self, now: datetime, holder: str, longest: timedelta) -> FeedQuerySet:
        """Feeds whose lease nobody but `holder` has at `now`.

        A lease of more than `longest` is none: the clock was set back since it was written.
        """
        return self.exclude(
            ~Q(lease_holder=holder), lease_until__gt=now, lease_until__lte=now + longest
        )


class Feed(models.Model):
    """One channel of one session, and the place where its progress lives."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="feeds")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="feeds")
    covered_windows = models.JSONField(
        default=list, help_text="the union of the windows whose export was proved complete"
    )
    swept_windows = models.JSONField(
        default=list, help_text="the same, of the windows read again after the session's end"
    )
    longest_window_s = models.FloatField(
        null=True,
        blank=True,
        help_text="below POLLER_MAX_SPAN after an export took too long",
    )
    failures = models.PositiveIntegerField(default=0, help_text="failed polls in a row")
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="end of the backoff")
    error_kind = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True, help_text="what the last failed poll said")
    polled_at = models.DateTimeField(null=True, help_text="when its last poll began")
    lease_holder = models.CharField(
        max_length=200, blank=True, help_text="the run that works on it, or did last"
    )
    lease_until = models.DateTimeField(null=True, blank=True)

    objects = FeedQuerySet.as_manager()

    class Meta:
        ordering = ["session", "id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "channel"], name="feed_once_per_session")
        ]

    def __str__(self) -> str:
        return f"{self.channel} of {self.session}"

    @property
    def coverage(self) -> Coverage:
        return Coverage.from_json(self.covered_windows)

    @coverage.setter
    def coverage(self, coverage: Coverage) -> None:
        self.covered_windows = coverage.to_json()

    @property
    def swept(self) -> Coverage:
        return Coverage.from_json(self.swept_windows)

    @swept.setter
    def swept(self, swept: Coverage) -> None:
        self.swept_windows = swept.to_json()


class PollQuerySet(models.QuerySet["Poll"]):
    def latest_first(self) -> PollQuerySet:
        return self.order_by("-started_at", "-id")


class Poll(models.Model):
    """One attempt on one feed."""

    class Purpose(models.TextChoices):
        NEWEST = "newest", "newest window"
        CATCH_UP = "catch-up", "catching up"
        SWEEP = "sweep", "closing sweep"
        IMPORT = "import", "import by hand"

    feed = models.ForeignKey(
        Feed,
        on_delete=models.CASCADE,
        related_name="polls",
        db_index=False,
        null=True,
        help_text="none where a range outside of every session was imported by hand",
    )
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="polls")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    started_at = models.DateTimeField(db_index=True)
    duration_ms = models.PositiveIntegerField()
    exporter_ms = models.PositiveIntegerField(help_text="of the duration, what the exporter took")
    succeeded = models.BooleanField(help_text="the export was proved complete")
    error_kind = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    messages_read = models.PositiveIntegerField(default=0)
    messages_new = models.PositiveIntegerField(default=0)
    messages_edited = models.PositiveIntegerField(default=0)
    messages_deleted = models.PositiveIntegerField(default=0)
    messages_unchanged = models.PositiveIntegerField(default=0)
    host = models.CharField(max_length=200)
    invocation_id = models.CharField(
        max_length=32, blank=True, help_text="journalctl _SYSTEMD_INVOCATION_ID=… shows this run"
    )

    objects = PollQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["feed", "started_at"], name="poll_of_feed")]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} of {self.feed_id} at {self.started_at:%H:%M:%S}"

    @property
    def window(self) -> Window:
        return Window(self.window_start, self.window_end)

    @property
    def tally(self) -> Tally:
        return Tally(
            self.messages_read,
            self.messages_new,
            self.messages_edited,
            self.messages_deleted,
            self.messages_unchanged,
        )


class PrunedPolls(models.Model):
    """What the polls that were pruned add up to, so that no counter ever goes back; one row."""

    totals = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "pruned polls"

    def __str__(self) -> str:
        return "the totals of the pruned polls"


class MessageQuerySet(models.QuerySet["Message"]):
    def in_time_order(self) -> MessageQuerySet:
        return self.order_by("timestamp", "discord_id")

    def of_session(self, session: Session) -> MessageQuerySet:
        """The messages of a session's channels, posted while it was live."""
        return self.of_channels(session.window, session.feeds.values_list("channel_id", flat=True))

    def of_channels(self, window: Window, channel_ids: Iterable[int]) -> MessageQuerySet:
        return self.filter(
            channel_id__in=list(channel_ids),
            timestamp__gte=window.start,
            timestamp__lt=window.end,
        )

    def shown(self) -> MessageQuerySet:
        """Those that Discord still showed when it was last asked."""
        return self.filter(deleted_at=None)


class Message(models.Model):
    """What Discord showed, keyed by its id.

    `content` and `author_name` are the text with NUL characters and lone surrogates replaced
    visibly; `raw` is the message's whole JSON object as exported.
    """

    discord_id = models.BigIntegerField("Discord id", primary_key=True)
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    type = models.TextField()
    timestamp = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True, help_text="when a poll first no longer showed it")
    author_id = models.BigIntegerField(null=True)
    author_name = models.TextField()
    content = models.TextField()
    has_attachments = models.BooleanField()
    fingerprint = models.BigIntegerField(help_text="differs where the message differs")
    changed_at = models.DateTimeField(help_text="when the export was made that this row is from")
    raw = models.TextField()

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["timestamp", "discord_id"]
        indexes = [models.Index(fields=["timestamp", "discord_id"], name="message_in_time_order")]

    def __str__(self) -> str:
        return str(self.discord_id)


class Revision(models.Model):
    """An earlier text of an edited message."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="revisions")
    content = models.TextField()
    edited_at = models.DateTimeField(null=True, help_text="when an edit wrote this text")
    replaced_at = models.DateTimeField(help_text="when a poll first showed another text")

    class Meta:
        ordering = ["replaced_at", "id"]

    def __str__(self) -> str:
        return f"former text of {self.message_id}"
