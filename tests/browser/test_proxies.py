"""The sample configurations of nginx and Caddy serve the site over TLS as the docs promise."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.activation import SERVE
from tests.browser.conftest import ROOT, free_port, wait_for

HOST = "poller.example.org"
PATH = f"{os.environ['PATH']}:/usr/sbin"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def ask(port: int, path: str, *, tls: bool = True) -> Answer:
    """A request as a browser sends it that takes this machine for poller.example.org."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = _NamedConnection("127.0.0.1", port, context=context, timeout=30)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": HOST})
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, headers, response.read().decode(errors="replace"))
    connection.close()
    return answer


class _NamedConnection(http.client.HTTPSConnection):
    """Tells the server which name is meant, as TLS wants it, while it connects to loopback."""

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        context: ssl.SSLContext = vars(self)["_context"]
        self.sock = context.wrap_socket(self.sock, server_hostname=HOST)


@contextmanager
def running(*command: str, **environ: str) -> Iterator[None]:
    process = subprocess.Popen(command, env={"PATH": PATH, **environ}, cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def app_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The web side, told the name that it is known by."""
    port = free_port()
    environ = {
        "POLLER_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "POLLER_ALLOWED_HOSTS": HOST,
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env={"PATH": PATH, **environ}, cwd=ROOT, check=True)
    serve = (sys.executable, "-I", SERVE)
    with running(*serve, "--bind", f"127.0.0.1:{port}", **environ):
        wait_for(port)
        yield port


def check_site(port: int) -> None:
    login = ask(port, "/login/")
    assert login.status == 200
    assert "Log in" in login.text
    assert "max-age=31536000" in login.headers["strict-transport-security"]
    assert "; Secure" in login.headers["set-cookie"]
    assert "default-src 'none'" in login.headers["content-security-policy"]
    style = ask(port, "/static/web/web.css")
    assert (style.status, style.headers["content-type"]) == (200, 'text/css; charset="utf-8"')
    assert ask(port, "/").headers["location"] == "/login/?next=/"


def test_without_a_proxy_everything_is_redirected_to_tls(app_port: int) -> None:
    answer = ask(app_port, "/login/", tls=False)
    assert answer.status == 301
    assert answer.headers["location"] == f"https://{HOST}/login/"


def test_nginx_serves_the_site_with_the_sample(app_port: int, tmp_path: Path) -> None:
    tls_port, plain_port = free_port(), free_port()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={HOST}", "-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    sample = (ROOT / "packaging" / "nginx.conf").read_text()
    for old, new in {
        "listen 443 ssl;": f"listen 127.0.0.1:{tls_port} ssl;",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "    listen [::]:443 ssl;\n": "",
        "    listen [::]:80;\n": "",
        "127.0.0.1:8365": f"127.0.0.1:{app_port}",
        f"/etc/ssl/certs/{HOST}.pem": str(certificate),
        f"/etc/ssl/private/{HOST}.key": str(key),
    }.items():
        assert old in sample
        sample = sample.replace(old, new)
    config = tmp_path / "nginx.conf"
    paths = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off;\n{paths}{sample}\n}}\n"
    )
    with running("nginx", "-e", "stderr", "-c", str(config)):
        wait_for(plain_port)
        check_site(tls_port)
        plain = ask(plain_port, "/sessions/1/", tls=False)
        assert plain.headers["location"] == f"https://{HOST}/sessions/1/"


def test_caddy_serves_the_site_with_the_sample(app_port: int, tmp_path: Path) -> None:
    port, plain_port = free_port(), free_port()
    sample = (ROOT / "packaging" / "Caddyfile").read_text()
    for old, new in {
        f"{HOST} {{": f"https://{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls internal",
        "127.0.0.1:8365": f"127.0.0.1:{app_port}",
    }.items():
        assert old in sample
        sample = sample.replace(old, new)
    config = tmp_path / "Caddyfile"
    config.write_text(
        f"{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {plain_port}\n"
        f"\tauto_https disable_redirects\n}}\n{sample}"
    )
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    with running("caddy", "run", "--config", str(config), "--adapter", "caddyfile", **home):
        wait_for(port)
        check_site(port)
