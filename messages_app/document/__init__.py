"""The exporter's document, from bytes to rows. Nothing of Django is imported here."""
