"""One spelling for what the supported versions of Django spell differently."""

import django
from django.db.models import CheckConstraint, Q


def check_constraint(condition: Q, name: str) -> CheckConstraint:
    """A CheckConstraint; Django 5.1 renamed the argument that holds its condition."""
    if django.VERSION >= (5, 1):
        return CheckConstraint(condition=condition, name=name)
    return CheckConstraint(check=condition, name=name)  # type: ignore[call-arg]
