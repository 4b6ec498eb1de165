"""The application as Django knows it."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from messages_app.database.connection import prepare_sqlite


class MessagesAppConfig(AppConfig):
    name = "messages_app"
    verbose_name = "Discord sessions"

    def ready(self) -> None:
        connection_created.connect(prepare_sqlite)
