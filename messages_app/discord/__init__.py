"""The built-in exporter: Discord's API, asked with a bot's token. Nothing of Django is imported.

From below: `transport` (connections), `limits` (when may be asked), `client` (one call and what its
answer means), `permissions`, `guilds` (what is known of a guild), `people` (names), `message` (an
API object as the exporter's document has it), `export` (a window of a channel), `program` (the
command `exporter`).
"""
