"""The checks of `restante doctor`: each says from what was found whether one thing is well, and if not, what to do.

A check looks at values and reaches for nothing. Where what it needs could not be looked at, it says so and blames
nobody: what is in the way has a check of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from restante.cli.doctor.found import Found, Tried

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SERVER: Final = 15
LOOK_FREE: Final = (0.15, 5 * 2**30)
BROKEN_FREE: Final = (0.03, 2**29)
LOOK_CLOCK_SECONDS: Final = 2.0
BROKEN_CLOCK_SECONDS: Final = 30.0
LOOK_CERTIFICATE: Final = timedelta(days=21)
LOOK_AUTHORITY: Final = timedelta(days=365)
LOOK_WAIT_SECONDS: Final = 600.0
BROKEN_WAIT_SECONDS: Final = 7_200.0
PATIENT_KINDS: Final = frozenset({"send-notice", "reserve-onward"})
"""Tasks that may wait for hours by design: for a mail server, for room."""

PATIENT_SECONDS: Final = 14_400.0
DOUBTFUL: Final = frozenset({"forked", "journal-broken", "taken-out-twice"})
"""Kinds of cases that put custody in doubt; a parcel in two places may only have moved faster than the news of it."""


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    LOOK = "look at it"
    BROKEN = "broken"


class Verdict(msgspec.Struct, frozen=True):
    """What a check came to: how it is, what was seen, and what to do."""

    state: State
    says: str
    do: str = ""


def ok(says: str) -> Verdict:
    """All is well."""
    return Verdict(State.OK, says)


def look(says: str, do: str) -> Verdict:
    """Something that somebody should look at."""
    return Verdict(State.LOOK, says, do)


def broken(says: str, do: str) -> Verdict:
    """Something that keeps the network from working, or will lose something."""
    return Verdict(State.BROKEN, says, do)


def _unseen(why: str) -> Verdict:
    return look(f"not looked at: {why}", "See to that first, then ask again.")


_NO_DATABASE: Final = _unseen("the database does not answer or is not up to date")
_NO_SETTINGS: Final = _unseen("the settings cannot be read")


def python(found: Found) -> Verdict:
    """The interpreter is one that the program is made for."""
    version = ".".join(map(str, found.python))
    if found.python < OLDEST_PYTHON:
        return broken(f"Python {version}", "Install Python 3.11 or later, and the program again with it.")
    return ok(f"Python {version}, Restante {found.version}")


def packages(found: Found) -> Verdict:
    """Every package of the hub is there and new enough."""
    if found.packages:
        listed = ", ".join(f"{name} {wanted}".strip() for name, wanted in sorted(found.packages.items()))
        return broken(f"missing or too old: {listed}", "pip install 'restante[hub]', with constraints.txt.")
    return ok("all packages of the hub")


def settings(found: Found) -> Verdict:
    """The settings can be read."""
    if found.settings is None:
        return broken(found.settings_wrong, "Mend the variable that is named; docs/reference/settings.md has them all.")
    return ok(f"network {found.settings.network}")


def folder(found: Found) -> Verdict:
    """The state folder is there, whole, and nobody else's to read."""
    state = found.folder
    if state is None:
        return _NO_SETTINGS
    if not state.exists:
        return broken(f"{state.path} is not there", "Set RESTANTE_STATE, or start the hub once: it makes the folder.")
    if state.exposed:
        exposed = ", ".join(state.exposed)
        return broken(
            f"others may read: {exposed}", "chmod 0700 the folders and 0600 the files, and think about new keys."
        )
    if state.missing and found.database is not None and found.database.lanes:
        missing = ", ".join(state.missing)
        return broken(f"missing: {missing}", "Put the keys back from the backup before a hub starts and makes others.")
    return ok(state.path)


def disk(found: Found) -> Verdict:
    """There is room on the disk of the state folder."""
    state = found.folder
    if state is None or not state.total_bytes:
        return _unseen("there is no state folder")
    says = f"{state.free_bytes / 2**30:.1f} GiB free of {state.total_bytes / 2**30:.1f}"
    if _is_short(state.free_bytes, state.total_bytes, BROKEN_FREE):
        return broken(says, "Make room now: a database without any stops taking commits.")
    if _is_short(state.free_bytes, state.total_bytes, LOOK_FREE):
        return look(says, "Make room, or move the folder to a larger disk.")
    return ok(says)


def _is_short(free: int, total: int, least: tuple[float, int]) -> bool:
    """Short of both: a small disk may be well with few bytes, a large one with a small share."""
    share, size = least
    return free < total * share and free < size


def database(found: Found) -> Verdict:
    """The database answers, and is of a version that the program speaks."""
    if found.database is None:
        return broken(
            found.database_wrong or "not looked at", "Start it: restante db start, or where DATABASE_URL leads."
        )
    major = int(found.database.server.get("server_version_num", "0")) // 10_000
    if major < OLDEST_SERVER:
        return broken(f"PostgreSQL {major}", f"Move to PostgreSQL {OLDEST_SERVER} or later.")
    return ok(f"PostgreSQL {major}")


def migrations(found: Found) -> Verdict:
    """The schema is the one that this program came with, and was not altered."""
    if found.database is None:
        return _unseen("the database does not answer")
    if found.database.fault:
        return broken(found.database.fault, "Run the program that this database belongs to.")
    if found.database.pending:
        return broken(f"not applied: {', '.join(found.database.pending)}", "restante db migrate")
    return ok("up to date")


def durability(found: Found) -> Verdict:
    """What is committed outlives a loss of power."""
    if found.database is None:
        return _unseen("the database does not answer")
    server = found.database.server
    off = [name for name in ("fsync", "full_page_writes") if server.get(name) != "on"]
    if server.get("synchronous_commit") == "off":
        off.append("synchronous_commit")
    if off:
        return broken(f"off: {', '.join(off)}", "Turn them on: a loss of power loses what banks were told is safe.")
    if server.get("synchronous_commit") == "local":
        return look("synchronous_commit is local", "With a replica, commits that it lacks are lost when it takes over.")
    return ok("commits reach the disk")


def clock(found: Found) -> Verdict:
    """This machine and the database agree on the time."""
    if found.database is None:
        return _unseen("the database does not answer")
    ahead = found.database.ahead_seconds
    says = f"the database is {abs(ahead):.1f} s {'ahead' if ahead >= 0 else 'behind'}"
    do = "Have both clocks set by NTP: holds and certificates go by them."
    if abs(ahead) >= BROKEN_CLOCK_SECONDS:
        return broken(says, do)
    return look(says, do) if abs(ahead) >= LOOK_CLOCK_SECONDS else ok(says)


def lanes(found: Found) -> Verdict:
    """Every lane that the settings name is there, and none is left out."""
    if found.database is None or not found.database.is_current:
        return _NO_DATABASE
    if found.settings is None:
        return _NO_SETTINGS
    there, named = found.database.lanes, found.settings.lanes
    says = f"{there} lanes, RESTANTE_LANES={named}"
    if there < named:
        return look(says, "Start the hub again: it makes the lanes that are missing.")
    if there > named:
        return look(says, f"Set RESTANTE_LANES={there}: lanes may grow and never shrink.")
    return ok(says)


def certificates(found: Found) -> Verdict:
    """The authority and the listener's certificate are good for some time."""
    if found.certificates_wrong:
        return broken(found.certificates_wrong, "Put the key files back from the backup.")
    ends = {name: end for name, end in found.certificates.items() if end is not None}
    if not ends:
        return look("there are none yet", "Start the hub once: it makes them.")
    says = ", ".join(f"{name} until {end:%Y-%m-%d}" for name, end in sorted(ends.items()))
    over = [name for name, end in ends.items() if end <= found.now]
    if over:
        return broken(says, "Start the hub again for a new certificate; an authority that ended needs new invitations.")
    if any(end - found.now < _least(name) for name, end in ends.items()):
        return look(says, "Start the hub again: it renews its certificate at the start. An authority must be replaced.")
    return ok(says)


def _least(name: str) -> timedelta:
    return LOOK_AUTHORITY if name == "authority" else LOOK_CERTIFICATE


def _reached(tried: Tried | None, do: str) -> Verdict:
    if tried is None:
        return _NO_SETTINGS
    if tried.unknown:
        return look(f"{tried.where} is chosen at the start", "Name a port in the settings, and ask again.")
    return broken(f"{tried.where}: {tried.wrong}", do) if tried.wrong else ok(tried.where)


def api(found: Found) -> Verdict:
    """The API answers and is ready."""
    return _reached(found.api, "Start the hub: restante hub.")


def listener(found: Found) -> Verdict:
    """The listener for banks takes connections and shows a certificate of this network's authority."""
    return _reached(found.listener, "Start the hub; banks work on by the permissions they have until it is back.")


def smtp(found: Found) -> Verdict:
    """The mail server takes connections, over TLS where that is wanted."""
    if found.settings is not None and not found.settings.smtp_host:
        return look("no mail server is named: mails stay in the folder mail", "Set RESTANTE_SMTP_HOST.")
    return _reached(found.smtp, "Check RESTANTE_SMTP_HOST, _PORT and _STARTTLS: no notice goes out, so no hold begins.")


def worker(found: Found) -> Verdict:
    """A worker is connected to the database."""
    if found.database is None:
        return _unseen("the database does not answer")
    count = found.database.programs.get("restante worker", 0)
    if not count:
        return broken("no worker is connected", "Start one: restante worker, or restante hub --with-worker.")
    return ok(f"connections of workers: {count}")


def outbox(found: Found) -> Verdict:
    """No task waits for long."""
    if found.figures is None:
        return _NO_DATABASE
    waits = {kind: one.oldest_seconds for kind, one in found.figures.outbox.items()}
    usual = max((age for kind, age in waits.items() if kind not in PATIENT_KINDS), default=0.0)
    patient = max((age for kind, age in waits.items() if kind in PATIENT_KINDS), default=0.0)
    says = "; ".join(f"{kind} for {_span(age)}" for kind, age in sorted(waits.items())) or "nothing waits"
    do = "Is a worker running? Its log names tasks that fail (docs/how-to/watch-a-hub.md)."
    if usual >= BROKEN_WAIT_SECONDS:
        return broken(says, do)
    return look(says, do) if usual >= LOOK_WAIT_SECONDS or patient >= PATIENT_SECONDS else ok(says)


def timers(found: Found) -> Verdict:
    """No timer is late."""
    if found.figures is None:
        return _NO_DATABASE
    late = {kind: one.oldest_seconds for kind, one in found.figures.timers.items()}
    says = "; ".join(f"{kind} late by {_span(age)}" for kind, age in sorted(late.items())) or "none is due"
    do = "Is a worker running? `timer-failed` in its log names the timer."
    worst = max(late.values(), default=0.0)
    if worst >= BROKEN_WAIT_SECONDS:
        return broken(says, do)
    return look(says, do) if worst >= LOOK_WAIT_SECONDS else ok(says)


def sources(found: Found) -> Verdict:
    """Banks and counters are heard from."""
    if found.figures is None:
        return _NO_DATABASE
    counts = found.figures.sources
    total = sum(counts.values())
    silent = total - counts.get("0s", 0) - counts.get("1m", 0)
    says = f"{total - silent} of {total} heard from within ten minutes"
    if total and silent == total:
        return broken(says, "Can banks reach the listener's port from outside? See its certificate above.")
    return look(says, "GET /v1/points shows which; look at their lines and power.") if silent else ok(says)


def cases(found: Found) -> Verdict:
    """No case waits for long, and none puts custody in doubt."""
    if found.figures is None:
        return _NO_DATABASE
    counts = found.figures.cases
    doubtful = sum(count for (kind, _), count in counts.items() if kind in DOUBTFUL)
    old = sum(count for (_, age), count in counts.items() if age in {"1d", "7d"})
    says = f"{sum(counts.values())} open, {old} for more than a day"
    if doubtful:
        return broken(f"{says}, {doubtful} of doubtful custody", "Look at them today: docs/how-to/controllers.md.")
    return look(says, "Settle them over the API: …/cases of parcels and points.") if old else ok(says)


def _span(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


Check = Callable[[Found], Verdict]

CHECKS: Final[Mapping[str, Check]] = {
    "python": python,
    "packages": packages,
    "settings": settings,
    "state folder": folder,
    "disk": disk,
    "database": database,
    "migrations": migrations,
    "durability": durability,
    "clock": clock,
    "lanes": lanes,
    "certificates": certificates,
    "API": api,
    "banks' listener": listener,
    "mail": smtp,
    "worker": worker,
    "outbox": outbox,
    "timers": timers,
    "banks": sources,
    "cases": cases,
}
"""Every check by the name it is told under, in the order of cause and effect."""


def examined(found: Found) -> dict[str, Verdict]:
    """What every check comes to."""
    return {name: check(found) for name, check in CHECKS.items()}


def is_well(verdicts: Iterable[Verdict]) -> bool:
    """Whether nothing is broken."""
    return all(verdict.state is not State.BROKEN for verdict in verdicts)
