"""The loaded rows, and how each event changes them.

A batch loads the rows its commands name, decides the commands one by one, and folds each event back in at once, so that
command k sees what command k-1 did. Asking for a row that no command named is a bug, and fails as one.
"""

from typing import Any, assert_never

import msgspec

from restante.core import events as ev
from restante.core.bank import BankModule, Condition, Point, Source
from restante.core.ids import ParcelId, PointId, SourceId, StayKey
from restante.core.parcel import Parcel
from restante.core.reservation import (
    Faulty,
    Room,
    Stray,
    with_compartments,
    with_condition,
    with_deposit,
    with_promise,
    with_stray,
    with_withdrawal,
    without_stray,
)
from restante.core.stay import Hold, Stay, Withdrawal, paused, resumed
from restante.core.time import Instant

replace = msgspec.structs.replace


class Reached(msgspec.Struct, frozen=True):
    """How far the log of one epoch has been adopted: its last number, 0 before the first, and that entry's hash."""

    seq: int = 0
    hash: str = ""


class SourceHead(msgspec.Struct, frozen=True):
    """How far a source's journal has been adopted, and whether it can be trusted to go on.

    ``past`` tells the same of earlier epochs: what a source wrote in them may be heard of long after they ended.
    ``in_force`` is the hub epoch and generation of the manifest that the journal last said was in force there.
    """

    source: SourceId
    point: PointId
    epoch: int = 1
    seq: int = 0
    hash: str = ""
    forked_at: int | None = None
    version: int = 0
    past: dict[int, Reached] = {}
    in_force: tuple[int, int] = (0, 0)

    def reached(self, epoch: int) -> Reached | None:
        """How far the log of this epoch has been adopted; None when it was never begun."""
        return Reached(self.seq, self.hash) if epoch == self.epoch else self.past.get(epoch)

    def holds(self, epoch: int, seq: int) -> bool:
        """Whether the entry of this number is adopted."""
        reached = self.reached(epoch)
        return reached is not None and seq <= reached.seq

    def moved(self, epoch: int, to: Reached) -> "SourceHead":
        """The head after an entry of this epoch was adopted."""
        if epoch == self.epoch:
            return replace(self, seq=to.seq, hash=to.hash, version=self.version + 1)
        return replace(self, past={**self.past, epoch: to}, version=self.version + 1)


class World(msgspec.Struct):
    """The rows of one batch, by id; None stands for a row that was named and does not exist."""

    parcels: dict[ParcelId, Parcel | None] = {}
    rooms: dict[PointId, Room | None] = {}
    sources: dict[SourceId, SourceHead | None] = {}
    points: dict[PointId, Point | None] = {}


def apply(world: World, event: ev.AnyEvent, at: Instant) -> None:
    """Fold one event that happened at ``at`` into the rows."""
    if isinstance(event, ev.ParcelEvent):
        _count_room(world, event)
        world.parcels[event.parcel] = evolve_parcel(world.parcels[event.parcel], event, at)
    else:
        _apply_to_point(world, event, at)


def evolve_parcel(parcel: Parcel | None, event: ev.AnyParcelEvent, at: Instant) -> Parcel:
    """The parcel after one of its events."""
    if isinstance(event, ev.ParcelAnnounced):
        assert parcel is None
        return Parcel(
            id=event.parcel,
            org=event.org,
            code=event.code,
            direction=event.direction,
            room_class=event.room_class,
            weight_grams=event.weight_grams,
            recipient=event.recipient,
            consignment=event.consignment,
            destination=event.destination,
            announced_at=at,
            version=1,
        )
    assert parcel is not None
    return replace(parcel, version=parcel.version + 1, **_changed(parcel, event, at))


def _changed(parcel: Parcel, event: ev.AnyParcelEvent, at: Instant) -> dict[str, Any]:
    """The fields of the parcel that an event changes."""
    match event:
        case ev.RoomReserved(promise=promise, number=number):
            return {"promise": promise, "promises": number, "bound_for": promise.point}
        case ev.PromiseEnded(promise=promise):
            return {"promise": None} if parcel.promise == promise else {}
        case ev.ParcelDeposited():
            return {"stays": (*parcel.stays, _opened(parcel, event, at))}
        case ev.NoticeGiven(notice=ev.NoticeKind.REMINDER) | ev.NoticeBounced(notice=ev.NoticeKind.REMINDER):
            return {"stays": tuple([_reminded(stay, event.stay, at) for stay in parcel.stays])}
        case (
            ev.NoticeGiven()
            | ev.NoticeBounced()
            | ev.ParcelAnnounced()
            | ev.ParcelRedirected()
            | ev.DepositDeclined()
            | ev.StayInherited()
        ):
            return {}
        case (
            ev.ParcelWithdrawn()
            | ev.HoldStarted()
            | ev.HoldExtended()
            | ev.HoldPaused()
            | ev.HoldResumed()
            | ev.HoldLapsed()
            | ev.RecallOrdered()
        ):
            return {"stays": tuple([_evolved_stay(stay, event, at) for stay in parcel.stays])}
        case ev.ParcelCancelled():
            return {"cancelled_at": at}
        case ev.ParcelReleased():
            return {"released_at": at}
        case ev.CaseOpened(case=case, what=what):
            return {"cases": {**parcel.cases, what.value: case}}
        case ev.CaseSettled(what=what):
            return {"cases": {kind: case for kind, case in parcel.cases.items() if kind != what.value}}
        case _:
            assert_never(event)


def _opened(parcel: Parcel, event: ev.ParcelDeposited, at: Instant) -> Stay:
    return Stay(
        event.stay,
        event.point,
        event.door,
        event.room_class,
        at,
        event.by,
        expected=parcel.bound_for is None or parcel.bound_for == event.point,
        shared=event.shared,
    )


def _reminded(stay: Stay, key: StayKey | None, at: Instant) -> Stay:
    if stay.key != key or stay.hold is None:
        return stay
    return replace(stay, hold=replace(stay.hold, reminded_at=at))


StayEvent = (
    ev.ParcelWithdrawn
    | ev.HoldStarted
    | ev.HoldExtended
    | ev.HoldPaused
    | ev.HoldResumed
    | ev.HoldLapsed
    | ev.RecallOrdered
)


def _evolved_stay(stay: Stay, event: StayEvent, at: Instant) -> Stay:
    if event.stay != stay.key:
        return stay
    match event:
        case ev.ParcelWithdrawn(by=by):
            return replace(stay, withdrawn=Withdrawal(at, by))
        case ev.RecallOrdered(reason=reason):
            return replace(stay, recall=reason)
        case ev.HoldStarted(ends_at=ends_at):
            return replace(stay, hold=Hold(at, ends_at))
        case ev.HoldExtended() | ev.HoldPaused() | ev.HoldResumed() | ev.HoldLapsed():
            assert stay.hold is not None
            return replace(stay, hold=_evolved_hold(stay.hold, event, at))
        case _:
            assert_never(event)


def _evolved_hold(
    hold: Hold, event: ev.HoldExtended | ev.HoldPaused | ev.HoldResumed | ev.HoldLapsed, at: Instant
) -> Hold:
    match event:
        case ev.HoldExtended(ends_at=ends_at):
            return replace(hold, ends_at=ends_at, reminded_at=None)
        case ev.HoldPaused(why=why):
            return paused(hold, why, at)
        case ev.HoldResumed(why=why):
            return resumed(hold, why, at)
        case ev.HoldLapsed():
            return replace(hold, lapsed_at=at)
        case _:
            assert_never(event)


def _count_room(world: World, event: ev.AnyParcelEvent) -> None:
    """Move the counters of the room that a parcel's event concerns."""
    match event:
        case ev.RoomReserved(promise=promise):
            room = _room(world, promise.point)
            world.rooms[promise.point] = with_promise(room, promise, 1)
        case ev.PromiseEnded(promise=promise):
            room = _room(world, promise.point)
            world.rooms[promise.point] = with_promise(room, promise, -1)
        case ev.ParcelDeposited(point=point, door=door, room_class=room_class, shared=shared):
            world.rooms[point] = with_deposit(_room(world, point), door, room_class, shared=shared)
        case ev.ParcelWithdrawn(point=point, door=door, room_class=room_class):
            world.rooms[point] = with_withdrawal(_room(world, point), door, room_class)
        case _:
            pass


def _apply_to_point(world: World, event: ev.AnyPointEvent, at: Instant) -> None:
    match event:
        case ev.PointProvisioned(definition=definition):
            world.points[event.point] = definition
            world.rooms[event.point] = Room(event.point, definition.status, definition.calendar, definition.hold)
        case ev.PointChanged(status=status):
            world.rooms[event.point] = replace(_room(world, event.point), status=status)
            world.points[event.point] = replace(_point(world, event.point), status=status)
        case ev.SourceInstalled(source=source, what=what):
            world.sources[source] = SourceHead(source, event.point)
            world.rooms[event.point] = replace(_room(world, event.point), source=source)
            world.points[event.point] = replace(_point(world, event.point), source=Source(source, what, ()))
        case ev.ModuleAdded(module=module):
            world.rooms[event.point] = with_compartments(_room(world, event.point), module.compartments)
            world.points[event.point] = _extended(_point(world, event.point), module)
        case ev.ConditionChanged():
            world.rooms[event.point] = _with_condition(_room(world, event.point), event)
        case ev.ContactLost():
            world.rooms[event.point] = replace(_room(world, event.point), lost_at=at)
        case ev.ContactRegained():
            world.rooms[event.point] = replace(_room(world, event.point), lost_at=None)
        case ev.ForkFound(source=source, seq=seq):
            world.sources[source] = replace(_source(world, source), forked_at=seq)
        case ev.EpochStarted(source=source, epoch=epoch):
            head = _source(world, source)
            past = {**head.past, head.epoch: Reached(head.seq, head.hash)}
            begun = replace(head, epoch=epoch, seq=0, hash="", forked_at=None, past=past, in_force=(0, 0))
            world.sources[source] = begun
        case ev.StrayDeposited(stay=stay):
            stray = Stray(event.parcel_named, event.door, event.room_class, event.by, event.shared)
            world.rooms[event.point] = with_stray(_room(world, event.point), stay, stray)
        case ev.StrayWithdrawn(stay=stay) | ev.StrayClaimed(stay=stay):
            world.rooms[event.point] = without_stray(_room(world, event.point), stay)
        case ev.PointCaseOpened(case=case, what=what, detail=detail):
            room = _room(world, event.point)
            world.rooms[event.point] = replace(room, cases={**room.cases, case_key(what, detail): case})
        case ev.PointCaseSettled(case=case):
            room = _room(world, event.point)
            left = {key: other for key, other in room.cases.items() if other != case}
            world.rooms[event.point] = replace(room, cases=left)
        case _:
            assert_never(event)


def _with_condition(room: Room, event: ev.ConditionChanged) -> Room:
    if event.epoch > 1:
        room = replace(room, told_in={**room.told_in, str(event.door): event.epoch})
    if event.condition is Condition.IN_ORDER:
        return with_condition(room, event.door, broken=None)
    broken = Faulty(event.room_class, event.capacity, event.stays, event.condition)
    return with_condition(room, event.door, broken=broken)


def case_key(what: ev.CaseKind, detail: str) -> str:
    """The key of a point's open case in ``Room.cases``: at most one is open for a kind and what it is about."""
    return f"{what.value}:{detail}"


def _room(world: World, point: PointId) -> Room:
    room = world.rooms[point]
    assert room is not None
    return room


def _point(world: World, point: PointId) -> Point:
    definition = world.points[point]
    assert definition is not None
    return definition


def _source(world: World, source: SourceId) -> SourceHead:
    head = world.sources[source]
    assert head is not None
    return head


def _extended(point: Point, module: BankModule) -> Point:
    assert point.source is not None
    return replace(point, source=replace(point.source, modules=(*point.source.modules, module)))
