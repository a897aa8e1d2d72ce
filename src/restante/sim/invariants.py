"""What must always hold, each rule a function from what can be seen at the end of a story to sentences about breaches.

At the end every link has healed and every queue is empty; what is then still in disagreement would be so for ever. The
rules read the ledger, the books, the mail that was sent and the ground, and never ask the code under test how it is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from restante.core import events as ev
from restante.core.ids import Lane, ParcelId, PointId, SourceId, StayKey, lane_of
from restante.core.parcel import Direction, Parcel, WithCourier, current_stay, stage_of
from restante.core.parcel import Cancelled, Collected, Released
from restante.core.reactions import SendNotice, react
from restante.core.stay import By
from restante.core.time import Instant
from restante.core.world import evolve_parcel
from restante.edge.state import OpenStay
from restante.sim.ground import Behind, Ground, Hands, Spot
from restante.store.ledger import JournalRow, Recorded
from restante.wire.journal import Entry


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
    forked: frozenset[SourceId] = frozenset()
    tasks_left: int = 0
    counters: Sequence[str] = ()


# --- custody is never lost


def custody(seen: Seen) -> Iterator[str]:
    """The ground, the hub and the banks agree on where every parcel is."""
    for parcel in seen.parcels.values():
        spot = seen.ground.spots[parcel.id]
        if isinstance(spot, Behind) and spot.source in seen.forked:
            continue
        yield from _hub_agrees(parcel, spot, seen.points)
    for source, stays in seen.stays.items():
        if source not in seen.forked:
            yield from _bank_agrees(source, stays, seen.ground)


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
    real = {(name, spot.door) for name, spot in ground.spots.items() if isinstance(spot, Behind) and spot.source == source}
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
        ours = [(entry.log_epoch, entry.seq, entry.hash) for entry in book]
        theirs = [(row.epoch, row.seq, row.hash) for row in seen.journals[source]]
        if ours != theirs:
            at = next((at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
            where = f"they differ at {ours[at][:2]}" if at is not None else "one goes on"
            yield f"source {source}: {len(ours)} entries in its book, {len(theirs)} at the hub; {where}"
        if [number for _, number, _ in ours] != list(range(1, len(ours) + 1)) and len({key for key, _, _ in ours}) == 1:
            yield f"source {source}: its book has gaps"


# --- the feed


def feed_is_gapless(seen: Seen) -> Iterator[str]:
    """Positions in a lane are 1, 2, 3 … up to its head, and nothing stands in a lane that is not its own."""
    for lane, feed in seen.feeds.items():
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
        if found != list(range(1, len(found) + 1)):
            yield f"{name}: its versions come as {found}"
        if (stored := seen.parcels.get(name)) is None or stored.version != found[-1]:
            yield f"{name}: stored at version {stored.version if stored else None}, its log ends at {found[-1]}"


def log_tells_the_rows(seen: Seen) -> Iterator[str]:
    """Every stored parcel is what its own events make of it."""
    for parcel in _replayed(seen):
        if parcel != seen.parcels.get(parcel.id):
            yield f"{parcel.code}: the stored row is not what its events say"


def _replayed(seen: Seen) -> Iterable[Parcel]:
    rows: dict[ParcelId, Parcel] = {}
    for row in _parcel_rows(seen):
        rows[row.event.parcel] = evolve_parcel(rows.get(row.event.parcel), row.event, row.at)
    return rows.values()


def _parcel_rows(seen: Seen) -> Iterator[Recorded]:
    for feed in seen.feeds.values():
        yield from (row for row in feed if isinstance(row.event, ev.ParcelEvent))


def counters_exact(seen: Seen) -> Iterator[str]:
    """What the checker of the store found: every counter is the sum of what it counts."""
    yield from seen.counters


# --- holds and notices


def holds_only_later(seen: Seen) -> Iterator[str]:
    """The end of a hold that was shown to a person never moves earlier, and no hold lapses before it."""
    ends: dict[StayKey, Instant] = {}
    for row in _parcel_rows(seen):
        event = row.event
        if isinstance(event, ev.HoldStarted | ev.HoldExtended | ev.HoldResumed):
            if event.ends_at < ends.get(event.stay, event.ends_at):
                yield f"{event.parcel}: the end of its hold moved from {ends[event.stay]} to {event.ends_at}"
            ends[event.stay] = event.ends_at
        elif isinstance(event, ev.HoldLapsed) and row.recorded_at < ends[event.stay]:
            yield f"{event.parcel}: its hold lapsed at {row.recorded_at}, before {ends[event.stay]}"


def notices_sent(seen: Seen) -> Iterator[str]:
    """Every notice that an event promised was sent at least once, or a later event made it pointless."""
    owed: Counter[tuple[ParcelId, ev.NoticeKind]] = Counter()
    rows: dict[ParcelId, Parcel] = {}
    for row in _parcel_rows(seen):
        name = row.event.parcel
        rows[name] = evolve_parcel(rows.get(name), row.event, row.at)
        for task in react(row.event, rows[name]):
            if isinstance(task, SendNotice):
                owed[name, task.notice] += 1
    for (name, notice), times in owed.items():
        if not seen.told.get(name, Counter())[notice] and not _is_pointless(notice, rows[name]):
            yield f"{rows[name].code}: '{notice}' was promised {times} times and never sent"


def _is_pointless(notice: ev.NoticeKind, parcel: Parcel) -> bool:
    """Whether a parcel has gone on so far that this notice would only puzzle; a receipt always counts."""
    if notice is ev.NoticeKind.RECEIPT:
        return False
    return current_stay(parcel) is None or any(stay.recall for stay in parcel.stays)


def nothing_left_to_do(seen: Seen) -> Iterator[str]:
    """The outbox is empty: every task had its effect."""
    if seen.tasks_left:
        yield f"{seen.tasks_left} tasks are left in the outbox"


FINAL = {
    "custody is never lost": custody,
    "4: hub and bank hold the same entries": journals_agree,
    "the feed is gapless": feed_is_gapless,
    "versions are in order": versions_in_order,
    "rows follow from the log": log_tells_the_rows,
    "counters are exact": counters_exact,
    "holds only move later": holds_only_later,
    "notices promised are sent": notices_sent,
    "nothing is left to do": nothing_left_to_do,
}
"""The rules asked at the end of a story, by name."""
