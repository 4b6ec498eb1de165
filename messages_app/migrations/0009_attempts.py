"""What is counted before a session is given up."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messages_app", "0008_exporters"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="stalled_s",
            field=models.FloatField(
                blank=True,
                editable=False,
                help_text="for how long it was tried without progress since it is over",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="tried_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="when it was last tried to complete it",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="session",
            name="given_up",
            field=models.BooleanField(
                default=False, help_text="closed with gaps, since a day of attempts got no further"
            ),
        ),
    ]
