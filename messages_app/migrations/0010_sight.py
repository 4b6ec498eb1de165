"""What proves that a feed may be read, and since when it shows messages without their texts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messages_app", "0009_attempts"),
    ]

    operations = [
        migrations.AddField(
            model_name="feed",
            name="shown_id",
            field=models.BigIntegerField(
                help_text="of a message that was seen when it was asked whether any can be",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="feed",
            name="sight_lost_at",
            field=models.DateTimeField(
                help_text="since when exports show messages without the texts that they had",
                null=True,
            ),
        ),
    ]
