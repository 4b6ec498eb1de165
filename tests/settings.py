"""The project's settings for the tests: a state folder of their own, nothing of the operator's."""

import os
import tempfile

for name in list(os.environ):
    if name.startswith(("POLLER_", "DISCORD_", "REPLAY_", "STATE_DIRECTORY", "CREDENTIALS_")):
        del os.environ[name]
os.environ["POLLER_STATE_DIR"] = tempfile.mkdtemp(prefix="discord-poller-test-")

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, POLLER, STATE_DIR  # noqa: E402

if POLLER.sqlite_path:
    # A file, since the tests' own processes must see it too.
    DATABASES["default"]["TEST"] = {"NAME": str(STATE_DIR / "test.sqlite3")}
# Hashing passwords slowly is not what is tested here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
