"""The gate: is anything due? Asked before Django is loaded, which costs twenty times the answer.

Standard library only (and psycopg2 where the database is PostgreSQL). It may say "idle" only where
the whole command would do nothing and print the same line; whenever it is in doubt it hands over.
"""

# The schema that this code was written for; a test compares it with the migrations.
LATEST_MIGRATION = "0002_search"
LATEST_MIGRATION_QUERY = "SELECT max(name) FROM django_migrations WHERE app = 'messages_app'"


def idle_sentence(next_start: "str | None") -> str:
    """The line of an idle tick; `next_start` is "YYYY-MM-DD HH:MM:SS…" in UTC, None without one."""
    if next_start is None:
        return "No session is live, and none is scheduled."
    return f"No session is live; the next one starts at {next_start[:19]} UTC."
