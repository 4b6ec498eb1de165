"""The examination behind `doctor`: is everything there that a poll needs, and what to do if not."""
