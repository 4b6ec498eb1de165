"""What a run does: it claims feeds, exports windows, stores them and records it."""
