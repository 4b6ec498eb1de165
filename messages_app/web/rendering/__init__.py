"""A stored message as HTML."""
