"""The index on channel and time, built beside polls on PostgreSQL, which no transaction allows."""

from django.db import migrations, models

from messages_app.database.migrating import BuildIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("messages_app", "0003_forms")]

    operations = [
        BuildIndex(
            model_name="message",
            index=models.Index(fields=["channel", "timestamp"], name="message_of_channel"),
        )
    ]
