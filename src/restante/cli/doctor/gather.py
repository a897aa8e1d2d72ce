"""Looks at an installation for `restante doctor`: reads files, asks the database, knocks at ports, changes nothing."""

import asyncio
import shutil
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from restante import __version__
from restante.cli.doctor.found import Folder, Found, Tried
from restante.core.refusals import Fault
from restante.core.time import Instant

if TYPE_CHECKING:
    from restante.hub.metrics.figures import Figures
    from restante.hub.settings import Settings
    from restante.store.examine import Examined

PATIENCE_SECONDS: Final = 5.0
KEYS: Final = ("vault.key", "reference.key", "fleet/authority.pem", "fleet/manifest.key", "fleet/sources.key")
"""Files without which a database that is in use cannot be worked on."""

PRIVATE: Final = (".", "fleet", *KEYS, "operator.key", "fleet/listener.pem")
"""What nobody but its owner may read."""

_REQUIRED: Final = "extra == 'hub'"


def gather(environ: Mapping[str, str]) -> Found:
    """Everything about the installation that the environment names. Never raises for what is wrong with it."""
    found = Found(datetime.now(UTC), sys.version_info[:2], __version__, lacking_packages())
    if found.packages:
        return msgspec.structs.replace(found, settings_wrong="the hub's packages are missing")
    from restante.hub.settings import read_settings

    try:
        settings = read_settings(environ)
    except Fault as fault:
        return msgspec.structs.replace(found, settings_wrong=str(fault))
    folder = Path(settings.state).expanduser().absolute()
    ends, certificates_wrong = _certificates(folder)
    database, figures, database_wrong = _database(environ, folder)
    return msgspec.structs.replace(
        found,
        settings=settings,
        folder=look_at(folder),
        database=database,
        database_wrong=database_wrong,
        figures=figures,
        certificates=ends,
        certificates_wrong=certificates_wrong,
        api=_api(settings),
        listener=_listener(settings, folder),
        smtp=_smtp(settings),
    )


def lacking_packages(version_of: Callable[[str], str] = metadata.version) -> dict[str, str]:
    """Packages of the base and the hub's extra that are missing or older than what is wanted, with what is wanted."""
    lacking: dict[str, str] = {}
    for name, least in _wanted(metadata.requires("restante") or []):
        try:
            is_fit = _numbers(version_of(name)) >= _numbers(least)
        except metadata.PackageNotFoundError:
            is_fit = False
        if not is_fit:
            lacking[name] = f">={least}" if least else ""
    return lacking


def _wanted(requirements: list[str]) -> Iterator[tuple[str, str]]:
    """Name and least version of each requirement of the base and of the hub; the project writes no other form."""
    for requirement in requirements:
        wanted, _, marker = requirement.partition(";")
        if not marker or _REQUIRED in marker.replace('"', "'"):
            name, _, least = wanted.partition(">=")
            yield name.partition("[")[0].strip(), least.strip()


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, as they compare."""
    parts: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def look_at(folder: Path) -> Folder:
    """The state folder as it is."""
    if not folder.is_dir():
        return Folder(str(folder))
    usage = shutil.disk_usage(folder)
    return Folder(
        str(folder),
        exists=True,
        exposed=tuple(name for name in PRIVATE if _is_exposed(folder / name)),
        missing=tuple(name for name in KEYS if not (folder / name).exists()),
        free_bytes=usage.free,
        total_bytes=usage.total,
    )


def _is_exposed(path: Path) -> bool:
    """Whether others may read a file, or list a folder; passing through one is what a database's account must do."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return bool(mode & (0o066 if path.is_dir() else 0o077))


def _certificates(folder: Path) -> tuple[dict[str, Instant | None], str]:
    from cryptography import x509

    ends: dict[str, Instant | None] = {}
    for name in ("authority", "listener"):
        path = folder / "fleet" / f"{name}.pem"
        try:
            ends[name] = (
                x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc if path.exists() else None
            )
        except (OSError, ValueError):
            return {}, f"{path.name} cannot be read"
    return ends, ""


def _database(environ: Mapping[str, str], folder: Path) -> tuple["Examined | None", "Figures | None", str]:
    from restante.store.examine import examine

    dsn = _address(environ, folder)
    if not dsn:
        return None, None, "the program's own database server does not run"
    try:
        examined = examine(dsn, lambda: datetime.now(UTC))
    except Fault as fault:
        return None, None, str(fault)
    return examined, asyncio.run(_figures(dsn, environ)) if examined.is_current else None, ""


def _address(environ: Mapping[str, str], folder: Path) -> str:
    """Where the database is; nothing if it is the program's own and does not run."""
    from restante.store.embedded import Server

    if given := environ.get("DATABASE_URL", ""):
        return given
    own = folder / "database"
    if not (own / "password").is_file():
        return ""
    server = Server(own)
    return server.dsn if server.is_alive() else ""


async def _figures(dsn: str, environ: Mapping[str, str]) -> "Figures | None":
    from restante.hub.metrics.figures import Collector
    from restante.sim.demo.pace import read_clock
    from restante.store.postgres import open_ledger
    from restante.store.tables import open_tables

    try:
        clock = read_clock(environ)
        async with open_ledger(dsn) as ledger, open_tables(dsn, name="doctor", size=1, read_only=True) as tables:
            collector = Collector(ledger, tables, now=clock.now, real=lambda: 0.0, pace=clock.pace)
            await collector.collect()
            return collector.figures
    except Fault:
        return None


def _api(settings: "Settings") -> Tried:
    import httpx

    from restante.hub.settings import reached

    where = f"http://{reached(settings.http_host)}:{settings.http_port}"
    if not settings.http_port:
        return Tried(where, unknown=True)
    try:
        status = httpx.get(f"{where}/v1/ready", timeout=PATIENCE_SECONDS).status_code
    except httpx.HTTPError as wrong:
        return Tried(where, type(wrong).__name__)
    return Tried(where, "" if status == 204 else f"it answers {status}")


def _listener(settings: "Settings", folder: Path) -> Tried:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from restante.hub.settings import reached

    host = reached(settings.bank_host)
    where = f"{host}:{settings.bank_port}"
    if not settings.bank_port:
        return Tried(where, unknown=True)
    try:
        authority = x509.load_pem_x509_certificate((folder / "fleet" / "authority.pem").read_bytes())
        context = ssl.create_default_context(cadata=authority.public_bytes(Encoding.PEM).decode())
        with (
            socket.create_connection((host, settings.bank_port), timeout=PATIENCE_SECONDS) as line,
            context.wrap_socket(line, server_hostname=host),
        ):
            return Tried(where)
    except ssl.SSLCertVerificationError as wrong:
        return Tried(where, f"its certificate does not hold: {wrong.verify_message}")
    except (OSError, ValueError) as wrong:
        return Tried(where, type(wrong).__name__)


def _smtp(settings: "Settings") -> Tried:
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    if not settings.smtp_host:
        return Tried(where)
    try:
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=PATIENCE_SECONDS) as server:
            server.ehlo()
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
    except (OSError, smtplib.SMTPException) as wrong:
        return Tried(where, type(wrong).__name__)
    return Tried(where)
