"""A database without messages needs no former search, and has nothing to fill in.

Elsewhere the former search answers until all messages have their forms; then the filler removes it.
"""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from django.db import migrations, transaction

from messages_app.database.migrating import tables
from messages_app.document.form import FORM_VERSION


def drop_former_search(apps: Any, schema_editor: Any) -> None:
    has_messages = apps.get_model("messages_app", "Message").objects.exists()
    if has_messages or not _has_former_search(schema_editor):
        return
    with transaction.atomic(schema_editor.connection.alias):
        import_module("messages_app.migrations.0002_search").drop_index(apps, schema_editor)
        now = datetime.now(UTC)
        apps.get_model("messages_app", "Filling").objects.create(
            version=FORM_VERSION, messages=0, started_at=now, finished_at=now
        )


def make_former_search(apps: Any, schema_editor: Any) -> None:
    """Bring it back, with all messages, where it was removed."""
    if not _has_former_search(schema_editor):
        with transaction.atomic(schema_editor.connection.alias):
            import_module("messages_app.migrations.0002_search").create_index(apps, schema_editor)


def _has_former_search(schema_editor: Any) -> bool:
    if schema_editor.connection.vendor != "postgresql":
        return "messages_app_search" in tables(schema_editor)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('messages_app_search')")
        return cursor.fetchone()[0] is not None


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("messages_app", "0005_sightings")]

    operations = [migrations.RunPython(drop_former_search, make_former_search)]
