"""One channel's export: which messages are in it, and how it ends, by itself or by a fault."""

import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from messages_app.replay import output_path
from messages_app.replay.arguments import Arguments
from messages_app.replay.document import DocumentWriter, head
from messages_app.replay.faults import Faults
from messages_app.replay.instants import instant_of, timestamp
from messages_app.replay.presentation import QUIET_IS_FINE, Presentation
from messages_app.replay.problems import ChannelFailed, Crashed
from messages_app.replay.script import ChannelInfo, Conversation, JsonObject, seen

# A process that hangs "for ever" ends after an hour, lest a careless test leaves it behind.
LONGEST_HANG_S = 3600
_GARBAGE = (
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>\n"
)
_HALF_WAY = ("crash-half", "killed", "cut-zero-exit", "hang", "hang-tree", "hang-deaf")


class Export(NamedTuple):
    """One channel of a run."""

    conversation: Conversation
    channel: ChannelInfo
    arguments: Arguments
    presentation: Presentation
    faults: Faults

    def write(self) -> str | None:
        """Write the document and return a warning, if there is one.

        Raise ChannelFailed or Crashed as the exporter would fail.
        """
        path = output_path.resolve(self.arguments, self.channel)
        try:
            if self.faults.any_of("no-file", "empty-file", "garbage"):
                self._write_no_document(path)
                return None
            messages = [] if self.faults.any_of("quiet", "unreadable") else self._messages()
            if not messages and self.presentation.version < QUIET_IS_FINE:
                raise ChannelFailed(self._nothing_sentence())
            self._write_document(path, messages)
        except OSError as error:
            raise Crashed(f"System.IO.IOException: {error.strerror} : '{path}'") from None
        return None if messages else self._warning()

    def _messages(self) -> list[JsonObject]:
        """The messages between the bounds, of which the newest is looked up first.

        As in the exporter, that newest message ends the export by its millisecond, so others of
        the same millisecond come along even where their id is beyond `--before`.
        """
        now_ms, after, before = self.presentation.now_ms, self._after(), self.arguments.before
        end_ms = now_ms if before is None else min(now_ms, instant_of(before))
        found = [
            (message_id, document)
            for message_id, document in self._seen(instant_of(after) if after else 0, end_ms + 1)
            if message_id > after
        ]
        last = max((i for i, _ in found if before is None or i < before), default=None)
        if last is None:
            return []
        messages = [document for i, document in found if instant_of(i) <= instant_of(last)]
        return messages[::-1] if self.arguments.reverse else messages

    def _after(self) -> int:
        """The lower bound; `--reverse` makes the exporter forget it."""
        return 0 if self.arguments.reverse else self.arguments.after or 0

    def _seen(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, JsonObject]]:
        now_ms = self.presentation.now_ms
        return seen(self.conversation, self.channel, start_ms, end_ms, now_ms)

    def _warning(self) -> str | None:
        """What is said of an empty file; nothing when the window is followed by messages."""
        after = self._after()
        start_ms = instant_of(after) if after else 0
        found = self._seen(start_ms, self.presentation.now_ms + 1)
        goes_on = any(message_id > after for message_id, _ in found)
        if goes_on and not self.faults.any_of("quiet"):
            return None
        return f"{self._nothing_sentence()}; an empty file will be created."

    def _nothing_sentence(self) -> str:
        where = f"Channel '{self.channel.name}' of guild '{self.channel.guild}'"
        return f"{where} does not contain any messages within the specified period"

    def _write_no_document(self, path: str) -> None:
        if self.faults.any_of("no-file"):
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(_GARBAGE if self.faults.any_of("garbage") else "")

    def _write_document(self, path: str, messages: list[JsonObject]) -> None:
        writer = DocumentWriter(path, self._head())
        try:
            half = len(messages) // 2 if self.faults.any_of(*_HALF_WAY) else len(messages)
            for message in messages[:half]:
                writer.message(self.presentation.of(message))
                if self.faults.drip_s:
                    time.sleep(self.faults.drip_s / len(messages))
            if self.faults.any_of(*_HALF_WAY):
                self._stop(writer, messages[half] if messages else None)
                return
        except KeyboardInterrupt:
            writer.end()
            raise
        writer.end(miscount=3 if self.faults.any_of("wrong-count") else 0)
        if self.faults.any_of("unreadable"):
            url = f"channels/{self.channel.channel_id}/messages?limit=1"
            raise ChannelFailed(f"Request to '{url}' failed: forbidden.")

    def _stop(self, writer: DocumentWriter, message: JsonObject | None) -> None:
        """End half-way, in front of `message`."""
        if self.faults.any_of("hang", "hang-tree", "hang-deaf"):
            _hang(deaf=self.faults.any_of("hang-deaf"))
        if self.faults.any_of("crash-half"):
            writer.end()
            place = f"channel '{self.channel.name}' (#{self.channel.channel_id})"
            message_id = message["id"] if message else "0"
            raise ChannelFailed(
                f"Failed to export message #{message_id} in {place} "
                f"of guild '{self.channel.guild}' (#{self.channel.guild_id})."
            )
        writer.cut(self.presentation.of(message) if message else None)
        if self.faults.any_of("killed"):
            os.kill(os.getpid(), signal.SIGKILL)

    def _head(self) -> JsonObject:
        channel = self.channel
        if self.faults.any_of("other-channel"):
            other = str(int(channel.channel_id) + 1)
            channel = channel._replace(channel_id=other, name=f"not-{channel.name}")
        after, before = self._bound(self.arguments.after), self._bound(self.arguments.before)
        return head(channel, after, before, self.presentation.exported_at())

    def _bound(self, bound: int | None) -> str | None:
        return None if bound is None else self.presentation.time(timestamp(instant_of(bound)))


def _hang(*, deaf: bool) -> NoReturn:
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep_for_ever()


def sleep_for_ever() -> NoReturn:
    """Do nothing until a signal ends the process."""
    signal.alarm(LONGEST_HANG_S)
    while True:
        signal.pause()
