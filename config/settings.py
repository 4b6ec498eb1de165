"""Django's settings, wired from the environment."""

import os
from pathlib import Path

from messages_app.database.connection import django_database
from messages_app.environment import Settings
from messages_app.secret_key import stored_secret_key

POLLER = Settings(os.environ)
STATE_DIR = Path(POLLER.state_dir)

WEB = Path(__file__).parent.parent / "messages_app" / "web"

DEBUG = False
SECRET_KEY = POLLER.secret_key() or stored_secret_key(STATE_DIR)
ALLOWED_HOSTS = POLLER.allowed_hosts
DATABASES = {"default": django_database(POLLER.database_url)}
# The web side keeps its connections; commands end theirs with the process.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATICFILES_DIRS = [WEB / "static"]
# Files are served from where they are installed: nothing has to be collected. Their addresses
# change with their content.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 24 * 3600
ROOT_URLCONF = "config.urls"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
WSGI_APPLICATION = "config.wsgi.application"

INSTALLED_APPS = [
    "messages_app",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "messages_app.web.access.SecurityHeaders",
    "messages_app.web.unchanged.Unchanged",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "messages_app.web.access.LoginNeeded",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "DIRS": [WEB / "templates"],
        "OPTIONS": {
            "libraries": {"web": "messages_app.web.template_tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Read from memory on most requests, and kept in the database, since the web side stops when idle.
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# On loopback alone there is no TLS; under any other name a proxy in front has to provide it.
BEHIND_TLS = not set(ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
# W005, W021: the operator's other hosts are not ours to bind to TLS. The rest is about TLS itself.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"] + (
    [] if BEHIND_TLS else ["security.W004", "security.W008", "security.W012", "security.W016"]
)
# The commands print sentences of their own; Django's logging would only add import time to a tick.
LOGGING_CONFIG = None
