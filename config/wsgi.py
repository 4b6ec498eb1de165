"""The WSGI entry point of the web side."""

import os
import sys

from django.core.wsgi import get_wsgi_application

from messages_app.web.installed import missing_libraries

if missing := missing_libraries():
    sys.exit(
        f"The web side needs {' and '.join(missing)}: install discord-poller[web], or Debian's "
        "python3-markdown-it, python3-whitenoise and gunicorn."
    )
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
