"""Exports that once came in wrong, made by hand: `test_cases` says what is right."""
