"""A database that has kept so many parcels: filled in slices, several at a time, from rows that the engine wrote.

Two lives are put through the real engine, one whole and one that stops behind a door; what they left is the template of
everything else, with other ids, codes and days. Parcels are spread over ``SPAN_DAYS``; of the log and of journals only
``LOG_DAYS`` are filled, of receipts seven, and the last few parcels lie behind doors with timers running: a network
that works off its retention. Slices that are done are known, so a fill that was stopped goes on.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from benchmarks.lifecycle import Load
from restante.core import commands as cmd
from restante.core.ids import ContactId, Lane, OrgId, ParcelId, derived_id
from restante.hub.app import REFERENCE_KEY_FILE
from restante.hub.callers import kept_secret
from restante.hub.engine import Accepted, Engine
from restante.store import statements, upkeep
from restante.store.directory import Claim, contact_of, open_directory
from restante.store.ledger import KEPT_DAYS
from restante.store.postgres import open_ledger
from restante.store.sealed_vault import open_vault
from restante.store.vault import ContactDetails

ORG: Final = OrgId("nordpost")
LANES: Final = 2
SPAN_DAYS: Final = 100
LOG_DAYS: Final = 20
HELD_SHARE: Final = 0.03
LEAST_HELD: Final = 600
DUE: Final = 2_000
SLICE: Final = 50_000
AT_ONCE: Final = 2
PROBES: Final = 500
BYTES_A_PARCEL: Final = 3_200
"""What one parcel takes in all tables, measured on 100,000 with the days above; what is needed is judged by it."""

MOST_GB: Final = 40.0
SPARE_GB: Final = 8.0

_SQL: Final = {name: one.text.encode() for name, one in statements.load("benchmarks", "stored.sql").items()}
_EACH: Final = (
    "parcels",
    "events",
    "entries",
    "receipts",
    "stays",
    "timers",
    "names",
    "codes",
    "people",
    "keys",
    "probes",
)
_OWN: Final = """
CREATE TABLE IF NOT EXISTS growth_slice (first bigint PRIMARY KEY);
CREATE TABLE IF NOT EXISTS growth_probe (n bigint PRIMARY KEY, id uuid, held boolean, born timestamptz);
CREATE TABLE IF NOT EXISTS growth_plan (plan jsonb);
"""

Said = Callable[[str], None]


class NoSpace(Exception):
    """The disk is too small for what was asked; nothing was filled."""


class Probe(msgspec.Struct, frozen=True):
    """A stored parcel that is asked for by the name its organisation gave it, or whose hold is to be extended."""

    parcel: ParcelId
    reference: str
    is_held: bool


def need_gb(parcels: int) -> float:
    """How much disk so many stored parcels take, in GB of 10⁹ bytes."""
    return parcels * BYTES_A_PARCEL / 1e9


def check_space(parcels: int, place: Path) -> None:
    """Refuse what does not fit. Fault: ``NoSpace``."""
    need, free = need_gb(parcels), shutil.disk_usage(place).free / 1e9
    if need > MOST_GB or need > free - SPARE_GB:
        raise NoSpace(
            f"{parcels:,} parcels need some {need:.0f} GB; {free:.0f} GB are free, of which {SPARE_GB:.0f} stay so, "
            f"and a fill takes {MOST_GB:.0f} at most"
        )


def numbers(parcels: int) -> dict[str, Any]:
    """Which of ``parcels`` numbers have a log, receipts and doors, and which are asked for afterwards."""
    held = min(parcels, max(LEAST_HELD, round(parcels * HELD_SHARE)))
    return {
        "lanes": LANES,
        "held_from": parcels - held,
        "due_to": parcels - held + min(DUE, held // 2),
        "log_from": parcels - parcels * LOG_DAYS // SPAN_DAYS,
        "receipts_from": parcels - parcels * KEPT_DAYS // SPAN_DAYS,
        "probe_each": max(1, parcels // PROBES),
        "held_each": max(1, held // 20_000),
        "gap_ms": SPAN_DAYS * 86_400_000 / parcels,
    }


async def fill(dsn: str, folder: Path, parcels: int, *, said: Said) -> list[Probe]:
    """Fill the migrated database at ``dsn`` up to ``parcels``; the parcels to be asked for."""
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(_OWN.encode())
        row = db.execute("SELECT plan FROM growth_plan").fetchone()
    plan = row[0] if row else await _planned(dsn, folder, parcels)
    given = {**plan, "outcomes": [bytes.fromhex(one) for one in plan["outcomes"]]}
    _fill_slices(dsn, given, parcels, said=said)
    return await _named(dsn, folder)


async def _planned(dsn: str, folder: Path, parcels: int) -> dict[str, Any]:
    """Templates and numbers of this fill, kept with it so that it can go on another day."""
    start = datetime.now(UTC) - timedelta(days=SPAN_DAYS)
    plan = {**await _templates(dsn, folder), **numbers(parcels), "start": start.isoformat(), "org": ORG}
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        for back in range(LOG_DAYS, -1, -upkeep.DAYS_AHEAD):
            await upkeep.make_days(db, (datetime.now(UTC) - timedelta(days=back)).date())
        await db.execute("INSERT INTO growth_plan VALUES (%s::jsonb)", [msgspec.json.encode(plan).decode()])
    return plan


async def _templates(dsn: str, folder: Path) -> dict[str, Any]:
    async with open_ledger(dsn) as ledger, open_vault(dsn, folder) as vault:
        await ledger.ensure_lanes(LANES)
        await ledger.upkeep(datetime.now(UTC))
        engine = Engine(ledger, lambda: datetime.now(UTC), max_batch=256, queue_limit=1000)
        whole, waiting = [await _live(engine, seed, steps) for seed, steps in ((1, 6), (2, 4))]
        await engine.close()
        person = ContactId(derived_id("growth", Lane(0)))
        await vault.remember(person, _details("growth-0"))
    with psycopg.connect(dsn) as db:
        return _read_templates(db, whole, waiting, person=person)


async def _live(engine: Engine, seed: int, steps: int) -> ParcelId:
    """Put a life through the engine as far as this step; its parcel."""
    load = Load(Lane(0), points=1, seed=seed)
    commands = [*load.provision(), *load.commands(1, 1)[:steps]]
    for outcome in await engine.submit_all(commands):
        assert isinstance(outcome, Accepted), outcome
    return next(one.parcel for one in commands if isinstance(one, cmd.AnnounceParcel))


def _read_templates(db: psycopg.Connection, whole: ParcelId, waiting: ParcelId, *, person: ContactId) -> dict[str, Any]:
    def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
        return db.execute(query.encode(), values).fetchall()

    parcels = {key: (version, code, body) for key, version, code, body in rows(
        "SELECT id::text, version, code, convert_from(body, 'UTF8') FROM parcel WHERE id = ANY (%s::uuid[])",
        [whole, waiting],
    )}  # fmt: skip

    def blank(body: str, parcel: ParcelId) -> str:
        return body.replace(parcel, "@parcel@").replace(f'"{parcels[parcel][1]}"', '"@code@"')

    events = rows(
        "SELECT version, actor, convert_from(body, 'UTF8') FROM event WHERE subject = %s::uuid ORDER BY version", whole
    )
    entries = rows(
        "SELECT convert_from(entry, 'UTF8') FROM journal WHERE position(%s::bytea IN entry) > 0", whole.encode()
    )
    ((stay, source),) = rows(
        "SELECT convert_from(body, 'UTF8'), source::text FROM stay WHERE parcel = %s::uuid", waiting
    )
    outcomes = rows("SELECT outcome FROM receipt WHERE command = ANY (%s)", [command for (command,) in rows(
        "SELECT DISTINCT command FROM event WHERE subject = %s::uuid", whole
    )])  # fmt: skip
    ((sealed,),) = rows("SELECT length(sealed) FROM contact WHERE id = %s::uuid", person)
    ((wrapped,),) = rows("SELECT length(wrapped_key) FROM person_key.contact_key WHERE id = %s::uuid", person)
    return {
        "held": [False, True],
        "versions": [parcels[whole][0], parcels[waiting][0]],
        "bodies": [blank(parcels[one][2], one) for one in (whole, waiting)],
        "events": len(events),
        "event_versions": [version for version, _, _ in events],
        "actors": [actor for _, actor, _ in events],
        "event_bodies": [blank(body, whole) for _, _, body in events],
        "entries": [blank(entry, whole) for (entry,) in entries],
        "outcomes": [bytes(outcome).hex() for (outcome,) in outcomes],
        "stay": blank(stay, waiting),
        "source": source[:-4],
        "timers": [kind for (kind,) in rows("SELECT kind FROM timer WHERE parcel = %s::uuid", waiting)],
        "sealed_bytes": sealed,
        "key_bytes": wrapped,
    }


def _fill_slices(dsn: str, given: dict[str, Any], parcels: int, *, said: Said) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        done = {first for (first,) in db.execute("SELECT first FROM growth_slice").fetchall()}
        open_ = [first for first in range(0, parcels, SLICE) if first not in done]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            jobs = [
                threads.submit(_fill_slice, dsn, {**given, "first": first, "end": min(parcels, first + SLICE)})
                for first in open_
            ]
            for number, job in enumerate(as_completed(jobs), 1):
                job.result()
                if number % 10 == 0:
                    said(f"{(len(done) + number) * SLICE:,} of {parcels:,} parcels stored")
        if open_:
            head = (parcels // LANES + 1) * int(given["events"]) + 1_000
            db.execute("UPDATE lane SET head = %s, turn = turn + 1", [head])
            db.execute("VACUUM (FREEZE, ANALYZE)")
            db.execute("CHECKPOINT")


def _fill_slice(dsn: str, given: dict[str, Any]) -> None:
    with psycopg.connect(dsn) as db:
        db.execute("SET LOCAL synchronous_commit = off")
        db.execute("SET LOCAL timezone = 'UTC'")
        db.execute(_SQL["slice"], given)
        for name in _EACH:
            db.execute(_SQL[name], given)
        db.execute("INSERT INTO growth_slice VALUES (%(first)s)", given)


async def _named(dsn: str, folder: Path) -> list[Probe]:
    """Give the parcels to be asked for the names and people that real ones have."""
    with psycopg.connect(dsn) as db:
        rows = db.execute("SELECT id::text, held, born FROM growth_probe ORDER BY n").fetchall()
    probes = [Probe(ParcelId(key), f"growth-{number}", held) for number, (key, held, _) in enumerate(rows)]
    asked = [(probe, row[2]) for probe, row in zip(probes, rows, strict=True)][:: max(1, len(probes) // PROBES)]
    async with (
        open_directory(dsn, key=kept_secret(folder / REFERENCE_KEY_FILE)) as directory,
        open_vault(dsn, folder) as vault,
    ):
        for start in range(0, len(asked), 200):
            part = asked[start : start + 200]
            claims = [
                Claim(ORG, directory.reference_name(ORG, probe.reference), b"growth", probe.parcel, born)
                for probe, born in part
            ]
            await directory.claim(claims)
            await vault.remember_all({contact_of(probe.parcel): _details(probe.reference) for probe, _ in part})
    named = {probe.parcel for probe, _ in asked}
    return [probe if probe.parcel in named else msgspec.structs.replace(probe, reference="") for probe in probes]


def _details(reference: str) -> ContactDetails:
    return ContactDetails(
        name="Aino Virtanen", emails=(f"{reference}@homes.example",), language="fi", reference=reference
    )
