"""Connections: kept alive, through proxies, with certificates that are checked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from messages_app.discord.transport import parse_address, proxy_for
from messages_app.errors import ConfigurationError, DiscordUnreachable
from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.scenario import Scenario
from tests.discord.asking import Asking


class Proxy:
    """An HTTP proxy that connects through to whatever it is asked for."""

    def __init__(self, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self.refuses = refuses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            self.asked.append(request.decode())
            if self.refuses:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            host, _, port = request.split()[1].decode().partition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


def test_one_connection_serves_all_calls(
    scenario: Scenario, discord: DiscordServer, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    connect = socket.create_connection

    def counted(*arguments: Any, **options: Any) -> socket.socket:
        opened.append(arguments)
        return connect(*arguments, **options)

    monkeypatch.setattr("socket.create_connection", counted)
    for number in range(250):
        scenario.channel("201").post(number / 5, f"n{number}")
    assert len(asking.export().messages) == 250
    assert len(asking.calls()) > 4
    assert len(opened) == 1


def test_a_connection_that_was_closed_meanwhile_costs_no_attempt(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    scenario.channel("201").post(5, "words")
    discord.world.faults.add("close", "messages", times=1)
    assert asking.export().contents == ["words"]


def test_an_untrusted_certificate_is_told(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    asking.new_run()
    failure = asking.export().failure
    assert isinstance(failure, DiscordUnreachable)
    assert "its certificate is not trusted" in str(failure)
    assert asking.calls() == []


def test_a_port_that_nobody_listens_on_is_told(discord: DiscordServer, asking: Asking) -> None:
    discord.close()
    assert "Connection refused" in str(asking.export().failure)


def test_calls_go_through_the_proxy_of_the_environment(
    scenario: Scenario, asking: Asking, proxy: Proxy
) -> None:
    scenario.channel("201").post(5, "words")
    asking.environ = {"HTTPS_PROXY": f"http://user:pass%20word@127.0.0.1:{proxy.port}"}
    asking.new_run()
    assert asking.export().contents == ["words"]
    assert len(proxy.asked) == 1
    assert "Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in proxy.asked[0]
    assert "Bot " not in proxy.asked[0]


def test_a_proxy_that_refuses_is_told_without_its_password(asking: Asking, proxy: Proxy) -> None:
    proxy.refuses = True
    asking.environ = {"HTTPS_PROXY": f"http://user:hidden@127.0.0.1:{proxy.port}"}
    asking.new_run()
    failure = str(asking.export().failure)
    assert "407" in failure
    assert "hidden" not in failure


@pytest.mark.parametrize("names", ["127.0.0.1", "example.org, 127.0.0.1", "*"])
def test_no_proxy_excepts_names(names: str) -> None:
    address = parse_address("https://127.0.0.1:8443/api/v10")
    assert proxy_for(address, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": names}) is None


def test_a_domain_of_no_proxy_excepts_what_is_below_it() -> None:
    environ = {"https_proxy": "p.example:3128", "no_proxy": ".discord.com"}
    assert proxy_for(parse_address("https://api.discord.com/api/v10"), environ) is None
    proxy = proxy_for(parse_address("https://notdiscord.com/api/v10"), environ)
    assert proxy
    assert (proxy.host, proxy.port) == ("p.example", 3128)


@pytest.mark.parametrize("url", ["https://p:3128", "socks5://p:1080", "http://:1", "http://p:0"])
def test_a_proxy_that_cannot_be_meant_is_a_setting_to_correct(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY"):
        proxy_for(parse_address("https://discord.com/api/v10"), {"HTTPS_PROXY": url})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("discord.com", "is not an address"),
        ("ftp://discord.com", "is not an address"),
        ("http://discord.com/api/v10", "plain HTTP"),
        ("https://u:p@discord.com/api/v10", "user name"),
        ("https://discord.com/api/v10?x=1", "is not an address"),
    ],
)
def test_error_for_an_address_that_is_none(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_address(url)


def test_plain_http_is_for_this_machine() -> None:
    address = parse_address("http://127.0.0.1:8400/api/v10/")
    assert address == (False, "127.0.0.1", 8400, "/api/v10")
