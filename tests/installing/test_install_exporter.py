"""The installation of the exporter, from archives of a local HTTP server."""

from __future__ import annotations

import fcntl
import hashlib
import http.server
import io
import os
import pty
import ssl
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT
from messages_app.errors import ArchiveRefused, UsageError
from messages_app.installing import archive as archive_module
from messages_app.installing import download
from messages_app.installing.archive import unpack
from messages_app.installing.installed import MARK, InstalledExporters
from messages_app.installing.release import ARCHITECTURES, archive_url, release_page

MANAGE = str(Path(CHECKOUT) / "manage.py")
PROGRAM = "DiscordChatExporter.Cli"
MACHINE = os.uname().machine
NO_DIGEST = "0" * 64


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """An archive of files, the same bytes at any time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def release(says: str = "2.47") -> bytes:
    """An archive as a release has it, whose program prints a word."""
    return zipped({PROGRAM: f"#!/bin/sh\necho {says}\n", "Some.dll": b"MZ", "deep/er.json": "{}"})


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Site(http.server.ThreadingHTTPServer):
    """A site that answers each path with what `pages` holds; logs nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.pages: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.announced: dict[str, int] = {}
        self.asked: list[str] = []
        self.scheme = "http"

    def url(self, path: str) -> str:
        return f"{self.scheme}://localhost:{self.server_port}{path}"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
        elif self.path in self.server.pages:
            data = self.server.pages[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(self.server.announced.get(self.path, len(data))))
            self.end_headers()
            self.wfile.write(data)
        else:
            self.send_error(404)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def served(site: Site) -> Iterator[Site]:
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with served(Site()) as site:
        yield site


class Installer:
    """`install-exporter` as a process, which has no site-packages and so no Django."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.current = folder / "current"

    def argv(self, *words: str) -> list[str]:
        command = [sys.executable, "-I", "-S", MANAGE, "install-exporter"]
        return [*command, *words, "--folder", str(self.folder)]

    def __call__(self, *words: str, status: int = 0, **environ: str) -> str:
        done = subprocess.run(
            self.argv(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], **environ},
            timeout=60,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        assert "Traceback" not in output
        return output

    def from_archive(self, data: bytes, *words: str, status: int = 0) -> str:
        """Install from a file with this content, its digest given."""
        file = self.folder.parent / "exporter.zip"
        file.write_bytes(data)
        return self("--from", str(file), "--sha256", digest_of(data), *words, status=status)

    def on_terminal(self, answer: str, *words: str) -> tuple[int, str]:
        """Run it on a terminal where somebody types an answer; return its status and its words."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.argv(*words), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        said = b""
        while data := _read(ours):
            said += data
        os.close(ours)
        return process.wait(60), said.decode()

    def says(self) -> str:
        """What the exporter in use prints."""
        return subprocess.run(
            [self.current / PROGRAM], capture_output=True, text=True
        ).stdout.strip()

    def kept(self) -> list[str]:
        """The names of all that lies in the folder, but for the mark that it is the installer's."""
        return sorted(path.name for path in self.folder.iterdir() if path.name != MARK)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.fixture
def install(tmp_path: Path) -> Installer:
    return Installer(tmp_path / "exporter")


def test_a_release_is_fetched_verified_and_unpacked(install: Installer, site: Site) -> None:
    site.pages["/cli.zip"] = release()

    output = install("--url", site.url("/cli.zip"), "--sha256", digest_of(release()))

    assert f"Installed the exporter from {site.url('/cli.zip')}.\n" in output
    assert install.says() == "2.47"
    assert (install.current / "deep/er.json").read_text() == "{}"


def test_all_may_run_it_and_none_but_its_owner_may_write_it(install: Installer) -> None:
    install.from_archive(release())

    unpacked = install.current.resolve()

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(unpacked / PROGRAM) == 0o755
    assert mode(unpacked / "Some.dll") == mode(unpacked / "deep/er.json") == 0o644
    assert mode(unpacked / "deep") == mode(unpacked) == mode(install.folder) == 0o755


def test_a_digest_is_taken_as_the_releases_show_it(install: Installer, site: Site) -> None:
    site.pages["/cli.zip"] = release()

    install("--url", site.url("/cli.zip"), "--sha256", f"sha256:{digest_of(release()).upper()}")

    assert install.says() == "2.47"


def test_another_digest_is_refused(install: Installer, site: Site) -> None:
    site.pages["/cli.zip"] = release()

    output = install("--url", site.url("/cli.zip"), "--sha256", NO_DIGEST, status=65)

    assert digest_of(release()) in output
    assert install.kept() == []


def test_what_is_no_digest_is_refused_before_anything_is_fetched(install: Installer) -> None:
    assert "64 hexadecimal digits" in install("--sha256", "cafe", status=2)


def test_without_a_digest_somebody_must_be_there_to_confirm_it(install: Installer) -> None:
    assert "--sha256" in install("--version", "2.47", status=2)


def test_somebody_who_confirms_the_digest_gets_the_exporter(
    install: Installer, tmp_path: Path
) -> None:
    file = tmp_path / "cli.zip"
    file.write_bytes(release())

    status, said = install.on_terminal("yes\n", "--from", str(file), "--version", "2.47.1")

    assert status == 0, said
    assert digest_of(release()) in said
    assert release_page("2.47.1") in said
    assert install.says() == "2.47"


@pytest.mark.parametrize("answer", ["no\n", "\n", "\x04"])
def test_somebody_who_does_not_confirm_the_digest_gets_nothing(
    install: Installer, tmp_path: Path, answer: str
) -> None:
    file = tmp_path / "cli.zip"
    file.write_bytes(release())

    status, said = install.on_terminal(answer, "--from", str(file))

    assert status == 65, said
    assert install.kept() == []


def test_ctrl_c_ends_it_in_a_sentence(install: Installer, tmp_path: Path) -> None:
    file = tmp_path / "cli.zip"
    file.write_bytes(release())
    argv = install.argv("--from", str(file))
    ours, theirs = pty.openpty()
    script = 'exec "$@"'
    process = subprocess.Popen(
        ["setsid", "--ctty", "sh", "-c", script, "sh", *argv],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while b"Type yes" not in said:
        said += _read(ours)
    os.write(ours, b"\x03")
    while data := _read(ours):
        said += data
    os.close(ours)

    assert process.wait(60) == 130
    assert b"Traceback" not in said
    assert install.kept() == []


def test_the_former_exporter_is_kept_and_older_ones_are_not(install: Installer) -> None:
    for version in ("2.45", "2.46", "2.47"):
        output = install.from_archive(release(version), "--version", version)

    assert "the former one (2.46) is kept for --rollback" in output
    assert [name.partition("-")[0] for name in install.kept()] == [
        *("2.46", "2.47", "current", "former")
    ]


def test_a_rollback_brings_the_former_exporter_back_and_another_the_newer_one(
    install: Installer,
) -> None:
    install.from_archive(release("2.46"), "--version", "2.46")
    install.from_archive(release("2.47"), "--version", "2.47")

    assert install("--rollback") == "The exporter is 2.46 again.\n"
    assert install.says() == "2.46"
    assert install("--rollback") == "The exporter is 2.47 again.\n"
    assert install.says() == "2.47"


def test_error_for_a_rollback_without_a_former_exporter(install: Installer) -> None:
    install.from_archive(release())

    assert "no former exporter" in install("--rollback", status=2)
    assert install.says() == "2.47"


def test_what_an_interrupted_installation_left_is_removed(install: Installer) -> None:
    install.from_archive(release("2.46"))
    (install.folder / "2.47-half").mkdir()
    (install.folder / "2.47-half" / MARK).touch()
    (install.folder / "current.new").symlink_to("nowhere")

    install.from_archive(release())

    assert install.says() == "2.47"
    assert "2.47-half" not in install.kept()
    assert "current.new" not in install.kept()


@pytest.mark.parametrize("words", [(), ("--rollback",)], ids=["install", "rollback"])
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(
    install: Installer, words: tuple[str, ...]
) -> None:
    keepsake = install.folder / "photos" / "1.jpg"
    keepsake.parent.mkdir(parents=True)
    keepsake.write_text("dear")
    (install.folder / "current").symlink_to("photos")

    output = install(*words, status=2) if words else install.from_archive(release(), status=2)

    assert "has not put there" in output
    assert keepsake.read_text() == "dear"
    assert install.kept() == ["current", "photos"]


def test_what_somebody_puts_beside_the_exporters_stays(install: Installer) -> None:
    install.from_archive(release("2.45"))
    (install.folder / "notes").write_text("why 2.45")
    (install.folder / "backup").mkdir()
    (install.folder / "backup" / "1").touch()
    (install.folder / "elsewhere").symlink_to(install.folder.parent)

    for version in ("2.46", "2.47"):
        install.from_archive(release(version))

    assert {"notes", "backup", "elsewhere"} < set(install.kept())
    assert len(install.kept()) == 3 + 4
    assert (install.folder / "backup" / "1").exists()


@pytest.mark.parametrize("is_the_services", [True, False])
def test_the_first_releases_folder_counts_as_marked_where_the_service_looks_for_it(
    tmp_path: Path, is_the_services: bool
) -> None:
    for name in ("2.45-a", "2.46-b", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "former").symlink_to("2.45-a")
    (tmp_path / "current").symlink_to("2.46-b")
    exporters = InstalledExporters(tmp_path, is_the_services=is_the_services)
    if not is_the_services:
        with pytest.raises(UsageError, match="has not put there"), exporters.locked():
            pass
        return
    with exporters.locked():
        exporters.use(exporters.new_folder("2.47"))
    left = {path.name.partition("-")[0] for path in tmp_path.iterdir() if path.name != MARK}
    assert left == {"2.46", "2.47", "notes", "former", "current"}


@pytest.mark.parametrize("target", ["..", "/etc", "gone", "a/b", "."])
def test_error_for_links_that_lead_elsewhere(install: Installer, target: str) -> None:
    install.from_archive(release())
    install.current.unlink()
    install.current.symlink_to(target)

    assert "no link to an installed exporter" in install.from_archive(release(), status=2)


def test_error_for_a_file_where_a_link_should_be(install: Installer) -> None:
    install.from_archive(release())
    (install.folder / "former").write_text("")

    assert "no link to an installed exporter" in install("--rollback", status=2)


@pytest.mark.parametrize("option", ["--from", "--url", "--folder"])
def test_error_for_an_empty_name(install: Installer, option: str) -> None:
    words = [option, ""]
    done = subprocess.run(
        [*install.argv()[:-2], *words, "--sha256", NO_DIGEST], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (2, f"{option} needs a name.\n")


def test_a_broken_archive_ends_in_a_sentence_wherever_it_is_broken(tmp_path: Path) -> None:
    whole = zipped({PROGRAM: "#!/bin/sh\n", "deep/er.json": "{}" * 50})
    for number in range(len(whole)):
        for byte in {0x00, 0xFF, whole[number] ^ 0x01}:
            broken = whole[:number] + bytes([byte]) + whole[number + 1 :]
            folder = tmp_path / f"{number}-{byte}"
            folder.mkdir()
            with suppress(ArchiveRefused):
                unpack(io.BytesIO(broken), folder, MACHINE)


def test_two_installations_at_once_are_refused(install: Installer) -> None:
    install.from_archive(release("2.46"))
    descriptor = os.open(install.folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    output = install.from_archive(release(), status=2)
    os.close(descriptor)

    assert "under way" in output
    assert install.says() == "2.46"


def test_error_for_a_folder_that_cannot_be_made(install: Installer) -> None:
    install.folder = Path("/dev/null/exporter")

    assert "cannot be used" in install("--rollback", status=2)


def test_error_for_a_file_that_is_not_there(install: Installer) -> None:
    output = install("--from", "/nonexistent.zip", "--sha256", NO_DIGEST, status=2)

    assert output == "/nonexistent.zip cannot be read (No such file or directory).\n"


def test_error_for_an_address_that_is_none_of_the_web(install: Installer, tmp_path: Path) -> None:
    (tmp_path / "cli.zip").write_bytes(release())

    output = install("--url", f"file://{tmp_path}/cli.zip", "--sha256", NO_DIGEST, status=2)

    assert "https://" in output


def test_error_for_a_missing_page(install: Installer, site: Site) -> None:
    output = install("--url", site.url("/cli.zip"), "--sha256", NO_DIGEST, status=69)

    assert "status 404" in output


def test_error_for_a_site_that_does_not_answer(install: Installer) -> None:
    with served(Site()) as site:
        url = site.url("/cli.zip")

    assert "Connection refused" in install("--url", url, "--sha256", NO_DIGEST, status=69)


def test_error_for_an_answer_that_is_cut(install: Installer, site: Site) -> None:
    site.pages["/cli.zip"] = release()
    site.announced["/cli.zip"] = len(release()) + 1

    output = install("--url", site.url("/cli.zip"), "--sha256", digest_of(release()), status=69)

    assert "was cut" in output
    assert install.kept() == []


def test_a_redirection_is_followed(install: Installer, site: Site) -> None:
    site.pages["/store/1"] = release()
    site.redirects["/cli.zip"] = site.url("/store/1")

    install("--url", site.url("/cli.zip"), "--sha256", digest_of(release()))

    assert install.says() == "2.47"


def test_a_redirection_that_gives_up_encryption_is_refused(
    install: Installer, site: Site, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    site.pages["/store/1"] = release()
    safe = Site()
    safe.scheme = "https"
    safe.redirects["/cli.zip"] = site.url("/store/1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    safe.socket = context.wrap_socket(safe.socket, server_side=True)
    with served(safe):
        output = install(
            *("--url", safe.url("/cli.zip"), "--sha256", digest_of(release())),
            status=65,
            SSL_CERT_FILE=str(certificate),
        )

    assert "without encryption" in output
    assert install.kept() == []
    assert site.asked == []


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("http://192.0.2.1/cli.zip", 65, "without encryption"),
        ("https://[", 69, "cannot be fetched"),
        ("file:///etc/passwd", 69, "cannot be fetched"),
    ],
)
def test_error_for_an_address_that_others_can_change_on_the_way(
    install: Installer, site: Site, url: str, status: int, words: str
) -> None:
    assert "begins with https" in install("--url", url, "--sha256", NO_DIGEST, status=2)
    site.redirects["/cli.zip"] = url
    output = install("--url", site.url("/cli.zip"), "--sha256", NO_DIGEST, status=status)
    assert words in output


def test_an_answer_without_an_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_ARCHIVE_BYTES", 1000)

    with pytest.raises(ArchiveRefused, match="larger than"):
        download.copy_bounded(io.BytesIO(bytes(1001)), io.BytesIO())


def entry(name: str, mode: int = 0) -> bytes:
    """An archive of the program and of one more entry, with a name and a mode of Unix."""
    content = io.BytesIO(release())
    with zipfile.ZipFile(content, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, "/etc/passwd")
    return content.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(entry("../evil"), id="above"),
        pytest.param(entry("deep/../../evil"), id="above, on a detour"),
        pytest.param(entry("/tmp/evil"), id="absolute"),
        pytest.param(entry("..\\evil"), id="in the way of Windows"),
        pytest.param(entry("link", stat.S_IFLNK | 0o777), id="symbolic link"),
        pytest.param(entry("device", stat.S_IFBLK | 0o666), id="device"),
        pytest.param(entry("pipe", stat.S_IFIFO | 0o666), id="pipe"),
    ],
)
def test_an_archive_that_escapes_its_folder_is_refused(install: Installer, data: bytes) -> None:
    install.from_archive(release("2.46"))
    before = install.kept()

    install.from_archive(data, status=65)

    assert install.says() == "2.46"
    assert install.kept() == before
    assert not (install.folder / "evil").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_has_a_file_twice_is_refused(install: Installer) -> None:
    assert "File exists" in install.from_archive(entry("Some.dll"), status=65)


def test_an_archive_that_is_cut_or_none_is_refused(install: Installer) -> None:
    for data in (release()[:-30], b"<html>", b""):
        assert "not a whole ZIP file" in install.from_archive(data, status=65)


def test_an_archive_with_a_damaged_file_is_refused(install: Installer) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(PROGRAM, "#!/bin/sh\necho good\n")

    damaged = content.getvalue().replace(b"good", b"evil")

    assert "not a whole ZIP file" in install.from_archive(damaged, status=65)


def test_an_archive_that_swells_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive_module, "MAX_UNPACKED_BYTES", 1024**2)
    bomb = zipped({PROGRAM: "#!/bin/sh\n", "zeros": bytes(1024**2)})

    with pytest.raises(ArchiveRefused, match="unpacks to more than"):
        unpack(io.BytesIO(bomb), tmp_path, MACHINE)


def test_an_archive_that_holds_more_than_it_says_is_refused(tmp_path: Path) -> None:
    bomb = bytearray(zipped({PROGRAM: bytes(4096)}))
    directory = bomb.rindex(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (16).to_bytes(4, "little")

    with pytest.raises(ArchiveRefused, match="not a whole ZIP file"):
        unpack(io.BytesIO(bytes(bomb)), tmp_path, MACHINE)


def test_an_archive_of_too_many_files_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(archive_module, "MAX_FILES", 2)

    with pytest.raises(ArchiveRefused, match="has 3 files"):
        unpack(io.BytesIO(release()), tmp_path, MACHINE)


def test_an_archive_of_something_else_is_refused(install: Installer) -> None:
    data = zipped({"DiscordChatExporter.Cli.exe": b"MZ"})

    assert f"no {PROGRAM} in it" in install.from_archive(data, status=65)


def program_for(elf_machine: int) -> bytes:
    head = b"\x7fELF\x02\x01\x01" + bytes(11) + elf_machine.to_bytes(2, "little")
    return zipped({PROGRAM: head})


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_program_for_this_machine_is_taken_and_one_for_another_is_not(
    machine: str, tmp_path: Path
) -> None:
    for other, architecture in ARCHITECTURES.items():
        folder = tmp_path / other
        folder.mkdir()
        archive = io.BytesIO(program_for(architecture.elf_machine))
        if other == machine:
            unpack(archive, folder, machine)
        else:
            with pytest.raises(ArchiveRefused, match="cannot run"):
                unpack(archive, folder, machine)


def test_a_program_for_another_system_is_refused(tmp_path: Path) -> None:
    mach_o = zipped({PROGRAM: b"\xcf\xfa\xed\xfe" + bytes(100)})

    with pytest.raises(ArchiveRefused, match="cannot run"):
        unpack(io.BytesIO(mach_o), tmp_path, MACHINE)


def test_the_release_is_the_one_for_this_machine() -> None:
    assert archive_url("2.47", "x86_64").endswith("/2.47/DiscordChatExporter.Cli.linux-x64.zip")
    assert archive_url("2.47", "aarch64").endswith("/2.47/DiscordChatExporter.Cli.linux-arm64.zip")
    with pytest.raises(UsageError, match="riscv64"):
        archive_url("2.47", "riscv64")


@pytest.mark.parametrize("version", ["latest", "2", "2.47/../../x", "2.47\n", ""])
def test_error_for_a_version_that_is_none(install: Installer, version: str) -> None:
    output = install("--version", version, "--sha256", NO_DIGEST, status=2)

    assert "is not a version" in output
