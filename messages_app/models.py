"""What the database holds: Session, Channel, Feed, Poll, PrunedPolls; Message and what hangs on
it: Form, Revision, Absence; Filling.

Reads are named QuerySet methods, so that a question is asked the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from django.db import connection, models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from messages_app.compat import check_constraint
from messages_app.inert import inert
from messages_app.tally import Tally
from messages_app.windows import Coverage, Window


class Channel(models.Model):
    """A Discord channel. Its names are those of the newest export, and of its guild's."""

    discord_id = models.BigIntegerField("Discord id", primary_key=True)
    name = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=200, blank=True)
    guild_id = models.BigIntegerField(null=True, blank=True)
    guild_name = models.CharField(max_length=200, blank=True)
    named_at = models.DateTimeField(
        null=True, blank=True, help_text="when the export was made that its names are from"
    )

    class Meta:
        ordering = ["guild_name", "name", "discord_id"]

    def __str__(self) -> str:
        return f"#{inert(self.name)}" if self.name else str(self.discord_id)


class Guild(models.Model):
    """A Discord guild's name and roles, as the built-in exporter last read them."""

    discord_id = models.BigIntegerField("Discord id", primary_key=True)
    name = models.TextField()
    icon = models.TextField(null=True)
    owner_id = models.BigIntegerField(null=True)
    roles = models.JSONField(help_text="as Discord lists them")
    bot_id = models.BigIntegerField(null=True, help_text="the bot's own user id")
    read_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name or str(self.discord_id)


class Member(models.Model):
    """What a guild knew of a user when the built-in exporter last asked it."""

    guild_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    nick = models.TextField()
    avatar = models.TextField()
    roles = models.JSONField(help_text="their ids")
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["guild_id", "user_id"], name="member_once_per_guild")
        ]

    def __str__(self) -> str:
        return f"member {self.user_id} of {self.guild_id}"


# What closing a session and opening it again change of it.
CLOSING_FIELDS = ("closed_at", "given_up", "tried_at", "stalled_s")


class Phase(StrEnum):
    """Where a session is in its life; the values are those of the web API."""

    COMING = "coming"
    LIVE = "live"
    OVER = "over"  # not closed yet: its tail is read, then all of it once more
    CLOSED = "closed"
    GIVEN_UP = "given-up"
    ARCHIVE = "archive"  # made of imported files


class SessionQuerySet(models.QuerySet["Session"]):
    def polled(self) -> SessionQuerySet:
        """All but archives."""
        return self.exclude(is_archive=True)

    def archives_last(self) -> SessionQuerySet:
        """In the order in which a message's session is looked for: by start, archives last."""
        return self.order_by(Coalesce("is_archive", Value(False)), "start_time", "id")

    def locked(self, pk: int) -> Session | None:
        """The session as it is now and stays until the transaction's end; None where it is gone.

        An UPDATE waits for other writers on both engines, also where it is the first statement.
        """
        self.filter(pk=pk).update(title=F("title"))
        return self.filter(pk=pk).first()

    def live(self, now: datetime) -> SessionQuerySet:
        """Sessions with `start_time <= now < end_time`, the one to poll first."""
        live = self.polled().filter(start_time__lte=now, end_time__gt=now)
        return live.order_by("start_time", "id")

    def to_close(self, now: datetime) -> SessionQuerySet:
        """Sessions that are over and not closed yet, oldest first."""
        over = self.polled().filter(closed_at=None, end_time__lte=now)
        return over.order_by("end_time", "id")

    def closed_after(self, instant: datetime) -> SessionQuerySet:
        """Sessions that were closed after `instant`: one to come, if their clock was ahead."""
        return self.polled().filter(closed_at__gt=instant)

    def to_read_again(self, now: datetime) -> SessionQuerySet:
        """Closed sessions of which something that the exporter could not parse is due again."""
        due = Obstacle.objects.due(now).values("feed__session")
        return self.exclude(closed_at=None).filter(pk__in=due).order_by("end_time", "id")

    def coming(self, now: datetime) -> SessionQuerySet:
        """Sessions that have not begun, the next one first."""
        return self.polled().filter(start_time__gt=now).order_by("start_time", "id")

    def overlapping(self, window: Window) -> SessionQuerySet:
        """Sessions that share an instant with `window`, oldest first; archives are none."""
        found = self.polled().filter(start_time__lt=window.end, end_time__gt=window.start)
        return found.order_by("start_time", "id")


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
        default=False, help_text="closed with gaps, since a day of attempts got no further"
    )
    tried_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="when it was last tried to complete it"
    )
    stalled_s = models.FloatField(
        null=True,
        blank=True,
        editable=False,
        help_text="for how long it was tried without progress since it is over",
    )
    is_archive = models.BooleanField(
        null=True, blank=True, editable=False, help_text="made of imported files, and never polled"
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

    def reopen(self) -> None:
        """Have it read again, of which nobody knows how far it gets; not stored yet."""
        self.closed_at, self.given_up = None, False
        self.tried_at, self.stalled_s = None, None

    def phase(self, now: datetime) -> Phase:
        """Its phase at `now`, by the same bounds as the queries of SessionQuerySet."""
        if self.is_archive:
            return Phase.ARCHIVE
        if now < self.start_time:
            return Phase.COMING
        if now < self.end_time:
            return Phase.LIVE
        if not self.closed_at:
            return Phase.OVER
        return Phase.GIVEN_UP if self.given_up else Phase.CLOSED


class FeedQuerySet(models.QuerySet["Feed"]):
    def in_shown_order(self) -> FeedQuerySet:
        """As the channels of a session are listed everywhere: as they were added to it."""
        return self.order_by("session_id", "id")

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
    shown_id = models.BigIntegerField(
        null=True, help_text="of a message that was seen when it was asked whether any can be"
    )
    sight_lost_at = models.DateTimeField(
        null=True, help_text="since when exports show messages without the texts that they had"
    )
    lease_holder = models.CharField(
        max_length=200, blank=True, help_text="the run that works on it, or did last"
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    # The channel of the stored row; None before there is one.
    _stored_channel_id: int | None = None

    objects = FeedQuerySet.as_manager()

    class Meta:
        ordering = ["session", "id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "channel"], name="feed_once_per_session")
        ]

    def __str__(self) -> str:
        return f"{self.channel} of {self.session}"

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> Self:
        """The row as it is stored; remember of which channel it is."""
        feed = super().from_db(*args, **options)
        feed._stored_channel_id = feed.__dict__.get("channel_id")
        return feed

    def save(self, **options: Any) -> None:
        """Store it; with another channel it is another feed, of which nothing was read yet."""
        stored_id, self._stored_channel_id = self._stored_channel_id, self.channel_id
        if stored_id in (None, self.channel_id):
            super().save(**options)
            return
        for field in self._meta.concrete_fields:
            if field.name not in ("id", "session", "channel"):
                setattr(self, field.attname, field.get_default())
        with transaction.atomic():
            super().save(**options | {"update_fields": None})
            self.obstacles.all().delete()
            # What was polled stays on record, of the former channel alone.
            self.polls.update(feed=None)

    @property
    def coverage(self) -> Coverage:
        return Coverage.from_json(self.covered_windows)

    @coverage.setter
    def coverage(self, coverage: Coverage) -> None:
        self.covered_windows = coverage.to_json()

    @property
    def swept(self) -> Coverage:
        """What was read again after the session's end, of what is covered."""
        return Coverage.from_json(self.swept_windows).common(self.coverage)

    @swept.setter
    def swept(self, swept: Coverage) -> None:
        self.swept_windows = swept.to_json()


class ObstacleQuerySet(models.QuerySet["Obstacle"]):
    def due(self, now: datetime) -> ObstacleQuerySet:
        """Those that are to be tried again."""
        return self.filter(retry_at__lte=now)


class Obstacle(models.Model):
    """A message that the exporter cannot parse, in the way of a feed; see polling/detour.py.

    It was posted in `[low, high)`; once it is passed, `[left, high)` is what cannot be read.
    """

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="obstacles")
    words = models.TextField(help_text="what the exporter says of it")
    found_at = models.DateTimeField()
    low = models.DateTimeField()
    high = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    back = models.PositiveIntegerField()
    reach = models.PositiveIntegerField()
    left = models.DateTimeField(null=True)
    anchor = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(
        null=True, db_index=True, help_text="when it is tried again; the gate asks for it"
    )

    objects = ObstacleQuerySet.as_manager()

    class Meta:
        ordering = ["feed", "low"]

    def __str__(self) -> str:
        return f"what the exporter cannot read of {self.feed_id} at {self.low:%H:%M:%S}"

    @property
    def gap(self) -> Window | None:
        """What cannot be read; None while it is searched for."""
        return Window(self.left, self.high) if self.left and self.high else None


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
    exporter = models.CharField(
        max_length=100, null=True, blank=True, help_text="`builtin`, or the program's name"
    )
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
        wanted = list(channel_ids)
        found = self.filter(timestamp__gte=window.start, timestamp__lt=window.end)
        if len(wanted) > 1 and connection.vendor == "sqlite":
            # SQLite would take all of the session out of the index on channels and sort it, for a
            # page of 100. In sight of a sum it walks the index on time, and stops.
            return found.alias(channel_sum=F("channel_id") + 0).filter(channel_sum__in=wanted)
        return found.filter(channel_id__in=wanted)

    def without_raw(self) -> MessageQuerySet:
        """Without the exported object, and without the columns that SQLite keeps behind it.

        Reading one of those would read the object, too, which has no bound.
        """
        return self.defer("raw", "parent_channel_id", "forward_of")

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
    parent_channel_id = models.BigIntegerField(
        null=True, help_text="of a thread's message: the channel that the thread is in"
    )
    forward_of = models.BigIntegerField(
        null=True, help_text="of a forward: the id of the message that it forwards"
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["timestamp", "discord_id"]
        indexes = [
            models.Index(fields=["timestamp", "discord_id"], name="message_in_time_order"),
            # A window of one channel is looked through at each poll, for what was deleted.
            models.Index(fields=["channel", "timestamp"], name="message_of_channel"),
        ]

    def __str__(self) -> str:
        return str(self.discord_id)


class Form(models.Model):
    """What is derived from a message's `raw`: how pages show it, and how search finds it.

    A message has none until it was stored or filled by this release; one whose `fingerprint` is not
    the message's is out of date, and so is one of an older `version`. The database removes it with
    its message. On PostgreSQL `search_text` is a `tsvector` that holds the terms as well, and
    `terms` is null; on SQLite both are words and terms between blanks, indexed by
    `messages_app_form_search`, which triggers keep up with changes, but not with new rows.
    """

    message = models.OneToOneField(
        Message,
        on_delete=models.DO_NOTHING,
        primary_key=True,
        db_column="discord_id",
        related_name="form",
    )
    version = models.SmallIntegerField(help_text="of the rules by which it was made")
    fingerprint = models.BigIntegerField(help_text="of the message that it was made from")
    said_fingerprint = models.BigIntegerField(help_text="of its text, files and embeds alone")
    reacted_fingerprint = models.BigIntegerField(help_text="of its reactions and pin alone")
    known = models.BigIntegerField(
        null=True, help_text="a bit for each thing that its document could know"
    )
    search_text = models.TextField()
    terms = models.TextField(null=True)
    shown = models.TextField(help_text="JSON")

    def __str__(self) -> str:
        return f"form of {self.message_id}"


class Filling(models.Model):
    """How far the forms of stored messages are filled in, newest messages first; a row a version.

    What is stored later brings its form along.
    """

    version = models.SmallIntegerField(primary_key=True)
    messages = models.BigIntegerField(help_text="how many were stored when it began")
    filled = models.BigIntegerField(default=0, help_text="how many it has been through")
    reached = models.BigIntegerField(
        null=True, help_text="the id of the last message that it has been through"
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"filling of version {self.version}"


class Revision(models.Model):
    """An earlier version of an edited message."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="revisions")
    content = models.TextField()
    shown = models.TextField(
        null=True, help_text="its files and embeds as JSON, where they were kept"
    )
    edited_at = models.DateTimeField(null=True, help_text="when an edit wrote this text")
    replaced_at = models.DateTimeField(help_text="when a poll first showed another text")

    class Meta:
        ordering = ["replaced_at", "id"]

    def __str__(self) -> str:
        return f"former text of {self.message_id}"


class Kept(models.Model):
    """Of a message whose row is not from one export alone: which keys are from an earlier one.

    It counts while `fingerprint` is the message's. The database removes it with its message.
    """

    message = models.OneToOneField(
        Message,
        on_delete=models.DO_NOTHING,
        primary_key=True,
        db_column="discord_id",
        related_name="kept",
    )
    fingerprint = models.BigIntegerField(help_text="of the message that it is about")
    seen = models.TextField(help_text="JSON: when each key was seen")

    def __str__(self) -> str:
        return f"kept of {self.message_id}"


class Absence(models.Model):
    """A time in which a message was not shown. The database removes it with its message."""

    message = models.ForeignKey(Message, on_delete=models.DO_NOTHING, related_name="absences")
    last_seen_at = models.DateTimeField(
        null=True, help_text="when it was last seen before, where that is known"
    )
    missed_at = models.DateTimeField(help_text="when a poll first no longer showed it")
    back_at = models.DateTimeField(null=True, help_text="when a poll showed it again")

    class Meta:
        ordering = ["missed_at", "id"]

    def __str__(self) -> str:
        return f"absence of {self.message_id}"
