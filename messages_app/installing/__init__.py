"""Installs the exporter, which no distribution has: `discord-poller install-exporter`.

Standard library only and no Django: it runs as root, before there is a database or a secret key.
"""
