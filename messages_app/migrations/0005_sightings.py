"""From which exports names and messages are, and sessions made of an archive.

The table is made by hand, so that the database itself removes a row with its message, as a host of
the former release needs it. Every column is nullable: SQLite adds those in place.
"""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

from messages_app.database.migrating import in_one_transaction, tables

CHANNEL, MESSAGE, SESSION = "messages_app_channel", "messages_app_message", "messages_app_session"


def make(_apps: Any, schema_editor: Any) -> None:
    if "messages_app_kept" in tables(schema_editor):
        return  # interrupted before it was noted down
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    integer = "bigint" if is_postgresql else "integer"
    instant = "timestamp with time zone" if is_postgresql else "datetime"
    flag = "boolean" if is_postgresql else "bool"
    statements = (
        f"ALTER TABLE {CHANNEL} ADD COLUMN named_at {instant} NULL",
        f"ALTER TABLE {SESSION} ADD COLUMN is_archive {flag} NULL",
        f"""
        CREATE TABLE messages_app_kept (
            discord_id {integer} NOT NULL PRIMARY KEY
                REFERENCES {MESSAGE} (discord_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            fingerprint bigint NOT NULL,
            seen text NOT NULL
        )
        """,
    )
    in_one_transaction(schema_editor, statements, lock=(CHANNEL, MESSAGE, SESSION))


def unmake(_apps: Any, schema_editor: Any) -> None:
    if "messages_app_kept" not in tables(schema_editor):
        return
    statements = (
        "DROP TABLE messages_app_kept",
        f"ALTER TABLE {SESSION} DROP COLUMN is_archive",
        f"ALTER TABLE {CHANNEL} DROP COLUMN named_at",
    )
    in_one_transaction(schema_editor, statements, lock=(CHANNEL, MESSAGE, SESSION))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("messages_app", "0004_message_of_channel")]

    operations = [
        migrations.RunPython(make, unmake),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="channel",
                    name="named_at",
                    field=models.DateTimeField(
                        blank=True,
                        help_text="when the export was made that its names are from",
                        null=True,
                    ),
                ),
                migrations.AddField(
                    model_name="session",
                    name="is_archive",
                    field=models.BooleanField(
                        blank=True,
                        editable=False,
                        help_text="made of imported files, and never polled",
                        null=True,
                    ),
                ),
                migrations.CreateModel(
                    name="Kept",
                    fields=[
                        (
                            "message",
                            models.OneToOneField(
                                db_column="discord_id",
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                primary_key=True,
                                related_name="kept",
                                serialize=False,
                                to="messages_app.message",
                            ),
                        ),
                        (
                            "fingerprint",
                            models.BigIntegerField(help_text="of the message that it is about"),
                        ),
                        (
                            "seen",
                            models.TextField(help_text="JSON: when each key was seen"),
                        ),
                    ],
                ),
            ]
        ),
    ]
