"""The Debian package on machines: built on one that has the tools, installed on a bare one."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.system import disks
from tests.system.machine import Machine

FOLDER = "/srv/packages"
NEXT_MIGRATION = "0999_next"
BARE = ("systemd", "systemd-sysv", "dbus", "sudo")
TOOLS = (
    *("systemd", "systemd-sysv", "dbus", "build-essential", "debhelper", "dh-python", "git"),
    *("lintian", "make", "pkgconf"),
)
# What the package depends on and recommends, with what those need in turn: bare machines have it
# in apt's cache, since they reach no network.
FETCHED = (
    *("python3-systemd", "ca-certificates", "python3-waitress"),
    *("python3-markdown-it", "python3-whitenoise"),
)
# What checks a package as Debian does.
CHECKERS = ("autopkgtest", "dpkg-dev", "piuparts")
# Gives a source tree a later version with one more migration, as a release would be.
MAKE_NEXT = f"""
sed -i '1s/(.*)/(9.0.0-1)/' packaging/debian/changelog
sed -i 's/^VERSION = .*/VERSION = "9.0.0"/' messages_app/version.py
sed -i 's/^LATEST_MIGRATION = .*/LATEST_MIGRATION = "{NEXT_MIGRATION}"/' messages_app/gate.py
last=$(basename "$(ls messages_app/migrations/0*.py | tail -n 1)" .py)
cat > messages_app/migrations/{NEXT_MIGRATION}.py <<EOF
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("messages_app", "$last")]
    operations = [migrations.RunSQL("CREATE TABLE next (id integer)", "DROP TABLE next")]
EOF
git add --all
"""


@dataclass(frozen=True)
class Release:
    """A release of Debian that the package is for: its code name, and where its Django is from."""

    name: str
    django: str
    backports: bool = False
    build_packages: tuple[str, ...] = ()
    check: str = "lint-deb"


RELEASES = (
    Release("bookworm", "python3-django/bookworm-backports", backports=True, check="deb"),
    Release("trixie", "python3-django", build_packages=("systemd-dev",)),
)


def bare(release: Release) -> Path:
    """The folder that holds a freshly installed Debian, with packages in its cache."""
    fetch = (
        "apt-get --quiet=2 --yes --download-only --install-recommends install "
        f"{release.django} {' '.join(FETCHED)}"
    )
    return _debian(f"bare-{release.name}", release, BARE, fetch)


def built(release: Release) -> Path:
    """A folder with the package as it is, as discord-poller_now.deb and as its source package, and
    a next version of it.

    They are built on a machine of that release, from the checkout as it stands; the lintian of
    Debian 13 must find nothing.
    """
    sources = disks._source_files()
    tools = _debian(f"tools-{release.name}", release, (*TOOLS, *release.build_packages), "true")

    def make(folder: Path) -> None:
        with Machine(f"build-{release.name}", [tools]) as machine:
            disks.copy_sources(machine, sources)
            machine.sh(
                f"cd {disks.SOURCES}; git init --quiet; git add --all;"
                f"make {release.check} DEB_FOLDER=/srv/now;"
                # The same commit at another place, in another hour, for another person.
                f"cp -a {disks.SOURCES} /srv/elsewhere; cd /srv/elsewhere; umask 077;"
                "LC_ALL=C TZ=Pacific/Apia packaging/build-deb /srv/again;"
                f"{MAKE_NEXT} umask 022; packaging/build-deb /srv/next",
                timeout_s=600,
            )
            folder.mkdir()
            for name in ("now", "again", "next"):
                (package,) = Path(f"{machine.root}/srv/{name}").glob("*.deb")
                shutil.copy(package, folder / f"discord-poller_{name}.deb")
            for source in ("*.dsc", "*.tar.*"):
                for path in Path(f"{machine.root}/srv/now").glob(source):
                    shutil.copy(path, folder)

    content = (f"{path} {disks._file_digest(disks.CHECKOUT / path)}" for path in sources)
    key = disks._digest(tools.name, MAKE_NEXT, *content)
    return disks._cached(f"package-{release.name}", key, make)


def with_packages(release: Release) -> tuple[Path, ...]:
    """The folders of a bare machine that has the two packages in FOLDER."""
    base, packages = bare(release), built(release)

    def make(folder: Path) -> None:
        shutil.copytree(packages, f"{folder}{FOLDER}")

    key = disks._digest(base.name, packages.name)
    return base, disks._cached(f"with-package-{release.name}", key, make)


def with_checkers(release: Release) -> tuple[Path, ...]:
    """The folders of a machine that has Debian's checkers, the packages in FOLDER and, in apt's
    cache, what the package's own tests ask for."""
    control = (disks.CHECKOUT / "packaging/debian/tests/control").read_text()
    wanted = re.findall(r"^ ([a-z0-9.+-]+),$", control, re.MULTILINE)
    fetch = (
        "apt-get --quiet=2 --yes --download-only install "
        f"{release.django} {' '.join((*FETCHED, *wanted))}"
    )
    base = _debian(f"checkers-{release.name}", release, (*BARE, *CHECKERS), fetch)
    return base, with_packages(release)[-1]


def installed(release: Release) -> tuple[Path, ...]:
    """The folders of a machine on which the package was installed and nothing else was done."""
    below = with_packages(release)

    def make(folder: Path) -> None:
        with Machine(f"apt-{release.name}", below) as machine:
            install(machine, release)
            machine.poweroff()
            machine.keep(folder)

    key = disks._digest(*(layer.name for layer in below), str(below[0].stat().st_mtime_ns))
    return *below, disks._cached(f"with-package-installed-{release.name}", key, make)


def install(machine: Machine, release: Release, version: str = "now") -> str:
    """`apt install` the package as an operator would; return what it said."""
    package = f"{FOLDER}/discord-poller_{version}.deb"
    django = [release.django] if release.backports else []
    return machine.run(
        *("env", "DEBIAN_FRONTEND=noninteractive", "apt", "install", "--yes", "--allow-downgrades"),
        *(package, *django),
        timeout_s=300,
    ).stdout


def _debian(name: str, release: Release, packages: tuple[str, ...], fetch: str) -> Path:
    options = [f"--aptopt={option}" for option in disks._apt_options()]

    def make(folder: Path) -> None:
        uri = disks._archive()
        suites = [release.name, *([f"{release.name}-backports"] if release.backports else [])]
        disks._host(
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--keyring={disks.KEYRING}"),
            f"--include={','.join(packages)}",
            "--skip=cleanup/apt",
            f'--customize-hook=chroot "$1" {fetch}',
            *(*options, release.name, str(folder)),
            *(f"deb {uri} {suite} main" for suite in suites),
        )

    return disks._cached(name, disks._digest(*packages, fetch), make, disks.WEEK_S)
