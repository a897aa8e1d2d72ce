"""What must always hold, each rule a function from what can be seen at the end of a story to sentences about breaches.

At the end every link has healed and every queue is empty; what is then still in disagreement would be so for ever. The
rules read the ledger, the books, the mail that was sent and the ground, and never ask the code under test how it is.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from restante.core import events as ev
from restante.core.ids import Lane, ParcelId, PointId, SourceId, StayKey, lane_of
from restante.core.parcel import (
    Cancelled,
    Collected,
    Direction,
    Parcel,
    Released,
    WithCourier,
    current_stay,
    stage_of,
)
from restante.core.reactions import SendNotice, react
from restante.core.stay import By
from restante.core.time import Calendar, ElapsedHours, Instant
from restante.core.world import evolve_parcel
from restante.edge.state import OpenStay
from restante.sim.ground import Behind, Ground, Hands, Spot
from restante.sim.season import CLOSES, Season
from restante.store.ledger import JournalRow, Recorded
from restante.wire.journal import Entry

ASKED: Final = ""
"""What a rule says of each thing that it asks about, before it says what is wrong with it, if anything is."""


class Seen(msgspec.Struct, kw_only=True):
    """Everything that can be seen when a story is over."""

    ground: Ground
    heads: Mapping[Lane, int]
    feeds: Mapping[Lane, Sequence[Recorded]]
    parcels: Mapping[ParcelId, Parcel]
    books: Mapping[SourceId, Sequence[Entry]]
    journals: Mapping[SourceId, Sequence[JournalRow]]
    stays: Mapping[SourceId, Mapping[str, OpenStay]]
    points: Mapping[PointId, SourceId]
    told: Mapping[ParcelId, Counter[ev.NoticeKind]]
    cloned: frozenset[SourceId] = frozenset()
    forked: frozenset[SourceId] = frozenset()
    lost: frozenset[SourceId] = frozenset()
    ended_unheard: frozenset[str] = frozenset()
    tasks_left: int = 0
    counters: Sequence[str] = ()
    season: Season = Season()


# --- custody is never lost


def custody(seen: Seen) -> Iterator[str]:
    """The ground, the hub and the banks agree on where every parcel is, but for those that no machine could see go."""
    for parcel in seen.parcels.values():
        spot = seen.ground.spots[parcel.id]
        if parcel.id in seen.ground.unseen:
            continue
        if {seen.points[stay.point] for stay in parcel.stays} & seen.forked or _is_at(spot, seen.forked):
            continue
        yield ASKED
        yield from _hub_agrees(parcel, spot, seen.points)
    for source, stays in seen.stays.items():
        if source not in seen.forked:
            yield ASKED
            yield from _bank_agrees(source, stays, seen.ground)


def _is_at(spot: Spot, sources: frozenset[SourceId]) -> bool:
    return isinstance(spot, Behind) and spot.source in sources


def _hub_agrees(parcel: Parcel, spot: Spot, points: Mapping[PointId, SourceId]) -> Iterator[str]:
    inside = [stay for stay in parcel.stays if stay.is_open]
    if len(inside) > 1:
        yield f"{parcel.code}: the hub believes it in {len(inside)} places at once"
    stay, stage = current_stay(parcel), stage_of(parcel)
    believed: Spot | None = Behind(points[stay.point], stay.door) if stay else None
    if isinstance(spot, Behind):
        if believed != spot:
            yield f"{parcel.code}: lies {spot}, the hub believes {believed or type(stage).__name__}"
    elif believed is not None:
        yield f"{parcel.code}: is with {spot}, the hub believes it {believed}"
    elif spot not in _hands_of(stage, parcel):
        yield f"{parcel.code}: is with {spot}, the hub believes {type(stage).__name__}"


def _hands_of(stage: object, parcel: Parcel) -> frozenset[Hands]:
    """In whose hands a parcel may be at this stage."""
    match stage:
        case Collected():
            return frozenset({Hands.RECIPIENT})
        case WithCourier() | Released():
            return frozenset({Hands.CARRIER})
        case Cancelled():
            return frozenset({Hands.CARRIER, Hands.SENDER})
        case _ if parcel.direction is Direction.DROP_OFF:
            carried = any(stay.withdrawn and stay.withdrawn.by is not By.SENDER for stay in parcel.stays)
            return frozenset({Hands.CARRIER if carried else Hands.SENDER})
        case _:
            return frozenset({Hands.CARRIER})


def _bank_agrees(source: SourceId, stays: Mapping[str, OpenStay], ground: Ground) -> Iterator[str]:
    believed = {(stay.parcel, stay.door) for stay in stays.values()}
    real = {
        (name, spot.door) for name, spot in ground.spots.items() if isinstance(spot, Behind) and spot.source == source
    }
    believed = {(name, door) for name, door in believed if name not in ground.unseen}
    real = {(name, door) for name, door in real if name not in ground.unseen}
    for name, door in sorted(believed - real):
        yield f"{name}: its bank believes it behind door {door}, and it is {ground.spots.get(name)}"
    for name, door in sorted(real - believed):
        yield f"{name}: lies behind door {door}, and its bank does not know"


# --- hub and bank hold the same


def journals_agree(seen: Seen) -> Iterator[str]:
    """Hub and bank hold the same entries, gap-free, hash for hash."""
    for source, book in seen.books.items():
        if source in seen.forked:
            continue
        yield ASKED
        ours = [(entry.log_epoch, entry.seq, entry.hash) for entry in book]
        kept = {entry.log_epoch for entry in book} if source in seen.lost else None
        theirs = [(row.epoch, row.seq, row.hash) for row in seen.journals[source] if kept is None or row.epoch in kept]
        if ours != theirs:
            at = next((at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
            where = f"they differ at {ours[at][:2]}" if at is not None else "one goes on"
            yield f"source {source}: {len(ours)} entries in its book, {len(theirs)} at the hub; {where}"
        if [number for _, number, _ in ours] != list(range(1, len(ours) + 1)) and len({key for key, _, _ in ours}) == 1:
            yield f"source {source}: its book has gaps"


def forks_are_real(seen: Seen) -> Iterator[str]:
    """Nobody is held to be two that is one."""
    yield from (ASKED for _ in seen.books)
    for source in sorted(seen.forked - seen.cloned):
        yield f"source {source}: held to be forked, and its disk was never cloned"


# --- the feed


def feed_is_gapless(seen: Seen) -> Iterator[str]:
    """Positions in a lane are 1, 2, 3 … up to its head, and nothing stands in a lane that is not its own."""
    for lane, feed in seen.feeds.items():
        yield ASKED
        if [row.seq for row in feed] != list(range(1, seen.heads[lane] + 1)):
            yield f"lane {lane}: its positions are not 1 to {seen.heads[lane]}"
        for row in feed:
            named = row.event.parcel if isinstance(row.event, ev.ParcelEvent) else row.event.point
            if lane_of(named) != lane or row.lane != lane:
                yield f"lane {lane}: position {row.seq} belongs into lane {lane_of(named)}"


def versions_in_order(seen: Seen) -> Iterator[str]:
    """A parcel's events stand in one lane as versions 1, 2, 3 … and the stored parcel is at the last."""
    versions: defaultdict[ParcelId, list[int]] = defaultdict(list)
    for feed in seen.feeds.values():
        for row in feed:
            if isinstance(row.event, ev.ParcelEvent):
                versions[row.event.parcel].append(row.version)
    for name, found in versions.items():
        yield ASKED
        if found != list(range(1, len(found) + 1)):
            yield f"{name}: its versions come as {found}"
        if (stored := seen.parcels.get(name)) is None or stored.version != found[-1]:
            yield f"{name}: stored at version {stored.version if stored else None}, its log ends at {found[-1]}"


def _parcel_rows(seen: Seen) -> Iterator[tuple[Recorded, ev.AnyParcelEvent]]:
    for feed in seen.feeds.values():
        for row in feed:
            if isinstance(row.event, ev.ParcelEvent):
                yield row, row.event


def counters_exact(seen: Seen) -> Iterator[str]:
    """What the checker of the store found: every counter is the sum of what it counts."""
    yield ASKED
    yield from seen.counters


# --- holds and notices


def holds_only_later(seen: Seen) -> Iterator[str]:
    """The end of a hold that was shown to a person never moves earlier, and no hold lapses before it."""
    ends: dict[StayKey, Instant] = {}
    for row, event in _parcel_rows(seen):
        if isinstance(event, ev.HoldStarted | ev.HoldExtended | ev.HoldResumed):
            yield ASKED
            if event.ends_at < ends.get(event.stay, event.ends_at):
                yield f"{event.parcel}: the end of its hold moved from {ends[event.stay]} to {event.ends_at}"
            ends[event.stay] = event.ends_at
        elif isinstance(event, ev.HoldLapsed) and row.recorded_at < ends[event.stay]:
            yield f"{event.parcel}: its hold lapsed at {row.recorded_at}, before {ends[event.stay]}"


def holds_as_agreed(seen: Seen) -> Iterator[str]:
    """A hold ends after its hours, or at closing time of its open day by the clock on the wall there."""
    season = seen.season
    zone = ZoneInfo(season.calendar.zone)
    for row, event in _parcel_rows(seen):
        if not isinstance(event, ev.HoldStarted):
            continue
        yield ASKED
        if isinstance(season.hold, ElapsedHours):
            is_kept = event.ends_at - row.at == timedelta(hours=season.hold.hold_hours)
        else:
            ends = event.ends_at.astimezone(zone) - timedelta(minutes=1)
            days = [row.at.astimezone(zone).date() + timedelta(days=day) for day in range(1, 10)]
            open_days = [day for day in days if day <= ends.date() and not _is_shut(season.calendar, day)]
            is_kept = len(open_days) == season.hold.days and _is_closing(season.calendar, ends)
        if not is_kept:
            yield f"{event.parcel}: its hold, begun {row.at}, is to end {event.ends_at}"


def _is_shut(calendar: Calendar, day: date) -> bool:
    return bool(calendar.hours) and day.isoweekday() == 7


def _is_closing(calendar: Calendar, ends: datetime) -> bool:
    """Whether this is the last minute of an open day, as the clock on the wall shows it."""
    closes = CLOSES if calendar.hours else 24 * 60
    return (ends.hour * 60 + ends.minute + 1, ends.second) == (closes, 0) and not _is_shut(calendar, ends.date())


def notices_sent(seen: Seen) -> Iterator[str]:
    """Every notice that an event promised was sent at least once, or a later event made it pointless."""
    owed: dict[tuple[ParcelId, ev.NoticeKind], SendNotice] = {}
    rows: dict[ParcelId, Parcel] = {}
    for row, event in _parcel_rows(seen):
        rows[event.parcel] = evolve_parcel(rows.get(event.parcel), event, row.at)
        for task in react(event, rows[event.parcel]):
            if isinstance(task, SendNotice):
                owed[event.parcel, task.notice] = task
    for (name, notice), task in owed.items():
        yield ASKED
        if not seen.told.get(name, Counter())[notice] and not _is_pointless(task, rows[name]):
            yield f"{rows[name].code}: '{notice}' was promised and never sent"


def _is_pointless(task: SendNotice, parcel: Parcel) -> bool:
    """Whether the parcel has gone on so far that this notice would only puzzle; a receipt never does."""
    stay = parcel.stay(task.stay) if task.stay else None
    match task.notice:
        case ev.NoticeKind.RECEIPT:
            return False
        case ev.NoticeKind.MOVED:
            return parcel.promise is None or parcel.promise.point != task.point
        case _:
            return stay is None or not stay.is_open or stay.recall is not None


def nothing_left_to_do(seen: Seen) -> Iterator[str]:
    """The outbox is empty: every task had its effect."""
    yield ASKED
    if seen.tasks_left:
        yield f"{seen.tasks_left} tasks are left in the outbox"


def credentials_once(seen: Seen) -> Iterator[str]:
    """No parcel is put in twice under one grant, and no stay ends twice, at any source or at two together.

    Whichever hub gave it: one restored from a backup has forgotten grants, and none of its own may bear their names.
    Only where a controller was replaced before anybody heard that a stay had ended, the next one may end it again.
    """
    put_in = Counter(str(entry.data["grant"]) for entry in _facts(seen, "parcel-put-in"))
    taken = Counter(str(entry.data["stay"]) for entry in _facts(seen, "parcel-taken-out"))
    for name, count in (*put_in.items(), *taken.items()):
        yield ASKED
        if count > 1 + (name in seen.ended_unheard):
            yield f"{name} acted {count} times"


def lists_only_forwards(seen: Seen) -> Iterator[str]:
    """No list is put in force after a later one: a permission that has ended stays ended."""
    for source, book in seen.books.items():
        applied = [entry.data for entry in book if entry.kind == "manifest-applied"]
        order = [(int(data["hub_epoch"]), int(data["generation"])) for data in applied]
        for before, after in pairwise(order):
            yield ASKED
            if after <= before:
                yield f"source {source}: put list {after} in force after {before}"


def _facts(seen: Seen, kind: str) -> Iterator[Entry]:
    for book in seen.books.values():
        yield from (entry for entry in book if entry.kind == kind)


FINAL: Final[dict[str, Callable[[Seen], Iterator[str]]]] = {
    "custody is never lost": custody,
    "2: no single-use credential acts twice": credentials_once,
    "4: hub and bank hold the same entries": journals_agree,
    "10: lists only go forwards": lists_only_forwards,
    "forks are real": forks_are_real,
    "the feed is gapless": feed_is_gapless,
    "versions are in order": versions_in_order,
    "counters are exact": counters_exact,
    "holds only move later": holds_only_later,
    "holds end as agreed": holds_as_agreed,
    "notices promised are sent": notices_sent,
    "nothing is left to do": nothing_left_to_do,
}
"""The rules asked at the end of a story, by name."""
