"""The one model of the smallest Django project."""

from __future__ import annotations

from django.db import models


class Session(models.Model):
    """A table of the measured database, seen by a project that does nothing else."""

    start_time = models.DateTimeField()

    objects: models.Manager[Session] = models.Manager()

    class Meta:
        managed = False
        db_table = "messages_app_session"
