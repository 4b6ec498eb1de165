"""A stand-in for DiscordChatExporter: its command line and its document, without Discord.

`python -m messages_app.replay export --channel ID --after X --before Y --format Json --output PATH`
is what the demo, the tests and the simulations put in POLLER_EXPORTER. It needs the standard
library only and keeps nothing between runs: what a channel shows is a function of the clock.

REPLAY_SCENARIO  what is played: `demo` (or unset), or a scenario file (scenario.py)
REPLAY_NOW       the replay's clock, an instant with an offset; unset: the real clock
REPLAY_FAULT     how to fail: names separated by commas, or @FILE with a schedule (faults.py)
REPLAY_LOG       a file to which each call appends one line of JSON (call_log.py)
REPLAY_VERSION   the version that is imitated, 2.47 when unset (presentation.py)
"""
