"""Transactions that cannot stop the other hosts.

A host that freezes or dies inside of one keeps its locks for as long as the server takes it for
alive: hours, by default. On PostgreSQL these bounds end it earlier; on SQLite the operating system
lets go of a dead process's locks, and BUSY_TIMEOUT_S bounds the wait for a frozen one's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, transaction

from messages_app.database.outage import is_conflict

# How long a lock of another transaction is waited for.
LOCK_WAIT_S = 10
# How long the server lets a transaction stand still between two statements.
STANDSTILL_S = 30
# A client whose host or network is gone is missed after 30 s, whatever its statement is at.
SERVER_SETTINGS = {
    "tcp_keepalives_idle": "15s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}


@contextmanager
def bounded_transaction() -> Iterator[None]:
    """A transaction that neither waits nor stands still for long; raises OperationalError if so.

    The bounds hold for this transaction alone: behind pgbouncer a connection is shared.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            bounds = SERVER_SETTINGS | {
                "lock_timeout": f"{LOCK_WAIT_S}s",
                "idle_in_transaction_session_timeout": f"{STANDSTILL_S}s",
            }
            with connection.cursor() as cursor:
                each = ", ".join(["set_config(%s, %s, true)"] * len(bounds))
                cursor.execute(f"SELECT {each}", [part for pair in bounds.items() for part in pair])
        yield


@contextmanager
def unless_locked() -> Iterator[None]:
    """Leave out what another transaction is in the way of: the next run finds it to do again."""
    try:
        yield
    except DatabaseError as error:
        if not is_conflict(error):
            raise
