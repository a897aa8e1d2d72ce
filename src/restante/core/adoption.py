"""Adoption: what a fact from a source means at the hub. A fact is always recorded; one that surprises opens a case."""

from typing import assert_never

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.bank import Condition
from restante.core.custody import Decision, opened_case
from restante.core.ids import CaseId, StayKey, derived_id, lane_of
from restante.core.parcel import Direction, Held, Parcel, is_ended, stage_of
from restante.core.refusals import Refusal
from restante.core.stay import By, Stay, resumed
from restante.core.world import SourceHead, World, replace


def check_entry(head: SourceHead | None, command: cmd.AdoptFact) -> Refusal | None:
    """Whether the entry follows from what is adopted; an exact repeat of the newest entry is no refusal."""
    if head is None or head.point != command.point:
        return Refusal("source-unknown", "source", command.source)
    if head.forked_at is not None:
        return Refusal("source-forked", "source", command.source)
    if command.epoch != head.epoch:
        return Refusal("journal-epoch", "log_epoch", str(head.epoch))
    if command.seq > head.seq + 1:
        return Refusal("journal-gap", "seq", str(head.seq + 1))
    if command.seq == head.seq and command.hash != head.hash:
        return Refusal("journal-fork", "seq", str(command.seq))
    if head.seq and command.seq == head.seq + 1 and command.previous_hash != head.hash:
        return Refusal("journal-fork", "previous_hash", str(command.seq))
    return None


def adopt(command: cmd.AdoptFact, world: World) -> Decision:
    """Record one fact. An entry at or below the head is known already and changes nothing."""
    head = world.sources[command.source]
    if refused := check_entry(head, command):
        return refused
    assert head is not None
    return [] if command.seq <= head.seq else _meaning(command, world)


def advance(command: cmd.AdoptFact, world: World) -> bool:
    """Move the head past a newly adopted entry; False when the entry was known already."""
    head = world.sources[command.source]
    assert head is not None
    if command.seq <= head.seq:
        return False
    world.sources[command.source] = replace(head, seq=command.seq, hash=command.hash, version=head.version + 1)
    return True


def _meaning(command: cmd.AdoptFact, world: World) -> list[ev.AnyEvent]:
    match command.fact:
        case fact.ParcelPutIn() as put_in:
            return _put_in(command, put_in, world)
        case fact.ParcelTakenOut() as taken:
            return _taken_out(command, taken, world)
        case fact.DepositDeclined(parcel=name, reason=reason):
            parcel = world.parcels[name]
            if parcel is None:
                return _point_case(command, ev.CaseKind.PARCEL_UNKNOWN, name)
            declined = ev.DepositDeclined(name, command.point, reason)
            return [declined, *opened_case(parcel, ev.CaseKind.DEPOSIT_DECLINED, reason)]
        case fact.StayInherited(parcel=name, stay=stay):
            return [ev.StayInherited(name, stay, command.point)] if world.parcels[name] else []
        case fact.ConditionSeen() as seen:
            return _condition(command, seen, world)
        case fact.DoorStuck(door=door):
            return _point_case(command, ev.CaseKind.DOOR_STUCK, str(door))
        case fact.DoorForced(door=door):
            return _point_case(command, ev.CaseKind.DOOR_FORCED, str(door))
        case fact.CodeEntryClosed(channel=channel):
            return _point_case(command, ev.CaseKind.CODE_ENTRY_CLOSED, channel)
        case fact.Started(unfinished=unfinished) if unfinished:
            return _point_case(command, ev.CaseKind.OUTCOME_UNKNOWN, ", ".join(unfinished))
        case fact.Unknown(name=kind):
            return _point_case(command, ev.CaseKind.FACT_UNKNOWN, kind)
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


def _put_in(command: cmd.AdoptFact, put_in: fact.ParcelPutIn, world: World) -> list[ev.AnyEvent]:
    parcel = world.parcels[put_in.parcel]
    if parcel is None:
        return _point_case(command, ev.CaseKind.PARCEL_UNKNOWN, put_in.parcel)
    key = StayKey(command.source, command.epoch, command.seq)
    opened = ev.ParcelDeposited(
        parcel.id, key, command.point, put_in.door, put_in.room_class, put_in.by, put_in.evidence
    )
    return [opened, *_kept_promise(command, parcel), *_surprises_of_deposit(command, parcel)]


def _kept_promise(command: cmd.AdoptFact, parcel: Parcel) -> list[ev.AnyEvent]:
    """The promise ends with the deposit, if it was for this point; another point's is given back by a reaction."""
    if parcel.promise is None or parcel.promise.point != command.point:
        return []
    return [ev.PromiseEnded(parcel.id, parcel.promise, ev.PromiseEnd.KEPT)]


def _surprises_of_deposit(command: cmd.AdoptFact, parcel: Parcel) -> list[ev.AnyEvent]:
    if is_ended(stage_of(parcel)):
        return opened_case(parcel, ev.CaseKind.DEPOSITED_AFTER_END, type(stage_of(parcel)).__name__.lower())
    if any(stay.is_open for stay in parcel.stays):
        return opened_case(parcel, ev.CaseKind.IN_TWO_PLACES)
    if parcel.promise is None or parcel.promise.point != command.point:
        return opened_case(parcel, ev.CaseKind.DEPOSITED_ELSEWHERE)
    return []


def _taken_out(command: cmd.AdoptFact, taken: fact.ParcelTakenOut, world: World) -> list[ev.AnyEvent]:
    parcel = world.parcels[taken.parcel]
    if parcel is None:
        return _point_case(command, ev.CaseKind.PARCEL_UNKNOWN, taken.parcel)
    stay = parcel.stay(taken.stay)
    if stay is None or stay.point != command.point:
        return opened_case(parcel, ev.CaseKind.STAY_UNKNOWN, str(taken.stay))
    if not stay.is_open:
        return opened_case(parcel, ev.CaseKind.TAKEN_OUT_TWICE, str(taken.stay))
    closed = ev.ParcelWithdrawn(parcel.id, stay.key, stay.point, stay.door, stay.room_class, taken.by, taken.evidence)
    return [closed, *_unasked(parcel, stay, taken.by), *_no_longer_in_two_places(parcel)]


def _unasked(parcel: Parcel, stay: Stay, by: By) -> list[ev.AnyEvent]:
    wanted = stay.recall is not None or parcel.direction is Direction.DROP_OFF
    surprising = by is By.COURIER and not wanted
    return opened_case(parcel, ev.CaseKind.TAKEN_OUT_UNASKED, str(stay.key)) if surprising else []


def _no_longer_in_two_places(parcel: Parcel) -> list[ev.AnyEvent]:
    kind = ev.CaseKind.IN_TWO_PLACES
    still_open = sum(stay.is_open for stay in parcel.stays) - 1
    if kind.value not in parcel.cases or still_open > 1:
        return []
    return [ev.CaseSettled(parcel.id, parcel.cases[kind.value], kind, "the other stay was closed")]


def _condition(command: cmd.AdoptFact, seen: fact.ConditionSeen, world: World) -> list[ev.AnyEvent]:
    changed = ev.ConditionChanged(
        command.point, command.source, seen.door, seen.room_class, seen.capacity, seen.condition, len(seen.stays)
    )
    clocks = [event for name, key in seen.stays for event in _clock(world.parcels[name], key, seen, command)]
    return [changed, *clocks]


def _clock(parcel: Parcel | None, key: StayKey, seen: fact.ConditionSeen, command: cmd.AdoptFact) -> list[ev.AnyEvent]:
    """A hold stops while its door cannot be opened, and runs again when it can."""
    stage = stage_of(parcel) if parcel else None
    if parcel is None or not isinstance(stage, Held) or stage.stay != key:
        return []
    hold = stage.hold
    if seen.condition is Condition.IN_ORDER:
        if hold.paused_at is None:
            return []
        return [ev.HoldResumed(parcel.id, key, resumed(hold, command.at).ends_at)]
    return [] if hold.paused_at is not None else [ev.HoldPaused(parcel.id, key, seen.condition.value)]


def _point_case(command: cmd.AdoptFact, what: ev.CaseKind, detail: str) -> list[ev.AnyEvent]:
    name = f"case:{what}:{command.source}:{command.epoch}:{command.seq}"
    case = CaseId(derived_id(name, lane_of(command.point)))
    return [ev.PointCaseOpened(command.point, case, what, detail)]
