"""Adoption: what a fact from a source means at the hub. A fact is always recorded; one that surprises opens a case.

Theory of operation. A source is the sole author of its doors, so what it says is taken down; but it may be broken or
forged, so nothing it says can touch another source's stays or room, name rows that were not loaded, or make a rule fail
later on. Whatever a fact says about a stay is asked of that stay alone, so facts of different sources commute, and so
do those of one source's epochs: the end of an old log may come when its successor has long been heard. Only a
compartment is one and the same in all epochs, so of its condition the latest epoch that told has the word.
"""

from typing import Final, assert_never

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.bank import RoomClass, is_room_class
from restante.core.clocks import clock_at_door
from restante.core.custody import Decision
from restante.core.ids import CaseId, ParcelId, StayKey, derived_id, lane_of
from restante.core.parcel import Parcel, is_drop_off
from restante.core.refusals import Refusal
from restante.core.reservation import Room
from restante.core.stay import By, Stay
from restante.core.surprises import changed_surprises, deposited, opened_case, words
from restante.core.world import Reached, SourceHead, World, case_key, replace

MAX_POINT_CASES: Final = 64
"""How many cases may be open about one point; a source that causes more is broken or forged: its journal tells."""

MAX_STRAYS: Final = 512
"""How many unannounced parcels are kept count of at one point."""

MAX_CAPACITY: Final = 1000
"""More parcels than any shelf place holds."""


def check_entry(head: SourceHead | None, command: cmd.AdoptFact) -> Refusal | None:
    """Whether the entry follows from what is adopted of its epoch; an exact repeat of the newest one is no refusal."""
    if head is None or head.point != command.point:
        return Refusal("source-unknown", "source", command.source)
    if head.forked_at is not None:
        return Refusal("source-forked", "source", command.source)
    reached = head.reached(command.epoch)
    if reached is None:
        return Refusal("journal-epoch", "log_epoch", str(head.epoch))
    if command.seq > reached.seq + 1:
        return Refusal("journal-gap", "seq", str(reached.seq + 1))
    if command.seq == reached.seq and command.hash != reached.hash:
        return Refusal("journal-fork", "seq", str(command.seq))
    if reached.seq and command.seq == reached.seq + 1 and command.previous_hash != reached.hash:
        return Refusal("journal-fork", "previous_hash", str(command.seq))
    return None


def adopt(command: cmd.AdoptFact, world: World) -> Decision:
    """Record one fact. An entry at or below the head is known already and changes nothing."""
    head = world.sources[command.source]
    if refused := check_entry(head, command):
        return refused
    assert head is not None
    return [] if head.holds(command.epoch, command.seq) else _meaning(command, world)


def advance(command: cmd.AdoptFact, world: World) -> None:
    """Move the head past a newly adopted entry; one that was known already moves nothing."""
    head = world.sources[command.source]
    assert head is not None
    if head.holds(command.epoch, command.seq):
        return
    moved = head.moved(command.epoch, Reached(command.seq, command.hash))
    if isinstance(command.fact, fact.ManifestApplied) and command.epoch == head.epoch:
        moved = replace(moved, in_force=(command.fact.hub_epoch, command.fact.generation))
    world.sources[command.source] = moved


def _meaning(command: cmd.AdoptFact, world: World) -> list[ev.AnyEvent]:
    match command.fact:
        case fact.ParcelPutIn() as put_in:
            return _put_in(command, put_in, world)
        case fact.ParcelTakenOut() as taken:
            return _taken_out(command, taken, world)
        case fact.DepositDeclined(parcel=name, reason=reason):
            if (parcel := _parcel(world, name)) is None:
                return _case(command, ev.CaseKind.PARCEL_UNKNOWN, world, about=name)
            told = words(reason)
            declined = ev.DepositDeclined(name, command.point, told)
            return [declined, *opened_case(parcel, ev.CaseKind.DEPOSIT_DECLINED, told)]
        case fact.StayInherited() as inherited:
            return _inherited(command, inherited, world)
        case fact.ConditionSeen() as seen:
            return _condition(command, seen, world)
        case fact.DoorStuck(door=door):
            return _case(command, ev.CaseKind.DOOR_STUCK, world, about=str(door))
        case fact.DoorForced(door=door):
            return _case(command, ev.CaseKind.DOOR_FORCED, world, about=str(door))
        case fact.CodeEntryClosed(channel=channel):
            return _case(command, ev.CaseKind.CODE_ENTRY_CLOSED, world, about=channel)
        case fact.Started(unfinished=unfinished) if unfinished:
            return _case(command, ev.CaseKind.OUTCOME_UNKNOWN, world, about=", ".join(unfinished))
        case fact.Unknown(name=kind):
            return _case(command, ev.CaseKind.FACT_UNKNOWN, world, about=kind)
        case (
            fact.IntentRecorded()
            | fact.DoorOpened()
            | fact.DoorShut()
            | fact.CodeRefused()
            | fact.ManifestApplied()
            | fact.Started()
        ):
            return []
        case _:
            assert_never(command.fact)


def _parcel(world: World, name: ParcelId) -> Parcel | None:
    """The parcel a fact names; what is no id of ours names none, and its row was not loaded."""
    return world.parcels.get(name)


def _room(command: cmd.AdoptFact, world: World) -> Room:
    room = world.rooms[command.point]
    assert room is not None, "a source stands at a known point"
    return room


def _put_in(command: cmd.AdoptFact, put_in: fact.ParcelPutIn, world: World) -> list[ev.AnyEvent]:
    key = StayKey(command.source, command.epoch, command.seq)
    room_class, name = RoomClass(words(put_in.room_class)), put_in.parcel
    if (parcel := _parcel(world, name)) is None:
        case = _case(command, ev.CaseKind.PARCEL_UNKNOWN, world, about=name)
        named = ParcelId(words(name))
        if len(_room(command, world).strays) >= MAX_STRAYS:
            return case
        return [
            ev.StrayDeposited(command.point, key, named, put_in.door, room_class, put_in.by, put_in.shared),
            *case,
        ]
    opened = ev.ParcelDeposited(
        name, key, command.point, put_in.door, room_class, put_in.by, put_in.evidence, put_in.shared
    )
    return deposited(parcel, opened, command.at)


def _taken_out(command: cmd.AdoptFact, taken: fact.ParcelTakenOut, world: World) -> list[ev.AnyEvent]:
    if str(taken.stay) in _room(command, world).strays:
        return [ev.StrayWithdrawn(command.point, taken.stay, taken.by)]
    if (parcel := _parcel(world, taken.parcel)) is None:
        return _case(command, ev.CaseKind.PARCEL_UNKNOWN, world, about=taken.parcel)
    stay = _own_stay(parcel, taken.stay, command)
    if stay is None:
        return opened_case(parcel, ev.CaseKind.STAY_UNKNOWN, str(taken.stay))
    if not stay.is_open:
        return opened_case(parcel, ev.CaseKind.TAKEN_OUT_TWICE, str(taken.stay))
    closed = ev.ParcelWithdrawn(parcel.id, stay.key, stay.point, stay.door, stay.room_class, taken.by, taken.evidence)
    return [closed, *_unasked(parcel, stay, taken.by), *changed_surprises(parcel, closed, command.at)]


def _own_stay(parcel: Parcel, key: StayKey, command: cmd.AdoptFact) -> Stay | None:
    """The stay a fact names, if it is one of the source that tells the fact."""
    stay = parcel.stay(key)
    return stay if stay is not None and stay.point == command.point and key.source == command.source else None


def _unasked(parcel: Parcel, stay: Stay, by: By) -> list[ev.AnyEvent]:
    surprising = by is By.COURIER and stay.recall is None and not is_drop_off(parcel, stay)
    return opened_case(parcel, ev.CaseKind.TAKEN_OUT_UNASKED, str(stay.key)) if surprising else []


def _inherited(command: cmd.AdoptFact, inherited: fact.StayInherited, world: World) -> list[ev.AnyEvent]:
    if str(inherited.stay) in _room(command, world).strays:
        return []
    if (parcel := _parcel(world, inherited.parcel)) is None:
        return _case(command, ev.CaseKind.PARCEL_UNKNOWN, world, about=inherited.parcel)
    stay = _own_stay(parcel, inherited.stay, command)
    if stay is None or not stay.is_open:
        return opened_case(parcel, ev.CaseKind.STAY_UNKNOWN, str(inherited.stay))
    return [ev.StayInherited(parcel.id, stay.key, stay.point)]


def _condition(command: cmd.AdoptFact, seen: fact.ConditionSeen, world: World) -> list[ev.AnyEvent]:
    if not is_room_class(seen.room_class) or not 0 < seen.capacity <= MAX_CAPACITY:
        return _case(command, ev.CaseKind.FACT_UNKNOWN, world, about=f"{seen.condition} door {seen.door}")
    if command.epoch < _room(command, world).told_in.get(str(seen.door), 1):
        return []
    named = dict.fromkeys(seen.stays[: fact.MAX_STAYS_NAMED])
    here = [found for name, key in named if (found := _stay_behind(command, _parcel(world, name), key, door=seen.door))]
    clocks = [
        event for parcel, stay in here for event in clock_at_door(parcel, stay, condition=seen.condition, at=command.at)
    ]
    counted = sum(stay.room_class == seen.room_class for _, stay in here) + _strays_behind(command, seen, world)
    taken = max(0, counted - _room(command, world).beside.get(str(seen.door), 0))
    changed = ev.ConditionChanged(
        command.point,
        command.source,
        seen.door,
        seen.room_class,
        seen.capacity,
        seen.condition,
        taken,
        epoch=command.epoch,
    )
    return [changed, *clocks]


def _stay_behind(
    command: cmd.AdoptFact, parcel: Parcel | None, key: StayKey, *, door: int
) -> tuple[Parcel, Stay] | None:
    stay = _own_stay(parcel, key, command) if parcel else None
    return (parcel, stay) if parcel and stay and stay.is_open and stay.door == door else None


def _strays_behind(command: cmd.AdoptFact, seen: fact.ConditionSeen, world: World) -> int:
    strays = _room(command, world).strays
    named = {str(key) for _, key in seen.stays[: fact.MAX_STAYS_NAMED]}
    found = (strays[key] for key in named if key in strays)
    return sum(stray.door == seen.door and stray.room_class == seen.room_class for stray in found)


def _case(command: cmd.AdoptFact, what: ev.CaseKind, world: World, *, about: str) -> list[ev.AnyEvent]:
    """The opening of a case about the point, unless one about the same thing is open or there are too many."""
    room, told = _room(command, world), words(about)
    if case_key(what, told) in room.cases or len(room.cases) >= MAX_POINT_CASES:
        return []
    name = f"case:{what}:{command.source}:{command.epoch}:{command.seq}"
    case = CaseId(derived_id(name, lane_of(command.point)))
    return [ev.PointCaseOpened(command.point, case, what, told)]
