"""One channel's export: which messages are in it, and how it ends, by itself or by a fault."""

import os
import signal
import time
from typing import NamedTuple, NoReturn

from messages_app.replay import output_path
from messages_app.replay.arguments import Arguments
from messages_app.replay.document import DocumentWriter, head
from messages_app.replay.faults import Faults
from messages_app.replay.instants import instant_of, timestamp
from messages_app.replay.paging import PAGE, Pages, read_pages, shown_messages
from messages_app.replay.presentation import QUIET_IS_FINE, Presentation
from messages_app.replay.problems import ChannelFailed, Crashed
from messages_app.replay.script import ChannelInfo, Conversation, JsonObject

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
        path = output_path.resolve(self.arguments.output, self.channel)
        if self.faults.any_of("forum"):
            raise ChannelFailed(f"{self._named()} is a forum and cannot be exported directly.")
        try:
            if self.faults.any_of("no-file", "empty-file", "garbage"):
                self._write_no_document(path)
                return None
            pages = self._pages()
            if not pages.messages and self.presentation.version < QUIET_IS_FINE:
                raise pages.death or ChannelFailed(self._nothing_sentence())
            self._write_document(path, pages)
        except OSError as error:
            raise Crashed(f"System.IO.IOException: {error.strerror} : '{path}'") from None
        return None if pages.messages else self._warning()

    def _pages(self) -> Pages:
        """The messages to write, and what ends them early."""
        if self.faults.any_of("quiet", "unreadable", "no-history", "media-channel"):
            return Pages([])
        after, before = self.arguments.after or 0, self.arguments.before
        blank = self.faults.any_of("no-intent")
        now_ms = self.presentation.now_ms
        start_ms, end_ms = instant_of(after) if after else 0, now_ms
        if self.conversation.holds_unparsable:
            start_ms = 0  # what is newest before the window may be such a message
        elif before is not None and not blank:
            end_ms = min(now_ms, instant_of(before))  # the rest of the last page does not matter
        shown = list(shown_messages(self.conversation, self.channel, start_ms, end_ms + 1, now_ms))
        version = self.presentation.version
        most = PAGE if self.faults.any_of("history-lost") else None
        return read_pages(shown, after, before, blank=blank, version=version, most=most)

    def _warning(self) -> str | None:
        """What is said of an empty file; nothing when the window is followed by messages."""
        if self.faults.any_of("no-history"):
            return None
        after, now_ms = self.arguments.after or 0, self.presentation.now_ms
        start_ms = instant_of(after) if after else 0
        found = shown_messages(self.conversation, self.channel, start_ms, now_ms + 1, now_ms)
        goes_on = any(message.message_id > after for message in found)
        if goes_on and not self.faults.any_of("quiet"):
            return None
        return f"{self._nothing_sentence()}; an empty file will be created."

    def _nothing_sentence(self) -> str:
        return f"{self._named()} does not contain any messages within the specified period"

    def _named(self) -> str:
        return f"Channel '{self.channel.name}' of guild '{self.channel.guild}'"

    def _write_no_document(self, path: str) -> None:
        if self.faults.any_of("no-file"):
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(_GARBAGE if self.faults.any_of("garbage") else "")

    def _write_document(self, path: str, pages: Pages) -> None:
        messages = pages.messages
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
        if pages.death:
            raise pages.death
        url = f"channels/{self.channel.channel_id}/messages?limit=1"
        if self.faults.any_of("unreadable", "failed-zero-exit"):
            raise ChannelFailed(f"Request to '{url}' failed: forbidden.")
        if self.faults.any_of("media-channel"):
            answer = '{"message": "Cannot execute action on this channel type", "code": 50024}'
            raise ChannelFailed(
                f"Request to '{url}' failed: bad request. Response content: {answer}"
            )

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
