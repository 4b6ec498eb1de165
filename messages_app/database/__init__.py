"""The database: connection, schema, storing.

The first migration takes `check_constraint` from here, and a migration is never edited.
"""

from messages_app.compat import check_constraint as check_constraint
