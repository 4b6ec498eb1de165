"""The API on a port of this machine, over TLS or, for the demo, without."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from messages_app.replay.discord.faults import Fault
from messages_app.replay.discord.limits import Verdict
from messages_app.replay.discord.world import World

PREFIX = "/api/v10"
_AGENT = re.compile(r"DiscordBot \(\S+, \S+\)")
_PAGE = b"<!DOCTYPE html>\n<html><head><title>%s</title></head><body></body></html>\n"
_HUGE = 64 * 1024 * 1024
# A call that hangs "for ever" ends after a minute, lest a careless test leaves threads behind.
_LONGEST_HANG_S = 60.0


class Call(NamedTuple):
    """One call and what became of it."""

    path: str
    status: int
    agent: str


class Said(NamedTuple):
    """An answer: its status and JSON."""

    status: int
    body: Any


def _no(status: int, code: int, message: str) -> Said:
    return Said(status, {"message": message, "code": code})


class DiscordServer:
    """Serves a world until it is closed. `calls` are those that were answered or failed."""

    def __init__(
        self, world: World, *, port: int = 0, certificate: tuple[str, str] | None = None
    ) -> None:
        """`certificate` is the files of a certificate and its key; without it, it is plain HTTP."""
        self.world = world
        self.calls: list[Call] = []
        self.is_closing = threading.Event()
        server = self

        class Handler(_Handler):
            discord = server

        self._http = _Server(("127.0.0.1", port), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
            self.scheme = "https"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> DiscordServer:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """What POLLER_DISCORD_API is set to."""
        return f"{self.scheme}://127.0.0.1:{self.port}{PREFIX}"

    def close(self) -> None:
        self.is_closing.set()
        self._http.shutdown()
        self._http.server_close()

    def paths(self, pattern: str = "") -> list[str]:
        """The paths of the calls so far that hold this pattern, without the prefix."""
        return [call.path for call in self.calls if re.search(pattern, call.path)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_arguments: object) -> None:
        """A client that hangs up is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "discord"
    sys_version = ""
    # Small answers leave at once instead of waiting for more.
    disable_nagle_algorithm = True
    discord: DiscordServer

    def log_message(self, *_arguments: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(timestamp or self.discord.world.now_ms / 1000, usegmt=True)

    def do_GET(self) -> None:
        world = self.discord.world
        if world.latency_s:
            time.sleep(world.latency_s)
        path = self.path.removeprefix(PREFIX)
        fault = world.faults.take(path, world.now_ms)
        if fault is not None and self._fail(fault, path):
            return
        agent = self.headers.get("User-Agent", "")
        if not self.path.startswith(PREFIX) or not _AGENT.fullmatch(agent):
            self._page(403, b"Access denied", path)
            return
        if not world.is_token(self.headers.get("Authorization", "")):
            self._say(_no(401, 0, "401: Unauthorized"), path)
            return
        verdict = world.limits.take(*_bucket(path))
        if verdict.retry_after_s:
            self._refuse(verdict, path)
            return
        said = self._answer(path)
        self._say(said, path, verdict, drip_s=fault.seconds if fault else 0.0)

    def _answer(self, path: str) -> Said:
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case ["users", "@me"]:
                return Said(200, self.discord.world.me())
            case ["applications", "@me"]:
                return Said(200, self.discord.world.application())
            case ["guilds", guild_id, *rest]:
                return self._guild(guild_id, rest)
            case ["channels", channel_id, *rest]:
                return self._channel(channel_id, rest, query)
        return _no(404, 0, "404: Not Found")

    def _guild(self, guild_id: str, rest: list[str]) -> Said:
        world = self.discord.world
        guild = world.guild()
        if guild_id != guild["id"]:
            return _no(404, 10004, "Unknown Guild")
        match rest:
            case []:
                return Said(200, guild)
            case ["channels"]:
                return Said(200, world.channels())
            case ["roles"]:
                return Said(200, guild["roles"])
            case ["threads", "active"]:
                return Said(200, {"threads": world.active_threads(), "members": []})
            case ["scheduled-events"]:
                return Said(200, world.events)
            case ["members", user_id]:
                member = world.member(user_id)
                return Said(200, member) if member else _no(404, 10007, "Unknown Member")
        return _no(404, 0, "404: Not Found")

    def _channel(self, channel_id: str, rest: list[str], query: dict[str, str]) -> Said:
        world = self.discord.world
        channel = world.channel(channel_id)
        if channel is None:
            return _no(404, 10003, "Unknown Channel")
        if not world.may_view(channel_id):
            return _no(403, 50001, "Missing Access")
        match rest:
            case []:
                return Said(200, channel)
            case ["messages"]:
                return self._messages(channel, query)
            case ["messages", message_id, "reactions", emoji]:
                users = world.reacted(channel_id, message_id, unquote(emoji))
                if users is None:
                    return _no(404, 10014, "Unknown Emoji")
                after, limit = int(query.get("after", 0)), int(query.get("limit", 25))
                return Said(200, [user for user in users if int(user["id"]) > after][:limit])
            case ["threads", "archived", "public" | "private"]:
                return Said(200, {"threads": [], "members": [], "has_more": False})
        return _no(404, 0, "404: Not Found")

    def _messages(self, channel: dict[str, Any], query: dict[str, str]) -> Said:
        if channel["type"] in (4, 15, 16):
            return _no(400, 50024, "Cannot execute action on this channel type")
        bounds = [name for name in ("after", "before", "around") if name in query]
        try:
            limit = int(query.get("limit", 50))
            after = int(query["after"]) if "after" in query else None
            before = int(query["before"]) if "before" in query else None
        except ValueError:
            return _no(400, 50035, "Invalid Form Body")
        if len(bounds) > 1 or not 1 <= limit <= 100:
            return _no(400, 50035, "Invalid Form Body")
        return Said(200, self.discord.world.messages(channel["id"], limit, after, before))

    def _refuse(self, verdict: Verdict, path: str) -> None:
        scope = "global" if verdict.is_global else "user"
        self._limited(verdict.retry_after_s, scope, path, verdict)

    def _limited(
        self, wait_s: float, scope: str, path: str, verdict: Verdict | None = None
    ) -> None:
        body = {
            "message": "You are being rate limited.",
            "retry_after": round(wait_s, 3),
            "global": scope == "global",
        }
        headers = {"Retry-After": str(int(wait_s) + 1), "X-RateLimit-Scope": scope}
        if scope == "global":
            headers["X-RateLimit-Global"] = "true"
        self._say(Said(429, body), path, verdict, headers)

    def _fail(self, fault: Fault, path: str) -> bool:
        """Play the fault; return False where the call is answered all the same."""
        seconds = fault.seconds or 1.0
        match fault.name:
            case "slow":
                time.sleep(fault.seconds)
                return False
            case "drip":
                return False
            case "hang":
                self.discord.is_closing.wait(min(fault.seconds or 1e9, _LONGEST_HANG_S))
                self._hang_up(path)
            case "401":
                self._say(_no(401, 0, "401: Unauthorized"), path)
            case "403":
                self._say(_no(403, 50001, "Missing Access"), path)
            case "404":
                self._say(_no(404, 10003, "Unknown Channel"), path)
            case "429-user" | "429-global" | "429-shared":
                self._limited(seconds, fault.name[4:], path)
            case "ban":
                headers = {"Retry-After": str(int(seconds))}
                self._page(429, b"You are being rate limited", path, headers)
            case "500":
                self._say(Said(500, {"message": "500: Internal Server Error", "code": 0}), path)
            case "502-html":
                self._page(502, b"Bad Gateway", path)
            case "login":
                self._page(200, b"Welcome to the hotel", path)
            case "redirect":
                self._page(302, b"Found", path, {"Location": "https://hotel.example/login"})
            case "odd":
                self._say(Said(200, {"surprise": 1}), path)
            case "half":
                self._send(200, b'[{"id": "12', "application/json", path)
            case "huge":
                self._send(200, b"[" + b" " * _HUGE + b"]", "application/json", path)
            case "cut":
                self._cut(path)
            case "reset" | "close":
                self._hang_up(path, reset=fault.name == "reset")
        return True

    def _cut(self, path: str) -> None:
        """Announce more than is sent."""
        self._record(path, 200)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b'[{"id": "1234", "content": "')
        self.wfile.flush()
        self._hang_up("")

    def _hang_up(self, path: str, *, reset: bool = False) -> None:
        if path:
            self._record(path, 0)
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        else:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _say(
        self,
        said: Said,
        path: str,
        verdict: Verdict | None = None,
        headers: dict[str, str] | None = None,
        *,
        drip_s: float = 0.0,
    ) -> None:
        told = {**(verdict.headers() if verdict else {}), **(headers or {})}
        body = json.dumps(said.body).encode()
        self._send(said.status, body, "application/json", path, told, drip_s=drip_s)

    def _page(
        self, status: int, title: bytes, path: str, headers: dict[str, str] | None = None
    ) -> None:
        self._send(status, _PAGE % title, "text/html; charset=UTF-8", path, headers)

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        drip_s: float = 0.0,
    ) -> None:
        self._record(path, status)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if drip_s:
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            time.sleep(drip_s)
            body = body[half:]
        with suppress(OSError):
            self.wfile.write(body)

    def _record(self, path: str, status: int) -> None:
        self.discord.calls.append(Call(path, status, self.headers.get("User-Agent", "")))


def _bucket(path: str) -> tuple[str, str]:
    """The bucket that a call counts in, and its top-level resource."""
    words = urlsplit(path).path.strip("/").split("/")
    name = words[2] if len(words) == 3 else "/".join([*words[:1], *words[2:3], *words[4:5]])
    return name, words[1] if len(words) > 1 else ""
