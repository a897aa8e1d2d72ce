"""Does the ledger agree with itself? Everything that is stored twice is computed again and compared.

The log of each lane must be gapless, each parcel's events in order, and folding them must give the stored parcel. The
counters of a room, and the rows of promises, stays and timers, must follow from the parcels. The check reads whole
lanes, one after the other: run it while nothing is written, else what moves meanwhile is reported too.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from restante.core.events import ParcelEvent
from restante.core.ids import Lane, ParcelId, PointId, lane_of
from restante.core.parcel import Parcel
from restante.core.reservation import Room
from restante.core.timers import timers_of
from restante.core.world import evolve_parcel
from restante.store.derived import open_promises, open_stays
from restante.store.ledger import Ledger, Recorded, Standing

_PAGE: Final = 5000


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not agree: what it is, which row or event, and what was expected and found."""

    what: str
    key: str
    detail: str = ""


async def check(ledger: Ledger, cuts: Mapping[Lane, int] | None = None) -> list[Finding]:
    """Everything in the ledger that does not agree, across all lanes; an empty list is what it should be.

    ``cuts`` tells of each lane up to which position its log was cut (``Ledger.cuts``): up to there events may be
    missing, and parcels whose first events are gone are compared by their versions alone.
    """
    known_cuts = cuts or {}
    findings: list[Finding] = []
    standing: list[Standing] = []
    for lane, head in (await ledger.lane_heads()).items():
        log = [row async for row in _log(ledger, lane)]
        rows = await ledger.standing(lane)
        cut = known_cuts.get(lane, 0)
        findings += _check_positions(lane, head, log, cut=cut)
        findings += _check_lane(lane, rows)
        whole, parted = _parted(log, {parcel.id: parcel for parcel in rows.parcels}, is_cut=cut > 0)
        findings += _check_parcels([row for row in log if _parcel_of(row) not in parted], whole)
        findings += _check_versions(log, parted)
        standing.append(rows)
    findings += _check_rooms(standing)
    findings += _check_derived(standing)
    return findings


async def _log(ledger: Ledger, lane: Lane) -> AsyncIterator[Recorded]:
    after = 0
    while page := await ledger.feed(lane, after, _PAGE):
        for row in page:
            yield row
        after = page[-1].seq


def _check_positions(lane: Lane, head: int, log: list[Recorded], *, cut: int) -> Iterator[Finding]:
    """Positions run from where the log was cut to the head without a gap."""
    whole = [row.seq for row in log if row.seq > cut]
    for expected, seq in enumerate(whole, start=cut + 1):
        if seq != expected:
            yield Finding("position", f"lane {lane}", f"{seq} stands where {expected} should")
            break
    if cut + len(whole) != head:
        yield Finding("head", f"lane {lane}", f"head {head}, but {cut + len(whole)} events")


def _parted(
    log: list[Recorded], parcels: Mapping[ParcelId, Parcel], *, is_cut: bool
) -> tuple[Mapping[ParcelId, Parcel], Mapping[ParcelId, Parcel]]:
    """Parcels whose whole history is in the log, and those whose beginning was cut off."""
    if not is_cut:
        return parcels, {}
    begun = {row.event.parcel for row in log if isinstance(row.event, ParcelEvent) and row.version == 1}
    return (
        {key: parcel for key, parcel in parcels.items() if key in begun},
        {key: parcel for key, parcel in parcels.items() if key not in begun},
    )


def _parcel_of(row: Recorded) -> ParcelId | None:
    return row.event.parcel if isinstance(row.event, ParcelEvent) else None


def _check_versions(log: list[Recorded], parcels: Mapping[ParcelId, Parcel]) -> Iterator[Finding]:
    """What is left of a parcel's events is their end, without a gap."""
    versions: dict[ParcelId, list[int]] = {key: [] for key in parcels}
    for row in log:
        if isinstance(row.event, ParcelEvent) and row.event.parcel in versions:
            versions[row.event.parcel].append(row.version)
    for key, found in sorted(versions.items()):
        last = parcels[key].version
        if found != list(range(last - len(found) + 1, last + 1)):
            yield Finding("version", key, f"version {last} is stored, of its events there are {found}")


def _check_lane(lane: Lane, rows: Standing) -> Iterator[Finding]:
    """Every row stands in the lane that its id names."""
    ids = [*(parcel.id for parcel in rows.parcels), *(room.point for room in rows.rooms)]
    for name in ids:
        if lane_of(name) != lane:
            yield Finding("lane", name, f"stands in lane {lane}")


def _check_parcels(log: list[Recorded], parcels: Mapping[ParcelId, Parcel]) -> Iterator[Finding]:
    """Each parcel's events are in order without a gap, and folding them gives the stored parcel."""
    folded: dict[ParcelId, Parcel] = {}
    broken: set[ParcelId] = set()
    for row in log:
        if not isinstance(row.event, ParcelEvent) or row.event.parcel in broken:
            continue
        before = folded.get(row.event.parcel)
        expected = before.version + 1 if before else 1
        if row.version != expected:
            broken.add(row.event.parcel)
            yield Finding("version", row.event.parcel, f"event {row.version} comes where {expected} should")
            continue
        folded[row.event.parcel] = evolve_parcel(before, row.event, row.at)
    for name in sorted(folded.keys() | parcels.keys()):
        if name not in broken and folded.get(name) != parcels.get(name):
            yield Finding("parcel", name, f"events give {folded.get(name)}, stored is {parcels.get(name)}")


def _check_rooms(standing: list[Standing]) -> Iterator[Finding]:
    """What is promised and what lies in a room follows from the parcels."""
    promised: defaultdict[PointId, Counter[tuple[str, str]]] = defaultdict(Counter)
    inside: defaultdict[PointId, Counter[str]] = defaultdict(Counter)
    for parcel in _parcels(standing):
        if parcel.promise is not None:
            days = ((str(day), str(parcel.promise.room_class)) for day in parcel.promise.window.days())
            promised[parcel.promise.point].update(days)
        for stay in parcel.stays:
            if stay.is_open:
                inside[stay.point][stay.room_class] += 1
    rooms = {room.point: room for rows in standing for room in rows.rooms}
    for name in sorted(rooms.keys() | promised.keys() | inside.keys()):
        if name not in rooms:
            yield Finding("room", name, "has parcels, but no room")
            continue
        yield from _check_room(rooms[name], promised[name], inside[name])


def _check_room(room: Room, promised: Mapping[tuple[str, str], int], inside: Mapping[str, int]) -> Iterator[Finding]:
    counted = {(day, name): count for day, counts in room.promised.items() for name, count in counts.items()}
    if counted != dict(promised):
        yield Finding("promised", room.point, f"counted {counted}, parcels say {dict(promised)}")
    expected = Counter(inside) + Counter(str(stray.room_class) for stray in room.strays.values())
    aside = sum(room.beside.values()) + sum(broken.stays for broken in room.faulty.values())
    # A parcel that lies beside another one, or behind a faulty door, is counted apart from its class.
    by_class_agrees = aside > 0 or dict(expected) == room.in_use
    if not by_class_agrees or sum(room.in_use.values()) + aside != sum(expected.values()):
        yield Finding("in use", room.point, f"counted {room.in_use} and {aside} aside, parcels say {dict(expected)}")


def _check_derived(standing: list[Standing]) -> Iterator[Finding]:
    """The rows of promises, stays and timers are those that the parcels give."""
    promises: dict[object, object] = {}
    stays: dict[object, object] = {}
    timers: dict[object, object] = {}
    for parcel in _parcels(standing):
        promises.update(open_promises(parcel).items())
        stays.update(open_stays(parcel).items())
        timers.update(((parcel.id, kind), due) for kind, due in timers_of(parcel).items())
    found_promises = [((row.promise.point, row.parcel), row) for rows in standing for row in rows.promises]
    found_timers = [((row.parcel, row.kind), row.due) for rows in standing for row in rows.timers]
    yield from _compared("promise", promises, found_promises)
    yield from _compared("stay", stays, [(row.key, row) for rows in standing for row in rows.stays])
    yield from _compared("timer", timers, found_timers)


def _compared(
    what: str, expected: Mapping[object, object], found: Iterable[tuple[object, object]]
) -> Iterator[Finding]:
    rows = dict(found)
    for key in sorted(expected.keys() | rows.keys(), key=str):
        if expected.get(key) != rows.get(key):
            yield Finding(what, str(key), f"parcels give {expected.get(key)}, stored is {rows.get(key)}")


def _parcels(standing: list[Standing]) -> Iterator[Parcel]:
    return (parcel for rows in standing for parcel in rows.parcels)
