from typing import Any

from django.db import migrations

# New messages are indexed batch by batch by messages_app.database.search.index_new: an insert trigger would
# index row by row and make an import three times as slow. Changes and deletions are rare: triggers.
# A later migration that has Django remake messages_app_message on SQLite drops these triggers with
# the old table and must create them again.
INDEXED = "EXISTS (SELECT 1 FROM messages_app_search_docsize WHERE id = old.discord_id)"
SQLITE = (
    # The text itself stays in the message's row: the index holds words only.
    """
    CREATE VIRTUAL TABLE messages_app_search USING fts5(
        content, content='messages_app_message', content_rowid='discord_id',
        tokenize='unicode61 remove_diacritics 0'
    )
    """,
    """
    INSERT INTO messages_app_search (rowid, content)
        SELECT discord_id, content FROM messages_app_message WHERE content <> ''
    """,
    f"""
    CREATE TRIGGER messages_app_search_delete AFTER DELETE ON messages_app_message
    WHEN {INDEXED} BEGIN
        INSERT INTO messages_app_search (messages_app_search, rowid, content)
            VALUES ('delete', old.discord_id, old.content);
    END
    """,  # noqa: S608 - nothing but INDEXED is put in
    f"""
    CREATE TRIGGER messages_app_search_update AFTER UPDATE OF content ON messages_app_message
    WHEN old.content <> new.content BEGIN
        INSERT INTO messages_app_search (messages_app_search, rowid, content)
            SELECT 'delete', old.discord_id, old.content WHERE {INDEXED};
        INSERT INTO messages_app_search (rowid, content)
            SELECT new.discord_id, new.content WHERE new.content <> '';
    END
    """,
)
SQLITE_BACK = (
    "DROP TRIGGER messages_app_search_update",
    "DROP TRIGGER messages_app_search_delete",
    "DROP TABLE messages_app_search",
)
POSTGRESQL = (
    # A tsvector holds 1 MB at most, and a longer text must not make its message unstorable.
    """
    CREATE INDEX messages_app_search ON messages_app_message
        USING gin (to_tsvector('simple', left(content, 100000)))
    """,
)
POSTGRESQL_BACK = ("DROP INDEX messages_app_search",)


def create_index(_apps: Any, schema_editor: Any) -> None:
    _execute(schema_editor, SQLITE, POSTGRESQL)


def drop_index(_apps: Any, schema_editor: Any) -> None:
    _execute(schema_editor, SQLITE_BACK, POSTGRESQL_BACK)


def _execute(schema_editor: Any, sqlite: tuple[str, ...], postgresql: tuple[str, ...]) -> None:
    statements = postgresql if schema_editor.connection.vendor == "postgresql" else sqlite
    for statement in statements:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("messages_app", "0001_initial")]

    operations = [migrations.RunPython(create_index, drop_index)]
