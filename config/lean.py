"""The settings of commands that serve no page: without the applications that only pages need.

Loading those (the admin first of all) would be a third of what a live poll costs.
"""

from config.settings import *  # noqa: F403

INSTALLED_APPS = ["messages_app"]
