"""The WSGI entry point of the web side."""

import os

from django.core.wsgi import get_wsgi_application

from messages_app.web.error_log import write_sentences

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
write_sentences()
