"""The one model of the smallest Django project."""

from django.db import models


class Session(models.Model):
    """A table of the measured database, seen by a project that does nothing else."""

    start_time = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "messages_app_session"
