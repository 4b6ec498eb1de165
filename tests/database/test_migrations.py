"""Each migration keeps every row, trigger and index, wherever it is interrupted, beside polls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tests.database.landed import LAST_MIGRATION, Database, empty_database, fill

pytestmark = pytest.mark.django_db

# What each migration adds; what it takes away has a minus.
OBJECTS = {
    "sqlite": {
        "0001_initial": """
            index message_in_time_order
            index messages_app_feed_channel_id_
            index messages_app_feed_session_id_
            index messages_app_poll_channel_id_
            index messages_app_poll_started_at_
            index messages_app_revision_message_id_
            index poll_of_feed
            index session_live
            index session_to_close
        """,
        "0002_search": """
            table messages_app_search
            trigger messages_app_search_delete
            trigger messages_app_search_update
        """,
        "0003_forms": """
            index messages_app_absence_message_id
            table messages_app_form_search
            trigger messages_app_form_deleted
            trigger messages_app_form_search_delete
            trigger messages_app_form_search_update
        """,
        "0004_message_of_channel": "index message_of_channel",
        "0005_sightings": "",
        # The filler removes the former search, since there are messages.
        "0006_search_of_forms": "",
        "0007_obstacles": """
            index messages_app_obstacle_feed_id
            index messages_app_obstacle_retry_at
        """,
        "0008_exporters": "",
        "0009_attempts": "",
        "0010_sight": "",
    },
    "postgresql": {
        "0001_initial": """
            index feed_once_per_session
            index message_in_time_order
            index messages_app_channel_pkey
            index messages_app_feed_channel_id_
            index messages_app_feed_pkey
            index messages_app_feed_session_id_
            index messages_app_message_pkey
            index messages_app_poll_channel_id_
            index messages_app_poll_pkey
            index messages_app_poll_started_at_
            index messages_app_prunedpolls_pkey
            index messages_app_revision_message_id_
            index messages_app_revision_pkey
            index messages_app_session_pkey
            index poll_of_feed
            index session_live
            index session_to_close
        """,
        "0002_search": "index messages_app_search",
        "0003_forms": """
            index messages_app_absence_message_id
            index messages_app_absence_pkey
            index messages_app_filling_pkey
            index messages_app_form_pkey
            index messages_app_form_search
            trigger messages_app_form_deleted
        """,
        "0004_message_of_channel": "index message_of_channel",
        "0005_sightings": "index messages_app_kept_pkey",
        # The filler removes the former search, since there are messages.
        "0006_search_of_forms": "",
        "0007_obstacles": """
            index messages_app_obstacle_feed_id
            index messages_app_obstacle_pkey
            index messages_app_obstacle_retry_at
        """,
        "0008_exporters": """
            index member_once_per_guild
            index messages_app_guild_pkey
            index messages_app_member_pkey
        """,
        "0009_attempts": "",
        "0010_sight": "",
    },
}
SQLITE_OBJECTS = """
    SELECT type, name, sql FROM sqlite_master
    WHERE sql IS NOT NULL AND (type <> 'table' OR sql LIKE 'CREATE VIRTUAL %')
    AND tbl_name LIKE 'messages_app_%'
"""
POSTGRESQL_OBJECTS = """
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'messages\\_app\\_%'
    UNION ALL
    SELECT 'trigger', tgname, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger
    WHERE NOT tgisinternal
"""
SQLITE_COLUMNS = """
    SELECT sqlite_master.name, columns.name, columns.type, columns."notnull", columns.pk
    FROM sqlite_master, pragma_table_info(sqlite_master.name) AS columns
    WHERE sqlite_master.type = 'table' AND sqlite_master.name LIKE 'messages_app_%'
"""
POSTGRESQL_COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_name LIKE 'messages\\_app\\_%'
    UNION ALL
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
    WHERE conrelid::regclass::text LIKE 'messages\\_app\\_%'
"""


def objects(database: Database) -> dict[str, str]:
    """The triggers, indexes and search tables, and how each is defined."""
    found = database.asked(SQLITE_OBJECTS if is_sqlite() else POSTGRESQL_OBJECTS)
    return {f"{kind} {_settled(name)}": definition for kind, name, definition in found}


def columns(database: Database) -> set[tuple[Any, ...]]:
    return set(database.asked(SQLITE_COLUMNS if is_sqlite() else POSTGRESQL_COLUMNS))


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _settled(name: str) -> str:
    """The name without the hash that Django puts behind the names of its own."""
    head, underscore, tail = name.rpartition("_")
    is_hash = len(tail) == 8 and set(tail) <= set("0123456789abcdef")
    return f"{head}_" if underscore and is_hash else name


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with empty_database(tmp_path) as database:
        yield database


@pytest.fixture
def landed(database: Database) -> Database:
    """The database that the former release left."""
    database.migrate("messages_app", LAST_MIGRATION)
    fill(database)
    return database


def test_each_migration_leaves_the_triggers_and_indexes_that_were_there(database: Database) -> None:
    told = OBJECTS[connection.vendor]
    names = sorted(
        name for app, name in MigrationLoader(None).disk_migrations if app == "messages_app"
    )
    assert list(told) == names
    expected: set[str] = set()
    for name in names:
        database.migrate("messages_app", name)
        if name == LAST_MIGRATION:
            fill(database)
        for line in filter(None, map(str.strip, told[name].splitlines())):
            if line.startswith("-"):
                expected.remove(line.removeprefix("- "))
            else:
                expected.add(line)
        assert set(objects(database)) == expected, name


def test_a_migrated_database_is_like_a_fresh_one_but_for_the_former_search(
    landed: Database,
) -> None:
    landed.migrate()
    former = {"index messages_app_search", "table messages_app_search"}
    former |= {"trigger messages_app_search_delete", "trigger messages_app_search_update"}
    migrated = {name: sql for name, sql in objects(landed).items() if name not in former}
    of_migrated = columns(landed)
    landed.migrate("messages_app", "zero")
    assert objects(landed) == {}
    landed.migrate()
    assert objects(landed) == migrated
    assert {row for row in of_migrated if not row[0].startswith("messages_app_search")} == columns(
        landed
    )


def test_nothing_is_lost(landed: Database) -> None:
    before = landed.contents()
    assert len(before["messages_app_message"]) == 39
    landed.migrate()
    assert landed.contents() == before


def test_there_and_back_again(landed: Database) -> None:
    before = landed.contents(), objects(landed), columns(landed)
    landed.migrate()
    landed.migrate("messages_app", LAST_MIGRATION)
    assert (landed.contents(), objects(landed), columns(landed)) == before


@pytest.mark.parametrize(
    "name",
    ["0003_forms", "0004_message_of_channel", "0005_sightings", "0006_search_of_forms"],
)
def test_a_migration_that_was_killed_before_it_was_noted_down_is_run_again(
    landed: Database, name: str
) -> None:
    landed.migrate("messages_app", name)
    done = objects(landed), columns(landed)
    landed.told(f"DELETE FROM django_migrations WHERE name = '{name}'")
    landed.migrate("messages_app", name)
    assert (objects(landed), columns(landed)) == done


@pytest.mark.postgresql
def test_an_index_whose_building_was_interrupted_is_built_anew(landed: Database) -> None:
    landed.migrate("messages_app", "0003_forms")
    landed.told(
        "CREATE INDEX message_of_channel ON messages_app_message (channel_id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'message_of_channel'::regclass",
    )
    landed.migrate()
    ((is_valid, definition),) = landed.asked(
        "SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indexrelid = 'message_of_channel'::regclass"
    )
    assert is_valid and definition.endswith('(channel_id, "timestamp")')


WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"


@pytest.mark.postgresql
def test_a_poll_is_let_in_while_the_migration_waits_for_a_reader(landed: Database) -> None:
    with psycopg2.connect(landed.url) as reader, landed.connected() as poll:
        reader.cursor().execute("SELECT count(*) FROM messages_app_message")
        migration = landed.start("migrate", "--no-backup")
        # Behind a lock that is waited for for long, this would wait as long as the reader reads.
        for _ in range(3):
            while landed.asked(WAITING) == [(0,)]:
                assert migration.poll() is None
            poll.execute("UPDATE messages_app_message SET content = content")
        reader.rollback()
    output, _ = migration.communicate(timeout=60)
    assert migration.returncode == 0, output
    assert "index message_of_channel" in objects(landed)


FORM = """
    INSERT INTO messages_app_form (discord_id, version, fingerprint, said_fingerprint,
        reacted_fingerprint, search_text, terms, shown)
    SELECT discord_id, 1, fingerprint, 0, 0, {words}, 'all', '{{}}' FROM messages_app_message
"""
ABSENCE = """
    INSERT INTO messages_app_absence (message_id, missed_at)
    SELECT discord_id, '2026-05-01 19:00:00' FROM messages_app_message
"""


def found(database: Database, word: str) -> list[int]:
    """The ids of the messages whose form holds the word, or the term."""
    if is_sqlite():
        question = (
            "SELECT rowid FROM messages_app_form_search"
            f" WHERE messages_app_form_search MATCH '\"{word}\"'"
        )
    else:
        question = (
            "SELECT discord_id FROM messages_app_form WHERE search_text @@ "
            f"('''{chr(0xE000)}{word}'' | ''{word}''')::tsquery"
        )
    return sorted(discord_id for (discord_id,) in database.asked(question))


@pytest.fixture
def with_forms(landed: Database) -> Database:
    landed.migrate()
    words = "'lap ' || discord_id" if is_sqlite() else "'''lap'':1'::tsvector"
    landed.told(FORM.format(words=words), ABSENCE)
    if is_sqlite():
        landed.told(
            "INSERT INTO messages_app_form_search (rowid, search_text, terms)"
            " SELECT discord_id, search_text, terms FROM messages_app_form"
        )
    return landed


def test_a_host_of_the_former_release_can_remove_a_message(with_forms: Database) -> None:
    gone, *others = found(with_forms, "lap")
    with_forms.told(
        f"DELETE FROM messages_app_revision WHERE message_id = {gone}",
        f"DELETE FROM messages_app_message WHERE discord_id = {gone}",
    )
    assert found(with_forms, "lap") == others
    for table, key in (("form", "discord_id"), ("absence", "message_id")):
        left = with_forms.asked(f"SELECT {key} FROM messages_app_{table} ORDER BY 1")
        assert left == [(discord_id,) for discord_id in others]


def test_whoever_marks_a_message_as_deleted_it_is_found_as_such(with_forms: Database) -> None:
    one, other, *_ = found(with_forms, "lap")
    change = "UPDATE messages_app_message SET deleted_at = {} WHERE discord_id = {}"
    deleted = {
        row[0]
        for row in with_forms.asked(
            "SELECT discord_id FROM messages_app_message WHERE deleted_at IS NOT NULL"
        )
    }
    assert not deleted & {one, other}

    with_forms.told(change.format("'2026-05-01 20:00:00'", one))
    with_forms.told(change.format("'2026-05-01 20:00:00'", other))
    with_forms.told(change.format("'2026-05-01 20:00:30'", other))
    assert found(with_forms, "is:deleted") == [one, other]
    with_forms.told(change.format("NULL", other))
    assert found(with_forms, "is:deleted") == [one]
    assert len(found(with_forms, "lap")) == 39
