"""A Discord of our own: the API, version 10, served on this machine from a replayed conversation.

It is shipped with the replay, since the demo polls it, and as unkind as the real one: permissions
are computed, a channel whose history may not be read is an empty list, contents come blank without
the intent, the newest message's id may be a deleted one's, limits are enforced, and any call can be
made to fail in any way (faults.py). `python -m messages_app.replay.discord` serves it.
"""
