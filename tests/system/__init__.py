"""Tests on booted machines: see machine.py for a machine and server.py for what is on it."""
