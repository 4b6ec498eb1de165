"""The smallest Django project that can ask a database something: what a tick is measured by."""

import os

from messages_app.database.connection import django_database

SECRET_KEY = "bare"
DATABASES = {"default": django_database(os.environ["DATABASE_URL"])}
INSTALLED_APPS = ["bench.bare"]
USE_TZ = True
LOGGING_CONFIG = None
