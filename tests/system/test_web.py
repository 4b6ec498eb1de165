"""The web pages on a server: started by a request, apart from the polls, ended when idle."""

import json
from collections.abc import Iterator

import pytest

from tests.system import packages
from tests.system.machine import Machine, wait_until
from tests.system.server import CHANNEL, PROGRAM, STATE, TOKEN_FILE, Server
from tests.system.terminal import typed

# By its number, since a bare machine resolves no names.
URL = "http://127.0.0.1:8365"
SERVICE, SOCKET = "poller-web.service", "poller-web.socket"
USER = "discord-poller-web"
PASSWORD = "race-day-2026"
PACKAGED_REPLAY = "/usr/share/discord-poller/manage.py replay"
# Asks as a browser does, with cookies that last from one call to the next, and prints the answer
# as JSON. Fields make it open the page, fill in the form that it finds there, and send it.
BROWSER = """
import http.cookiejar, json, re, sys, urllib.error, urllib.parse, urllib.request
url, fields = json.load(sys.stdin)
jar = http.cookiejar.LWPCookieJar("/root/cookies")
try:
    jar.load(ignore_discard=True)
except FileNotFoundError:
    pass
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
def ask(request):
    try:
        answer = opener.open(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.url, answer.headers.get_content_type(), answer.read().decode()
answer = ask(urllib.request.Request(url, headers={"Host": "localhost"}))
if fields:
    token = re.search('name="csrfmiddlewaretoken" value="([^"]*)"', answer[3])[1]
    form = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}, doseq=True).encode()
    answer = ask(urllib.request.Request(url, form, {"Host": "localhost", "Referer": url}))
jar.save(ignore_discard=True)
print(json.dumps(answer))
"""


class Web(Server):
    """A server whose web pages are enabled, and a browser on the machine itself."""

    def open(self) -> None:
        """Make an operator's account, unless there is one, and enable the pages."""
        if "ada" not in self.command("dumpdata", "auth.user"):
            answers = {"Username": "ada\n", "Email": "\n", "Password: ": f"{PASSWORD}\n"}
            answers["(again)"] = f"{PASSWORD}\n"
            typed(self.machine, "discord-poller createsuperuser", answers)
        self.machine.run("systemctl", "enable", "--quiet", "--now", SOCKET)
        self.mark()

    def ask(self, path: str, **fields: str) -> tuple[int, str, str]:
        """Open a page, or send its form with these fields; return status, address and text."""
        given = json.dumps([URL + path, fields])
        python = ["/usr/bin/python3", "-I", "-c", BROWSER]
        printed = self.machine.run(*python, stdin=given, timeout_s=90).stdout
        status, url, _, text = json.loads(printed)
        return status, url.removeprefix(URL), text

    def log_in(self) -> None:
        status, path, _ = self.ask("/login/", username="ada", password=PASSWORD)
        assert (status, path) == (200, "/")

    def state(self) -> str:
        return self.machine.show(SERVICE, "ActiveState")

    def process(self) -> str:
        """The folder in /proc of the service's main process."""
        return f"/proc/{self.machine.show(SERVICE, 'MainPID')}"

    def told(self) -> list[str]:
        """What the service itself has written into the journal since the mark."""
        return [record["MESSAGE"] for record in self.journal(f"_SYSTEMD_UNIT={SERVICE}")]

    def as_the_service(self, script: str) -> str:
        """Run shell lines as the service's user, in what the service sees of the machine."""
        enter = f"nsenter --target {self.process().rpartition('/')[2]} --mount --"
        user = f"setpriv --reuid {USER} --regid discord-poller --init-groups --"
        return self.machine.run(
            "sh", "-c", f'{enter} {user} sh -c "$1"', "sh", script, check=False
        ).stdout


@pytest.fixture
def web(server: Server) -> Iterator[Web]:
    """The pages are enabled, nobody has asked for them yet, and an operator has an account."""
    web = Web(server.machine)
    web.open()
    yield web
    web.machine.run("systemctl", "disable", "--quiet", "--now", SOCKET, SERVICE)
    web.machine.run("rm", "-f", "/root/cookies")


@pytest.fixture(
    params=[pytest.param(each, id=f"{each.name}_package") for each in packages.RELEASES]
)
def packaged(request: pytest.FixtureRequest) -> Iterator[Web]:
    """The same from the Debian package and what it recommends, on a machine of its own."""
    release = request.param
    with Machine(f"{release.name}-web", packages.installed(release)) as machine:
        web = Web(machine)
        web.settings({"POLLER_EXPORTER": "/usr/bin/python3 -I -S " + PACKAGED_REPLAY})
        machine.write(TOKEN_FILE, "a.token\n", 0o600)
        web.add_session("--channel", CHANNEL)
        web.open()
        yield web


def test_the_first_request_starts_the_service_and_is_answered(web: Web) -> None:
    assert (web.machine.show(SOCKET, "ActiveState"), web.state()) == ("active", "inactive")

    status, path, text = web.ask("/")

    assert (status, path) == (200, "/login/?next=/")
    assert "Log in" in text
    assert web.state() == "active"
    for name in ("web.css", "web.js", "mark.svg"):
        (address,) = {part for part in text.split('"') if part.startswith(f"/static/web/{name}")}
        assert web.ask(address)[0] == 200
    assert web.told() == []


def test_an_operator_logs_in_watches_a_poll_and_schedules_a_session(web: Web) -> None:
    web.machine.run("systemctl", "start", "poller.service")
    (record,) = web.polls()
    assert int(record["MESSAGES_READ"]) > 0
    web.log_in()

    _, _, home = web.ask("/")
    _, _, session = web.ask("/sessions/1/")
    status, path, saved = web.ask(
        "/schedule/",
        title="Night stint",
        start="2031-05-01T20:00:00",
        end="2031-05-01T22:00:00",
        zone="Europe/Berlin",
        channels=CHANNEL,
    )

    assert "Race day" in home
    assert session.count('class="message') > 0
    assert (status, path.startswith("/sessions/")) == (200, True), saved
    assert "2031-05-01 18:00" in web.command("session", "list")
    web.machine.run("systemctl", "start", "poller.service")
    assert len(web.polls()) == 2


def test_it_ends_when_nobody_asks_and_the_next_request_starts_it_again(web: Web) -> None:
    web.drop_in(SERVICE, "[Service]\nEnvironment=WEB_IDLE_EXIT_S=1\n")
    web.log_in()
    first = web.process()

    wait_until(lambda: web.state() == "inactive", "the idle service ends")

    assert web.machine.show(SERVICE, "Result") == "success"
    assert web.ask("/")[:2] == (200, "/")  # still logged in
    assert web.process() not in (first, "/proc/0")
    assert web.told() == []


def test_stop_start_and_restart_leave_it_answering(web: Web) -> None:
    assert web.ask("/login/")[0] == 200
    for command in (f"stop {SERVICE}", f"start {SERVICE}", f"restart {SERVICE} {SOCKET}"):
        web.machine.run("systemctl", *command.split())
        assert web.ask("/login/")[0] == 200
    web.machine.run("systemctl", "daemon-reload")
    web.machine.run("systemctl", "kill", "--signal=KILL", SERVICE)
    wait_until(lambda: web.state() != "active", "the killed service has ended")
    assert web.ask("/login/")[0] == 200


def test_polls_go_on_beside_it(web: Web) -> None:
    web.log_in()
    web.enable()
    for _ in range(3):
        web.assert_polls_on()
        assert web.ask("/sessions/1/")[0] == 200
    assert web.failures() == web.failures(SERVICE) == []


def test_health_sees_the_timer_from_within_the_sandbox(web: Web) -> None:
    web.log_in()
    assert "Timer: off" in web.ask("/health/")[2]
    web.enable()
    web.wait_for_poll()
    _, _, page = web.ask("/health/")
    assert "Timer: waiting" in page or "Timer: a poll runs now" in page


def test_it_reads_no_token_and_writes_only_its_own(web: Web) -> None:
    web.settings({"DISCORD_TOKEN": "a.token-in-poller.conf"})
    web.machine.write("/etc/credstore/anything", "x", 0o644)
    web.machine.write("/home/private", "x", 0o644)
    database = f"{STATE}/db.sqlite3"
    web.log_in()

    owner = web.machine.sh(f"stat --format %U:%G {web.process()}").strip()
    environment = web.machine.sh(f"tr '\\0' '\\n' < {web.process()}/environ")
    read = web.as_the_service(
        f"for f in {TOKEN_FILE} /etc/discord-poller/poller.conf /etc/credstore/anything"
        f" /home/private {STATE}/secret-key {database} /run/credentials/*/* /proc/1/environ; do"
        ' if cat "$f" >/dev/null 2>&1; then echo "$f"; fi; done'
    )
    written = web.as_the_service(
        f"for d in / /etc /root /usr/local {PROGRAM} /var/lib /var/cache /opt {STATE} /tmp"
        f' /var/lib/{USER}; do if touch "$d/x" 2>/dev/null; then echo "$d"; rm "$d/x"; fi; done'
    )

    assert owner == f"{USER}:discord-poller"
    assert "DATABASE_URL" in environment
    assert "DISCORD_TOKEN" not in environment
    assert read.split() == [database]
    assert written.split() == [STATE, "/tmp", f"/var/lib/{USER}"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"POLLER_WINDOW": "soon"}, "POLLER_WINDOW='soon' is not a whole number"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:9/poller"}, "The database cannot be reach"),
    ],
    ids=["setting", "database"],
)
def test_who_asks_a_server_that_cannot_start_is_told_so_and_the_journal_why(
    web: Web, wrong: dict[str, str], sentence: str
) -> None:
    web.settings(wrong)
    web.machine.run("systemctl", "stop", "poller-migrate.service")

    answers = [web.ask("/login/") for _ in range(4)]

    assert {status for status, _, _ in answers} == {503}
    assert "journalctl -u poller-web" in answers[0][2]
    (told,) = web.told()
    assert told.startswith(sentence)
    assert web.machine.show(SERVICE, "StatusText").startswith(sentence)


def test_the_pages_come_back_by_themselves_once_a_setting_is_mended(web: Web) -> None:
    web.settings({"POLLER_PUBLIC": "perhaps"})
    assert web.ask("/login/")[0] == 503
    web.settings()
    wait_until(lambda: web.ask("/login/")[0] == 200, "the pages are back", 60, 1)
    assert len(web.told()) == 1
    assert web.machine.show(SOCKET, "ActiveState") == "active"


def test_the_key_that_signs_logins_may_stand_in_a_file_but_not_among_the_secrets(web: Web) -> None:
    for folder in ("/etc/discord-poller", "/etc"):
        key = f"{folder}/web-key"
        web.machine.write(key, "a-key-of-the-operators-own\n", 0o640)
        web.machine.run("chgrp", "discord-poller", key)
        web.settings({"POLLER_SECRET_KEY_FILE": key})
        if folder == "/etc/discord-poller":  # the pages must not see the token
            assert web.ask("/login/")[0] == 503
            assert web.told()[0].startswith(f"POLLER_SECRET_KEY_FILE ({key}) cannot be read")
    wait_until(lambda: web.ask("/login/")[0] == 200, "the pages are there", 60, 1)
    web.log_in()
    web.machine.run("systemctl", "restart", SERVICE)
    assert web.ask("/")[1] == "/"

    web.machine.write("/etc/web-key", "another-key\n", 0o640)
    web.machine.run("systemctl", "restart", SERVICE)
    assert web.ask("/")[1] == "/login/?next=/"


def test_a_missing_library_is_told_in_a_sentence(web: Web) -> None:
    package = web.machine.sh(f"ls -d {PROGRAM}/venv/lib/python3*/site-packages/waitress").strip()
    web.machine.run("mv", package, f"{package}.away")
    try:
        assert web.ask("/")[0] == 503
        assert [told.partition(":")[0] for told in web.told()] == ["The web side needs waitress"]
    finally:
        web.machine.run("mv", f"{package}.away", package)
    web.machine.run("systemctl", "restart", SERVICE)
    assert web.ask("/login/")[0] == 200


def test_the_package_serves_them_with_debians_own_libraries(packaged: Web) -> None:
    packaged.machine.run("systemctl", "start", "poller.service")
    packaged.log_in()
    _, _, session = packaged.ask("/sessions/1/")
    assert session.count('class="message') > 0
    assert packaged.told() == []
