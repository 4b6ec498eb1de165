"""The first schema."""

import django.db.models.deletion
from django.db import migrations, models

from messages_app.database import check_constraint


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="PrunedPolls",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("totals", models.JSONField(default=dict)),
            ],
            options={"verbose_name_plural": "pruned polls"},
        ),
        migrations.CreateModel(
            name="Channel",
            fields=[
                (
                    "discord_id",
                    models.BigIntegerField(
                        primary_key=True, serialize=False, verbose_name="Discord id"
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200)),
                ("category", models.CharField(blank=True, max_length=200)),
                ("guild_id", models.BigIntegerField(blank=True, null=True)),
                ("guild_name", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "ordering": ["guild_name", "name", "discord_id"],
            },
        ),
        migrations.CreateModel(
            name="Feed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "covered_windows",
                    models.JSONField(
                        default=list,
                        help_text="the union of the windows whose export was proved complete",
                    ),
                ),
                (
                    "swept_windows",
                    models.JSONField(
                        default=list,
                        help_text="the same, of the windows read again after the session's end",
                    ),
                ),
                (
                    "longest_window_s",
                    models.FloatField(
                        blank=True,
                        help_text="below POLLER_MAX_SPAN after an export took too long",
                        null=True,
                    ),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(default=0, help_text="failed polls in a row"),
                ),
                (
                    "next_attempt_at",
                    models.DateTimeField(blank=True, help_text="end of the backoff", null=True),
                ),
                ("error_kind", models.CharField(blank=True, max_length=40)),
                ("error", models.TextField(blank=True, help_text="what the last failed poll said")),
                (
                    "polled_at",
                    models.DateTimeField(help_text="when its last poll began", null=True),
                ),
                (
                    "lease_holder",
                    models.CharField(
                        blank=True,
                        help_text="the run that works on it, or did last",
                        max_length=200,
                    ),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="feeds",
                        to="messages_app.channel",
                    ),
                ),
            ],
            options={
                "ordering": ["session", "id"],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "discord_id",
                    models.BigIntegerField(
                        primary_key=True, serialize=False, verbose_name="Discord id"
                    ),
                ),
                ("type", models.TextField()),
                ("timestamp", models.DateTimeField()),
                ("edited_at", models.DateTimeField(null=True)),
                (
                    "deleted_at",
                    models.DateTimeField(
                        help_text="when a poll first no longer showed it", null=True
                    ),
                ),
                ("author_id", models.BigIntegerField(null=True)),
                ("author_name", models.TextField()),
                ("content", models.TextField()),
                ("has_attachments", models.BooleanField()),
                (
                    "fingerprint",
                    models.BigIntegerField(help_text="differs where the message differs"),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        help_text="when the export was made that this row is from"
                    ),
                ),
                ("raw", models.TextField()),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="messages_app.channel",
                    ),
                ),
            ],
            options={
                "ordering": ["timestamp", "discord_id"],
            },
        ),
        migrations.CreateModel(
            name="Poll",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("newest", "newest window"),
                            ("catch-up", "catching up"),
                            ("sweep", "closing sweep"),
                            ("import", "import by hand"),
                        ],
                        max_length=10,
                    ),
                ),
                ("window_start", models.DateTimeField()),
                ("window_end", models.DateTimeField()),
                ("started_at", models.DateTimeField(db_index=True)),
                ("duration_ms", models.PositiveIntegerField()),
                (
                    "exporter_ms",
                    models.PositiveIntegerField(
                        help_text="of the duration, what the exporter took"
                    ),
                ),
                ("succeeded", models.BooleanField(help_text="the export was proved complete")),
                ("error_kind", models.CharField(blank=True, max_length=40)),
                ("error", models.TextField(blank=True)),
                ("messages_read", models.PositiveIntegerField(default=0)),
                ("messages_new", models.PositiveIntegerField(default=0)),
                ("messages_edited", models.PositiveIntegerField(default=0)),
                ("messages_deleted", models.PositiveIntegerField(default=0)),
                ("messages_unchanged", models.PositiveIntegerField(default=0)),
                ("host", models.CharField(max_length=200)),
                (
                    "invocation_id",
                    models.CharField(
                        blank=True,
                        help_text="journalctl _SYSTEMD_INVOCATION_ID=… shows this run",
                        max_length=32,
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="polls",
                        to="messages_app.channel",
                    ),
                ),
                (
                    "feed",
                    models.ForeignKey(
                        db_index=False,
                        help_text="none where a range outside of every session was imported by hand",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="polls",
                        to="messages_app.feed",
                    ),
                ),
            ],
            options={
                "ordering": ["-started_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Revision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("content", models.TextField()),
                (
                    "edited_at",
                    models.DateTimeField(help_text="when an edit wrote this text", null=True),
                ),
                (
                    "replaced_at",
                    models.DateTimeField(help_text="when a poll first showed another text"),
                ),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="revisions",
                        to="messages_app.message",
                    ),
                ),
            ],
            options={
                "ordering": ["replaced_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=200)),
                ("start_time", models.DateTimeField(help_text="UTC")),
                (
                    "end_time",
                    models.DateTimeField(help_text="UTC; the session is live before this instant"),
                ),
                (
                    "closed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="when the closing sweep ended, or was given up",
                        null=True,
                    ),
                ),
                (
                    "given_up",
                    models.BooleanField(
                        default=False,
                        help_text="closed with gaps, since it could not be swept within a day",
                    ),
                ),
                (
                    "channels",
                    models.ManyToManyField(
                        related_name="sessions",
                        through="messages_app.Feed",
                        to="messages_app.channel",
                    ),
                ),
            ],
            options={
                "ordering": ["-start_time", "-id"],
            },
        ),
        migrations.AddField(
            model_name="feed",
            name="session",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="feeds",
                to="messages_app.session",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["timestamp", "discord_id"], name="message_in_time_order"),
        ),
        migrations.AddIndex(
            model_name="poll",
            index=models.Index(fields=["feed", "started_at"], name="poll_of_feed"),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(fields=["start_time", "end_time"], name="session_live"),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                condition=models.Q(("closed_at", None)),
                fields=["end_time"],
                name="session_to_close",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=check_constraint(
                models.Q(("end_time__gt", models.F("start_time"))), "session_ends_after_its_start"
            ),
        ),
        migrations.AddConstraint(
            model_name="feed",
            constraint=models.UniqueConstraint(
                fields=("session", "channel"), name="feed_once_per_session"
            ),
        ),
    ]
