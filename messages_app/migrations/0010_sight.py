"""Since when a feed's exports show messages without their texts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messages_app", "0009_attempts"),
    ]

    operations = [
        migrations.AddField(
            model_name="feed",
            name="sight_lost_at",
            field=models.DateTimeField(
                help_text="since when exports show messages without the texts that they had",
                null=True,
            ),
        ),
    ]
