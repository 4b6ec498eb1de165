"""The version of this program, as pyproject.toml and debian/changelog have it."""

VERSION = "0.2.0"
